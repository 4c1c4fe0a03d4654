# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Where the declared volumes are, and whether the instance may have them."""

from __future__ import annotations

import typing as t

from ..._driver.secret import find_volume_secret
from ..._driver.storage import Volume
from ..._errors import ConflictError, NotFoundError, SpecError
from ..._spec.disk import VolumeSpec
from ..._spec.instance import InstanceSpec
from ..._spec.machine import Disk, Machine
from ..._spec.volume import unfinished_name
from ..facts_guests import GIB, Guest
from ..volume_origin import attached_by, refuse_leading_elsewhere
from .design_disks import VolumePlace
from .host import Host
from .places import Place


def places_of(host: Host, spec: InstanceSpec) -> t.Iterator[VolumePlace]:
    """Give the place of each declared volume, or refuse one that is not there, or in use elsewhere."""
    for index, volume in enumerate(spec.volumes or ()):
        yield _place_of(host, spec, volume, f"volumes[{index}]")


def _place_of(host: Host, spec: InstanceSpec, volume: VolumeSpec, option: str) -> VolumePlace:
    place = host.place(volume.pool or host.home.name)
    path = place.locate(volume.name)
    found = place.volumes.get(volume.name)
    if found is None:
        if volume.size_gb is None:
            raise NotFoundError(
                f"Option {option}.name: there is no volume {volume.name} in pool {place.name}; declare size_gb to have it"
                " made for the instance."
            )
        if place.is_block and volume.format == "qcow2":
            raise SpecError(
                f"{option}.format", f"pool {place.name} has block devices, which hold no qcow2", "declare raw"
            )
        return VolumePlace(place.name, path, place.is_block, None, remote=place.remote)
    if unfinished_name(volume.name) in place.volumes:
        raise ConflictError(
            f"Option {option}.name: volume {volume.name} of pool {place.name} is still being filled, or a run that filled it"
            " was killed; run kilonova.compute.compute_volume again first."
        )
    _refuse_in_use(host, spec, volume, place, option)
    # LVM's volumes have no format by libvirt, and are given to the guest as they are.
    holds = found.format or "raw"
    _refuse_other_format(volume, holds, option)
    _refuse_other_size(host, spec, volume, found, option)
    guest = host.guests.get(spec.name)
    if guest is None or _disk_on(guest, place, volume) is None:
        what = f"volume {volume.name} of pool {place.name}"
        refuse_leading_elsewhere(
            host.connection, found, what, attached_by(f"{option}.name"), opened_inside=volume.format == "raw"
        )
    return VolumePlace(place.name, path, place.is_block, holds, _secret_of(host, found), place.remote)


def _secret_of(host: Host, found: Volume) -> str | None:
    """Return the secret that opens an encrypted volume; without one, it is for guests that open it themselves."""
    if found.description.encryption is None:
        return None
    secret = find_volume_secret(host.connection, found.path)
    return secret.uuid if secret else None


def _disk_on(guest: Guest, place: Place, volume: VolumeSpec) -> Disk | None:
    """Return the disk of a guest that lies on a volume, be it below what snapshots brought."""
    path, record = place.locate(volume.name), guest.record
    for disk in guest.machine.disks:
        if disk.source == path or (record and record.is_over(disk.target, disk.source, place.name, volume.name)):
            return disk
    return None


def _disk_at(machine: Machine, path: str) -> Disk | None:
    return next((disk for disk in machine.disks if disk.source == path), None)


def _refuse_in_use(host: Host, spec: InstanceSpec, volume: VolumeSpec, place: Place, option: str) -> None:
    path = place.locate(volume.name)
    planned = ((name, _disk_at(machine, path)) for name, machine in host.ledger.planned.items())
    for name, disk in (*((name, _disk_on(guest, place, volume)) for name, guest in host.guests.items()), *planned):
        if name == spec.name:
            continue
        if disk is not None and not (volume.shareable and disk.shareable) and not (volume.readonly and disk.readonly):
            raise ConflictError(
                f"Option {option}.name: volume {volume.name} is a disk of {name}, and two guests that write to it destroy"
                " its data; detach it there, or declare shareable: true in both."
            )


def _refuse_other_format(volume: VolumeSpec, found: str, option: str) -> None:
    if volume.format is not None and volume.format != found:
        raise SpecError(f"{option}.format", f"volume {volume.name} holds {found}", f"declare {found}, or leave it out")


def _refuse_other_size(host: Host, spec: InstanceSpec, volume: VolumeSpec, found: Volume, option: str) -> None:
    """Refuse a new disk that has not the size which is declared: it would grow only in the next run, or not at all."""
    guest = host.guests.get(spec.name)
    record = guest.record if guest else None
    known = [(disk.pool, disk.volume) for disk in record.volumes] if record else []
    if volume.size_gb is None or (found.pool, volume.name) in known or found.capacity == volume.size_gb * GIB:
        return
    raise SpecError(
        f"{option}.size_gb",
        f"volume {volume.name} is in pool {found.pool} already and has {found.capacity / GIB:g} GiB",
        "declare that, or leave it out; it can grow once it is a disk of the instance",
    )
