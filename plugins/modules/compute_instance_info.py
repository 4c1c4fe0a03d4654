#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""List the instances of a hypervisor."""

from __future__ import annotations

DOCUMENTATION = r"""
module: compute_instance_info
short_description: List the instances of a hypervisor
version_added: 0.1.0
description:
  - Returns what the instances of one libvirt host are and what they do now, such as their state, addresses, disks, NICs, what they use,
    and where their screens can be reached.
  - Of an instance that runs, the machine that runs is described; of one that is off, the machine that it is defined as. The two differ when
    a change waits for the next boot.
  - Reads only, with a number of list calls that does not grow with the number of domains. Each domain costs one more call, and each running
    instance that is returned another one and one for each source of O(addresses).
  - A domain that vanishes meanwhile is left out.
author:
  - The kilonova.compute contributors (@kilonova)
extends_documentation_fragment:
  - kilonova.compute._connection
  - kilonova.compute._attributes
  - kilonova.compute._attributes.info_module
  - kilonova.compute._attributes.actiongroup_compute
requirements:
  - jmespath (C(python3-jmespath)) where the module runs, only for O(query)
options:
  names:
    description:
      - Only instances with one of these names. A name that is not there is no error, and an empty list returns nothing.
    type: list
    elements: str
  fleet:
    description:
      - Only instances of this fleet.
    type: str
  labels:
    description:
      - Only instances that have all of these labels with these values. Labels are what O(kilonova.compute.compute_instance#module:metadata)
        gave them.
    type: dict
    default: {}
  all_domains:
    description:
      - Also return domains that this collection did not make, with RV(instances[].managed) set to V(false). They have no fleet and no labels.
    type: bool
    default: false
  addresses:
    description:
      - Who is asked for the addresses of running instances, in this order. An address that several know is returned as the first told it.
      - V(lease) is the DHCP server of the libvirt network, V(agent) is the guest agent, and V(arp) is the ARP table of the hypervisor.
      - A guest without an agent, or whose agent is not there yet, has no addresses from V(agent). An agent that does not answer is waited for
        for some seconds.
      - Addresses that are of no use to others (loopback and link-local) are left out. With an empty list nobody is asked.
    type: list
    elements: str
    choices: [lease, agent, arp]
    default: [lease]
  query:
    description:
      - A JMESPath expression, applied to the list of instances at the end. RV(instances) is then what it gives.
      - A result that is no list is returned as a list with that one element, and no result as an empty list.
    type: str
seealso:
  - module: kilonova.compute.compute_instance
  - module: kilonova.compute.compute_console
  - module: kilonova.compute.compute_facts
  - name: JMESPath
    description: How to write an expression.
    link: https://jmespath.org/
"""

EXAMPLES = r"""
---
- name: List all instances
  kilonova.compute.compute_instance_info:

- name: List those of a fleet that are web servers, with the addresses their agents know
  kilonova.compute.compute_instance_info:
    fleet: shop
    labels:
      role: web
    addresses: [lease, agent]
  register: web

- name: Show where they are
  ansible.builtin.debug:
    msg: "{{ item['name'] }}: {{ item['addresses'] | map(attribute='address') | join(', ') }}"
  loop: "{{ web['instances'] }}"
  loop_control:
    label: "{{ item['name'] }}"

- name: Find the names of large instances that are off
  kilonova.compute.compute_instance_info:
    query: "[?power_state == 'stopped' && max_memory_mb >= `8192`].name"
    addresses: []

- name: List every domain of a hypervisor elsewhere
  kilonova.compute.compute_instance_info:
    uri: qemu+ssh://root@kvm1/system
    all_domains: true
  delegate_to: localhost
"""

RETURN = r"""
instances:
  description:
    - The instances, ordered by name. With O(query), what the expression gives.
    - Names that end in C(_mb) are MiB and those that end in C(_gb) are GiB, both rounded up.
  returned: success
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
      description: Whether this collection made it. If not, nothing is known of how it was made.
      type: bool
    fleet:
      description: The fleet it belongs to.
      type: str
    flavor:
      description: The name of the flavor it was made from.
      type: str
    image:
      description: The image it was made from.
      type: str
    image_digest:
      description: The digest of that image.
      type: str
      sample: sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
    labels:
      description: Its labels.
      type: dict
      sample: {role: web}
    group:
      description: The group it belongs to.
      type: str
    group_policy:
      description: That group's policy.
      type: str
    protected:
      description: Whether it is protected from being removed.
      type: bool
    created_at:
      description: When it was made, in ISO 8601 and UTC.
      type: str
      sample: "2026-11-23T05:20:00Z"
    state:
      description:
        - Libvirt's word for its state, V(running), V(blocked), V(paused), V(shutdown), V(shutoff), V(crashed), V(pmsuspended), or V(nostate).
      type: str
    power_state:
      description: V(running), V(paused), V(stopped), V(suspended) (also with its memory saved on disk), V(crashed), or V(nostate).
      type: str
    autostart:
      description: Whether it starts with its host; V(null) where the driver does not tell.
      type: bool
    vcpus:
      description: The vCPUs it has.
      type: int
    max_vcpus:
      description: The most vCPUs it can have until its next boot.
      type: int
    memory_mb:
      description: The memory it has.
      type: int
    max_memory_mb:
      description: The most memory it can have until its next boot.
      type: int
    virt_type:
      description: The domain's type, such as V(kvm) or V(qemu).
      type: str
    machine_type:
      description: Its machine type.
      type: str
      sample: pc-q35-7.2
    firmware:
      description: V(bios) or V(efi); V(null) for what has neither, such as a container.
      type: str
    disks:
      description: Its disks, CD-ROMs and floppies.
      type: list
      elements: dict
      contains:
        target:
          description: The device as it is defined.
          type: str
        device:
          description: V(disk), V(cdrom), V(floppy) or V(lun).
          type: str
        bus:
          description: The bus.
          type: str
        type:
          description: What it lies on. Only V(file) and V(block) have a C(source) here.
          type: str
        source:
          description: The path on the hypervisor; V(null) for an empty drive.
          type: str
          sample: /var/lib/libvirt/images/web-1-vda.qcow2
        format:
          description: The format.
          type: str
        readonly:
          description: Whether the guest can only read it.
          type: bool
        serial:
          description: The serial number that the guest sees.
          type: str
        capacity_gb:
          description: The size that the guest sees; V(null) where the driver does not tell.
          type: int
        capacity_bytes:
          description: The same in bytes.
          type: int
        allocation_bytes:
          description: The room it takes on the hypervisor.
          type: int
        owned:
          description: Whether it was made for the instance, and is removed with it.
          type: bool
    nics:
      description: Its NICs.
      type: list
      elements: dict
      contains:
        mac:
          description: The MAC address.
          type: str
          sample: 52:54:6f:01:a2:b3
        type:
          description: V(network), V(bridge), V(user), or another of libvirt's types.
          type: str
        source:
          description: The name of the network or the bridge.
          type: str
        portgroup:
          description: The port group of the network.
          type: str
        model:
          description: What the guest sees.
          type: str
        link_state:
          description: V(up), or V(down) when the cable is pulled.
          type: str
        fixed_ip:
          description: The address that was declared for it.
          type: str
        security_groups:
          description: The security groups that it is in.
          type: list
          elements: str
        port_security:
          description: Whether the guest is kept from posing as another one.
          type: bool
        device:
          description: The hypervisor's end of it, while the instance runs.
          type: str
    addresses:
      description: The addresses of a running instance, those of its NICs in their order first.
      type: list
      elements: dict
      contains:
        address:
          description: The address.
          type: str
          sample: 192.168.122.17
        prefix:
          description: The length of its network's prefix; V(null) where the source does not know it.
          type: int
        family:
          description: V(ipv4) or V(ipv6).
          type: str
        mac:
          description: The MAC address of its NIC.
          type: str
          sample: 52:54:6f:01:a2:b3
        interface:
          description: The NIC's name in the guest when the agent told, else the name of the hypervisor's end.
          type: str
        source:
          description: Who told, V(lease), V(agent) or V(arp).
          type: str
    usage:
      description:
        - What a running instance uses, as counted since it was started; V(null) for one that is off and where the driver has no statistics.
        - Single values are V(null) where the driver or the guest does not tell.
      type: dict
      contains:
        cpu_time_seconds:
          description: The time that the host's CPUs spent on it.
          type: float
          sample: 17.413
        cpu_user_seconds:
          description: The part of that in user mode.
          type: float
        cpu_system_seconds:
          description: The part of that in the host's kernel.
          type: float
        memory_rss_mb:
          description: The memory that it takes of the host.
          type: int
        memory_balloon_mb:
          description: The memory that it may use.
          type: int
        memory_available_mb:
          description: The memory that the guest's kernel has.
          type: int
        memory_unused_mb:
          description: The memory that the guest does not use at all.
          type: int
        memory_usable_mb:
          description: The memory that the guest could give up without swapping.
          type: int
        disks:
          description: What went through its disks.
          type: list
          elements: dict
          sample:
            - {target: vda, read_bytes: 33445888, read_requests: 950, write_bytes: 4096, write_requests: 1, flush_requests: 1}
        nics:
          description: What went through those NICs that have an end on the hypervisor, as the guest sees it.
          type: list
          elements: dict
          sample:
            - device: vnet0
              mac: 52:54:6f:01:a2:b3
              received_bytes: 1390
              received_packets: 13
              received_errors: 0
              received_drops: 0
              sent_bytes: 1048
              sent_packets: 9
              sent_errors: 0
              sent_drops: 0
    graphics:
      description: Where the screens of a running instance can be reached.
      type: list
      elements: dict
      contains:
        type:
          description: V(vnc), V(spice) or V(rdp).
          type: str
        host:
          description: The address that the hypervisor listens on.
          type: str
          sample: 127.0.0.1
        port:
          description: The port.
          type: int
          sample: 5900
        tls_port:
          description: The port for TLS.
          type: int
        websocket:
          description: The port for WebSockets.
          type: int
        socket:
          description: The path of the UNIX socket on the hypervisor, if it listens on that.
          type: str
        uri:
          description: What a viewer takes.
          type: str
          sample: vnc://127.0.0.1:5900
    console_log:
      description: The file on the hypervisor that keeps what the serial console printed.
      type: str
      sample: /var/lib/libvirt/images/web-1.console.log
"""

import typing as t

from ..module_utils._driver.addresses import SOURCES
from ..module_utils._driver.connection import Connection
from ..module_utils._module import ComputeModule
from ..module_utils._service.instance_info import InfoOptions, list_instances


def work(connection: Connection, options: InfoOptions, unused_check: bool) -> dict[str, t.Any]:
    """Read the instances, in check mode as always."""
    return {"changed": False, "instances": list_instances(connection, options)}


def main() -> None:
    """Run the module."""
    ComputeModule(
        {
            "names": {"type": "list", "elements": "str"},
            "fleet": {"type": "str"},
            "labels": {"type": "dict", "default": {}},
            "all_domains": {"type": "bool", "default": False},
            "addresses": {"type": "list", "elements": "str", "choices": list(SOURCES), "default": ["lease"]},
            "query": {"type": "str"},
        }
    ).run(InfoOptions.from_params, work)


if __name__ == "__main__":
    main()
