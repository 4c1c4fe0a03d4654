# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Storage pools and volumes: lists, creation, content, removal, all through libvirt's own calls."""

from __future__ import annotations

import contextlib
import io
import posixpath
import time
import typing as t
from dataclasses import replace

from .._errors import CapacityError, DriverError, NotFoundError, UnsupportedError
from .._xml.volume import PoolDescription, VolumeDescription, read_pool, read_volume, write_volume
from .ceph import kept_by_ceph
from .connection import Connection, libvirt
from .sparse_upload import upload_sparse
from .stream import EndKeeper, Sink, Source, open_stream, receive, receive_sparse, send

BUSY_SECONDS = 30.0
"""How long a pool or volume that another job holds is tried again."""
_KEY_ATTEMPTS = 20
_KEY_FAILED = "Unable to get accurate CPU usage"
"""What QEMU 7.2 to 9.2 says of a LUKS key that it sometimes can't make: it asks how much of a CPU it got, and that may be none."""


def look_up_pool(connection: Connection, name: str) -> t.Any:
    """Return libvirt's own pool ``name``, be it running or not, or raise :class:`NotFoundError`."""
    return connection.call(f"look up storage pool {name}", connection.raw.storagePoolLookupByName, name)


def find_pool(connection: Connection, name: str, option: str = "pool") -> Pool:
    """Return the running pool ``name``, which ``option`` holds, or say which pools there are."""
    try:
        raw = look_up_pool(connection, name)
    except NotFoundError as exc:
        pools = connection.call("list storage pools", connection.raw.listAllStoragePools, 0)
        names = ", ".join(sorted(pool.name() for pool in pools)) or "none"
        raise NotFoundError(
            f"Option {option}: there is no storage pool named {name} at {connection.uri}; there are: {names}.",
            {"option": option},
        ) from exc
    if not connection.call(f"read the state of storage pool {name}", raw.isActive):
        raise DriverError(
            f"Option {option}: storage pool {name} at {connection.uri} is not running; start it (virsh pool-start {name}).",
            {"option": option},
        )
    return Pool(connection, raw)


def find_volume(connection: Connection, path: str) -> Volume | None:
    """Return the volume at ``path``, or None where no running pool has one."""
    try:
        raw = connection.call(f"look up the volume at {path}", connection.raw.storageVolLookupByPath, path)
        pool = connection.call(f"look up the pool of {path}", raw.storagePoolLookupByVolume)
    except NotFoundError:
        return None
    return Volume(connection, raw, pool.name())


def running_pools(connection: Connection) -> list[Pool]:
    """Return all running storage pools."""
    flags = libvirt.VIR_CONNECT_LIST_STORAGE_POOLS_ACTIVE
    return [
        Pool(connection, raw)
        for raw in connection.call("list storage pools", connection.raw.listAllStoragePools, flags)
    ]


def stopped_pools(connection: Connection) -> list[str]:
    """Return the names of all storage pools that do not run."""
    flags = libvirt.VIR_CONNECT_LIST_STORAGE_POOLS_INACTIVE
    listed = connection.call("list storage pools", connection.raw.listAllStoragePools, flags)
    return sorted(raw.name() for raw in listed)


def pool_of_path(connection: Connection, path: str) -> Pool | None:
    """Return the running pool whose directory the file ``path`` lies in, known to it or not; None when there is none."""
    directory = posixpath.dirname(posixpath.normpath(path))
    for pool in running_pools(connection):
        with contextlib.suppress(NotFoundError):
            if posixpath.normpath(pool.describe().path or "") == directory:
                return pool
    return None


class Pool:
    """A running storage pool."""

    def __init__(self, connection: Connection, raw: t.Any) -> None:
        """Take libvirt's own ``raw`` pool; use :func:`find_pool`."""
        self._connection = connection
        self._raw = raw
        self.name: str = raw.name()
        self.uuid: str = raw.UUIDString()

    def xml(self) -> str:
        """Return libvirt's description."""
        return self._call("read storage pool", self._raw.XMLDesc, 0)

    def describe(self) -> PoolDescription:
        """Read what the pool is and how full it is."""
        return read_pool(self.xml())

    def refresh(self, patience: float = BUSY_SECONDS) -> None:
        """Make libvirt look again at what is in the pool; while a volume is being filled there it does not."""
        while_busy(lambda: self._call("refresh storage pool", self._raw.refresh, 0), "VIR_ERR_INTERNAL_ERROR", patience)

    def volumes(self) -> dict[str, Volume]:
        """Return all volumes by name, with one list call."""
        listed = self._call("list the volumes of storage pool", self._raw.listAllVolumes, 0)
        return {raw.name(): Volume(self._connection, raw, self.name) for raw in listed}

    def find(self, name: str) -> Volume | None:
        """Return the volume ``name``, or None."""
        try:
            raw = self._call(f"look up volume {name} in storage pool", self._raw.storageVolLookupByName, name)
        except NotFoundError:
            return None
        return Volume(self._connection, raw, self.name)

    def create(
        self,
        name: str,
        capacity_bytes: int,
        format: str,  # noqa: A002  # libvirt's own word for it
        backing: tuple[str, str] | None = None,
        allocation: int | None = None,
    ) -> Volume:
        """Create a volume; ``backing`` is (path, format) of what it lies over, ``allocation`` None means sparse."""
        return self.add(
            VolumeDescription(
                name=name,
                capacity_bytes=capacity_bytes,
                allocation_bytes=allocation or 0,
                format=format,
                backing_path=backing[0] if backing else None,
                backing_format=backing[1] if backing else None,
            )
        )

    def add(self, definition: VolumeDescription) -> Volume:
        """Create the volume that is described."""
        text = write_volume(self._with_room(definition))
        raw = self._made(f"create volume {definition.name} in storage pool", self._raw.createXML, text, 0)
        return Volume(self._connection, raw, self.name)

    def clone(self, name: str, capacity_bytes: int, format: str, source: str) -> Volume:  # noqa: A002  # libvirt's word
        """Create a volume with the content of the pool's volume ``source``, converted, and grown to its capacity."""
        origin = self._call(f"look up volume {source} in storage pool", self._raw.storageVolLookupByName, source)
        definition = VolumeDescription(name=name, capacity_bytes=capacity_bytes, format=format)
        return self.copy(definition, Volume(self._connection, origin, self.name))

    def copy(self, definition: VolumeDescription, origin: Volume) -> Volume:
        """Create the volume that is described with the content of ``origin``, of any pool, converted and grown."""
        text = write_volume(self._with_room(definition))
        raw = self._made(
            f"create volume {definition.name} from {origin.name} in storage pool",
            self._raw.createXMLFrom,
            text,
            origin.raw,
            0,
        )
        volume = Volume(self._connection, raw, self.name)
        try:
            if volume.capacity < definition.capacity_bytes:
                volume.resize(definition.capacity_bytes)
        except DriverError:
            volume.delete()
            raise
        return volume

    def _with_room(self, definition: VolumeDescription) -> VolumeDescription:
        """Return the definition with all its room, where libvirt would else make what loses everything once it is written to.

        Of a volume group it makes a snapshot of nothing, with a few MiB for what differs from that; when these are full, LVM drops it.
        """
        is_sparse = definition.format != "qcow2" and definition.allocation_bytes < definition.capacity_bytes
        if is_sparse and self.describe().type == "logical":
            return replace(definition, allocation_bytes=definition.capacity_bytes)
        return definition

    def _made(self, doing: str, function: t.Callable[..., t.Any], *args: t.Any) -> t.Any:
        """Call what makes a volume, again where it only was unlucky; libvirt removes what was not finished."""
        for _attempt in range(_KEY_ATTEMPTS - 1):
            try:
                return self._call(doing, function, *args)
            except DriverError as exc:
                if _KEY_FAILED not in exc.message:
                    raise
        return self._call(doing, function, *args)

    def _call(self, doing: str, function: t.Callable[..., t.Any], *args: t.Any) -> t.Any:
        return self._connection.call(f"{doing} {self.name}", function, *args)


class Volume:
    """A volume of a storage pool; what is read of it once is kept until :meth:`reread`."""

    def __init__(self, connection: Connection, raw: t.Any, pool: str) -> None:
        """Take libvirt's own ``raw`` volume and the name of its pool."""
        self._connection = connection
        self._raw = raw
        self._description: VolumeDescription | None = None
        self.pool = pool
        self.name: str = raw.name()

    @property
    def raw(self) -> t.Any:
        """Return libvirt's own volume, for a call on another one."""
        return self._raw

    @property
    def path(self) -> str:
        """Return the path on the hypervisor; pools of files give it without a call."""
        key = self._raw.key()
        return key if key.startswith("/") else self._call("read the path of", self._raw.path)

    @property
    def description(self) -> VolumeDescription:
        """Return the volume's description, read on first use."""
        if self._description is None:
            self._description = read_volume(self._read())
        return self._description

    def _read(self) -> str:
        """Return libvirt's description; of what is not on the hypervisor, others may have removed it, and libvirt can't tell that."""
        try:
            return self._call("read", self._raw.XMLDesc, 0)
        except NotFoundError:
            raise
        except DriverError:
            if not self._raw.key().startswith("/"):
                pool = find_pool(self._connection, self.pool)
                pool.refresh()
                if pool.find(self.name) is None:
                    raise NotFoundError(f"Volume {self.name} of storage pool {self.pool} is gone.") from None
            raise

    def reread(self) -> Volume:
        """Forget what was read, and return the volume itself."""
        self._description = None
        return self

    @property
    def capacity(self) -> int:
        """Return the bytes a guest sees."""
        return self.description.capacity_bytes

    @property
    def allocation(self) -> int:
        """Return the bytes taken in the pool."""
        return self.description.allocation_bytes

    @property
    def format(self) -> str | None:
        """Return the format libvirt sees in the volume."""
        return self.description.format

    @property
    def is_device(self) -> bool:
        """Tell whether it is a block device of the hypervisor rather than a file."""
        return self.description.type == "block"

    @property
    def is_remote(self) -> bool:
        """Tell whether it is nowhere on the hypervisor, so that libvirt can't read or write its content."""
        return self.description.type == "network"

    @property
    def backing(self) -> tuple[str, str | None] | None:
        """Return (path, format) of what the volume lies over, or None."""
        path = self.description.backing_path
        return (path, self.description.backing_format) if path else None

    def resize(self, capacity_bytes: int) -> None:
        """Grow the volume."""
        try:
            self._call("grow", self._raw.resize, capacity_bytes, 0)
        except UnsupportedError as exc:
            raise UnsupportedError(
                f"Cannot grow volume {self.name}: libvirt can't grow volumes of pools such as {self.pool}; grow it to"
                f" {capacity_bytes} bytes with the pool's own tools (such as lvextend or zfs set volsize), have compute_pool refresh the pool, and"
                " run again.",
                exc.details,
            ) from exc
        self._description = None

    def wipe(self) -> None:
        """Overwrite the volume's content, so that nobody reads it later."""
        while_busy(lambda: self._call("wipe", self._raw.wipe, 0), "VIR_ERR_OPERATION_INVALID")

    def delete(self, patience: float = BUSY_SECONDS) -> None:
        """Remove the volume; one that is gone already is fine, one in use is tried again for ``patience`` seconds."""
        with contextlib.suppress(NotFoundError):
            try:
                while_busy(lambda: self._call("delete", self._raw.delete, 0), "VIR_ERR_OPERATION_INVALID", patience)
            except DriverError as exc:
                if self.is_remote and not isinstance(exc, NotFoundError):
                    raise kept_by_ceph(self.name, self.pool, exc) from exc
                raise

    def upload(self, source: Source, length: int, sparse: bool = False) -> None:
        """Fill the volume with ``length`` bytes of ``source``; only a new, empty volume may be filled ``sparse``."""
        kept = EndKeeper(source)

        def upload_volume() -> int | None:
            # A hole in a device is written as zeros, and however long that takes, nothing tells how far it has come.
            if sparse and self._look()[0] == libvirt.VIR_STORAGE_VOL_FILE:
                return upload_sparse(self._connection.uri, self._raw.key(), kept, length, self._look)
            with open_stream(self._connection) as stream:
                self._raw.upload(stream, 0, length, 0)
                return send(stream, kept, length, sparse=False)

        sent = self._call("upload", upload_volume)
        self._description = None
        if sent is None:
            raise self._cut_off("the hypervisor stopped writing")
        if sent != length:
            raise DriverError(f"Cannot upload volume {self.name}: its source ended after {sent} of {length} bytes.")
        place, end = kept.end
        if not self._holds(place, end):
            raise self._cut_off("the hypervisor did not write all of it")

    def _holds(self, place: int, content: bytes) -> bool:
        # What ends before that can't be read from there.
        with contextlib.suppress(DriverError):
            return self.read_at(place, len(content)) == content
        return False

    def _cut_off(self, problem: str) -> CapacityError:
        return CapacityError(
            f"Cannot upload volume {self.name} of storage pool {self.pool}: {problem}, for want of room perhaps."
        )

    def _look(self) -> t.Any:
        return self._call("look at", self._raw.info)

    def download(self, sink: Sink, length: int = 0, offset: int = 0) -> int:
        """Write the content from ``offset`` on, or ``length`` bytes of it, to ``sink``; return how many there were."""

        def download_volume() -> int:
            with open_stream(self._connection) as stream:
                self._raw.download(stream, offset, length, 0)
                return receive(stream, sink)

        return self._call("download", download_volume)

    def download_sparse(self, file: t.BinaryIO) -> None:
        """Write the content to ``file``, with holes where the volume has them, the last one left to the caller."""

        def download_volume() -> None:
            with open_stream(self._connection) as stream:
                self._raw.download(stream, 0, 0, libvirt.VIR_STORAGE_VOL_DOWNLOAD_SPARSE_STREAM)
                receive_sparse(stream, file)

        self._call("download", download_volume)

    def read_bytes(self, limit: int) -> bytes:
        """Return at most the first ``limit`` bytes."""
        return self.read_at(0, limit)

    def read_at(self, offset: int, length: int) -> bytes:
        """Return at most ``length`` bytes from ``offset`` on, which must not be beyond the end."""
        buffer = io.BytesIO()
        # No length means everything to libvirt.
        if length:
            self.download(buffer, length, offset)
        return buffer.getvalue()

    def reader(self, size: int) -> t.Callable[[int, int], bytes]:
        """Return what reads like :meth:`read_at` from the first ``size`` bytes, and nothing beyond."""

        def read(offset: int, length: int) -> bytes:
            return self.read_at(offset, min(length, size - offset)) if offset < size else b""

        return read

    def read_tail(self, limit: int) -> tuple[bytes, int]:
        """Return at most the last ``limit`` bytes of a plain file, and how many it has."""
        # A file may begin like a disk image and so seem larger or smaller than it is.
        size = self.reread().description.stored_bytes
        length = min(size, limit)
        return self.read_at(size - length, length), size

    def _call(self, doing: str, function: t.Callable[..., t.Any], *args: t.Any) -> t.Any:
        return self._connection.call(f"{doing} volume {self.name} of storage pool {self.pool}", function, *args)


def while_busy(work: t.Callable[[], t.Any], busy_code: str, patience: float = BUSY_SECONDS) -> t.Any:
    """Repeat ``work`` while libvirt refuses it with ``busy_code``, as it does while another job runs in the pool.

    The daemon's messages are translated and have no code of their own, so the code is all there is to tell by.
    """
    code = getattr(libvirt, busy_code)
    end = time.monotonic() + patience
    pause = 0.02
    while True:
        try:
            return work()
        except DriverError as exc:
            if exc.details.get("libvirt_code") != code or time.monotonic() > end:
                raise
        time.sleep(pause)
        pause = min(pause * 2, 1.0)
