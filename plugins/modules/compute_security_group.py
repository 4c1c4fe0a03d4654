#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Declare what security groups let through, for all guests that are in them."""

from __future__ import annotations

DOCUMENTATION = r"""
module: compute_security_group
short_description: Manage security groups
version_added: 0.1.0
description:
  - Defines what the NICs that are in a security group may send and receive. A NIC is in the groups that
    O(kilonova.compute.compute_instance#module:networks[].security_groups) names, and each of them lets more through.
  - What no rule lets in stays out. What is let through one way has its answers let through the other way, as has an ICMP error about it.
    DHCP and IPv6's neighbour discovery, without which no guest has a network, always work.
  - A group is a network filter of libvirt, and is kept there alone. Changing it changes the running guests that are in it, in one call
    and without touching them. A run that is interrupted leaves the old rules or the new ones.
  - A group exists on one hypervisor, so define it on each that has its members.
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
      - A remote group that is not there is warned of, since a task before would define it. Out of check mode it is refused.
  diff_mode:
    support: full
    details:
      - It has one line for each rule, in words.
  idempotent:
    support: full
    details:
      - A group whose rules name a remote group changes when that one's members have other addresses.
requirements:
  - A libvirt that runs as the system's, as in V(qemu:///system). An ordinary user's has no network filters.
notes:
  - For guests on a Linux bridge the host needs C(net.bridge.bridge-nf-call-iptables=1) and C(net.bridge.bridge-nf-call-ip6tables=1),
    or their packets go past the rules. Those of libvirt's networks of mode NAT or routed that go through the host do not need it.
  - A NIC with port security is fully guarded once libvirt has learned its address, from the first packet with one that the guest sends.
    Until then its groups do not hold, and it can claim any address that it has not had before. That is so for a new guest, after a NIC got
    other groups, and after a restart of libvirt's daemon. A NIC with groups and O(kilonova.compute.compute_instance#module:networks[].port_security=false)
    has its groups at all times. Changing a group's rules never is such a moment.
  - What comes from the host itself or is routed by it, rather than bridged, passes libvirt's filters in part. A single datagram of that kind
    may get in, and from an isolated network one may get out.
  - A change is one call, in which libvirt writes all rules of each running NIC in the group anew, and removes the old ones when the new ones
    hold. For that it runs C(iptables) and its siblings three times for each rule and NIC, and some 160 times more for each NIC. With 200 rules
    and two NICs that were 1500 runs, and 20 seconds on two busy CPUs, in which the old rules hold. So take one rule with a range of ports
    where that will do, in place of one for each port. A run that changes nothing takes none of this.
options:
  name:
    description:
      - The group's name. It begins with a letter or a digit, and has at most 63 of the characters C(A-Z a-z 0-9 _ -).
    type: str
    required: true
  state:
    description:
      - V(present) defines the group, or changes it.
      - V(absent) removes it. It is refused while a NIC of any domain is in the group, or a rule of another group names it.
    type: str
    choices: [present, absent]
    default: present
  description:
    description:
      - What the group is for, in at most 100 bytes.
    type: str
  egress_default:
    description:
      - Whether everything may go out. With V(deny) only what a rule lets out does. If not set, a new group has V(allow).
      - Where a NIC is in several groups, one with V(allow) is enough.
    type: str
    choices: [allow, deny]
  rules:
    description:
      - What is let through. What is not declared any more is not let through any more. If not set, the rules stay as they are.
    type: list
    elements: dict
    suboptions:
      direction:
        description:
          - Whether the guest receives or sends.
        type: str
        choices: [ingress, egress]
        default: ingress
      ethertype:
        description:
          - The family. If not set, it follows from O(rules[].remote_cidr) or O(rules[].protocol), and is V(ipv4) where neither tells.
        type: str
        choices: [ipv4, ipv6]
      protocol:
        description:
          - V(any), or one of V(tcp), V(udp), V(icmp), V(icmpv6), V(sctp), V(igmp), V(esp), V(ah) and V(udplite), by name or by number.
        type: str
        default: any
      port_range_min:
        description:
          - The lowest port of the guest for V(ingress), or of the other side for V(egress). For V(tcp), V(udp) and V(sctp).
        type: int
      port_range_max:
        description:
          - The highest port. If not set, it is O(rules[].port_range_min).
        type: int
      icmp_type:
        description:
          - Type of V(icmp) or V(icmpv6).
        type: int
      icmp_code:
        description:
          - Code of O(rules[].icmp_type).
        type: int
      remote_cidr:
        description:
          - The network that the other side is in. If neither this nor O(rules[].remote_group) is set, it may be anywhere.
        type: str
      remote_group:
        description:
          - The security group that the other side is in. It may be this group itself.
          - The rule has the addresses of that group's members, as they are known when this module runs, or M(kilonova.compute.compute_instance)
            lets an instance into the group or out of it. On this hypervisor they are those that were assigned to a member's NIC, which are its
            O(kilonova.compute.compute_instance#module:networks[].fixed_ip) and what its network has reserved for it or leased to it. Those on
            others are declared in O(members).
          - Only where a NIC was assigned none of a family, as on a bridge with a DHCP server of its own or with IPv6's autoconfiguration, what
            the guest's agent tells counts, or else the host's ARP table. That is the guest's own word, so of each family at most four addresses
            count, those that were assigned to another NIC or to the host do not, and on a network of libvirt that has subnets only those in
            them. Of a guest on a bridge whose word shall not count, declare the address.
        type: str
      description:
        description:
          - What the rule is for, in at most 100 bytes.
        type: str
  members:
    description:
      - The addresses of members that are on other hypervisors, a list for each group that a rule names as its O(rules[].remote_group).
      - Those of a group that is not listed stay as they were declared last.
    type: dict
"""

EXAMPLES = r"""
---
- name: Let everybody ping and reach the web servers
  kilonova.compute.compute_security_group:
    name: web
    description: Web servers
    rules:
      - {protocol: icmp, icmp_type: 8}
      - {protocol: tcp, port_range_min: 80}
      - {protocol: tcp, port_range_min: 443, ethertype: ipv6}
      - protocol: tcp
        port_range_min: 22
        remote_cidr: 192.0.2.0/24
        description: From the office

- name: Let only the web servers reach the database, and let it out nowhere but for names
  kilonova.compute.compute_security_group:
    name: db
    egress_default: deny
    rules:
      - {protocol: tcp, port_range_min: 5432, remote_group: web}
      - {direction: egress, protocol: udp, port_range_min: 53}
    members:
      web:
        - 198.51.100.17

- name: Put an instance into a group
  kilonova.compute.compute_instance:
    name: web-1
    flavor: {vcpus: 1, memory_mb: 512, disk_gb: 5}
    image: debian-12
    networks:
      - network: default
        security_groups: [web]

- name: Remove a group that nobody is in any more
  kilonova.compute.compute_security_group:
    name: web
    state: absent
"""

RETURN = r"""
security_group:
  description:
    - The group as it is; V(null) when it is not there, as in check mode before it is defined.
  returned: always
  type: dict
  contains:
    name:
      description: The group's name.
      type: str
      sample: db
    description:
      description: What it is for.
      type: str
      sample: Databases
    egress_default:
      description: Whether everything may go out.
      type: str
      sample: deny
    rules:
      description: What it lets through, in words.
      type: list
      elements: str
      sample:
        - egress ipv4 udp 53
        - ingress ipv4 tcp 5432 from group web
    members:
      description: The addresses that each remote group stands for, on this hypervisor (here) and on others (elsewhere).
      type: dict
      sample: {"web": {"here": ["192.168.122.17"], "elsewhere": ["198.51.100.17"]}}
actions:
  description: What was done, or in check mode would be done, in order.
  returned: always
  type: list
  elements: str
  sample:
    - update_group db
changes:
  description: What that changes.
  returned: always
  type: list
  elements: dict
  contains:
    path:
      description: What is changed.
      type: str
      sample: rule
    before:
      description: What it was; V(null) when it was not there.
      type: raw
    after:
      description: What it becomes; V(null) when it is removed.
      type: raw
      sample: ingress ipv4 tcp 5432 from group web
    effect:
      description: When it has effect; here always V(live).
      type: str
      sample: live
"""

import typing as t

from ..module_utils._driver.connection import Connection
from ..module_utils._module import ComputeModule
from ..module_utils._options_security import security_group_options
from ..module_utils._service.security_group import ensure_group
from ..module_utils._spec.security_group import SecurityGroupSpec


def work(connection: Connection, spec: SecurityGroupSpec, check: bool) -> dict[str, t.Any]:
    """Bring the group about."""
    outcome = ensure_group(connection, spec, check)
    return {
        **outcome.plan.as_result(),
        "diff": outcome.plan.as_diff(),
        "security_group": outcome.group,
        "warnings": list(outcome.warnings),
    }


def main() -> None:
    """Run the module."""
    ComputeModule(security_group_options()).run(SecurityGroupSpec.from_params, work)


if __name__ == "__main__":
    main()
