#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Define a virtual network, change it while guests are on it, or have it removed."""

from __future__ import annotations

DOCUMENTATION = r"""
module: compute_network
short_description: Manage a hypervisor's virtual networks
version_added: 0.1.0
description:
  - Defines a virtual network, starts it, and changes it, both how it runs and how it is defined. So a change outlives a restart.
  - Only what is declared is compared. A list that is declared is the whole list.
  - Reservations, ranges of DHCP and records of DNS, forwarding devices and port groups change while the network runs. Everything
    else needs a restart of the network. It is restarted when nobody is plugged in. While guests have NICs in it, it is restarted with
    O(allow_restart=true) alone, and else the change waits, RV(restart_required) is returned, and a warning says so in every run.
author:
  - The kilonova.compute contributors (@kilonova)
extends_documentation_fragment:
  - kilonova.compute._connection
  - kilonova.compute._attributes
  - kilonova.compute._attributes.actiongroup_compute
attributes:
  check_mode:
    support: full
    details:
      - Subnets are compared with those of the hypervisor's other networks, and of the host's interfaces where libvirt tells their
        addresses. That the host has a route to a subnet otherwise is found out only when the network is started.
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  name:
    description:
      - The network's name. It begins with a letter or a digit, and has at most 63 of the characters C(A-Z a-z 0-9 . _ -).
    type: str
    required: true
  state:
    description:
      - V(active) has the network defined and running, V(inactive) defined and not running. V(present) has it defined, and leaves it
        running or not.
      - V(absent) stops and undefines it.
      - A network is not stopped while running guests have NICs in it, nor removed while there are domains, running or not, that do.
    type: str
    choices: [active, inactive, present, absent]
    default: active
  autostart:
    description:
      - Whether the network starts with its host. A new one does not unless this is declared.
    type: bool
  mode:
    description:
      - How the network goes on from the host. It is needed to define one.
      - V(nat) gives guests the host's address towards the world, V(route) leaves them theirs, V(open) does so without any rule in
        the host's firewall, and V(isolated) goes nowhere. Of these four, libvirt makes the bridge, and one can become another.
      - V(bridge) is the bridge O(bridge) that the host has.
      - V(macvtap) puts guests straight on O(devices) of the host.
    type: str
    choices: [nat, route, open, isolated, bridge, macvtap]
  macvtap_mode:
    description:
      - How guests on one device of O(mode=macvtap) reach each other. In V(passthrough) each has a device of its own.
      - A new network gets V(bridge).
    type: str
    choices: [bridge, private, vepa, passthrough]
  bridge:
    description:
      - The bridge's name. With O(mode=bridge) it is one that the host has, and else the one that libvirt makes, which it names where this
        is not declared.
    type: str
  openvswitch:
    description:
      - Whether the bridge of O(mode=bridge) is one of Open vSwitch.
    type: bool
  devices:
    description:
      - Devices of the host. With O(mode=macvtap) those that guests are put on, and with V(nat) and V(route) the only one by which the
        network leaves the host.
    type: list
    elements: str
  nat_ports:
    description:
      - Which ports of the host stand for guests' in O(mode=nat). A new network gets 1024 to 65535.
    type: dict
    suboptions:
      start:
        description:
          - The first.
        type: int
        required: true
      end:
        description:
          - The last.
        type: int
        required: true
  nat_ipv6:
    description:
      - Whether IPv6 is translated as IPv4 is, in O(mode=nat). Else it is routed.
    type: bool
  domain:
    description:
      - The DNS domain that guests get. An empty one takes it away.
    type: str
  domain_local_only:
    description:
      - Whether names of O(domain) are asked for nowhere else.
    type: bool
  mtu:
    description:
      - The largest packet of the bridge and of guests' NICs, in bytes. V(0) leaves it to libvirt. NICs of guests that run keep theirs until
        the next boot.
    type: int
  port_isolation:
    description:
      - Whether guests are kept from reaching each other within the network.
    type: bool
  vlan:
    description:
      - The VLANs that NICs are in, on Open vSwitch and with O(macvtap_mode=passthrough). Without O(vlan.tags) it is none.
    type: dict
    suboptions:
      tags:
        description:
          - The tags, from 1 to 4094.
        type: list
        elements: int
      trunk:
        description:
          - Whether the guest sees the tags. With several tags it does.
        type: bool
      native:
        description:
          - Which of the tags the guest does not see.
        type: int
  portgroups:
    description:
      - Groups that NICs can name, and what they get by that. A change has effect on NICs that are plugged in afterwards.
    type: list
    elements: dict
    suboptions:
      name:
        description:
          - The group's name.
        type: str
        required: true
      default:
        description:
          - Whether NICs that name none are in this one.
        type: bool
        default: false
      vlan:
        description:
          - As O(vlan).
        type: dict
        suboptions:
          tags:
            description:
              - As O(vlan.tags).
            type: list
            elements: int
          trunk:
            description:
              - As O(vlan.trunk).
            type: bool
          native:
            description:
              - As O(vlan.native).
            type: int
      inbound:
        description:
          - How much each guest is sent.
        type: dict
        suboptions:
          average:
            description:
              - KiB per second in the long run. It is needed.
            type: int
          peak:
            description:
              - KiB per second for a moment.
            type: int
          burst:
            description:
              - How many KiB are sent at O(portgroups[].inbound.peak).
            type: int
      outbound:
        description:
          - How much each guest sends.
        type: dict
        suboptions:
          average:
            description:
              - KiB per second in the long run. It is needed.
            type: int
          peak:
            description:
              - KiB per second for a moment.
            type: int
          burst:
            description:
              - How many KiB are sent at O(portgroups[].outbound.peak).
            type: int
  ips:
    description:
      - The subnets. They overlap neither with each other, nor with those of other networks, be these running or not, nor with what the
        host has a route to.
      - One subnet of IPv4 and one of IPv6 can have DHCP.
    type: list
    elements: dict
    suboptions:
      address:
        description:
          - The host's own address with its prefix, such as V(192.0.2.1/24) or V(2001:db8::1/64).
        type: str
        required: true
      dhcp_ranges:
        description:
          - What is given out to whoever asks.
        type: list
        elements: dict
        suboptions:
          start:
            description:
              - The first address.
            type: str
            required: true
          end:
            description:
              - The last address.
            type: str
            required: true
      dhcp_hosts:
        description:
          - Addresses that are kept for one. Nobody else gets them.
          - Those of instances, see O(kilonova.compute.compute_instance#module:networks[].fixed_ip), are not of this list, which leaves
            them alone.
        type: list
        elements: dict
        suboptions:
          ip:
            description:
              - The address.
            type: str
            required: true
          mac:
            description:
              - Whose it is, by the NIC's MAC address. For IPv4 this or O(ips[].dhcp_hosts[].name) is needed.
            type: str
          id:
            description:
              - Whose it is, by the DHCP unique identifier (DUID). For IPv6 this or O(ips[].dhcp_hosts[].name) is needed.
            type: str
          name:
            description:
              - The name that the guest gets, or by which it asks.
            type: str
  routes:
    description:
      - Subnets that the host reaches through a guest.
    type: list
    elements: dict
    suboptions:
      address:
        description:
          - The subnet, such as V(198.51.100.0/24).
        type: str
        required: true
      gateway:
        description:
          - The guest's address.
        type: str
        required: true
      metric:
        description:
          - The route with the lowest is taken.
        type: int
  dns:
    description:
      - The DNS server that guests of the network ask. What of it is not declared is not compared.
    type: dict
    suboptions:
      enabled:
        description:
          - Whether there is one. A new network has.
        type: bool
      forwarders:
        description:
          - Who is asked what it does not know. Without any it is whom the host asks.
        type: list
        elements: dict
        suboptions:
          address:
            description:
              - Who is asked. Without an address, nobody is.
            type: str
          domain:
            description:
              - The domain whose names are asked for there. Without a domain it is all.
            type: str
      hosts:
        description:
          - Names of addresses.
          - A change needs a restart while two entries share a name, since libvirt can't tell them apart otherwise.
        type: list
        elements: dict
        suboptions:
          ip:
            description:
              - The address.
            type: str
            required: true
          hostnames:
            description:
              - Its names.
            type: list
            elements: str
            required: true
      txt:
        description:
          - Texts.
        type: list
        elements: dict
        suboptions:
          name:
            description:
              - The name that is asked for.
            type: str
            required: true
          value:
            description:
              - The text, of at most 255 bytes.
            type: str
            required: true
      srv:
        description:
          - Where services are.
        type: list
        elements: dict
        suboptions:
          service:
            description:
              - The service, such as V(ldap), without an underscore.
            type: str
            required: true
          protocol:
            description:
              - The protocol, such as V(tcp), without an underscore.
            type: str
            required: true
          domain:
            description:
              - The domain that is asked about. Without one it is O(domain).
            type: str
          target:
            description:
              - The host that has the service.
            type: str
          port:
            description:
              - Its port.
            type: int
          priority:
            description:
              - The lowest is tried first.
            type: int
          weight:
            description:
              - Of several with the same priority, how often it is tried.
            type: int
  allow_restart:
    description:
      - Whether a network in which running guests have NICs is restarted for what else can't change. Their NICs are then plugged in anew,
        while they run. They see their cable pulled and plugged in, and keep their addresses.
      - When the network can't start as it is declared, or a NIC can't be plugged into it, it is started as it was.
      - NICs on Open vSwitch and on macvtap can't be plugged in anew while their guests run, so there it is refused.
    type: bool
    default: false
"""

EXAMPLES = r"""
---
- name: Have a network with NAT, DHCP and names
  kilonova.compute.compute_network:
    name: lan
    mode: nat
    autostart: true
    domain: lan.example.com
    ips:
      - address: 192.0.2.1/24
        dhcp_ranges:
          - {start: 192.0.2.100, end: 192.0.2.199}
        dhcp_hosts:
          - {ip: 192.0.2.10, mac: "52:54:00:12:34:56", name: printer}
      - address: 2001:db8:0:2::1/64
    dns:
      hosts:
        - {ip: 192.0.2.20, hostnames: [files, mirror]}
      srv:
        - {service: ldap, protocol: tcp, target: files.lan.example.com, port: 389}

- name: Keep guests from each other, also those that run
  kilonova.compute.compute_network:
    name: lan
    port_isolation: true
    allow_restart: true

- name: Use a bridge that the host has
  kilonova.compute.compute_network:
    name: office
    mode: bridge
    bridge: br0

- name: Use Open vSwitch, with a VLAN for each group
  kilonova.compute.compute_network:
    name: tenants
    mode: bridge
    bridge: ovsbr0
    openvswitch: true
    portgroups:
      - {name: red, vlan: {tags: [10]}, default: true}
      - {name: blue, vlan: {tags: [20]}}
      - {name: routers, vlan: {tags: [10, 20]}}

- name: Put guests straight on a device of the host
  kilonova.compute.compute_network:
    name: direct
    mode: macvtap
    devices: [enp3s0]

- name: Keep an address for a guest in a network that is there
  kilonova.compute.compute_network:
    name: default
    ips:
      - address: 192.168.122.1/24
        dhcp_hosts:
          - {ip: 192.168.122.10, mac: "52:54:00:12:34:57"}

- name: Remove a network that nobody uses
  kilonova.compute.compute_network:
    name: lan
    state: absent
"""

RETURN = r"""
network:
  description:
    - The network as it is; V(null) when it is not there, as in check mode before it is defined.
  returned: always
  type: dict
  contains:
    name:
      description: The network's name.
      type: str
      sample: lan
    uuid:
      description: Its UUID.
      type: str
      sample: c895c92b-54d9-4595-85ba-4f662a77779a
    mode:
      description: How it goes on from the host.
      type: str
      sample: nat
    bridge:
      description: The bridge's name; V(null) where it has none.
      type: str
      sample: virbr1
    addresses:
      description: The host's own addresses in it.
      type: list
      elements: str
      sample: [192.0.2.1/24]
    active:
      description: Whether it runs.
      type: bool
      sample: true
    autostart:
      description: Whether it starts with its host.
      type: bool
      sample: true
restart_required:
  description: Whether something that is declared waits for the network to be restarted.
  returned: always
  type: bool
  sample: false
actions:
  description: What was done, or in check mode would be done, in order.
  returned: always
  type: list
  elements: str
  sample:
    - update_network lan
    - restart_network lan
    - replug_nic 52:54:00:12:34:56 of web-1
changes:
  description: What that changes.
  returned: always
  type: list
  elements: dict
  contains:
    path:
      description: What is changed.
      type: str
      sample: network.ips[192.0.2.1/24].dhcp_hosts[52:54:00:12:34:56]
    before:
      description: What it was; V(null) when it was not there.
      type: raw
    after:
      description: What it becomes; V(null) when it is removed.
      type: raw
    effect:
      description: V(live) at once, V(restart) when the network is restarted.
      type: str
      sample: live
"""

from ..module_utils._module import ComputeModule
from ..module_utils._options_network import network_options
from ..module_utils._service.network import ensure_network
from ..module_utils._spec.network import NetworkSpec


def main() -> None:
    """Run the module."""
    ComputeModule(network_options()).run(NetworkSpec.from_params, ensure_network)


if __name__ == "__main__":
    main()
