# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What is told to the guest of its first boot: whether the seed is as declared, and the one that would be."""

from __future__ import annotations

from dataclasses import dataclass

from ..._plan.existing import Existing
from ..._spec.first_boot import instance_id
from ..._spec.instance import FIRST_AGAIN, InstanceSpec
from ..._spec.record import SeedRecord
from ..seed import build_seed, seed_volume_name
from .host import Host

_TARGETS = {"virtio": "vdz", "scsi": "sdz", "sata": "sdz", "ide": "hdd"}


@dataclass(frozen=True)
class Seed:
    """A seed as it shall be."""

    record: SeedRecord
    bus: str
    content: bytes


def plan_seed(host: Host, spec: InstanceSpec, existing: Existing | None, uuid: str) -> Seed | None:
    """Return the declared seed; None where none is declared, or an instance that is there was adopted without one."""
    declared = spec.first_boot
    if declared is None:
        return None
    present = existing.record.seed if existing and existing.record else None
    macs = [nic.mac for nic in spec.nics] if spec.nics is not None else _macs(existing)
    digest = declared.digest(uuid, spec.name, macs)
    generation = present.generation if present else 0
    if present is not None and digest != present.digest and spec.first_boot_change == FIRST_AGAIN:
        generation += 1
    content = build_seed(declared, instance_id(uuid, generation), spec.name, macs)
    bus = _bus(spec, existing)
    record = SeedRecord(
        target=present.target if present else _TARGETS[bus],
        pool=present.pool if present else host.home.name,
        volume=seed_volume_name(spec.name, content),
        digest=digest,
        generation=generation,
    )
    return Seed(record, bus, content)


def _macs(existing: Existing | None) -> list[str]:
    record = existing.record if existing else None
    return list(record.nics) if record else []


def _bus(spec: InstanceSpec, existing: Existing | None) -> str:
    """Return the root disk's bus: for that the guest certainly has a driver when it looks for the seed."""
    root = existing.root.target if existing and existing.root else None
    buses = {disk.target: disk.bus for disk in existing.machine.disks} if existing else {}
    return buses.get(root or "") or spec.disk_bus or "virtio"
