# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What a guest sees of an image's disk, whatever the image's format, and how it is written in another format."""

from __future__ import annotations

import struct
import typing as t
import zlib

from .inspection import Inspection, Reader
from .qcow2_read import qcow2_blocks
from .qcow2_write import CLUSTER_BYTES, write_qcow2
from .vhd import vhd_blocks
from .vhdx import vhdx_blocks
from .vmdk import vmdk_blocks

Block = tuple[int, bytes]
"""A place and what is there."""

_ZEROS = bytes(CLUSTER_BYTES)


def _raw_blocks(read: Reader, size_bytes: int) -> t.Iterator[Block]:
    for offset in range(0, size_bytes, CLUSTER_BYTES):
        yield offset, read(offset, CLUSTER_BYTES)


_BLOCKS: dict[str, t.Callable[[Reader, int], t.Iterator[Block]]] = {
    "raw": _raw_blocks,
    "qcow2": qcow2_blocks,
    "vmdk": vmdk_blocks,
    "vhd": vhd_blocks,
    "vhdx": vhdx_blocks,
}


def disk_clusters(read: Reader, size_bytes: int, found: Inspection, limit: int) -> t.Iterator[Block]:
    """Give what the disk of an image without problems holds, as (number, content) of those clusters that have data.

    More data than ``limit`` bytes is refused with :class:`OverflowError`, whatever the image claims to be, and data that
    can't be unpacked with :class:`ValueError`.
    """
    taken = 0
    try:
        for number, content in _clusters(_BLOCKS[found.format](read, size_bytes)):
            taken += len(content)
            if taken > limit:
                raise OverflowError(limit)
            yield number, content
    except (zlib.error, struct.error) as exc:
        raise ValueError(f"a compressed part of it is damaged ({exc})") from exc


def write_disk(file: t.BinaryIO, target: str, virtual_size: int, clusters: t.Iterable[Block]) -> None:
    """Write a disk to the empty ``file`` in the format ``target``."""
    if target == "qcow2":
        write_qcow2(file, virtual_size, clusters)
        return
    for number, content in clusters:
        file.seek(number * CLUSTER_BYTES)
        file.write(content)
    file.truncate(virtual_size)
    file.flush()


def _clusters(blocks: t.Iterable[Block]) -> t.Iterator[Block]:
    """Turn blocks of any size into clusters, by number; those of zeros are left out."""
    number, pending = -1, bytearray()
    for start, content in blocks:
        done = 0
        while done < len(content):
            wanted, within = divmod(start + done, CLUSTER_BYTES)
            if wanted != number:
                if pending and pending != _ZEROS[: len(pending)]:
                    yield number, bytes(pending)
                number, pending = wanted, bytearray()
            part = content[done : done + CLUSTER_BYTES - within]
            pending += bytes(within - len(pending)) + part
            done += len(part)
    if pending and pending != _ZEROS[: len(pending)]:
        yield number, bytes(pending)
