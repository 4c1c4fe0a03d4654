# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Addresses of a guest, as somebody sees them: the network's DHCP leases, the guest's agent, or the host's ARP table."""

from __future__ import annotations

import ipaddress
import typing as t
from dataclasses import dataclass

from .._errors import DriverError
from .connection import Connection, libvirt

SOURCES = ("lease", "agent", "arp")
"""Who can be asked, the one that tells most surely first."""
_NO_ANSWER = frozenset(
    getattr(libvirt, name, None)
    for name in (
        # The driver or the domain has no such source.
        "VIR_ERR_NO_SUPPORT",
        "VIR_ERR_OPERATION_UNSUPPORTED",
        "VIR_ERR_ARGUMENT_UNSUPPORTED",
        "VIR_ERR_CONFIG_UNSUPPORTED",
        # It is off, paused, or another job holds it.
        "VIR_ERR_OPERATION_INVALID",
        "VIR_ERR_OPERATION_TIMEOUT",
        # Its network is gone.
        "VIR_ERR_NO_NETWORK",
        # Its agent is not there, or not yet.
        "VIR_ERR_AGENT_UNRESPONSIVE",
        "VIR_ERR_AGENT_UNSYNCED",
        "VIR_ERR_AGENT_COMMAND_TIMEOUT",
        "VIR_ERR_AGENT_COMMAND_FAILED",
    )
)


@dataclass(frozen=True)
class GuestAddress:
    """One address; ``family`` is ipv4 or ipv6, ``source`` who told."""

    address: str
    prefix: int | None
    """None where the source does not know it, as the ARP table."""
    family: str
    mac: str | None
    """In lower case."""
    interface: str
    """The NIC's name: the guest's own when its agent told, else the host's."""
    source: str

    @property
    def is_reachable(self) -> bool:
        """Tell whether others can have a use for it: neither loopback nor link-local."""
        parsed = ipaddress.ip_address(self.address)
        return not (parsed.is_loopback or parsed.is_link_local or parsed.is_unspecified or parsed.is_multicast)


def interface_addresses(connection: Connection, handle: t.Any, source: str) -> tuple[GuestAddress, ...]:
    """Ask ``source`` (lease, agent or arp) for a domain's addresses, link-local ones included.

    No answer is no address: a guest that is off, an agent that is not connected yet, a source that this driver lacks.
    """
    doing = f"read the addresses of {handle.name()} from source {source}"
    try:
        answer = connection.call(doing, handle.interfaceAddresses, SOURCES.index(source), 0)
    except DriverError as exc:
        code = exc.details.get("libvirt_code")
        # What the agent makes of the question is the guest's affair, and some ARP tables are too much for libvirt 9;
        # neither has a code of its own.
        if code in _NO_ANSWER or (source != "lease" and code == libvirt.VIR_ERR_INTERNAL_ERROR):
            return ()
        raise
    return read_addresses(answer, source)


def read_addresses(answer: t.Mapping[str, t.Mapping[str, t.Any]] | None, source: str) -> tuple[GuestAddress, ...]:
    """Return the addresses in libvirt's ``answer``, in its order; what is no IP address is left out."""
    return tuple(
        GuestAddress(
            address=str(address),
            prefix=entry.get("prefix") or None,
            family=f"ipv{address.version}",
            mac=(nic.get("hwaddr") or "").lower() or None,
            interface=interface,
            source=source,
        )
        for interface, nic in (answer or {}).items()
        for entry in nic.get("addrs") or ()
        for address in _parsed(entry.get("addr"))
    )


def _parsed(text: str | None) -> tuple[ipaddress.IPv4Address | ipaddress.IPv6Address, ...]:
    try:
        # An agent may name the zone of a link-local address, which Python 3.9 understands and nobody else can use.
        return (ipaddress.ip_address((text or "").partition("%")[0]),)
    except ValueError:
        return ()
