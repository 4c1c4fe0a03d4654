# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This doc fragment is PRIVATE to the collection. It can have breaking changes at any time.

"""How to wait for a guest; keep in step with ``module_utils/_options_wait.py``."""

from __future__ import annotations


class ModuleDocFragment:
    """Documentation fragments for waiting."""

    DOCUMENTATION = r"""
options:
  wait_for:
    description:
      - What to wait for before the task ends. All that is listed must hold at the same time. Nothing is waited for in check mode, and
        nothing of an instance that shall not run.
      - V(running) is that the guest runs.
      - V(ip) is that it has an address, as O(wait_address) says. An address by which nobody can be reached, such as a link-local one,
        does not count, nor does one of an interface that the guest made itself, such as a container bridge.
        A DHCP lease may be older than the guest's last boot; if the guest shall answer, wait for V(port) too.
      - V(agent) is that the guest agent is connected and answers.
      - V(cloud_init) is that cloud-init in the guest, asked through the agent, is done or disabled. If it failed, the task fails and names
        the errors. The agent must be allowed to run commands, which RHEL and its relatives do not allow by default.
      - V(port) is that TCP port O(wait_port) of the address accepts a connection from the machine where the module runs.
      - When the guest powers off or crashes meanwhile, the task fails at once.
    type: list
    elements: str
    choices: [running, ip, agent, cloud_init, port]
    default: []
  wait_timeout:
    description:
      - For how many seconds to wait. When they are over the task fails, and says what was last seen of each condition that did not hold.
    type: int
    default: 300
  wait_port:
    description:
      - The TCP port for V(port) in O(wait_for).
    type: int
    default: 22
  wait_address:
    description:
      - Which of the guest's addresses counts for V(ip) and V(port) in O(wait_for). Of several, the first one of the first NIC is taken,
        an IPv4 address before an IPv6 address.
    type: dict
    suboptions:
      nic:
        description:
          - The NIC that has the address, as a number counted from 0 or as a MAC address.
        type: str
      cidr:
        description:
          - A network that the address is in, such as V(192.0.2.0/24).
        type: str
      family:
        description:
          - The kind of address.
        type: str
        choices: [ipv4, ipv6, any]
        default: any
      sources:
        description:
          - Who is asked for addresses, in this order, until one knows an address that counts.
          - V(lease) are the DHCP leases of libvirt's own networks, V(agent) is the guest agent, V(arp) the hypervisor's ARP table.
        type: list
        elements: str
        choices: [lease, agent, arp]
        default: [lease, agent, arp]
"""
