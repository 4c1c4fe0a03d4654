# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Say which moves of a wave may be made."""

from __future__ import annotations

DOCUMENTATION = r"""
name: due_moves
short_description: Say which moves of a wave may be made
version_added: 0.1.0
author:
  - The kilonova.compute contributors (@kilonova)
description:
  - Gives the moves of one wave of a plan, less those that depend on a move which was planned and not made.
  - A move depends on another one if it goes to the host that the other's instance did not leave, where there is less room and other
    company than was planned, or if it is of the same instance. All others are as good as they were when they were planned.
options:
  _input:
    description:
      - The moves, as P(kilonova.compute.drain#filter) and P(kilonova.compute.rebalance#filter) give them.
    type: list
    elements: dictionary
    required: true
  wave:
    description:
      - The number of the wave.
    type: integer
    required: true
  not_moved:
    description:
      - The moves of this wave and of earlier ones that were not made, or will not be.
    type: list
    elements: dictionary
    default: []
seealso:
  - plugin: kilonova.compute.drain
    plugin_type: filter
  - plugin: kilonova.compute.rebalance
    plugin_type: filter
"""

EXAMPLES = r"""
---
- name: Show that b has to stay since a stayed where it would have gone
  ansible.builtin.debug:
    var: moves | kilonova.compute.due_moves(wave=2, not_moved=moves[:1])
  vars:
    moves:
      - {name: a, fleet: demo, from: hv2, to: hv3, wave: 1}
      - {name: b, fleet: demo, from: hv1, to: hv2, wave: 2}
"""

RETURN = r"""
_value:
  description: The moves of the wave.
  type: dictionary
  contains:
    due:
      description: Those that may be made, as they were given.
      type: list
      elements: dictionary
    stopped:
      description: Those that may not, each with C(why) as a whole sentence. Those in O(not_moved) are not told again.
      type: list
      elements: dictionary
"""

import typing as t

from ansible.errors import AnsibleFilterError

from ..plugin_utils._due import due
from ..plugin_utils._plain import PlainError, to_plain

if t.TYPE_CHECKING:
    from collections.abc import Callable


def due_moves(moves: t.Any, wave: t.Any, not_moved: t.Any = ()) -> dict[str, t.Any]:
    """Return the moves that are due and those that are stopped."""
    try:
        return due(to_plain(moves, "moves"), int(wave), to_plain(not_moved, "not_moved"))
    except PlainError as exc:
        raise AnsibleFilterError(str(exc)) from exc
    except (LookupError, TypeError, ValueError) as exc:
        raise AnsibleFilterError(
            f"These are not moves ({exc}); pass what kilonova.compute.drain or rebalance returned as moves."
        ) from exc


class FilterModule:
    """Jinja2 filters."""

    def filters(self) -> dict[str, Callable[..., t.Any]]:
        """Return the filters by name."""
        return {"due_moves": due_moves}
