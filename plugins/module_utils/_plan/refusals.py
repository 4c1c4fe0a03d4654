# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What is not done to an instance that is there: it is not ours, or honouring the change would destroy or break it."""

from __future__ import annotations

import typing as t

from .._errors import ConflictError, SpecError
from .._spec.backup import RESTORE
from .._spec.instance import InstanceSpec
from .._spec.machine import Machine
from .._spec.migration import MOVING
from .._spec.record import InstanceRecord
from .._spec.snapshot import FINISH_REVERT, REVERT
from .claims import Amount
from .drift import ATTACH, DETACH
from .existing import Existing, OwnDisk
from .memory import has_own_cells
from .plan import Action
from .removals import HOSTDEV, NIC

_GIB = 1024**3
_KIB_PER_MIB = 1024
_QEMU = frozenset({"kvm", "qemu"})


def check_ours(name: str, fleet: str | None, existing: Existing, adopt: bool = False) -> InstanceRecord:
    """Return the record of ``existing`` or refuse it: not ours, or of another fleet; with ``adopt`` it becomes ours."""
    record = existing.record
    if record is None and adopt:
        return InstanceRecord(fleet=fleet, adopted=True)
    if record is None:
        raise ConflictError(
            f"A domain called {name} is on this host that kilonova.compute did not create; it is not touched."
            " Take another name, remove that domain, or take it over with adopt: true."
        )
    if record.fleet != fleet:
        raise ConflictError(
            f"Instance {name} on this host belongs to {_fleet(record.fleet)}, not to {_fleet(fleet)};"
            " it is not touched. Take another name or give the fleet it belongs to."
        )
    return record


def refuse_strays(name: str, existing: Existing) -> None:
    """Refuse to remove disks from below a snapshot, or in place of the one that is really used."""
    for disk in existing.disks:
        if disk.strayed and disk.is_ours:
            raise ConflictError(
                f"Disk {disk.target} of instance {name} lies on {disk.source or 'nothing'} and not on the volume"
                f" {disk.volume} of pool {disk.pool} that was made for it, after a snapshot or a move by hand; nothing"
                " is removed. Merge the snapshot or point the disk back first."
            )


def refuse_in_between(name: str, record: InstanceRecord, wanted: str | None) -> None:
    """Refuse changes of an instance that an action has brought into a state which another one ends."""
    refuse_moving(name, record)
    if record.begun is not None and record.begun.action == "rebuild":
        raise ConflictError(f"A rebuild of instance {name} was interrupted; run that action again, which finishes it.")
    if record.begun is not None and record.begun.action == RESTORE:
        raise ConflictError(
            f"Instance {name} is being made from a backup ({record.begun.target}), which was interrupted; do that again, which"
            " finishes it (compute_backup, state: restored), or remove it (state: absent)."
        )
    if record.rescue is not None or (record.begun is not None and "rescue" in record.begun.action):
        raise ConflictError(f"Instance {name} is rescued and is not changed; run action unrescue before.")
    if record.begun is not None and record.begun.action in (REVERT, FINISH_REVERT):
        raise ConflictError(
            f"Going back to snapshot {record.begun.target} of instance {name} was interrupted; do that again, which finishes"
            " it (compute_snapshot, state: reverted)."
        )
    if record.shelved and wanted not in (None, "stopped"):
        raise ConflictError(f"Instance {name} is shelved and can't be {wanted}; run action unshelve before.")


def refuse_moving(name: str, record: InstanceRecord) -> None:
    """Refuse to touch one of the two that there are of an instance in the middle of a move."""
    if record.begun is not None and record.begun.action in MOVING:
        raise ConflictError(
            f"A move of instance {name} between this host and another ({record.begun.target}) goes on, or was interrupted; run"
            " compute_migration again, which finishes it."
        )


def refuse_changes(spec: InstanceSpec, desired: Machine, record: InstanceRecord, existing: Existing) -> None:
    """Refuse a declaration that can't be brought about in place."""
    _refuse_loose_ends(spec, desired, existing)
    _refuse_lost_disks(spec, desired, existing)
    _refuse_loose_layers(spec, desired, record, existing)
    _refuse_smaller_disks(spec, record, existing)
    _refuse_other_machine(spec, desired, record, existing)
    _refuse_other_cells(spec, desired, existing.machine)


def refuse_layers(name: str, record: InstanceRecord, existing: Existing, keep_disks: bool) -> None:
    """Refuse to remove an instance from disks that stay, while what is newest of them is in what snapshots brought."""
    target = _layered(existing, record, set() if keep_disks else {disk.target for disk in record.disks})
    if target is not None:
        raise ConflictError(
            f"Disk {target} of instance {name} stays when it is removed, and external snapshots lie over it, which"
            " hold what was written last; delete them first (compute_snapshot, state: absent)."
        )


def _refuse_loose_layers(spec: InstanceSpec, desired: Machine, record: InstanceRecord, existing: Existing) -> None:
    """Refuse to take a disk away while what is newest of it is in what snapshots brought."""
    if desired.record is None:
        return
    target = _layered(existing, record, {disk.target for disk in desired.record.volumes})
    if target is not None:
        raise ConflictError(
            f"Disk {target} of instance {spec.name} has external snapshots, which hold what was written last; delete"
            " them before it is taken away (compute_snapshot, state: absent)."
        )


def _layered(existing: Existing, record: InstanceRecord, spared: t.Collection[str]) -> str | None:
    """Return the first disk, but for the ``spared`` ones, that lies on what snapshots brought."""
    disks = (disk for disk in existing.machine.disks if disk.target not in spared)
    return next((disk.target for disk in disks if record.layer_of(disk.target, disk.source)), None)


def _refuse_lost_disks(spec: InstanceSpec, desired: Machine, existing: Existing) -> None:
    kept = {(disk.pool, disk.volume) for disk in desired.record.disks} if desired.record else set()
    sized = {volume.name for volume in spec.volumes or () if volume.size_gb is not None}
    used = {disk.target for disk in existing.live.disks} if existing.live else set()
    for disk in existing.disks:
        if disk.missing and (disk.target in used or disk.strayed):
            where = "runs" if disk.target in used else f"lies on {disk.source}"
            raise ConflictError(
                f"Volume {disk.volume} of pool {disk.pool} is gone, and instance {spec.name}, whose disk {disk.target} it"
                f" was, {where}; it is not touched."
            )
        if disk.missing and not disk.is_root and (disk.pool, disk.volume) in kept and disk.volume not in sized:
            raise ConflictError(
                f"Volume {disk.volume} of pool {disk.pool}, disk {disk.target} of instance {spec.name}, is gone, and its size"
                " is not declared; declare it in volumes with size_gb to have an empty one made, or declare volumes without"
                " it to let go of it."
            )


def _refuse_smaller_disks(spec: InstanceSpec, record: InstanceRecord, existing: Existing) -> None:
    if spec.flavor is not None:
        root = existing.root
        if root is None:
            if spec.flavor.disk_gb:
                raise SpecError(
                    "flavor.disk_gb",
                    f"instance {spec.name} was made without a disk",
                    "declare 0, or remove the instance and create it anew",
                )
        elif spec.flavor.disk_gb or not record.adopted:
            _refuse_smaller("flavor.disk_gb", spec.name, spec.flavor.disk_gb, record.disk_gb, root)
    volumes = {disk.volume: disk for disk in existing.disks if not disk.is_root}
    for index, volume in enumerate(spec.volumes or ()):
        if volume.name in volumes and volume.size_gb is not None:
            _refuse_smaller(f"volumes[{index}].size_gb", spec.name, volume.size_gb, 0, volumes[volume.name])


def _refuse_smaller(option: str, name: str, wanted: int, recorded: int, disk: OwnDisk) -> None:
    capacity = disk.capacity_bytes
    shrinks = wanted * _GIB < capacity if wanted and capacity is not None else wanted < recorded
    if shrinks:
        present = recorded if capacity is None else -(-capacity // _GIB)
        raise SpecError(
            option,
            f"disk {disk.target} of instance {name} has {present} GiB and would shrink to {wanted} GiB, which destroys"
            " data",
            f"declare at least {present}",
        )


def _refuse_other_machine(spec: InstanceSpec, desired: Machine, record: InstanceRecord, existing: Existing) -> None:
    target = existing.root.target if existing.root else None
    root = next((disk for disk in existing.machine.disks if disk.target == target), None)
    boot = existing.machine.os
    pairs = [("machine_type", desired.os.machine, boot.machine), ("arch", desired.os.arch, boot.arch)]
    if spec.image is not None and not record.adopted:
        pairs.append(("image", spec.image, record.image or "no image"))
    if root is not None:
        # What a snapshot brought has a format of its own.
        is_over = existing.root is not None and existing.root.layer is not None
        pairs += [("disk_bus", spec.disk_bus, root.bus)]
        pairs += [] if is_over else [("disk_format", spec.disk_format, root.format)]
    if spec.uuid is not None:
        pairs.append(("uuid", spec.uuid, existing.machine.uuid))
    if spec.boot.firmware is not None:
        pairs.append(("boot.firmware", spec.boot.firmware, boot.firmware or "bios"))
    if spec.detail.secure_boot is not None:
        words = {True: "secure boot", False: "no secure boot"}
        pairs.append(("secure_boot", words[spec.detail.secure_boot], words[bool(boot.secure_boot)]))
    for option, declared, present in pairs:
        if None not in (declared, present) and declared != present:
            remedy = (
                "rebuild it from the other image" if option == "image" else "remove the instance and create it anew"
            )
            raise SpecError(
                option,
                f"instance {spec.name} was made with {present} and can't become {declared} in place",
                f"declare {present}, or {remedy}",
            )


def _refuse_other_cells(spec: InstanceSpec, desired: Machine, machine: Machine) -> None:
    """Refuse an amount of memory that the NUMA cells and modules which somebody gave a domain do not add up to."""
    cells = desired.cpu.cells if desired.cpu else None
    if cells:
        fits = all(cell.memory_kib > 0 for cell in cells)
    else:
        fits = not has_own_cells(machine) or desired.memory_kib == machine.memory_kib
    if not fits:
        is_resized = desired.current_memory_kib != machine.current_memory_kib
        present, wanted = machine.memory_kib // _KIB_PER_MIB, desired.memory_kib // _KIB_PER_MIB
        raise SpecError(
            "flavor.memory_mb" if is_resized else "max_memory_mb",
            f"instance {spec.name} has {present} MiB in NUMA cells or memory modules of its own, which can't"
            f" become {wanted}",
            f"declare {present}",
        )


def _refuse_loose_ends(spec: InstanceSpec, desired: Machine, existing: Existing) -> None:
    """Refuse another size of what lies in cells of the host, unless it is said how that shall lie there."""
    machine = existing.machine
    if spec.detail.placement.cells or not machine.numa_tune.nodes:
        return
    if (desired.vcpus, desired.memory_kib) != (machine.vcpus, machine.memory_kib):
        raise SpecError(
            "flavor",
            f"instance {spec.name} has {machine.vcpus} vCPUs and {machine.memory_kib // 1024} MiB in NUMA cells of its own",
            "declare numa, cpu_policy or hugepages with another size",
        )


def refuse_to_suspend(name: str, guest: Machine, actions: t.Iterable[Action]) -> None:
    """Refuse to save the memory of a guest that then has devices of its host; what the plan takes away is no matter."""
    kept = {f"{name}/{HOSTDEV} {device.address}": device.address for device in guest.hostdevs}
    kept.update((f"{name}/{NIC} {nic.mac}", f"NIC {nic.mac}") for nic in guest.nics if nic.type == "hostdev")
    for action in actions:
        if action.verb == DETACH:
            kept.pop(action.target, None)
        elif action.verb == ATTACH and action.target.startswith(f"{name}/{HOSTDEV} "):
            kept[action.target] = action.target.rpartition(" ")[2]
    if kept:
        raise SpecError(
            "power_state",
            f"instance {name} can't be suspended while it has {', '.join(kept.values())} of its host, whose state can't be saved",
            "declare stopped or paused, or take the device away first",
        )


def refuse_stuck_growth(name: str, existing: Existing, disk: OwnDisk, option: str) -> None:
    """Refuse a larger disk where neither the guest nor a volume can be told."""
    live = existing.live.disks if existing.live else ()
    if any((one.target, one.source) == (disk.target, disk.source) for one in live) or (disk.pool and not disk.strayed):
        return
    raise SpecError(
        option,
        f"disk {disk.target} of instance {name} lies on {disk.source or 'nothing'}, which is no volume that could grow while"
        " it is off",
        "start the instance first",
    )


def refuse_headroom(spec: InstanceSpec, desired: Machine, host: Amount) -> None:
    """Refuse headroom that the host could never give, or that is less than what the instance has."""
    memory_mb = (desired.current_memory_kib or 0) // _KIB_PER_MIB
    for option, declared, least, there, unit in (
        ("max_vcpus", spec.max_vcpus, desired.current_vcpus or 0, host.vcpus, "CPUs"),
        ("max_memory_mb", spec.max_memory_mb, memory_mb, host.memory_mb, "MiB of memory"),
    ):
        if declared is not None and declared < least:
            raise SpecError(option, f"{declared} is less than instance {spec.name} has", f"it must be at least {least}")
        if declared is not None and declared > there:
            raise SpecError(
                option, f"{declared} is more than this host has: {there} {unit}", f"declare at most {there}"
            )


def refuse_without_balloon(spec: InstanceSpec, desired: Machine, balloon: str | None) -> None:
    """Refuse headroom that a guest would have from the start, since it has no balloon."""
    if balloon == "none" and (desired.current_memory_kib or 0) < desired.memory_kib:
        raise SpecError(
            "max_memory_mb",
            f"instance {spec.name} has no memory balloon, so it would have all of it",
            "declare balloon: true, or leave out max_memory_mb",
        )


def refuse_ends(desired: Machine, machine: Machine | None) -> None:
    """Refuse what QEMU can't do at the ends of a guest's run, together with what ``machine`` has that is not declared."""
    poweroff = desired.on_poweroff or (machine.on_poweroff if machine else None)
    reboot = desired.on_reboot or (machine.on_reboot if machine else None)
    if desired.type in _QEMU and (poweroff, reboot) == ("restart", "destroy"):
        raise SpecError(
            "on_reboot",
            "a guest of QEMU that starts again when it powers off can't end when it reboots",
            "declare on_reboot: restart or on_poweroff: destroy",
        )


def _fleet(fleet: str | None) -> str:
    return "no fleet" if fleet is None else f"fleet {fleet}"
