# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Say which moves were not made."""

from __future__ import annotations

DOCUMENTATION = r"""
name: undone_moves
short_description: Say which moves were not made
version_added: 0.1.0
author:
  - The kilonova.compute contributors (@kilonova)
description:
  - Compares moves of a plan with what tasks with M(kilonova.compute.compute_migration) returned for them.
options:
  _input:
    description:
      - The moves, as P(kilonova.compute.due_moves#filter) gives them.
    type: list
    elements: dictionary
    required: true
  results:
    description:
      - What the tasks returned that had the moves of one hypervisor as their C(migrations), failed or not.
    type: list
    elements: dictionary
    required: true
seealso:
  - module: kilonova.compute.compute_migration
  - plugin: kilonova.compute.due_moves
    plugin_type: filter
"""

EXAMPLES = r"""
---
- name: Show that a failed and b waits
  ansible.builtin.debug:
    var: moves | kilonova.compute.undone_moves(results=[result])
  vars:
    moves:
      - {name: a, from: hv1, to: hv2, wave: 1}
      - {name: b, from: hv1, to: hv2, wave: 1}
    result:
      failed: true
      msg: "1 of 2 moves failed."
      migrations:
        - {name: a, failed: true, changed: false, msg: It has 2 snapshots.}
        - {name: b, changed: false}
"""

RETURN = r"""
_value:
  description: The moves that were not made.
  type: dictionary
  contains:
    failed:
      description: Those that failed, each with C(why).
      type: list
      elements: dictionary
    waiting:
      description: Those that were not begun since others could not be, each with C(why).
      type: list
      elements: dictionary
"""

import typing as t

from ansible.errors import AnsibleFilterError

from ..plugin_utils._due import undone
from ..plugin_utils._plain import PlainError, to_plain

if t.TYPE_CHECKING:
    from collections.abc import Callable


def undone_moves(moves: t.Any, results: t.Any) -> dict[str, t.Any]:
    """Return the moves that failed and those that wait."""
    try:
        return undone(to_plain(moves, "moves"), to_plain(results, "results"))
    except PlainError as exc:
        raise AnsibleFilterError(str(exc)) from exc
    except (LookupError, TypeError, ValueError, AttributeError) as exc:
        raise AnsibleFilterError(
            f"These are not moves with their results ({exc}); pass a list of what tasks with compute_migration returned."
        ) from exc


class FilterModule:
    """Jinja2 filters."""

    def filters(self) -> dict[str, Callable[..., t.Any]]:
        """Return the filters by name."""
        return {"undone_moves": undone_moves}
