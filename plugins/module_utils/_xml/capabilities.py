# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What a hypervisor has and can do, out of libvirt's two capabilities documents."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._spec.capabilities import DomainCapabilities
from .document import Element, XmlError, as_int, attribute, parse, text_of, to_text
from .numbers import kib_of, parse_id_set


@dataclass(frozen=True)
class Topology:
    """How a NUMA cell's CPUs are made up; all zero where libvirt does not tell."""

    sockets: int = 0
    dies: int = 0
    cores: int = 0
    threads: int = 0


@dataclass(frozen=True)
class PageTotal:
    """How many memory pages of one size a cell has."""

    size_kib: int
    count: int


@dataclass(frozen=True)
class HostCpu:
    """One CPU of the host; ``siblings`` are the CPUs that share its core, itself included."""

    id: int
    socket_id: int | None = None
    core_id: int | None = None
    siblings: tuple[int, ...] = ()


@dataclass(frozen=True)
class Cell:
    """A NUMA cell."""

    id: int
    memory_kib: int = 0
    cpus: tuple[HostCpu, ...] = ()
    pages: tuple[PageTotal, ...] = ()

    @property
    def cores(self) -> tuple[tuple[int, ...], ...]:
        """Return the CPUs of each core; siblings that are not of the cell, or not online, do not count."""
        here = {cpu.id for cpu in self.cpus}
        cores = {tuple(sorted(here & set(cpu.siblings or (cpu.id,)))) or (cpu.id,) for cpu in self.cpus}
        return tuple(sorted(cores))

    @property
    def socket(self) -> int | None:
        """Return the socket that all CPUs are in; None where that is not told, or they are in several."""
        sockets = {cpu.socket_id for cpu in self.cpus}
        return sockets.pop() if len(sockets) == 1 else None


@dataclass(frozen=True)
class GuestKind:
    """One kind of guest the hypervisor runs: os type and architecture, with its domain types and machines."""

    os_type: str
    arch: str
    emulator: str | None = None
    virt_types: tuple[str, ...] = ()
    machines: tuple[str, ...] = ()
    """Names and aliases, each once, in libvirt's order."""


@dataclass(frozen=True)
class HostCapabilities:
    """``<capabilities>``."""

    uuid: str = ""
    arch: str = ""
    cpu_model: str | None = None
    cpu_vendor: str | None = None
    cpu_features: tuple[str, ...] = ()
    """What the CPU has beyond its model."""
    cpu_xml: str = ""
    """The element ``<cpu>`` itself, which libvirt takes for comparisons; empty when there is none."""
    topology: Topology = Topology()
    page_kib: int = 4
    """Size of the ordinary memory page; larger ones are huge pages."""
    cells: tuple[Cell, ...] = ()
    guests: tuple[GuestKind, ...] = ()

    def guests_of(self, arch: str) -> tuple[GuestKind, ...]:
        """Return the kinds of guests of one architecture."""
        return tuple(guest for guest in self.guests if guest.arch == arch)

    def virt_types(self, arch: str) -> tuple[str, ...]:
        """Return the domain types libvirt advertises for one architecture, each once."""
        return _unique(kind for guest in self.guests_of(arch) for kind in guest.virt_types)

    def machines(self, arch: str) -> tuple[str, ...]:
        """Return the machine types of one architecture, each once."""
        return _unique(machine for guest in self.guests_of(arch) for machine in guest.machines)


def read_host(text: str) -> HostCapabilities:
    """Return what the host's capabilities say."""
    root = _parse(text, "capabilities")
    cpu = root.find("host/cpu")
    pages = [kib_of(page, page.get("size")) for page in root.iterfind("host/cpu/pages")]
    return HostCapabilities(
        uuid=text_of(root, "host/uuid") or "",
        arch=text_of(root, "host/cpu/arch") or "",
        cpu_model=text_of(root, "host/cpu/model"),
        cpu_vendor=text_of(root, "host/cpu/vendor"),
        cpu_features=tuple(_attributes(root, "host/cpu/feature", "name")),
        cpu_xml="" if cpu is None else to_text(cpu),
        topology=_topology(cpu),
        page_kib=min(filter(None, pages), default=4),
        cells=tuple(_cell(cell) for cell in root.iterfind("host/topology/cells/cell")),
        guests=tuple(_guest(guest, arch) for guest in root.iterfind("guest") for arch in guest.iterfind("arch")),
    )


def read_domain_capabilities(text: str) -> DomainCapabilities:
    """Return what the domain capabilities say."""
    root = _parse(text, "domainCapabilities")
    return DomainCapabilities(
        emulator=text_of(root, "path"),
        virt_type=text_of(root, "domain") or "",
        machine=text_of(root, "machine"),
        arch=text_of(root, "arch") or "",
        max_vcpus=as_int(attribute(root, "vcpu", "max")),
        firmwares=_enum(root, "os", "firmware"),
        loaders=tuple(value.text for value in root.iterfind("os/loader/value") if value.text),
        has_secure_boot="yes" in _enum(root, "os/loader", "secure"),
        cpu_modes=tuple(_attributes(root, "cpu/mode[@supported='yes']", "name")),
        cpu_models=tuple(
            model.text for model in root.iterfind("cpu/mode[@name='custom']/model[@usable='yes']") if model.text
        ),
        disk_buses=_enum(root, "devices/disk", "bus"),
        disk_devices=_enum(root, "devices/disk", "diskDevice"),
        graphics_types=_enum(root, "devices/graphics", "type"),
        video_models=_enum(root, "devices/video", "modelType"),
        rng_models=_enum(root, "devices/rng", "model"),
        rng_backends=_enum(root, "devices/rng", "backendModel"),
        tpm_models=_enum(root, "devices/tpm", "model"),
        tpm_backends=_enum(root, "devices/tpm", "backendModel"),
        tpm_versions=_enum(root, "devices/tpm", "backendVersion"),
        blocked_cpu_models=tuple(
            model.text for model in root.iterfind("cpu/mode[@name='custom']/model[@usable='no']") if model.text
        ),
        filesystem_drivers=_enum(root, "devices/filesystem", "driverType"),
        memory_sources=_enum(root, "memoryBacking", "sourceType"),
        channel_types=_enum(root, "devices/channel", "type"),
        has_sev=attribute(root, "features/sev", "supported") == "yes",
        sections=_unique(section.tag for path in ("*", "devices/*", "features/*") for section in root.iterfind(path)),
    )


def read_cpu_features(text: str) -> tuple[str, ...]:
    """Return the features that a ``<cpu>`` definition requires."""
    root = _parse(text, "cpu")
    required = (feature for feature in root.iterfind("feature") if feature.get("policy", "require") == "require")
    return tuple(feature.get("name", "") for feature in required)


def _parse(text: str, tag: str) -> Element:
    root = parse(text)
    if root.tag != tag:
        raise XmlError(f"The hypervisor's XML cannot be read: it is <{root.tag}> and not <{tag}>.")
    return root


def _unique(values: t.Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))


def _attributes(root: Element, path: str, name: str) -> t.Iterator[str]:
    for element in root.iterfind(path):
        value = element.get(name)
        if value:
            yield value


def _enum(root: Element, path: str, name: str) -> tuple[str, ...]:
    """Return an enum's values; what is not supported at all has none."""
    parent = root.find(path)
    if parent is None or parent.get("supported") == "no":
        return ()
    return tuple(value.text for value in parent.iterfind(f"enum[@name='{name}']/value") if value.text)


def _topology(cpu: Element) -> Topology:
    found = None if cpu is None else cpu.find("topology")
    if found is None:
        return Topology()
    return Topology(
        sockets=as_int(found.get("sockets")) or 0,
        dies=as_int(found.get("dies")) or 1,
        cores=as_int(found.get("cores")) or 0,
        threads=as_int(found.get("threads")) or 0,
    )


def _cell(cell: Element) -> Cell:
    return Cell(
        id=as_int(cell.get("id")) or 0,
        memory_kib=kib_of(cell.find("memory")),
        cpus=tuple(_cpu(cpu) for cpu in cell.iterfind("cpus/cpu")),
        pages=tuple(
            PageTotal(kib_of(page, page.get("size")), as_int((page.text or "").strip()) or 0)
            for page in cell.iterfind("pages")
        ),
    )


def _cpu(cpu: Element) -> HostCpu:
    return HostCpu(
        id=as_int(cpu.get("id")) or 0,
        socket_id=as_int(cpu.get("socket_id")),
        core_id=as_int(cpu.get("core_id")),
        siblings=parse_id_set(cpu.get("siblings") or ""),
    )


def _guest(guest: Element, arch: Element) -> GuestKind:
    domains = tuple(arch.iterfind("domain"))
    own = [machine for parent in (arch, *domains) for machine in parent.iterfind("machine")]
    return GuestKind(
        os_type=text_of(guest, "os_type") or "",
        arch=arch.get("name", ""),
        emulator=text_of(arch, "emulator"),
        virt_types=_unique(domain.get("type", "") for domain in domains),
        machines=_unique(machine.text for machine in own if machine.text),
    )
