# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""All that stands against moving an instance, in one list. Pure."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from .._errors import ConflictError
from .._spec.machine import Machine
from .._spec.migration import COLD, LIVE, MOVING, MigrationSpec, MovingTraits
from .._spec.port_filter import read_port_filter
from .._spec.record import InstanceRecord
from .existing import Existing
from .migration import owned_volumes


@dataclass(frozen=True)
class Baulk:
    """What of the instance itself may be in the way."""

    traits: MovingTraits
    existing: Existing
    machine: Machine
    """As it runs, or as it is defined."""
    snapshots: int = 0
    checkpoints: int = 0
    loose_disks: tuple[str, ...] = ()
    """In words, disks that nobody knows how to bring along."""


@dataclass(frozen=True)
class Offering:
    """What the destination has, as far as the instance needs it."""

    uri: str
    virt_types: tuple[str, ...] = ()
    machines: tuple[str, ...] = ()
    networks: t.Mapping[str, bool] = field(default_factory=dict)
    """By name whether it is active."""
    filters: frozenset[str] | None = None
    """None where there can be none."""
    groups: frozenset[str] = frozenset()
    macs: t.Mapping[str, str] = field(default_factory=dict)
    """Which domain has a MAC address."""
    uuids: t.Mapping[str, str] = field(default_factory=dict)
    """Names of domains by UUID."""
    names: frozenset[str] = frozenset()
    is_half: bool = False
    """What is there by the instance's name is what an interrupted move left."""
    volumes: frozenset[str] = frozenset()
    """Of the pool, but for those that such a move left."""
    holds_files: bool = True
    room: str | None = None
    """What is short."""
    cpu: str | None = None
    """What the CPU lacks."""


def obstacles(spec: MigrationSpec, mode: str, baulk: Baulk, offer: Offering) -> tuple[str, ...]:
    """Return in words everything that stops the move."""
    return (*_of_instance(mode, baulk), *_of_host(spec, mode, baulk, offer))


def refuse(spec: MigrationSpec, found: t.Sequence[str]) -> None:
    """Raise them all."""
    if found:
        listed = "; ".join(found)
        raise ConflictError(
            f"Instance {spec.name} can't be moved to {spec.destination.uri}: {listed}.", {"obstacles": list(found)}
        )


def _of_instance(mode: str, baulk: Baulk) -> t.Iterator[str]:
    existing, traits = baulk.existing, baulk.traits
    record = existing.record or InstanceRecord()
    is_off = mode == LIVE and not existing.active
    is_odd = existing.active and existing.state not in ("running", "paused", "blocked")
    is_begun = record.begun is not None and record.begun.action not in MOVING
    begun = record.begun.action if record.begun else ""
    reasons = (
        (existing.saved, "its memory is saved on its host; resume it, or stop it, first"),
        (is_odd, f"it is {existing.state}; wait, or stop it, first"),
        (is_off, "it does not run, so it can't be moved live; leave out mode, or take cold"),
        (
            mode == COLD and existing.state == "paused",
            "it is paused, which a cold move would not keep; resume it, stop it, or move it live",
        ),
        (is_begun, f"action {begun} of it was interrupted; finish that first"),
        (record.rescue is not None, "it is rescued; run action unrescue first"),
        (baulk.snapshots, f"it has {baulk.snapshots} snapshots; delete them first (compute_snapshot, state: absent)"),
        (
            baulk.checkpoints,
            f"libvirt keeps {baulk.checkpoints} checkpoints of its backups; delete those backups first (compute_backup)",
        ),
        (
            traits.pinned,
            "it is bound to CPUs, NUMA cells or huge pages of its host, which a move does not choose anew",
        ),
        (traits.tpm, "it has a TPM, whose state would stay behind"),
        (traits.firmware_state, "it has UEFI firmware, whose variables would stay behind"),
        (traits.sealed, "its memory is encrypted by the processor of its host"),
    )
    yield from (words for is_so, words in reasons if is_so)
    yield from (f"it has {device} of its host" for device in traits.host_devices)
    yield from (f"it has the directory {share} of its host" for share in traits.shares)
    yield from (f"disk {target} lies on no plain file, or is encrypted or transient" for target in traits.foreign_disks)
    yield from baulk.loose_disks


def _of_host(spec: MigrationSpec, mode: str, baulk: Baulk, offer: Offering) -> t.Iterator[str]:
    machine = baulk.machine
    yield from _taken(spec, baulk, offer)
    if machine.type not in offer.virt_types:
        there = ", ".join(offer.virt_types) or "none"
        yield f"the destination has no {machine.type} guests of {machine.os.arch}; there are: {there}"
    elif machine.os.machine and machine.os.machine not in offer.machines:
        yield f"the destination does not know machine type {machine.os.machine}"
    elif mode == LIVE and offer.cpu:
        yield f"the destination's CPU does not do: {offer.cpu}"
    yield from _nics(machine, offer)
    if not offer.holds_files:
        yield f"storage pool {spec.destination.pool} of the destination holds no files; take one of type dir, fs or netfs"
    if offer.room:
        yield offer.room


def _taken(spec: MigrationSpec, baulk: Baulk, offer: Offering) -> t.Iterator[str]:
    record = baulk.existing.record or InstanceRecord()
    if spec.name in offer.names and not offer.is_half:
        yield f"the destination has another domain {spec.name}"
    other = offer.uuids.get(baulk.machine.uuid or "")
    if other not in (None, spec.name):
        yield f"domain {other} of the destination has the same UUID"
    there = [owned.volume for owned in owned_volumes(record) if owned.volume in offer.volumes]
    if there:
        yield (
            f"storage pool {spec.destination.pool} of the destination has {', '.join(there)} already; storage that both hosts"
            " share is not moved on, and other volumes of these names are to be removed first"
        )


def _nics(machine: Machine, offer: Offering) -> t.Iterator[str]:
    for nic in machine.nics:
        owner = offer.macs.get(nic.mac)
        if owner not in (None, machine.name):
            yield f"domain {owner} of the destination has a NIC with the address {nic.mac}"
        if nic.type == "network" and nic.source not in offer.networks:
            known = ", ".join(sorted(offer.networks)) or "none"
            yield f"the destination has no network {nic.source}; there are: {known}"
        elif nic.type == "network" and not offer.networks[nic.source or ""]:
            yield f"network {nic.source} of the destination is not active; start it"
        yield from _guards(nic.mac, nic.filter, offer)


def _guards(mac: str, name: str | None, offer: Offering) -> t.Iterator[str]:
    if not name:
        return
    port = read_port_filter(name)
    if offer.filters is None:
        yield f"the destination has no network filters, which guard NIC {mac}"
    elif port is None and name not in offer.filters:
        yield f"the destination has no network filter {name}, which NIC {mac} has; define it there"
    for group in port.groups if port and offer.filters is not None else ():
        if group not in offer.groups:
            yield f"the destination has no security group {group}; declare it there (compute_security_group)"
