# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tell how much room there is."""

from __future__ import annotations

DOCUMENTATION = r"""
name: capacity
short_description: Tell how many more instances fit, and which hypervisors may fail
version_added: 0.1.0
author:
  - The kilonova.compute contributors (@kilonova)
description:
  - Tells how many more instances of each flavor fit and what runs out first, which hypervisors may fail so that everything on them finds a place
    on the others, and how many to add for what is wanted.
  - Each flavor is counted alone, as if nothing but it were added.
  - The figures take a time that grows with hypervisors and instances, not with how many more fit.
extends_documentation_fragment:
  - kilonova.compute._moves.hosts
options:
  flavors:
    description:
      - The flavors, by name or as a list with C(name); each has C(vcpus), C(memory_mb) and C(disk_gb), and may have C(extra_specs).
    type: raw
    required: true
  wanted:
    description:
      - How many more of which of O(flavors) are wanted, all of them together.
    type: dictionary
  new_host:
    description:
      - The host that additional ones would be like. The one with the most memory if it is not given.
    type: string
seealso:
  - plugin: kilonova.compute.schedule
    plugin_type: filter
  - plugin: kilonova.compute.drain
    plugin_type: filter
  - plugin: kilonova.compute.placement_table
    plugin_type: filter
"""

EXAMPLES = r"""
---
- name: Show what still fits
  ansible.builtin.debug:
    msg: "{{ (hypervisors | kilonova.compute.capacity(flavors=flavors, wanted={'small': 20}) | kilonova.compute.placement_table).splitlines() }}"
  vars:
    flavors:
      small: {vcpus: 1, memory_mb: 2048, disk_gb: 10}
      large: {vcpus: 4, memory_mb: 8192, disk_gb: 40}
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
  description: The figures.
  type: dictionary
  contains:
    flavors:
      description:
        - For each flavor its size, C(now) (how many more fit), C(at_most) (how many could fit at most, however the instances that are there may
          be moved), C(after_failure) (how many fit after the loss of the worst host, whose instances went to the others; 0 if those find no
          place), C(first) (the filter that stops most hosts from taking one more), C(runs_out) (how many hosts each filter stops), C(by_host)
          and C(stranded) (what is left unused then).
      type: dictionary
    totals:
      description: Of C(vcpus), C(memory_mb) and C(disk_gb) the C(limit), what is C(used) and what is C(free), over hosts in service.
      type: dictionary
    may_fail:
      description: The hosts each of which may fail alone.
      type: list
      elements: string
    n_plus_1:
      description: Whether any one host may fail.
      type: boolean
    failures:
      description:
        - For each host that is up whether all on it C(fits) on the others, the number of its C(instances), those that are C(homeless) (C(name),
          C(fleet) and C(why)), and the names of those that are C(foreign), in no fleet, for which no place is looked for.
        - A place is looked for step by step, so that in a very tight case an arrangement may exist that was not found.
      type: dictionary
    wanted:
      description:
        - How many of each fit C(now), how many are C(missing), how many hosts like C(new_host) have to be added (C(hosts_to_add), with the
          C(lower_bound) below which no arrangement is possible), and the flavors that are C(impossible) on such a host. Null if nothing is wanted.
      type: dictionary
    hosts:
      description: Every host with its C(state), and its totals, used figures and limits.
      type: dictionary
"""

import typing as t

from ..plugin_utils._ask import ask_filter

if t.TYPE_CHECKING:
    from collections.abc import Callable


def capacity(hosts: t.Any, **options: t.Any) -> dict[str, t.Any]:
    """Return the figures."""
    return ask_filter("capacity", hosts, options)


class FilterModule:
    """Jinja2 filters."""

    def filters(self) -> dict[str, Callable[..., t.Any]]:
        """Return the filters by name."""
        return {"capacity": capacity}
