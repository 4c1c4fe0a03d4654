# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What differs from the declaration, in the definition and in the running guest, and the gentlest way to mend each.

A guest is looked at apart from its definition, so that what an interrupted run or somebody's own command left undone in
one of the two is found, whichever it was.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, replace

from .._spec.instance import InstanceSpec
from .._spec.machine import OPEN_VSWITCH, Machine
from .._spec.record import InstanceRecord
from .existing import Existing
from .guards import guards_told
from .machine import differences, whole
from .memory import can_balloon, module_kib
from .plan import LIVE, NEXT_BOOT, Change
from .removals import (
    CDROM,
    CHANNEL,
    DISK,
    FILESYSTEM,
    GRAPHICS,
    HOSTDEV,
    NIC,
    RNG,
    SERIAL,
    WATCHDOG,
    Removal,
    removals,
    with_leftovers,
)

SET_MEMORY = "set_memory"
SET_VCPUS = "set_vcpus"
ATTACH = "attach"
DETACH = "detach"
UPDATE_DEVICE = "update_device"
EJECT = "eject"
LIMIT_DISK = "limit_disk"
LIMIT_CPU = "limit_cpu"
FIRST_BOOT = "first_boot"
"""Path of a change of what the guest is told of its first boot."""
_SHOWN_DIGITS = 12

_CHOSEN_BY_LIBVIRT = frozenset({"cpu.mode", "cpu.model", "os.firmware"})
"""What a guest shows otherwise than its definition has it."""
_HEADROOM = frozenset({"max_vcpus", "max_memory_mb"})
_FEATURES = "cpu.features"
_DEVICE = re.compile(r"(nics|disks|channels|graphics|serials|watchdogs|hostdevs|filesystems)\[(.+)\](?:\.([\w.]+))?")
_KINDS = {
    "nics": NIC,
    "disks": DISK,
    "channels": CHANNEL,
    "graphics": GRAPHICS,
    "serials": SERIAL,
    "watchdogs": WATCHDOG,
    "hostdevs": HOSTDEV,
    "filesystems": FILESYSTEM,
}
_PLUGGED_INTO = frozenset({"type", "source", "portgroup"})
_LIVE_NIC = _PLUGGED_INTO | {"link_state", "filter"}
_RATES = ("inbound.", "outbound.")
_CPU_LIMITS = frozenset({"cpu_tune.shares", "cpu_tune.period", "cpu_tune.quota"})
_PLUGGABLE_BUSES = frozenset({"virtio", "scsi"})
_BRIDGED = frozenset({"network", "bridge"})
_KIB_PER_MIB = 1024


@dataclass(frozen=True)
class Step:
    """One way to change a running guest: a verb and the device it is about, such as "nic 52:54:00:12:34:56"."""

    verb: str
    device: str = ""


@dataclass(frozen=True)
class Drift:
    """One difference and where it is."""

    path: str
    before: t.Any
    after: t.Any
    in_definition: bool
    in_guest: bool
    step: Step | None = None
    """What mends it in the running guest; None where only the next boot does, or nothing has to."""
    removal: Removal | None = None

    @property
    def waits(self) -> bool:
        """Tell whether the guest is not as declared before its next boot."""
        return self.in_guest and self.step is None and not self._is_harmless

    @property
    def _is_harmless(self) -> bool:
        # Less headroom than the guest has is no loss to anybody, and neither is a drive without a disc.
        if self.path in _HEADROOM:
            return isinstance(self.before, int) and isinstance(self.after, int) and self.before > self.after
        return self.removal is not None and self.removal.kind == CDROM and self.before is None

    def without_guest(self) -> Drift:
        """Return the same of an instance whose guest will be gone."""
        return replace(self, in_guest=False, step=None)

    def as_change(self, keeps_hardware: bool) -> Change:
        """Return what the plan says of it; ``keeps_hardware`` of an instance that runs or is suspended."""
        is_later = keeps_hardware and self.step is None and (self.in_guest or self.path in _HEADROOM)
        return Change(self.path, self.before, self.after, NEXT_BOOT if is_later else LIVE)


def find_drift(spec: InstanceSpec, desired: Machine, existing: Existing, answers: bool) -> tuple[Drift, ...]:
    """Return all differences of the definition and, where there is a guest, of the guest.

    ``answers`` says whether the guest's CPUs run: one whose CPUs stand still never lets go of a device.
    """
    record, guest = existing.record or InstanceRecord(), existing.live
    defined = _of(spec, desired, record, existing.machine)
    if guest is None:
        # What its saved memory was made with is not known: all waits until it has booted.
        return tuple(
            Drift(path, change.before, change.after, True, existing.saved, removal=removal)
            for path, (change, removal) in defined.items()
        )
    record = with_leftovers(record, guest.record or InstanceRecord(), guest)
    running = _of(spec, desired, record, guest, is_running=True)
    if existing.active and "memory_mb" not in defined and can_balloon(guest, desired.current_memory_kib or 0):
        # What the balloon of a guest that runs gives back for a while is no drift.
        running.pop("memory_mb", None)
    if _FEATURES not in defined and has_features(desired, guest):
        running.pop(_FEATURES, None)
    if existing.unused_memory_kib:
        running.setdefault("memory_mb", (_unused(desired, existing.unused_memory_kib), None))
    ways = _Ways(whole(desired, existing.machine), guest, answers, existing.anchored)
    found = []
    for path in dict.fromkeys((*defined, *running)):
        change, removal = running.get(path) or defined[path]
        step = ways.of(change, removal) if path in running else None
        found.append(Drift(path, change.before, change.after, path in defined, path in running, step, removal))
    return _together(found)


def _of(
    spec: InstanceSpec, desired: Machine, record: InstanceRecord, machine: Machine, is_running: bool = False
) -> dict[str, tuple[Change, Removal | None]]:
    changes = {change.path: change for change in differences(desired, machine)}
    found: dict[str, tuple[Change, Removal | None]] = {
        change.path: (change, None) for change in guards_told(changes, desired, machine)
    }
    found = _told_of_first_boot(found, desired, record)
    for path in _CHOSEN_BY_LIBVIRT if is_running else ():
        found.pop(path, None)
    for removal in removals(spec, desired, record, machine):
        found[removal.path] = (Change(removal.path, removal.shown, None, NEXT_BOOT), removal)
    return found


def _unused(desired: Machine, unused_kib: int) -> Change:
    """Return the change of a guest that lets some of its memory lie."""
    wanted = desired.current_memory_kib or 0
    return Change("memory_mb", (wanted - unused_kib) // _KIB_PER_MIB, wanted // _KIB_PER_MIB, NEXT_BOOT)


def _told_of_first_boot(
    found: dict[str, tuple[Change, Removal | None]], desired: Machine, record: InstanceRecord
) -> dict[str, tuple[Change, Removal | None]]:
    """Return the changes with that of the seed in the user's terms; its disk is none of the declared ones."""
    seed = desired.record.seed if desired.record else None
    prefix = f"disks[{seed.target}]" if seed else ""
    kept = {path: change for path, change in found.items() if not (seed and path.startswith(prefix))}
    if seed is not None and len(kept) < len(found):
        before = record.seed.digest if record.seed and record.seed.digest != seed.digest else None
        shown = None if before is None else before[:_SHOWN_DIGITS]
        kept[FIRST_BOOT] = (Change(FIRST_BOOT, shown, seed.digest[:_SHOWN_DIGITS], NEXT_BOOT), None)
    return kept


@dataclass(frozen=True)
class _Ways:
    """What can be done to a running guest."""

    desired: Machine
    guest: Machine
    answers: bool
    anchored: frozenset[str]
    """MAC addresses of NICs that libvirt can't plug over."""

    def of(self, change: Change, removal: Removal | None) -> Step | None:
        """Return the step that makes a change, or None."""
        if removal is not None:
            return self._unplug(removal)
        if change.path == "memory_mb":
            return Step(SET_MEMORY) if self._can_set_memory() else None
        if change.path == "vcpus":
            present, wanted = self.guest.current_vcpus or 0, self.desired.current_vcpus or 0
            return Step(SET_VCPUS) if present < wanted <= self.guest.vcpus else None
        if change.path in ("rng", "rng_rate_bytes", "rng_rate_period_ms"):
            return Step(ATTACH, f"{RNG} {self.desired.rng}") if self.guest.rng is None else None
        if change.path in _CPU_LIMITS:
            return Step(LIMIT_CPU)
        match = _DEVICE.fullmatch(change.path)
        return self._for_device(_KINDS[match[1]], match[2], match[3], change) if match else None

    def _can_set_memory(self) -> bool:
        wanted = self.desired.current_memory_kib or 0
        if wanted > self.guest.memory_kib:
            # A guest whose CPUs stand still takes nothing into use.
            return self.answers and module_kib(self.guest, wanted) is not None
        return can_balloon(self.guest, wanted) or wanted == self.guest.memory_kib

    def _for_device(self, kind: str, key: str, attribute: str | None, change: Change) -> Step | None:
        if attribute is None:
            return Step(ATTACH, f"{kind} {key}") if self._can_attach(kind, key) else None
        if kind == DISK and attribute.startswith("iotune."):
            return Step(LIMIT_DISK, f"{kind} {key}")
        return Step(UPDATE_DEVICE, f"{kind} {key}") if self._can_update(kind, key, attribute, change) else None

    def _can_update(self, kind: str, key: str, attribute: str, change: Change) -> bool:
        if kind == NIC and attribute == "type":
            return {change.before, change.after} <= _BRIDGED
        if kind == NIC and attribute.startswith(_RATES):
            # The host shapes what goes through a device of its own, which a user-mode network has not.
            return any(nic.mac == key and nic.type in _BRIDGED for nic in self.guest.nics)
        if kind == NIC and attribute in _PLUGGED_INTO and key in self.anchored:
            return False
        if kind == NIC and attribute == "vlan":
            return any(nic.mac == key and nic.virtualport == OPEN_VSWITCH for nic in self.guest.nics)
        if kind == NIC:
            return attribute in _LIVE_NIC
        is_drive = any(disk.target == key and disk.device == "cdrom" for disk in self.guest.disks)
        return kind == DISK and is_drive and attribute == "source"

    def _can_attach(self, kind: str, key: str) -> bool:
        if kind == DISK:
            disk = next(disk for disk in self.desired.disks if disk.target == key)
            if disk.device != "disk" or disk.bus not in _PLUGGABLE_BUSES:
                return False
            # A controller that libvirt adds by itself is a card which most guests have no driver for.
            return disk.bus != "scsi" or self.guest.scsi_model == "virtio-scsi"
        return kind in (NIC, CHANNEL, HOSTDEV) or (kind == WATCHDOG and self._has_plain_slots)

    @property
    def _has_plain_slots(self) -> bool:
        """Tell whether a device of plain PCI can be plugged: PCI Express has ports for its own kind alone."""
        return "i440fx" in (self.guest.os.machine or "")

    def _unplug(self, removal: Removal) -> Step | None:
        device = f"{removal.kind} {removal.key}"
        if removal.kind == CDROM:
            return Step(EJECT, device) if removal.shown else None
        buses = {disk.target: disk.bus for disk in self.guest.disks}
        if removal.kind == DISK and buses.get(removal.key) not in _PLUGGABLE_BUSES:
            return None
        can_go = removal.kind in (DISK, NIC, CHANNEL, RNG, HOSTDEV) or (
            removal.kind == WATCHDOG and self._has_plain_slots
        )
        return Step(DETACH, device) if can_go and self.answers else None


def has_features(desired: Machine, guest: Machine) -> bool:
    """Tell whether a guest's CPU has the features that are declared, whose list libvirt and QEMU made longer."""
    there = dict((guest.cpu.features if guest.cpu else None) or ())
    on, off = ("force", "require"), ("disable", "forbid")
    for name, policy in (desired.cpu.features if desired.cpu else None) or ():
        if (policy in on and there.get(name) not in on) or (policy in off and there.get(name) in on):
            return False
    return True


def _together(found: t.Sequence[Drift]) -> tuple[Drift, ...]:
    """Let a NIC that can't become one of another kind while it runs be plugged in where it is until it does."""
    waiting = [drift.path.rpartition(".")[0] for drift in found if drift.path.endswith("].type") and drift.waits]
    held = {f"{nic}.{attribute}" for nic in waiting for attribute in _PLUGGED_INTO}
    return tuple(replace(drift, step=None) if drift.path in held else drift for drift in found)
