# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What guests of one kind can be made of on one hypervisor."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class DomainCapabilities:
    """``<domainCapabilities>``: what guests of one domain type, architecture and machine may be made of."""

    emulator: str | None = None
    virt_type: str = ""
    machine: str | None = None
    """The machine's own name, not its alias; None where the hypervisor has no machine types."""
    arch: str = ""
    max_vcpus: int | None = None
    firmwares: tuple[str, ...] = ()
    """What ``<os firmware=''>`` may be."""
    loaders: tuple[str, ...] = ()
    """Firmware files."""
    has_secure_boot: bool = False
    cpu_modes: tuple[str, ...] = ()
    cpu_models: tuple[str, ...] = ()
    """Models that mode custom can use here."""
    disk_buses: tuple[str, ...] = ()
    disk_devices: tuple[str, ...] = ()
    graphics_types: tuple[str, ...] = ()
    video_models: tuple[str, ...] = ()
    rng_models: tuple[str, ...] = ()
    rng_backends: tuple[str, ...] = ()
    tpm_models: tuple[str, ...] = ()
    tpm_backends: tuple[str, ...] = ()
    """emulator where swtpm is installed, passthrough, external."""
    tpm_versions: tuple[str, ...] = ()
    """Empty also where libvirt is too old to tell."""
    blocked_cpu_models: tuple[str, ...] = ()
    """Models that this host's CPU lacks some feature of."""
    filesystem_drivers: tuple[str, ...] = ()
    memory_sources: tuple[str, ...] = ()
    channel_types: tuple[str, ...] = ()
    has_sev: bool = False
    sections: tuple[str, ...] = ()
    """What libvirt tells of at all: the names of elements such as os, cpu, memoryBacking, disk and sev."""
