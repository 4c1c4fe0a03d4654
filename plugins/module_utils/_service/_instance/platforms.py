# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What of a machine depends on its host."""

from __future__ import annotations

from dataclasses import dataclass

X86 = frozenset({"x86_64", "i686"})


@dataclass(frozen=True)
class Platform:
    """What of a machine depends on the host: for a new instance the host's answer, later what was recorded."""

    virt_type: str
    arch: str
    machine: str | None
    emulator: str | None
    video: str | None
    host_cpus: int = 1
    """How many CPUs the host has."""
    host_memory_mb: int = 0
    """How much memory the host has; like its CPUs it is known for a new machine alone."""
    picks_firmware: bool = True
    """Libvirt looks for firmware with or without secure boot, as it is told."""
