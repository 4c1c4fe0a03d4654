# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Place instances on hypervisors."""

from __future__ import annotations

DOCUMENTATION = r"""
name: schedule
short_description: Place instances on hypervisors
version_added: 0.1.0
author:
  - The kilonova.compute contributors (@kilonova)
description:
  - Decides on which hypervisor each instance goes, from the facts of M(kilonova.compute.compute_facts) alone. It changes nothing.
  - What is on a host already stays there. The rest is placed as one batch, the hardest first, whatever order it is declared in, unless O(order)
    says otherwise; what the plan itself placed is moved again where more fits that way.
  - These filters are always asked. C(ComputeFilter) (the host is up and enabled), C(HostFilter) (it is the declared host), C(NameFilter) (the name
    is free there), C(SplitBrainFilter) (every host could be looked at), C(CoreFilter), C(RamFilter) and C(DiskFilter) (there is room),
    C(AvailabilityZoneFilter) (it is in the declared zone), and C(TraitsFilter) (it has the required traits and no forbidden one).
  - Of the others, O(filters) may choose, and each does what Nova's filter of that name does. These are C(ComputeCapabilitiesFilter),
    C(ImagePropertiesFilter), C(ServerGroupAffinityFilter), C(ServerGroupAntiAffinityFilter), C(SameHostFilter), C(DifferentHostFilter),
    C(SimpleCIDRAffinityFilter), C(JsonFilter), C(AggregateInstanceExtraSpecsFilter), C(AggregateImagePropertiesIsolation),
    C(AggregateMultiTenancyIsolation) (a fleet is a tenant), C(AggregateTypeAffinityFilter), C(NumInstancesFilter),
    C(AggregateNumInstancesFilter), C(IoOpsFilter), C(AggregateIoOpsFilter), C(IsolatedHostsFilter) and C(AllHostsFilter).
  - Ours are C(NetworkFilter) (the declared networks are active there), C(PoolFilter) (the storage pools that volumes name are active there and
    have room), and C(RequireFilter) (the expression that the instance requires is true of the host's facts).
  - 'Three things differ from Nova: a declared host is checked as any other, a zone that no host is in takes no instance, and a value that is no
    number where an operator wants one does not match, where Nova fails.'
  - For what is on a host already they are C(HostFilter), C(StickyFilter) (it stays on its host and keeps its image), C(NetworkFilter), and what
    it grows by must fit.
  - An instance takes what its flavor says, and the C(size_gb) of its volumes that lie in the pool of its root disk, which have no C(pool).
  - An amount fits if it is at most the total, and if used plus amount is at most (total minus reserved) times ratio, as in Nova's placement.
  - C(NUMATopologyFilter) lets a host pass that has the NUMA cells, CPUs and pages which the instance wants to itself (its C(numa), C(cpu_policy),
    C(cpu_thread_policy), C(emulator_threads_policy) and C(hugepages), or its flavor's C(hw:) extra specs), and C(PciPassthroughFilter) one that
    has its C(pci_devices) and C(mdevs), near enough to those cells (C(hw:pci_numa_affinity_policy)). Both decide as the host itself will, and
    count what every guest there has. The plan says which cells, CPUs and devices it gives (C(placement) in RV(_value.by_host)); the host
    looks at them again, and takes others that fit if somebody has these by then. What is on a host keeps what it has, as long as that is
    what it declares. These two are always asked as well.
  - The same input gives the same plan.
positional: hosts, fleet
options:
  _input:
    description:
      - The instances, spelled out by P(kilonova.compute.expand_fleet#filter).
      - An instance with a C(host) goes there or nowhere; that host is checked as any other.
      - Further keys that say where it may go are C(availability_zone); C(group), C(group_policy) and C(max_server_per_host); C(traits) (with
        C(required) and C(forbidden)); C(require) (a JMESPath expression over C(compute_node) that has to be true, and needs the Python library
        jmespath); and C(scheduler_hints) (with C(same_host), C(different_host), C(build_near_host_ip), C(cidr) and C(query)).
      - Of its flavor's C(extra_specs), C(capabilities:KEY), C(aggregate_instance_extra_specs:KEY), keys without a colon, C(trait:NAME) and
        C(resources:CLASS) are read, of its C(image_properties) those that Nova's filters read.
    type: list
    elements: dictionary
    required: true
  hosts:
    description:
      - The C(compute_node) facts of every hypervisor, by name.
      - A hypervisor that could not be reached is given as C(state=down) with a C(reason), and one that nobody looked at as C(state=left_out).
    type: dictionary
    required: true
  fleet:
    description:
      - The fleet's name. An instance on a host is this one only if name and fleet are the same.
    type: string
    required: true
  policy:
    description:
      - V(spread) leaves as much room as possible on each host, as a fraction of its vCPUs, memory and disk.
      - V(pack) fills hosts one after the other.
      - V(nova) weighs hosts as Nova does, by absolute amounts that are normalised over the hosts that passed, in Nova's own arithmetic. With
        O(order=declared) and hosts in the order of their names, that gives Nova's placements.
    type: string
    choices:
      - spread
      - pack
      - nova
    default: spread
  order:
    description:
      - V(batch) plans everything as a whole.
      - V(declared) places one instance after the other, as Nova does, each on the host that is best at its turn. Among equals that is the first
        by name, where a number in a name counts as one.
    type: string
    choices:
      - batch
      - declared
    default: batch
  engine:
    description:
      - With V(exact), what the search has found for a batch is handed to the solver of OR-tools. It places more or, with O(policy=pack), uses fewer
        hosts where that is possible, and else proves that it is not. What remains without a place is then proven to have none. The rules are
        the same.
      - It is optional. Without the Python library ortools where the playbook runs, for large fleets (more than 5000 pairs of a host and a kind of
        instance), with limits on numbers of instances, hints and soft groups, the search does it all, and RV(_value.engine) says so.
      - It ends after a number of steps, never after a time, so that one version of OR-tools always gives the same plan.
    type: string
    choices:
      - search
      - exact
    default: search
  filters:
    description:
      - Names of the filters to ask beside those that always are. If not set, all are asked.
    type: list
    elements: string
  weights:
    description:
      - Multipliers of weighers by Nova's names, which are V(cpu), V(ram), V(disk), V(io_ops), V(num_instances), V(hypervisor_version), V(pci),
        V(soft_affinity), V(soft_anti_affinity) and V(image_props). What is not given is as in Nova with O(policy=nova). An aggregate's key such
        as C(cpu_weight_multiplier) wins there.
      - With O(policy=spread) and O(policy=pack), V(cpu), V(ram) and V(disk) say how much each dimension counts, 1 if not given; the policy says
        in which direction. V(soft_affinity) and V(soft_anti_affinity) are 1 there, and the others 0.
    type: dictionary
  aggregates:
    description:
      - What host aggregates say, each a dictionary of keys and values by the aggregate's name. Which aggregates a host is in, its facts say.
      - Several values of a key are written with commas. C(availability_zone) makes an aggregate a zone.
    type: dictionary
  max_instances_per_host:
    description:
      - How many instances a host may have, those of nobody included. If not set, there is no such limit, or 50 if O(filters) are chosen.
    type: integer
  max_io_ops_per_host:
    description:
      - How many instances may be made on a host in one plan. If not set, there is no such limit, or 8 if O(filters) are chosen.
    type: integer
  isolated_hosts:
    description:
      - Hosts for the images of O(isolated_images).
    type: list
    elements: string
  isolated_images:
    description:
      - Names of images that run on O(isolated_hosts) only.
    type: list
    elements: string
  restrict_isolated_hosts_to_isolated_images:
    description:
      - Whether O(isolated_hosts) take no other images.
    type: boolean
    default: true
  limits:
    description:
      - How much of a host may be promised, in Nova's terms. What is not given has Nova's default.
    type: dictionary
    suboptions:
      cpu_allocation_ratio:
        description: How many vCPUs may be promised for each CPU.
        type: float
        default: 4.0
      ram_allocation_ratio:
        description: How much memory may be promised for each MiB there is.
        type: float
        default: 1.0
      disk_allocation_ratio:
        description: How much disk may be promised for each GiB there is.
        type: float
        default: 1.0
      reserved_host_cpus:
        description: CPUs kept for the host itself.
        type: integer
        default: 0
      reserved_host_memory_mb:
        description: MiB of memory kept for the host itself.
        type: integer
        default: 512
      reserved_host_disk_mb:
        description: MiB of disk kept for the host itself.
        type: integer
        default: 0
  host_limits:
    description:
      - Limits of single hosts by their names; each has the keys of O(limits), and what it does not have is taken from there.
    type: dictionary
  fix_violations:
    description:
      - Whether running instances that break their own rules where they are may be moved to hosts where they do not.
    type: boolean
    default: false
  make_room:
    description:
      - Whether running instances may be moved so that new ones fit, as few and as small ones as possible.
    type: boolean
    default: false
  make_room_cost:
    description:
      - How many MiB of running instances may be moved for each new one that then has a place. If not set, any number.
    type: integer
  assume_down_hosts_empty:
    description:
      - While a hypervisor is down, an instance that is on no other one is not created elsewhere, since it may be running there.
      - Set this if you know that nothing runs on the hypervisors that are down. It says nothing about those that are left out.
    type: boolean
    default: false
  max_facts_age:
    description:
      - How many seconds before O(now) a hypervisor's C(reported_at) may lie. Of one whose facts are older nothing is known, as of one that nobody
        looked at, so that it takes nothing, and what may be running there is not created elsewhere.
      - Facts from so far after O(now) are no better. Facts without C(reported_at) are an error then.
      - If not set, facts of any age will do. Nova gives up a compute service that is silent for 60 seconds; here that is not the default, since
        facts are as old as the play that gathered them.
    type: integer
  now:
    description:
      - The time, in ISO 8601 or in seconds since 1970. It is an argument since the same input has to give the same plan.
      - Needed with O(max_facts_age).
    type: string
  purge:
    description:
      - Count the room of instances of the fleet that are no longer declared as free. Set it if they are removed before anything is created.
    type: boolean
    default: false
  prefix:
    description:
      - What the names of options begin with in messages, such as C(fleet_), where the caller has variables for them.
    type: string
    default: ""
seealso:
  - module: kilonova.compute.compute_facts
  - plugin: kilonova.compute.expand_fleet
    plugin_type: filter
  - plugin: kilonova.compute.placement_table
    plugin_type: filter
"""

EXAMPLES = r"""
---
- name: Ask where one instance would go
  ansible.builtin.debug:
    msg: "{{ instances | kilonova.compute.schedule(hosts=hypervisors, fleet='demo') }}"
  vars:
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
      hv2:
        vcpus: 8
        vcpus_used: 6
        memory_mb: 16384
        memory_mb_used: 12288
        local_gb: 100
        local_gb_used: 40
"""

RETURN = r"""
_value:
  description: The plan.
  type: dictionary
  contains:
    policy:
      description: The policy that was followed.
      type: string
    purge:
      description: Whether what is no longer declared was taken to go.
      type: boolean
    placements:
      description:
        - The instances that have a place, in declared order, each with C(name), C(flavor), C(host), C(action) (V(keep), V(create) or V(migrate)),
          C(from) (the host it is moved from), C(why) and C(score).
        - C(score) has C(terms) by name, their C(total), and C(runner_up) with C(host) and C(total), another host that could still take the instance
          once the plan has been carried out. More is better. It is empty where nothing was weighed.
        - With V(spread) each term is by how much the instance, in its dimension, brings the hosts nearer to using the same fraction. With V(pack)
          each is the fraction that is left on the host, below 0, and C(in_use) is below 0 for a host that had to be opened.
      type: list
      elements: dictionary
    by_host:
      description:
        - The same instances as they were declared, by host; every host that is up is there.
        - One that is to have CPUs, pages or devices of the host to itself has a C(placement), as M(kilonova.compute.compute_instance) takes it.
      type: dictionary
    migrations:
      description:
        - Moves of instances that run already, each with C(name), C(from), C(to), C(memory_mb), C(disk_gb) and C(why). There are none without
          O(fix_violations) or O(make_room).
      type: list
      elements: dictionary
    violations:
      description:
        - Instances that run where their own declaration does not let them, each with C(name), C(host), C(filter) and C(message). Of a server group
          these are the members that are too many on a host, or not where most of them are.
      type: list
      elements: dictionary
    certificate:
      description:
        - How good the plan is, and how good any plan could be with what runs staying where it is.
        - C(hosts_used) is how many hosts have an instance in the end, C(lower_bound) how many have in any arrangement of what has a place, and
          C(proof) what that follows from. With O(policy=pack) the two are to meet. Other policies don't aim at few hosts, and for them the bound
          only tells how few would do.
        - C(unplaced_proven) has, for every instance without a place, C(name), C(is_proven) (whether no arrangement could give it one, or
          one more of those like it) and C(message) (the proof, or how long was searched).
      type: dictionary
    engine:
      description:
        - What planned, as C(name) (V(search) or V(exact)), and as C(note) what O(engine=exact) has proven, or why it was not used.
      type: dictionary
    unplaced:
      description:
        - The instances that have no place, each with C(name), C(flavor), C(reason) (one sentence), C(by_filter) (how many hosts each filter
          removed) and C(hosts) (C(host), C(filter) and C(message) for every host).
      type: list
      elements: dictionary
    problem:
      description: What stands in the way, in a few lines for an error message; empty if every instance has a place.
      type: string
    removed:
      description: Instances of the fleet on a host that are no longer declared, each with C(name) and C(host).
      type: list
      elements: dictionary
    removed_by_host:
      description: The same by host, each with C(name) only, as M(kilonova.compute.compute_fleet) takes them.
      type: dictionary
    hosts:
      description:
        - Every host with its C(state) (V(up), V(down), V(left_out) or V(stale)), C(service_status) (V(enabled) or V(disabled)) and C(reason),
          and its totals, used figures and limits once the plan has been carried out.
      type: dictionary
"""

import typing as t
from dataclasses import fields

from ansible.errors import AnsibleFilterError

from ..plugin_utils._plain import PlainError, to_plain
from ..plugin_utils._scheduler.answer import answer
from ..plugin_utils._scheduler.errors import ScheduleError
from ..plugin_utils._scheduler.intake.question import Question

if t.TYPE_CHECKING:
    from collections.abc import Callable


_OPTIONS = frozenset(field.name for field in fields(Question)) - {"instances", "hosts", "fleet"}


def schedule(instances: t.Any, hosts: t.Any, fleet: t.Any, **options: t.Any) -> dict[str, t.Any]:
    """Return the plan."""
    for name in sorted(options):
        if name not in _OPTIONS:
            raise AnsibleFilterError(f"schedule has no argument {name}; it has {', '.join(sorted(_OPTIONS))}.")
    given = {"instances": instances, "hosts": hosts, "fleet": fleet, **options}
    try:
        return answer(Question(**{name: _plain(value, name) for name, value in given.items()}))
    except (PlainError, ScheduleError) as exc:
        raise AnsibleFilterError(str(exc)) from exc


def _plain(value: t.Any, option: str) -> t.Any:
    plain = to_plain(value, option)
    return str(plain) if option == "prefix" else plain


class FilterModule:
    """Jinja2 filters."""

    def filters(self) -> dict[str, Callable[..., t.Any]]:
        """Return the filters by name."""
        return {"schedule": schedule}
