# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The addresses that a network configuration (version 2) gives a guest's devices, out of its ``addresses``."""

from __future__ import annotations

import ipaddress
import re
import typing as t

from .._errors import SpecError

OUR_NIC = re.compile(r"nic(\d+)")
"""What a device is called that is one of the instance's ``networks``, by its number from 0."""


class StaticAddress(t.NamedTuple):
    """One address, without the length of its prefix."""

    address: str
    nic: int | None
    """Number of the NIC that has it; None where the configuration finds its device by something else than our NICs."""


def read_addresses(network: t.Mapping[str, t.Any], macs: t.Sequence[str], option: str) -> tuple[StaticAddress, ...]:
    """Return all of them, or raise :class:`SpecError`; ``macs`` are the addresses of the instance's NICs in order."""
    found = []
    for kind, devices in network.items():
        for name, settings in devices.items() if isinstance(devices, dict) else ():
            nic = _nic(name, settings, macs) if kind == "ethernets" else None
            addresses = settings.get("addresses") or ()
            if not isinstance(addresses, (list, tuple)):
                raise SpecError(f"{option}.{kind}.{name}.addresses", "it is no list", "write it as [192.0.2.10/24]")
            for index, item in enumerate(addresses):
                # Netplan takes an address with options as a dictionary of that one key.
                text = next(iter(item), None) if isinstance(item, dict) else item
                found.append(StaticAddress(_address(text, f"{option}.{kind}.{name}.addresses[{index}]"), nic))
    return tuple(found)


def _nic(name: str, settings: t.Mapping[str, t.Any], macs: t.Sequence[str]) -> int | None:
    match = settings.get("match")
    if match is None:
        ours = OUR_NIC.fullmatch(name)
        return int(ours[1]) if ours else None
    mac = str(match.get("macaddress", "") if isinstance(match, dict) else "").lower()
    return macs.index(mac) if mac in macs else None


def _address(text: t.Any, option: str) -> str:
    try:
        if "/" not in text:
            raise ValueError
        return str(ipaddress.ip_interface(text).ip)
    except (TypeError, ValueError):
        raise SpecError(option, f"{text!r} is no address with a prefix", "write it as 192.0.2.10/24") from None
