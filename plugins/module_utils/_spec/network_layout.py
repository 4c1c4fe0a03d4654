# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What a virtual network is: declared, where None is not declared, or found, where everything is known."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, fields

from .._errors import SpecError
from .names import check_name
from .network_address import NetworkIp, Route, check_host_name, read_ips, read_routes
from .network_dns import Dns, read_dns
from .tuning import Rate

MANAGED_MODES = ("nat", "route", "open", "isolated")
"""Modes in which libvirt makes the bridge."""
MODES = (*MANAGED_MODES, "bridge", "macvtap")
MACVTAP_MODES = ("bridge", "private", "vepa", "passthrough")
_BRIDGED = ("domain", "domain_local_only", "mtu", "ips", "routes", "dns")
OPTIONS_OF_MODE = {
    "nat": ("bridge", "devices", "nat_ports", "nat_ipv6", "port_isolation", "portgroups", *_BRIDGED),
    "route": ("bridge", "devices", "port_isolation", "portgroups", *_BRIDGED),
    "open": ("bridge", "port_isolation", "portgroups", *_BRIDGED),
    "isolated": ("bridge", "port_isolation", "portgroups", *_BRIDGED),
    "bridge": ("bridge", "openvswitch", "port_isolation", "vlan", "portgroups"),
    "macvtap": ("macvtap_mode", "devices", "vlan", "portgroups"),
}
_DEVICE = re.compile(r"[A-Za-z0-9_.:@-]{1,15}")
_MOST_PORT = 65535
_LEAST_MTU, _MOST_MTU = 68, 65535
_MOST_TAG = 4094
_MOST_RATE = 2**31 - 1


@dataclass(frozen=True)
class Vlan:
    """VLAN tags; a ``trunk`` carries them to the guest, but for the ``native`` one, which has none on the wire."""

    tags: tuple[int, ...] = ()
    trunk: bool = False
    native: int | None = None

    def __str__(self) -> str:
        """Return it as it is shown."""
        words = [" ".join(map(str, self.tags)) or "none", "trunk" if self.trunk else ""]
        return " ".join(filter(None, (*words, "" if self.native is None else f"native {self.native}")))


UNTAGGED = Vlan()
UNLIMITED = Rate()


@dataclass(frozen=True)
class Portgroup:
    """What a NIC gets that names it, or, where it is the ``default``, one that names none."""

    name: str
    default: bool = False
    vlan: Vlan = UNTAGGED
    inbound: Rate = UNLIMITED
    outbound: Rate = UNLIMITED

    def __str__(self) -> str:
        """Return it as it is shown."""
        words = [self.name, "default" if self.default else "", f"vlan {self.vlan}" if self.vlan.tags else ""]
        for direction in ("inbound", "outbound"):
            rate = getattr(self, direction)
            words += [f"{direction} {name} {value}" for name, value in vars(rate).items() if value is not None]
        return ", ".join(filter(None, words))


@dataclass(frozen=True)
class NatPorts:
    """The host's ports that stand for guests' in the world."""

    start: int
    end: int

    def __str__(self) -> str:
        """Return it as it is shown."""
        return f"{self.start} to {self.end}"


@dataclass(frozen=True)
class NetworkLayout:
    """What ``""``, 0 or an empty tuple is, is not there."""

    mode: str | None = None
    macvtap_mode: str | None = None
    bridge: str | None = None
    openvswitch: bool | None = None
    devices: tuple[str, ...] | None = None
    nat_ports: NatPorts | None = None
    nat_ipv6: bool | None = None
    domain: str | None = None
    domain_local_only: bool | None = None
    mtu: int | None = None
    port_isolation: bool | None = None
    vlan: Vlan | None = None
    portgroups: tuple[Portgroup, ...] | None = None
    ips: tuple[NetworkIp, ...] | None = None
    routes: tuple[Route, ...] | None = None
    dns: Dns | None = None

    @property
    def has_own_bridge(self) -> bool:
        """Tell whether libvirt makes the bridge."""
        return self.mode in MANAGED_MODES

    @property
    def can_replug(self) -> bool:
        """Tell whether a guest's NIC can be plugged in anew while it runs: into a bridge of the kernel."""
        return self.has_own_bridge or (self.mode == "bridge" and not self.openvswitch)

    def declared(self) -> tuple[str, ...]:
        """Return the options that are set."""
        return tuple(field.name for field in fields(self) if getattr(self, field.name) is not None)


UNDECLARED = NetworkLayout()


def read_declared(params: t.Mapping[str, t.Any]) -> NetworkLayout:
    """Check a module's parameters."""
    ips = read_ips(params["ips"])
    layout = NetworkLayout(
        mode=params["mode"],
        macvtap_mode=params["macvtap_mode"],
        bridge=None if params["bridge"] is None else _device("bridge", params["bridge"]),
        openvswitch=params["openvswitch"],
        devices=_devices(params["devices"]),
        nat_ports=_nat_ports(params["nat_ports"]),
        nat_ipv6=params["nat_ipv6"],
        domain=check_host_name("domain", params["domain"]) if params["domain"] else params["domain"],
        domain_local_only=params["domain_local_only"],
        mtu=_mtu(params["mtu"]),
        port_isolation=params["port_isolation"],
        vlan=None if params["vlan"] is None else _vlan(params["vlan"], "vlan"),
        portgroups=_portgroups(params["portgroups"]),
        ips=ips,
        routes=read_routes(params["routes"], ips),
        dns=read_dns(params["dns"]),
    )
    if layout.mode is not None:
        check_mode_options(layout, layout.mode)
    return layout


def check_mode_options(declared: NetworkLayout, mode: str) -> None:
    """Refuse what a network of that mode can't have."""
    for option in declared.declared():
        if (
            option != "mode"
            and option not in OPTIONS_OF_MODE[mode]
            and getattr(declared, option) not in ((), "", 0, UNTAGGED)
        ):
            raise SpecError(
                option, f"a network of mode {mode} has no use for it", f"it takes {', '.join(OPTIONS_OF_MODE[mode])}"
            )


def check_whole(wanted: NetworkLayout) -> None:
    """Refuse a network that is not complete, or in which two things do not go together."""
    if wanted.mode == "bridge" and not wanted.bridge:
        raise SpecError("bridge", "it is missing for a network of mode bridge", "name the host's bridge")
    if wanted.mode == "macvtap" and not wanted.devices:
        raise SpecError(
            "devices", "it is missing for a network of mode macvtap", "name at least one device of the host"
        )
    if wanted.domain_local_only and not wanted.domain:
        raise SpecError("domain_local_only", "there is no domain that could be local", "declare domain")
    has_vlans = (wanted.mode == "bridge" and wanted.openvswitch) or wanted.macvtap_mode == "passthrough"
    tagged = [("vlan", wanted.vlan), *(("portgroups", group.vlan) for group in wanted.portgroups or ())]
    for option, vlan in tagged:
        if vlan and vlan.tags and not has_vlans:
            raise SpecError(
                option,
                "VLAN tags are for networks on Open vSwitch, or of macvtap mode passthrough",
                "declare openvswitch: true, or a bridge that is in the VLAN already",
            )
    if wanted.has_own_bridge and len(wanted.devices or ()) > 1:
        raise SpecError("devices", f"a network of mode {wanted.mode} leaves its host by one device", "name one")


def _devices(devices: list[str] | None) -> tuple[str, ...] | None:
    if devices is None:
        return None
    return tuple(dict.fromkeys(_device(f"devices[{index}]", device) for index, device in enumerate(devices)))


def _device(option: str, name: str) -> str:
    if not _DEVICE.fullmatch(name):
        raise SpecError(option, f"{name!r} is no name of a network device", "give 1 to 15 characters without spaces")
    return name


def _nat_ports(span: dict[str, t.Any] | None) -> NatPorts | None:
    if span is None:
        return None
    for part in ("start", "end"):
        if not 0 < span[part] <= _MOST_PORT:
            raise SpecError(f"nat_ports.{part}", f"{span[part]} is no port", f"it is 1 to {_MOST_PORT}")
    if span["start"] > span["end"]:
        raise SpecError("nat_ports", f"it ends at {span['end']}, before its start {span['start']}", "swap the two")
    return NatPorts(span["start"], span["end"])


def _mtu(mtu: int | None) -> int | None:
    if mtu and not _LEAST_MTU <= mtu <= _MOST_MTU:
        raise SpecError("mtu", f"{mtu} is out of range", f"it is {_LEAST_MTU} to {_MOST_MTU}, or 0 for the usual one")
    return mtu


def _vlan(vlan: dict[str, t.Any], option: str) -> Vlan:
    tags, native = tuple(vlan["tags"] or ()), vlan["native"]
    for index, tag in enumerate(tags):
        if not 0 < tag <= _MOST_TAG:
            raise SpecError(f"{option}.tags[{index}]", f"{tag} is no VLAN tag", f"it is 1 to {_MOST_TAG}")
    if len(set(tags)) < len(tags):
        raise SpecError(f"{option}.tags", "a tag is there twice", "give each once")
    if native is not None and native not in tags:
        raise SpecError(f"{option}.native", f"{native} is none of tags", "name it there too")
    must_trunk = len(tags) > 1 or native is not None
    if must_trunk and vlan["trunk"] is False:
        raise SpecError(f"{option}.trunk", "only a trunk has several tags or a native one", "leave it out")
    if vlan["trunk"] and not tags:
        raise SpecError(f"{option}.tags", "a trunk without tags carries nothing", "name at least one")
    return Vlan(tags, bool(vlan["trunk"] or must_trunk), native)


def _portgroups(groups: list[dict[str, t.Any]] | None) -> tuple[Portgroup, ...] | None:
    if groups is None:
        return None
    found = tuple(_portgroup(group, f"portgroups[{index}]") for index, group in enumerate(groups))
    names = [group.name for group in found]
    if len(set(names)) < len(names):
        raise SpecError("portgroups", "two have the same name", "give each a name of its own")
    if sum(group.default for group in found) > 1:
        raise SpecError("portgroups", "two are the default", "mark one")
    return found


def _portgroup(group: dict[str, t.Any], option: str) -> Portgroup:
    check_name(f"{option}.name", group["name"])
    return Portgroup(
        name=group["name"],
        default=bool(group["default"]),
        vlan=_vlan(group["vlan"], f"{option}.vlan") if group["vlan"] else UNTAGGED,
        inbound=_rate(group["inbound"], f"{option}.inbound"),
        outbound=_rate(group["outbound"], f"{option}.outbound"),
    )


def _rate(rate: dict[str, t.Any] | None, option: str) -> Rate:
    if rate is None:
        return UNLIMITED
    for name, value in rate.items():
        if value is not None and not 0 < value <= _MOST_RATE:
            raise SpecError(f"{option}.{name}", f"{value} is out of range", f"it is 1 to {_MOST_RATE}")
    if rate["average"] is None:
        raise SpecError(f"{option}.average", "it is missing", "declare it, peak and burst are above it")
    return Rate(rate["average"], rate["peak"], rate["burst"])
