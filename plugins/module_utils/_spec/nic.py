# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""NICs as a user declares them."""

from __future__ import annotations

import hashlib
import json
import re
import typing as t
from dataclasses import dataclass

from .._errors import SpecError
from .hardware import UNTUNED, NicTuning
from .network_address import check_address
from .port_filter import read_group_names

_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")
_MULTICAST_BIT = 1
_IPV4 = 4


@dataclass(frozen=True)
class NicSpec:
    """One NIC: exactly one of ``network``, ``bridge`` and ``user``; the rest None where it is not declared."""

    mac: str
    network: str | None
    bridge: str | None
    user: bool
    portgroup: str | None
    model: str | None
    link_state: str | None
    tuning: NicTuning = UNTUNED
    security_groups: tuple[str, ...] | None = None
    """Sorted."""
    port_security: bool | None = None
    fixed_ip: str | None = None
    """An IPv4 address; "" for none any more."""

    @property
    def kind(self) -> str:
        """Return libvirt's interface type."""
        return "user" if self.user else "bridge" if self.bridge else "network"


def read_nics(networks: list[dict[str, t.Any]], fleet: str | None, name: str) -> tuple[NicSpec, ...]:
    """Validate option ``networks`` of the instance ``name``."""
    nics = tuple(_nic(nic, f"networks[{index}]", stable_mac(fleet, name, index)) for index, nic in enumerate(networks))
    macs = [nic.mac for nic in nics]
    taken: set[tuple[str | None, str | None, str]] = set()
    for index, nic in enumerate(nics):
        place = (nic.network, nic.bridge, nic.fixed_ip or "")
        if nic.fixed_ip and place in taken:
            raise SpecError(f"networks[{index}].fixed_ip", f"{nic.fixed_ip} is declared twice", "give it to one NIC")
        taken.add(place)
    for mac in macs:
        if macs.count(mac) > 1:
            raise SpecError("networks", f"instance {name} has the MAC address {mac} twice", "each NIC needs its own")
    return nics


def stable_mac(fleet: str | None, name: str, index: int) -> str:
    """Return the MAC address of an instance's ``index``-th NIC: the same at every run and on every host.

    32 bits of a digest behind 52:54, QEMU's locally administered prefix.
    """
    seed = json.dumps([fleet, name, index])
    octets = hashlib.sha256(seed.encode()).digest()[:4]
    return "52:54:" + ":".join(f"{octet:02x}" for octet in octets)


def _nic(nic: dict[str, t.Any], option: str, generated_mac: str) -> NicSpec:
    given = [key for key in ("network", "bridge", "user") if nic[key]]
    if len(given) != 1:
        problem = f"{' and '.join(given)} are given together" if given else "none of network, bridge and user is given"
        raise SpecError(option, problem, "give exactly one of network, bridge and user: true")
    if nic["portgroup"] and not nic["network"]:
        raise SpecError(f"{option}.portgroup", "only a network has port groups", "give it together with network")
    mac = (nic["mac"] or generated_mac).lower()
    if not _MAC.fullmatch(mac) or int(mac[:2], 16) & _MULTICAST_BIT:
        raise SpecError(f"{option}.mac", f"{mac!r} is not a unicast MAC address", "write it as 52:54:00:12:34:56")
    return NicSpec(
        mac=mac,
        network=nic["network"],
        bridge=nic["bridge"],
        user=bool(nic["user"]),
        portgroup=nic["portgroup"],
        model=nic["model"],
        link_state=nic["link_state"],
        tuning=NicTuning.from_params(nic, option, nic["model"] or "virtio"),
        security_groups=read_group_names(f"{option}.security_groups", nic.get("security_groups")),
        port_security=nic.get("port_security"),
        fixed_ip=_fixed_ip(nic, f"{option}.fixed_ip"),
    )


def _fixed_ip(nic: dict[str, t.Any], option: str) -> str | None:
    text = nic.get("fixed_ip")
    if not text:
        return t.cast("str | None", text)
    if nic["user"]:
        raise SpecError(option, "the user-mode network gives every guest the same address", "leave it out")
    address = check_address(option, text)
    if address.version != _IPV4:
        raise SpecError(
            option,
            f"{address} is of IPv6, whose DHCP does not know guests by their MAC addresses",
            "give one of IPv4, and declare this one in network_config",
        )
    if address.is_multicast or address.is_loopback or address.is_unspecified:
        raise SpecError(option, f"nobody can have {address}", "give an address of the NIC's subnet")
    return str(address)
