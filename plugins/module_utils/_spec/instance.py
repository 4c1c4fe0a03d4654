# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What a user declares of one instance. All bad input of an instance dies in ``InstanceSpec.from_params``."""

from __future__ import annotations

import hashlib
import json
import re
import typing as t
from dataclasses import asdict, dataclass

from .._errors import SpecError
from .flavor import Flavor
from .names import check_name

_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")
_MULTICAST_BIT = 1
_MOST_CDROMS = 20
GUEST_AGENT = "org.qemu.guest_agent.0"
"""The channel that QEMU's guest agent listens on."""


@dataclass(frozen=True)
class NicSpec:
    """One NIC: exactly one of ``network``, ``bridge`` and ``user``."""

    mac: str
    network: str | None
    bridge: str | None
    user: bool
    portgroup: str | None
    model: str

    @property
    def kind(self) -> str:
        """Return libvirt's interface type."""
        return "user" if self.user else "bridge" if self.bridge else "network"


@dataclass(frozen=True)
class GraphicsSpec:
    """A graphical console: ``type`` vnc or none."""

    type: str
    listen: str
    port: int | None
    keymap: str | None


@dataclass(frozen=True)
class BootSpec:
    """From what and how the machine boots."""

    devices: tuple[str, ...]
    menu: bool
    firmware: str | None


@dataclass(frozen=True)
class HardwareSpec:
    """The virtual hardware besides CPU, memory, disks and NICs."""

    arch: str | None
    machine_type: str | None
    cpu_mode: str | None
    cpu_model: str | None
    acpi: bool
    apic: bool
    pae: bool | None
    clock: str
    on_poweroff: str
    on_reboot: str
    on_crash: str
    emulator: str | None
    video: str | None
    console_log: bool
    rng: bool
    balloon: bool
    guest_agent: bool


@dataclass(frozen=True)
class InstanceSpec:
    """One declared instance."""

    name: str
    fleet: str | None
    flavor: Flavor
    image: str | None
    power_state: str
    disk_bus: str
    disk_format: str
    disk_cache: str | None
    disk_discard: str | None
    cdroms: tuple[str, ...]
    nics: tuple[NicSpec, ...]
    boot: BootSpec
    graphics: GraphicsSpec
    hardware: HardwareSpec
    metadata: tuple[tuple[str, str], ...]
    protected: bool

    @classmethod
    def from_params(cls, params: dict[str, t.Any], fleet: str | None) -> InstanceSpec:
        """Validate the options of one instance (see ``_options.instance_options``)."""
        name = check_name("name", params["name"])
        if params["flavor"] is None:
            raise SpecError("flavor", "it is missing", "state: present needs vcpus, memory_mb and disk_gb")
        if fleet is not None:
            check_name("fleet", fleet)
        flavor = Flavor.from_params(params["flavor"])
        image = params["image"]
        if image is not None:
            check_name("image", image)
        if (
            image is None
            and flavor.disk_gb == 0
            and not params["cdroms"]
            and "network" not in params["boot"]["devices"]
        ):
            raise SpecError(
                "image",
                f"instance {name} has nothing to boot from",
                "give an image, a flavor.disk_gb above 0, or cdroms",
            )
        if len(params["cdroms"]) > _MOST_CDROMS:
            raise SpecError("cdroms", f"{len(params['cdroms'])} are too many", f"give at most {_MOST_CDROMS}")
        return cls(
            name=name,
            fleet=fleet,
            flavor=flavor,
            image=image,
            power_state=params["power_state"],
            disk_bus=params["disk_bus"],
            disk_format=params["disk_format"],
            disk_cache=params["disk_cache"],
            disk_discard=params["disk_discard"],
            cdroms=tuple(check_name("cdroms", cdrom) for cdrom in params["cdroms"]),
            nics=_nics(params["networks"], fleet, name),
            boot=BootSpec(tuple(params["boot"]["devices"]), params["boot"]["menu"], params["boot"]["firmware"]),
            graphics=_graphics(params["graphics"]),
            hardware=_hardware(params),
            metadata=tuple(sorted((str(key), str(value)) for key, value in params["metadata"].items())),
            protected=params["protected"],
        )

    def digest(self) -> str:
        """Return a stable digest of the whole declaration, power state aside."""
        declared = {key: value for key, value in asdict(self).items() if key != "power_state"}
        return hashlib.sha256(json.dumps(declared, sort_keys=True).encode()).hexdigest()


def stable_mac(fleet: str | None, name: str, index: int) -> str:
    """Return the MAC address of an instance's ``index``-th NIC: the same at every run and on every host.

    32 bits of a digest behind 52:54, QEMU's locally administered prefix.
    """
    seed = json.dumps([fleet, name, index])
    octets = hashlib.sha256(seed.encode()).digest()[:4]
    return "52:54:" + ":".join(f"{octet:02x}" for octet in octets)


def _nics(networks: list[dict[str, t.Any]], fleet: str | None, name: str) -> tuple[NicSpec, ...]:
    nics = tuple(_nic(nic, f"networks[{index}]", stable_mac(fleet, name, index)) for index, nic in enumerate(networks))
    macs = [nic.mac for nic in nics]
    for mac in macs:
        if macs.count(mac) > 1:
            raise SpecError("networks", f"instance {name} has the MAC address {mac} twice", "each NIC needs its own")
    return nics


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
    return NicSpec(mac, nic["network"], nic["bridge"], bool(nic["user"]), nic["portgroup"], nic["model"])


def _graphics(graphics: dict[str, t.Any]) -> GraphicsSpec:
    port = graphics["port"]
    if port is not None and not 5900 <= port <= 65535:  # noqa: PLR2004 - libvirt's own range for VNC
        raise SpecError("graphics.port", f"{port} is not a VNC port", "take one of 5900 to 65535 or leave it out")
    return GraphicsSpec(graphics["type"], graphics["listen"], port, graphics["keymap"])


def _hardware(params: dict[str, t.Any]) -> HardwareSpec:
    cpu = params["cpu"]
    if bool(cpu["model"]) != (cpu["mode"] == "custom"):
        raise SpecError("cpu", "model and mode do not fit together", "model goes with mode: custom, and only with it")
    return HardwareSpec(
        arch=params["arch"],
        machine_type=params["machine_type"],
        cpu_mode=cpu["mode"],
        cpu_model=cpu["model"],
        acpi=params["features"]["acpi"],
        apic=params["features"]["apic"],
        pae=params["features"]["pae"],
        clock=params["clock"],
        on_poweroff=params["on_poweroff"],
        on_reboot=params["on_reboot"],
        on_crash=params["on_crash"],
        emulator=params["emulator"],
        video=params["video"],
        console_log=params["console"]["log"],
        rng=params["rng"],
        balloon=params["balloon"],
        guest_agent=params["guest_agent"],
    )
