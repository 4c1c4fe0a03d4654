# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The disk of an instance that is to become an image: found, and refused where a copy of it could not be right."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..._driver.agent import ping
from ..._driver.block_job import find_job
from ..._driver.connection import Connection
from ..._driver.domain import live_xml
from ..._driver.guests import GuestReading, find_guest
from ..._driver.snapshot import disk_capacity
from ..._driver.storage import Volume, find_volume
from ..._errors import AgentAbsentError, AgentAwayError, ConflictError, ImageError, NotFoundError, SpecError
from ..._plan.existing import Existing
from ..._plan.refusals import check_ours, refuse_in_between
from ..._spec._image.signatures import detect
from ..._spec.image_instance import InstanceSource
from ..._spec.image_metadata import ImageMetadata
from ..._spec.machine import Machine
from ..._spec.record import InstanceRecord
from ..._spec.snapshot_disk import DiskTraits, SnapshotTraits
from ..._xml import domain as domain_xml
from ..._xml.snapshot import read_snapshot_traits
from ..image_catalog import ImageCatalog
from ..image_store import ImageStore
from ..image_usage import refuse_written

_OPTION = "source_instance"
_GIB = 1024**3


@dataclass(frozen=True)
class InstanceDisk:
    """A disk with its instance as both are now."""

    guest: GuestReading
    machine: Machine
    record: InstanceRecord
    disk: DiskTraits
    others: tuple[str, ...]
    """Targets of the instance's other disks and drives."""
    is_root: bool
    has_uefi: bool = False

    @property
    def what(self) -> str:
        """Return what it is called in a sentence."""
        return f"disk {self.disk.target} of instance {self.guest.name}"


def find_instance_disk(connection: Connection, source: InstanceSource) -> InstanceDisk:
    """Return the disk that ``source`` names, or say why no image can be made of it."""
    guest = find_guest(connection, source.name)
    if guest is None:
        raise NotFoundError(
            f"Option {_OPTION}.name: there is no instance {source.name} at {connection.uri}.",
            {"option": f"{_OPTION}.name"},
        )
    machine = domain_xml.read(guest.xml)
    record = check_ours(
        source.name, source.fleet, Existing(machine, guest.state, guest.is_active, guest.has_saved_memory)
    )
    refuse_in_between(source.name, record, None)
    traits = read_snapshot_traits(live_xml(connection, guest) if guest.is_active else guest.xml)
    disk = _pick(source, record, traits)
    root = record.root.target if record.root else traits.disks[0].target
    others = tuple(target for target in traits.targets if target != disk.target)
    found = InstanceDisk(guest, machine, record, disk, others, disk.target == root, traits.pflash)
    _refuse_uncopyable(found)
    job = find_job(connection, guest, disk.target)
    if job is not None and job.kind != "backup":
        raise ConflictError(f"A job ({job.kind}) works on {found.what}; wait until it has ended.")
    return found


def _pick(source: InstanceSource, record: InstanceRecord, traits: SnapshotTraits) -> DiskTraits:
    root = record.root.target if record.root else next((disk.target for disk in traits.disks), None)
    wanted = source.disk or root
    found = next((disk for disk in traits.disks if disk.target == wanted), None)
    if found is None:
        names = ", ".join(disk.target for disk in traits.disks) or "none"
        raise NotFoundError(
            f"Option {_OPTION}.disk: instance {source.name} has no disk {wanted or 'at all'}; there are: {names}.",
            {"option": f"{_OPTION}.disk"},
        )
    return found


def _refuse_uncopyable(found: InstanceDisk) -> None:
    disk = found.disk
    reasons = (
        (disk.encrypted, "is encrypted, and an image of it would not be"),
        (disk.shareable, "is shared with other guests, which may write while it is copied"),
        (disk.transient, "is transient, so what its guest writes is not kept"),
        (disk.device != "disk", "is a device of the host that is passed through"),
        (
            disk.path is None and not found.guest.is_active,
            "lies on no file or block device of its host; start it first",
        ),
    )
    for is_so, words in reasons:
        if is_so:
            raise ConflictError(f"Option {_OPTION}: {found.what} {words}.", {"option": _OPTION})


def stopped_volume(connection: Connection, found: InstanceDisk) -> Volume:
    """Return the volume below a disk whose instance is off; what another program would take it for is what it is."""
    volume = _volume_at(connection, found, found.disk.path or "")
    refuse_written(connection, volume, found.what, _OPTION, "copied")
    _refuse_mistakable(connection, found, volume)
    return volume


def _volume_at(connection: Connection, found: InstanceDisk, path: str) -> Volume:
    volume = find_volume(connection, path)
    if volume is None:
        raise ConflictError(
            f"Option {_OPTION}: {found.what} lies on {path}, which is in no running storage pool; start the instance, or"
            " the pool.",
            {"option": _OPTION},
        )
    return volume


def _refuse_mistakable(connection: Connection, found: InstanceDisk, volume: Volume) -> None:
    """Refuse a chain in which libvirt sees another format than was given: a guest wrote that, to have other files read.

    A guest that runs has its formats from its definition.
    """
    wanted: str | None = found.disk.format
    while True:
        seen = volume.format if volume.format not in (None, "unknown") else "raw"
        if wanted != seen:
            raise ImageError(
                f"Option {_OPTION}: {volume.name} below {found.what} is {wanted or 'of no stated format'} and looks like"
                f" {seen}, which its guest may have made; start the instance to have the disk copied as the guest sees it.",
                {"option": _OPTION},
            )
        length = volume.description.stored_bytes
        if seen == "raw" and "luks" in detect(volume.reader(length), length):
            raise ImageError(f"Option {_OPTION}: {found.what} is encrypted by its guest; start the instance first.")
        below = volume.backing
        if below is None:
            return
        wanted, volume = below[1], _volume_at(connection, found, below[0])


def wants_quiet(connection: Connection, source: InstanceSource, found: InstanceDisk) -> tuple[bool, str | None]:
    """Tell whether the guest's agent is to freeze its filesystems, and what is to be warned of if it does not."""
    problem = _unquiet(connection, source, found)
    if source.quiesce == "true" and problem:
        raise SpecError(f"{_OPTION}.quiesce", problem, "see to that, or declare auto or false")
    if source.quiesce == "false" or problem or not found.guest.is_active:
        warning = (
            f"{problem[0].upper()}{problem[1:]}, so the image holds what a power cut would have left."
            if problem
            else None
        )
        return False, None if source.quiesce == "false" else warning
    return True, None


def _unquiet(connection: Connection, source: InstanceSource, found: InstanceDisk) -> str | None:
    guest = found.guest
    if guest.has_saved_memory:
        return f"instance {guest.name} is suspended, and what its guest had not written yet is in its saved memory"
    if not guest.is_active or source.quiesce == "false":
        return None
    if guest.state != "running":
        return f"instance {guest.name} is {guest.state}, so that nobody in it can answer"
    try:
        ping(connection, guest.handle)
    except AgentAbsentError:
        return f"instance {guest.name} has no channel to a guest agent"
    except AgentAwayError:
        return f"the guest agent of instance {guest.name} does not answer"
    return None


def inherited_metadata(store: ImageStore, source: InstanceSource) -> ImageMetadata:
    """Return what is known of an image that a disk becomes, and refuse a disk that can't become one."""
    if not store.pool.describe().holds_files:
        raise ConflictError(
            f"Option pool: storage pool {store.pool.name} does not hold files, which an image of an instance is made in.",
            {"option": "pool"},
        )
    found = find_instance_disk(store.connection, source)
    if not found.guest.is_active:
        stopped_volume(store.connection, found)
    wants_quiet(store.connection, source, found)
    size = disk_capacity(store.connection, found.guest, found.disk.target)
    least = ImageMetadata(min_disk_gb=-(-size // _GIB))
    if not found.is_root:
        return least
    least = replace(least, architecture=found.machine.os.arch)
    base = ImageCatalog(store.connection, store.pool).record(found.record.image) if found.record.image else None
    if base is None or base.digest != found.record.image_digest:
        return replace(least, firmware="uefi" if found.has_uefi else "bios")
    # It is another version by now, and needs no less of the rest.
    said = base.metadata
    return replace(least, os=said.os, firmware=said.firmware, min_memory_mb=said.min_memory_mb)
