# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What a user declares of one instance. All bad input dies in ``InstanceSpec.from_params``.

None is "not declared": a new instance gets the default (:meth:`InstanceSpec.completed`), one that is there keeps what it has.
"""

from __future__ import annotations

import hashlib
import json
import typing as t
from dataclasses import asdict, dataclass, replace

from .._errors import SpecError
from .disk import VolumeSpec, read_volumes
from .first_boot import FirstBootSpec
from .flavor import Flavor
from .hardware import PLAIN, Hardware
from .names import check_name, check_uuid
from .nic import NicSpec, read_nics
from .patch import PatchSpec, patches_from_params
from .wish import Wish

_MOST_CDROMS = 20
_UUID_REMEDY = "give one such as 4b20d080-1b54-4048-85b3-a6a62d165c01"
NEXT_BOOT, FIRST_AGAIN = FIRST_BOOT_CHANGES = ("next_boot", "first_boot")
"""What becomes of another declaration of the first boot: the next boot finds it, or takes itself for the first."""
GUEST_AGENT = "org.qemu.guest_agent.0"
"""The channel that QEMU's guest agent listens on."""


@dataclass(frozen=True)
class GraphicsSpec:
    """A graphical console: ``type`` vnc or none."""

    type: str | None = None
    listen: str | None = None
    port: int | None = None
    keymap: str | None = None


@dataclass(frozen=True)
class BootSpec:
    """From what and how the machine boots."""

    devices: tuple[str, ...] | None = None
    menu: bool | None = None
    firmware: str | None = None


@dataclass(frozen=True)
class HardwareSpec:
    """The virtual hardware besides CPU, memory, disks and NICs."""

    arch: str | None = None
    machine_type: str | None = None
    cpu_mode: str | None = None
    cpu_model: str | None = None
    acpi: bool | None = None
    apic: bool | None = None
    pae: bool | None = None
    clock: str | None = None
    on_poweroff: str | None = None
    on_reboot: str | None = None
    on_crash: str | None = None
    emulator: str | None = None
    video: str | None = None
    console_log: bool | None = None
    rng: bool | None = None
    balloon: bool | None = None
    guest_agent: bool | None = None


_NEW_HARDWARE: dict[str, t.Any] = {
    "acpi": True,
    "apic": True,
    "clock": "utc",
    "on_poweroff": "destroy",
    "on_reboot": "restart",
    "on_crash": "destroy",
    "console_log": True,
    "rng": True,
    "balloon": True,
    "guest_agent": True,
}


@dataclass(frozen=True)
class InstanceSpec:
    """One declared instance."""

    name: str
    fleet: str | None = None
    uuid: str | None = None
    flavor: Flavor | None = None
    max_vcpus: int | None = None
    max_memory_mb: int | None = None
    image: str | None = None
    power_state: str | None = None
    autostart: bool | None = None
    disk_bus: str | None = None
    disk_format: str | None = None
    disk_cache: str | None = None
    disk_discard: str | None = None
    cdroms: tuple[str, ...] | None = None
    volumes: tuple[VolumeSpec, ...] | None = None
    nics: tuple[NicSpec, ...] | None = None
    boot: BootSpec = BootSpec()
    graphics: GraphicsSpec = GraphicsSpec()
    hardware: HardwareSpec = HardwareSpec()
    detail: Hardware = PLAIN
    metadata: tuple[tuple[str, str], ...] | None = None
    protected: bool | None = None
    group: str | None = None
    """Empty for no group."""
    group_policy: str | None = None
    patches: tuple[PatchSpec, ...] | None = None
    first_boot: FirstBootSpec | None = None
    first_boot_change: str = NEXT_BOOT
    adopt: bool = False
    wish: Wish | None = None
    """Where a plan wants it to lie on its host."""

    @classmethod
    def from_params(cls, params: dict[str, t.Any], fleet: str | None) -> InstanceSpec:
        """Validate the options of one instance (see ``_options.instance_options``)."""
        name = check_name("name", params["name"])
        if fleet is not None:
            check_name("fleet", fleet)
        if params["image"] is not None:
            check_name("image", params["image"])
        flavor = Flavor.from_params(params["flavor"]) if params["flavor"] is not None else None
        cdroms = params["cdroms"]
        if cdroms is not None and len(cdroms) > _MOST_CDROMS:
            raise SpecError("cdroms", f"{len(cdroms)} are too many", f"give at most {_MOST_CDROMS}")
        metadata = params["metadata"]
        detail = _detail(params, flavor)
        spec = cls(
            name=name,
            fleet=fleet,
            uuid=None if params["uuid"] is None else check_uuid("uuid", params["uuid"], _UUID_REMEDY),
            flavor=flavor,
            max_vcpus=params["max_vcpus"],
            max_memory_mb=params["max_memory_mb"],
            image=params["image"],
            power_state=params["power_state"],
            autostart=params["autostart"],
            disk_bus=params["disk_bus"],
            disk_format=params["disk_format"],
            disk_cache=params["disk_cache"],
            disk_discard=params["disk_discard"],
            cdroms=None if cdroms is None else tuple(check_name("cdroms", cdrom) for cdrom in cdroms),
            volumes=None if params["volumes"] is None else read_volumes(params["volumes"], name),
            nics=None if params["networks"] is None else read_nics(params["networks"], fleet, name),
            boot=_boot(params["boot"]),
            graphics=_graphics(params["graphics"]),
            hardware=_hardware(params, detail),
            detail=detail,
            metadata=None if metadata is None else tuple(sorted((str(key), str(metadata[key])) for key in metadata)),
            protected=params["protected"],
            group=_group(params),
            group_policy=params["group_policy"],
            patches=None if params["xml_patch"] is None else patches_from_params(params["xml_patch"]),
            first_boot=FirstBootSpec.from_params(params),
            first_boot_change=params["first_boot_change"],
            adopt=params["adopt"],
            wish=None if params["placement"] is None else Wish.from_params(params["placement"]),
        )
        _check_headroom(spec)
        return spec

    def completed(self) -> InstanceSpec:
        """Return the declaration of a new instance: what is not declared has its default; or refuse what can't be new."""
        if self.flavor is None:
            raise SpecError("flavor", "it is missing", "a new instance needs vcpus, memory_mb and disk_gb")
        if self.power_state == "suspended":
            raise SpecError(
                "power_state", f"instance {self.name} is new and has no memory to save", "declare running first"
            )
        devices = self.boot.devices or ("hd",)
        has_disk = self.image is not None or self.flavor.disk_gb or self.volumes or self.cdroms
        if not has_disk and "network" not in devices:
            raise SpecError(
                "image",
                f"instance {self.name} has nothing to boot from",
                "give an image, a flavor.disk_gb above 0, volumes or cdroms",
            )
        new_hardware = {key: value for key, value in _NEW_HARDWARE.items() if getattr(self.hardware, key) is None}
        graphics = self.graphics
        if graphics.type is None:
            graphics = replace(graphics, type="vnc")
        if graphics.listen is None:
            graphics = replace(graphics, listen="127.0.0.1")
        return replace(
            self,
            power_state=self.power_state or "running",
            disk_bus=self.disk_bus or "virtio",
            disk_format=self.disk_format or "qcow2",
            cdroms=self.cdroms or (),
            volumes=self.volumes or (),
            nics=tuple(replace(nic, model=nic.model or "virtio") for nic in self.nics or ()),
            boot=replace(self.boot, devices=devices, menu=bool(self.boot.menu)),
            graphics=graphics,
            hardware=replace(self.hardware, **new_hardware),
            metadata=self.metadata or (),
            protected=bool(self.protected),
        )

    @property
    def static_addresses(self) -> tuple[tuple[str, NicSpec], ...]:
        """Return the addresses that the guest is told to take, each with the NIC that has it."""
        nics = self.nics or ()
        found = self.first_boot.addresses([nic.mac for nic in nics]) if self.first_boot else ()
        return tuple((one.address, nics[one.nic]) for one in found if one.nic is not None and one.nic < len(nics))

    def digest(self) -> str:
        """Return a stable digest of the declaration, but for the power state, a plan's wish and what may hold secrets."""
        left_out = ("power_state", "first_boot", "wish")
        declared = {key: value for key, value in asdict(self).items() if key not in left_out}
        return hashlib.sha256(json.dumps(declared, sort_keys=True).encode()).hexdigest()


def _group(params: dict[str, t.Any]) -> str | None:
    group = params["group"]
    if params["group_policy"] is not None and not group:
        raise SpecError("group_policy", "there is no group that it is of", "give the group too, or neither")
    return None if group is None else group and check_name("group", group)


def _boot(boot: dict[str, t.Any]) -> BootSpec:
    return BootSpec(None if boot["devices"] is None else tuple(boot["devices"]), boot["menu"], boot["firmware"])


def _graphics(graphics: dict[str, t.Any]) -> GraphicsSpec:
    port = graphics["port"]
    if port is not None and not 5900 <= port <= 65535:  # noqa: PLR2004 - libvirt's own range
        raise SpecError(
            "graphics.port", f"{port} is not a port of a screen", "take one of 5900 to 65535 or leave it out"
        )
    return GraphicsSpec(graphics["type"], graphics["listen"], port, graphics["keymap"])


def _detail(params: dict[str, t.Any], flavor: Flavor | None) -> Hardware:
    if flavor is not None:
        return Hardware.from_params(params, flavor.vcpus, flavor.memory_mb)
    cpu = params["cpu"]
    for option, value in (
        ("cpu.topology", cpu["topology"]),
        *((option, params[option]) for option in ("numa", "cpu_policy", "hugepages")),
    ):
        if value is not None:
            raise SpecError(option, "it is about the vCPUs and the memory of a flavor", "it needs flavor")
    return Hardware.from_params(params, 1, 1)


def _hardware(params: dict[str, t.Any], detail: Hardware) -> HardwareSpec:
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
        rng=False if params["rng"] is None and detail.rng_allowed is False else params["rng"],
        balloon=params["balloon"],
        guest_agent=params["guest_agent"],
    )


def _check_headroom(spec: InstanceSpec) -> None:
    flavor = spec.flavor
    for option, most, least in (
        ("max_vcpus", spec.max_vcpus, flavor.vcpus if flavor else 1),
        ("max_memory_mb", spec.max_memory_mb, flavor.memory_mb if flavor else 1),
    ):
        if most is not None and most < least:
            raise SpecError(
                option, f"{most} is less than the instance has from the start", f"it must be at least {least}"
            )
    if flavor is None:
        return
    detail = spec.detail
    lies = "instance's NUMA cells, CPUs or pages are" if detail.placement.cells else None
    tells = "topology is" if detail.has_topology else None
    for option, most, present, fixed, unit in (
        ("max_vcpus", spec.max_vcpus, flavor.vcpus, tells or lies, "vCPUs"),
        ("max_memory_mb", spec.max_memory_mb, flavor.memory_mb, lies, "MiB"),
    ):
        if fixed is not None and most not in (None, present):
            raise SpecError(
                option, f"the {fixed} for {present} {unit}, so there is no room for {most}", f"leave {option} out"
            )
