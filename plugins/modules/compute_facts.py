#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Return what a hypervisor has, what it runs, and what its guests were promised."""

from __future__ import annotations

DOCUMENTATION = r"""
module: compute_facts
short_description: Return what a hypervisor has and what its guests take
version_added: 0.1.0
description:
  - Returns the facts that placement works with, in the terms of OpenStack Nova's resource tracker.
  - What is used counts every defined domain, running or not, made by this collection or not. Counted is what was promised (the vCPUs and the
    memory a domain is defined with, and the disk its flavor declares), not what is used at the moment.
    Of an instance that is shelved, only the disk counts.
  - Reads only, with a number of list calls that does not grow with the number of domains, and one more call for each domain.
author:
  - The kilonova.compute contributors (@kilonova)
extends_documentation_fragment:
  - kilonova.compute._connection
  - kilonova.compute._attributes
  - kilonova.compute._attributes.info_module
  - kilonova.compute._attributes.actiongroup_compute
options:
  pool:
    description:
      - The storage pool for the disks of instances. The facts about disk room are those of this pool, which must be running.
    type: str
    default: default
  availability_zone:
    description:
      - The availability zone that the host is in.
    type: str
  aggregates:
    description:
      - Names of the host aggregates that the host is in.
    type: list
    elements: str
    default: []
  traits:
    description:
      - What the host has that libvirt can't know, such as V(CUSTOM_SSD). Added to the traits derived from its CPU.
      - A trait has capitals, digits and underscores.
    type: list
    elements: str
    default: []
  service_status:
    description:
      - Whether new instances may be placed on the host. What is there already stays and is managed all the same.
    type: str
    choices: [enabled, disabled]
    default: enabled
  disabled_reason:
    description:
      - Why O(service_status) is V(disabled), which then has to be said.
    type: str
seealso:
  - module: kilonova.compute.compute_fleet
  - plugin: kilonova.compute.schedule
    plugin_type: filter
"""

EXAMPLES = r"""
---
- name: Ask the hypervisor on the machine where the task runs
  kilonova.compute.compute_facts:

- name: Ask a hypervisor elsewhere
  kilonova.compute.compute_facts:
    uri: qemu+ssh://root@kvm1/system
    pool: guests
    availability_zone: east
    aggregates: [fast]
    traits: [CUSTOM_SSD]
  delegate_to: localhost

- name: Ask one to which nothing new shall come
  kilonova.compute.compute_facts:
    service_status: disabled
    disabled_reason: new disks on Friday

- name: Show what is left
  ansible.builtin.debug:
    msg: "{{ ansible_facts['compute_node']['free_ram_mb'] }} MiB of memory are not promised yet"
"""

RETURN = r"""
ansible_facts:
  description: The facts. Names that end in C(_mb) are MiB, those that end in C(_gb) are GiB.
  returned: success
  type: dict
  contains:
    compute_node:
      description: The hypervisor.
      type: dict
      contains:
        hypervisor_hostname:
          description: The host's name, as the host itself knows it.
          type: str
          sample: kvm1.example.com
        host_uuid:
          description: The host's UUID; V(null) where the driver does not tell.
          type: str
          sample: 7dcfbca3-7929-5be0-9c4f-97145db2dfc0
        uri:
          description: How it was reached.
          type: str
          sample: qemu:///system
        hypervisor_type:
          description: The hypervisor.
          type: str
          sample: QEMU
        hypervisor_version:
          description: Its version as one number, major * 1000000 + minor * 1000 + micro.
          type: int
          sample: 7002022
        libvirt_version:
          description: The version of libvirt there, in the same form.
          type: int
          sample: 9000000
        arch:
          description: The host's architecture.
          type: str
          sample: x86_64
        state:
          description: Always V(up), since it answered. Who gathers facts sets V(down) for a host that does not.
          type: str
          sample: up
        service_status:
          description: Whether new instances may be placed here, as given in O(service_status).
          type: str
          sample: enabled
        disabled_reason:
          description: Why not, as given in O(disabled_reason); V(null) if they may.
          type: str
        reported_at:
          description: When, in ISO 8601 and UTC.
          type: str
          sample: "2026-11-23T05:00:00Z"
        availability_zone:
          description: As given in O(availability_zone).
          type: str
        aggregates:
          description: As given in O(aggregates).
          type: list
          elements: str
        traits:
          description: Traits by their names in OpenStack, derived from architecture and CPU, and those of O(traits).
          type: list
          elements: str
          sample: [CUSTOM_SSD, HW_ARCH_X86_64, HW_CPU_X86_AVX2]
        cpu_info:
          description: The CPU.
          type: dict
          contains:
            model:
              description: The newest model known to libvirt that it covers.
              type: str
              sample: Broadwell
            vendor:
              description: Its vendor.
              type: str
              sample: Intel
            features:
              description: Its features, those of the model included.
              type: list
              elements: str
            topology:
              description: How it is made up. C(sockets) are those of one NUMA cell.
              type: dict
              sample: {sockets: 1, cores: 8, threads: 2, cells: 2}
        vcpus:
          description: CPUs that are online.
          type: int
        vcpus_used:
          description: The sum of the vCPUs of all domains.
          type: int
        memory_mb:
          description: The host's memory.
          type: int
        memory_mb_used:
          description: The sum of the memory of all domains.
          type: int
        free_ram_mb:
          description: RV(ansible_facts.compute_node.memory_mb) less what is used. Below zero when more is promised than there is.
          type: int
        local_gb:
          description: The capacity of the pool O(pool), rounded down.
          type: int
        local_gb_used:
          description:
            - What the pool's disks may grow to. That is the flavor's disk for an instance of this collection, and the size that the guest sees of
              the disks of other domains, where the driver tells. It is not what is allocated at the moment.
            - And what RV(ansible_facts.compute_node.image_cache) takes of the pool.
          type: int
        free_disk_gb:
          description: RV(ansible_facts.compute_node.local_gb) less what is used. Below zero when more is promised than there is.
          type: int
        disk_available_least:
          description:
            - What would be left in the pool if every disk grew to its full size now. Below zero when they could fill the pool.
            - The pool's room is that of libvirt's last look at the pool. What images take is not of it.
          type: int
        image_cache:
          description:
            - The images of M(kilonova.compute.compute_image) in the pool O(pool). C(images) is how many are published there, and C(size_gb)
              what all their data takes, rounded up, that of images which are not published any more included.
          type: dict
          sample: {images: 3, size_gb: 2}
        running_vms:
          description: How many domains are on, the paused ones included.
          type: int
        virt_types:
          description: The domain types that libvirt advertises for the host's architecture. That V(kvm) is among them does not prove that guests run under it.
          type: list
          elements: str
          sample: [qemu, kvm]
        machine_types:
          description: Names and aliases of the machine types for the host's architecture.
          type: list
          elements: str
          sample: [pc, pc-q35-7.2, q35]
        firmware:
          description: The kinds of firmware a guest can have.
          type: list
          elements: str
          sample: [bios, efi]
        numa_topology:
          description: The NUMA cells.
          type: list
          elements: dict
          contains:
            id:
              description: The cell's number.
              type: int
            socket:
              description: The socket that its CPUs are in; V(null) where that is not told, or they are in several.
              type: int
            cpus:
              description: Numbers of its CPUs.
              type: list
              elements: int
            siblings:
              description: The same CPUs by cores, each the list of its threads.
              type: list
              elements: list
              sample: [[0, 4], [1, 5]]
            memory_mb:
              description: Its memory.
              type: int
            free_mb:
              description: Memory that is free now; V(null) where the driver does not tell.
              type: int
            page_kb:
              description: Size of the ordinary memory pages.
              type: int
            hugepages:
              description: Its huge pages by size. C(free) is V(null) where the driver does not tell.
              type: list
              elements: dict
              sample: [{size_kb: 2048, total: 1024, free: 512}]
            pinned_cpus:
              description: Those of its CPUs that a vCPU of some domain is pinned to.
              type: list
              elements: int
        pci_devices:
          description: The PCI devices without the bridges.
          type: list
          elements: dict
          contains:
            address:
              description: Where it is.
              type: str
              sample: 0000:3b:00.1
            vendor_id:
              description: Its vendor in hexadecimal.
              type: str
              sample: "8086"
            product_id:
              description: Its product in hexadecimal.
              type: str
              sample: 10ed
            class:
              description: Its class in hexadecimal; V(null) where libvirt does not tell.
              type: str
              sample: "020000"
            driver:
              description: The host's driver of it.
              type: str
              sample: ixgbevf
            in_use_by:
              description: The domain it is passed through to, running or not.
              type: str
            numa_node:
              description: The NUMA cell it is next to.
              type: int
        mdevs:
          description: The mediated devices that are active, each with its C(uuid) and the domain that has it (C(in_use_by)).
          type: list
          elements: dict
          sample: [{uuid: 4b20d080-1b54-4048-85b3-a6a62d165c01, in_use_by: null}]
        storage_pools:
          description: The storage pools by name. Sizes are those of libvirt's last look, and 0 for a pool that is not active.
          type: dict
          sample:
            default: {type: dir, active: true, path: /var/lib/libvirt/images, capacity_gb: 250, allocation_gb: 20, available_gb: 230}
        networks:
          description: The virtual networks by name. An isolated network has no C(forward_mode).
          type: dict
          sample:
            default: {active: true, forward_mode: nat, bridge: virbr0}
        instances:
          description: All domains, ordered by name.
          type: list
          elements: dict
          contains:
            name:
              description: The domain's name.
              type: str
            uuid:
              description: The domain's UUID.
              type: str
            managed:
              description: Whether this collection made it.
              type: bool
            fleet:
              description: The fleet it belongs to. V(null) for a domain that is not managed, as are the other facts about how it was made.
              type: str
            flavor:
              description: The flavor it was made from.
              type: str
            image:
              description: The image it was made from.
              type: str
            vcpus:
              description: The vCPUs it is defined with.
              type: int
            memory_mb:
              description: The memory it is defined with.
              type: int
            disk_gb:
              description: The disk of its flavor, or for a domain that is not managed, the size of its disks where the driver tells.
              type: int
            power_state:
              description: V(running), V(paused), V(stopped), V(suspended) (also with its memory saved on disk), V(crashed), or V(nostate).
              type: str
            group:
              description: The group it belongs to.
              type: str
            group_policy:
              description: That group's policy.
              type: str
            created_at:
              description: When it was made, in ISO 8601 and UTC.
              type: str
            placement:
              description: What it has of the host to itself; V(null) where that is nothing.
              type: dict
              contains:
                cells:
                  description: Its NUMA cells that lie in one of the host's.
                  type: list
                  elements: dict
                  sample: [{host_cell: 0, cpus: [2, 3], memory_mb: 1024, page_kb: 2048}]
                emulator_cpu:
                  description: The CPU that the emulator has to itself.
                  type: int
                taken_cpus:
                  description: All CPUs that nobody else gets, with the threads that are left idle for it.
                  type: list
                  elements: int
                pci_devices:
                  description: Addresses of the host's PCI devices that it is defined with.
                  type: list
                  elements: str
                mdevs:
                  description: UUIDs of the mediated devices that it is defined with.
                  type: list
                  elements: str
"""

import typing as t

from ..module_utils._driver.connection import Connection
from ..module_utils._module import ComputeModule
from ..module_utils._options import pool_option
from ..module_utils._service.facts import FactsOptions, compute_node
from ..module_utils._spec.service_status import ENABLED, STATUSES


def work(connection: Connection, options: FactsOptions, unused_check: bool) -> dict[str, t.Any]:
    """Read the facts, in check mode as always."""
    return {"ansible_facts": {"compute_node": compute_node(connection, options)}}


def main() -> None:
    """Run the module."""
    module = ComputeModule(
        {
            **pool_option(),
            "availability_zone": {"type": "str"},
            "aggregates": {"type": "list", "elements": "str", "default": []},
            "traits": {"type": "list", "elements": "str", "default": []},
            "service_status": {"type": "str", "choices": list(STATUSES), "default": ENABLED},
            "disabled_reason": {"type": "str"},
        }
    )
    module.run(FactsOptions.from_params, work)


if __name__ == "__main__":
    main()
