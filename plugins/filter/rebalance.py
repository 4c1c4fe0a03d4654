# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Make hypervisors evenly used with few moves."""

from __future__ import annotations

DOCUMENTATION = r"""
name: rebalance
short_description: Plan moves that make hypervisors evenly used
version_added: 0.1.0
author:
  - The kilonova.compute contributors (@kilonova)
description:
  - Says which instances should be moved so that hypervisors are evenly used, or why nothing should be. It changes nothing.
  - The imbalance is, over the hypervisors that are up, enabled and not in O(excluded), the standard deviation of the fraction used of vCPUs,
    plus that of memory, plus that of disk, each with its weight. What may be used is (total minus reserved) times ratio.
  - The move that gains most comes first, then exchanges of two instances where no move alone helps. In the end each instance is moved
    once, straight to its place, and moves without which it would hardly be worse are left out.
  - A move is only planned if everything that P(kilonova.compute.schedule#filter) would check lets the instance go there. It doesn't part
    what likes to be together either, nor join what likes to be apart (the soft policies of groups).
  - Moves come in waves. While a wave is carried out, its instances have their room on both sides, as in a live migration, so that limits and
    rules hold whichever move ends first. The next wave begins when all moves of the last one are done.
    Where instances wait for each other, one of them makes way by a third host; such a move is C(temporary).
  - Nothing is planned a second time once the moves are made.
extends_documentation_fragment:
  - kilonova.compute._moves.hosts
  - kilonova.compute._moves.moves
options:
  excluded:
    description:
      - Hosts from which and to which nothing is moved, and that don't count for the imbalance. So it is with those that are disabled.
    type: list
    elements: string
  threshold:
    description:
      - Do nothing as long as the imbalance is at most this.
    type: float
    default: 0.05
  target:
    description:
      - Stop once the imbalance is at most this. Without it moves are planned until none gains O(min_gain).
    type: float
    default: 0
  min_gain:
    description:
      - What a move must gain at least, as a fraction of one host. It is the imbalance that the move takes away times the number of hosts,
        so that it means the same for 4 hosts and for 400.
    type: float
    default: 0.01
  max_moves:
    description:
      - Plan at most so many moves, those that gain most.
    type: integer
  max_mb:
    description:
      - Move at most so many MiB of memory.
    type: integer
  prefer:
    description:
      - V(moves) takes the move that gains most, which needs few of them.
      - V(memory) takes the move that gains most for each MiB, which moves less memory in more moves.
    type: string
    choices:
      - moves
      - memory
    default: moves
  weights:
    description:
      - How much unevenness in C(vcpus), C(memory_mb) and C(disk_gb) counts; V(1) for what is not given.
    type: dictionary
seealso:
  - plugin: kilonova.compute.drain
    plugin_type: filter
  - plugin: kilonova.compute.placement_table
    plugin_type: filter
  - module: kilonova.compute.compute_facts
"""

EXAMPLES = r"""
---
- name: Show what would be moved
  ansible.builtin.debug:
    msg: "{{ (plan | kilonova.compute.placement_table).splitlines() }}"
  vars:
    plan: "{{ hypervisors | kilonova.compute.rebalance(max_moves=10, cooldown=21600, now='2026-01-31T12:00:00Z') }}"
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
    moves:
      description:
        - The moves in the order of their waves, each with C(name), C(fleet), C(from), C(to), C(memory_mb), C(disk_gb), C(gain) (as in
          O(min_gain); of what only makes room for others it may be negative), C(wave), C(temporary) (whether it is moved on later) and C(why).
      type: list
      elements: dictionary
    waves:
      description: How many waves there are.
      type: integer
    memory_mb:
      description: How much memory is moved in all.
      type: integer
    reason:
      description: Why nothing is moved; empty if something is.
      type: string
    before:
      description:
        - How uneven it is now. C(score) is the imbalance; C(vcpus), C(memory_mb) and C(disk_gb) have each the standard deviation C(sd) and
          the largest fraction used C(max).
      type: dictionary
    after:
      description: The same once all moves are made.
      type: dictionary
    fixed:
      description: What is counted and never moved, each with C(name), C(fleet), C(host) and C(why).
      type: list
      elements: dictionary
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


def rebalance(hosts: t.Any, **options: t.Any) -> dict[str, t.Any]:
    """Return the plan."""
    return ask_filter("rebalance", hosts, options)


class FilterModule:
    """Jinja2 filters."""

    def filters(self) -> dict[str, Callable[..., t.Any]]:
        """Return the filters by name."""
        return {"rebalance": rebalance}
