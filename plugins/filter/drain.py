# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Empty hypervisors."""

from __future__ import annotations

DOCUMENTATION = r"""
name: drain
short_description: Plan moves that empty hypervisors
version_added: 0.1.0
author:
  - The kilonova.compute contributors (@kilonova)
description:
  - Says where everything on some hypervisors should be moved so that they can be taken out of service, and in which order. It changes nothing.
  - An instance goes only where everything that P(kilonova.compute.schedule#filter) would check lets it go. Affinity groups leave as one.
  - Where there is no place left, two instances at most make way for one, first those that are moved anyway, and with O(make_room) others.
  - Moves come in waves, as in P(kilonova.compute.rebalance#filter). Limits and rules hold at every step.
  - What can't leave is named, with the reason of every host. What is in no fleet is not moved.
extends_documentation_fragment:
  - kilonova.compute._moves.hosts
  - kilonova.compute._moves.moves
options:
  drained:
    description:
      - The hosts to empty. They may be disabled, so that nothing new goes there.
      - Of a host that is down the facts tell nothing, so that nothing is moved from it.
    type: list
    elements: string
    required: true
  policy:
    description:
      - V(spread) leaves as much room as possible on the hosts that take the instances, V(pack) as little.
    type: string
    choices:
      - spread
      - pack
    default: spread
  make_room:
    description:
      - Let instances on the other hosts be moved too if that makes room for what has to leave.
    type: boolean
    default: false
  make_room_cost:
    description:
      - How many MiB of such instances may be moved for each one that has to leave. Any number if it is not given.
    type: integer
seealso:
  - plugin: kilonova.compute.rebalance
    plugin_type: filter
  - plugin: kilonova.compute.capacity
    plugin_type: filter
  - plugin: kilonova.compute.placement_table
    plugin_type: filter
"""

EXAMPLES = r"""
---
- name: Make sure that the hypervisor can be emptied
  ansible.builtin.assert:
    that: plan.complete
    fail_msg: "{{ plan.problem }}"
  vars:
    plan: "{{ hypervisors | kilonova.compute.drain(drained=['hv1']) }}"
    hypervisors:
      hv1:
        vcpus: 8
        vcpus_used: 6
        memory_mb: 16384
        memory_mb_used: 12288
        local_gb: 100
        local_gb_used: 30
        instances:
          - {name: web-1, fleet: demo, vcpus: 2, memory_mb: 4096, disk_gb: 10}
          - {name: web-2, fleet: demo, vcpus: 2, memory_mb: 4096, disk_gb: 10}
          - {name: web-3, fleet: demo, vcpus: 2, memory_mb: 4096, disk_gb: 10}
      hv2:
        vcpus: 8
        vcpus_used: 0
        memory_mb: 16384
        memory_mb_used: 0
        local_gb: 100
        local_gb_used: 0
"""

RETURN = r"""
_value:
  description: The plan.
  type: dictionary
  contains:
    drained:
      description: The hosts to empty.
      type: list
      elements: string
    complete:
      description: Whether they are empty once all moves are made.
      type: boolean
    moves:
      description:
        - The moves in the order of their waves, each with C(name), C(fleet), C(from), C(to), C(memory_mb), C(disk_gb), C(wave), C(temporary)
          (whether it is moved on later) and C(why).
      type: list
      elements: dictionary
    waves:
      description: How many waves there are.
      type: integer
    memory_mb:
      description: How much memory is moved in all.
      type: integer
    left:
      description:
        - What can't leave, each with C(name), C(fleet), C(host), C(why) and C(hosts) (C(host), C(filter) and C(message) for every other host,
          where those are the reason).
      type: list
      elements: dictionary
    problem:
      description: What stands in the way, in a few lines for an error message; empty if the hosts become empty.
      type: string
    hosts:
      description:
        - Every host with its C(state), C(service_status) (V(enabled) or V(disabled)) and C(reason), and its totals, used figures and limits
          once all moves are made.
      type: dictionary
"""

import typing as t

from ..plugin_utils._ask import ask_filter

if t.TYPE_CHECKING:
    from collections.abc import Callable


def drain(hosts: t.Any, **options: t.Any) -> dict[str, t.Any]:
    """Return the plan."""
    return ask_filter("drain", hosts, options)


class FilterModule:
    """Jinja2 filters."""

    def filters(self) -> dict[str, Callable[..., t.Any]]:
        """Return the filters by name."""
        return {"drain": drain}
