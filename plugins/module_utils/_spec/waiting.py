# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What a user waits for in a guest, and which of its addresses counts."""

from __future__ import annotations

import ipaddress
import re
import typing as t
from dataclasses import dataclass

from .._errors import SpecError

RUNNING, IP, AGENT, CLOUD_INIT, PORT = CONDITIONS = ("running", "ip", "agent", "cloud_init", "port")
LEASE, AGENT_SOURCE, ARP = SOURCES = ("lease", "agent", "arp")
IPV4, IPV6, ANY = FAMILIES = ("ipv4", "ipv6", "any")
_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")
_MOST_NICS = 32
_MOST_PORTS = 65535

Network = t.Union[ipaddress.IPv4Network, ipaddress.IPv6Network]


@dataclass(frozen=True)
class AddressChoice:
    """Which of a guest's addresses counts; ``nic`` is a MAC address in lower case, or a number counted from 0."""

    nic: str | int | None = None
    cidr: Network | None = None
    family: str = ANY
    sources: tuple[str, ...] = SOURCES

    @classmethod
    def from_params(cls, params: t.Mapping[str, t.Any]) -> AddressChoice:
        """Validate option ``wait_address``."""
        family = params["family"]
        cidr = _cidr(params["cidr"])
        if cidr is not None and family not in (ANY, f"ipv{cidr.version}"):
            raise SpecError(
                "wait_address.cidr", f"{cidr} has no {family} addresses", f"take family: ipv{cidr.version}, or any"
            )
        sources = tuple(dict.fromkeys(params["sources"]))
        if not sources:
            raise SpecError(
                "wait_address.sources", "it is empty", f"take some of {', '.join(SOURCES)}, or leave it out"
            )
        return cls(_nic(params["nic"]), cidr, family, sources)

    def describe(self) -> str:
        """Return the choice in words that follow "address"."""
        words = "" if self.family == ANY else f" of family {self.family}"
        words += "" if self.cidr is None else f" in {self.cidr}"
        return words + ("" if self.nic is None else f" on NIC {self.nic}")


@dataclass(frozen=True)
class WaitSpec:
    """What is waited for, at most ``timeout`` seconds; without conditions nothing is."""

    conditions: tuple[str, ...] = ()
    timeout: int = 300
    port: int = 22
    address: AddressChoice = AddressChoice()

    @classmethod
    def from_params(cls, params: t.Mapping[str, t.Any]) -> WaitSpec:
        """Validate the options of ``_options_wait``."""
        timeout, port = params["wait_timeout"], params["wait_port"]
        if timeout < 0:
            raise SpecError("wait_timeout", f"{timeout} is too small", "it is in seconds, 0 or more")
        if not 1 <= port <= _MOST_PORTS:
            raise SpecError("wait_port", f"{port} is not a TCP port", f"take one of 1 to {_MOST_PORTS}")
        wanted = params["wait_for"]
        return cls(
            conditions=tuple(condition for condition in CONDITIONS if condition in wanted),
            timeout=timeout,
            port=port,
            address=AddressChoice.from_params(params["wait_address"]),
        )

    @property
    def needs_address(self) -> bool:
        """Tell whether an address is waited for, by itself or to connect to."""
        return IP in self.conditions or PORT in self.conditions

    @property
    def needs_agent(self) -> bool:
        """Tell whether the wait can't end well without a guest agent."""
        return (
            AGENT in self.conditions
            or CLOUD_INIT in self.conditions
            or (self.needs_address and self.address.sources == (AGENT_SOURCE,))
        )


NO_WAIT = WaitSpec()


def _nic(text: str | None) -> str | int | None:
    if text is None:
        return None
    value = text.strip().lower()
    if _MAC.fullmatch(value):
        return value
    if value.isdecimal() and value.isascii() and int(value) < _MOST_NICS:
        return int(value)
    raise SpecError(
        "wait_address.nic",
        f"{text!r} is neither the number of a NIC nor a MAC address",
        "count from 0, or write a MAC address as '52:54:00:12:34:56' in quotes, without which YAML may read a number",
    )


def _cidr(text: str | None) -> Network | None:
    if text is None:
        return None
    try:
        return ipaddress.ip_network(text.strip(), strict=False)
    except ValueError as exc:
        raise SpecError("wait_address.cidr", f"{text!r} is not a network", "write it as 192.0.2.0/24") from exc
