# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Show a placement plan as a table."""

from __future__ import annotations

DOCUMENTATION = r"""
name: placement_table
short_description: Show a placement plan as a table
version_added: 0.1.0
author:
  - The kilonova.compute contributors (@kilonova)
description:
  - Turns the plan of P(kilonova.compute.schedule#filter), P(kilonova.compute.rebalance#filter) or P(kilonova.compute.drain#filter), or the
    figures of P(kilonova.compute.capacity#filter), into lines for a terminal.
  - The table of a placement has instance, flavor, host, action and why. Below it stands, for each instance without a place, the reason of every host.
  - Further down are the moves of what runs already, what breaks its own rules where it is, and the certificate - how many hosts are used and how
    many must be, and of what has no place whether that is proven.
options:
  _input:
    description:
      - The plan.
    type: dictionary
    required: true
seealso:
  - plugin: kilonova.compute.schedule
    plugin_type: filter
  - plugin: kilonova.compute.rebalance
    plugin_type: filter
  - plugin: kilonova.compute.drain
    plugin_type: filter
  - plugin: kilonova.compute.capacity
    plugin_type: filter
"""

EXAMPLES = r"""
---
- name: Show the plan
  ansible.builtin.debug:
    msg: "{{ (plan | kilonova.compute.placement_table).splitlines() }}"
  vars:
    plan: "{{ instances | kilonova.compute.schedule(hosts=hypervisors, fleet='demo') }}"
    instances:
      - name: web
        flavor:
          name: tiny
          vcpus: 1
          memory_mb: 128
          disk_gb: 1
    hypervisors:
      hv1:
        vcpus: 8
        vcpus_used: 0
        memory_mb: 16384
        memory_mb_used: 0
        local_gb: 100
        local_gb_used: 0
"""

RETURN = r"""
_value:
  description: The table, lines separated by line feeds.
  type: string
"""

import typing as t

from ansible.errors import AnsibleFilterError

from ..plugin_utils._plain import PlainError, to_plain
from ..plugin_utils._scheduler.tables import any_table

if t.TYPE_CHECKING:
    from collections.abc import Callable


def placement_table(plan: t.Any) -> str:
    """Return the plan as lines for a terminal."""
    try:
        return any_table(to_plain(plan, "plan"))
    except (PlainError, LookupError, TypeError, ValueError, AttributeError) as exc:
        raise AnsibleFilterError(
            f"This is not a plan ({exc}); pass what kilonova.compute.schedule, rebalance, drain or capacity returned."
        ) from exc


class FilterModule:
    """Jinja2 filters."""

    def filters(self) -> dict[str, Callable[..., t.Any]]:
        """Return the filters by name."""
        return {"placement_table": placement_table}
