# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Images for tests: good ones of every format as QEMU makes them, and a collection of hostile ones made out of those."""

from __future__ import annotations

import functools
import random
import struct
import subprocess
import tempfile
import typing as t
import zlib
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.kilonova.compute.plugins.module_utils._seed.iso import build_iso
from ansible_collections.kilonova.compute.plugins.module_utils._spec._image.inspection import Reader
from ansible_collections.kilonova.compute.plugins.module_utils._spec._image.tables import crc32c

MIB = 1024**2
DISK_BYTES = 40 * MIB
_SECTOR = 512
_GRAIN, _PER_TABLE = 128, 512
_PLACES = (0, 3 * MIB + 4096, DISK_BYTES - 70_000)


def reader(content: bytes, size_bytes: int | None = None) -> Reader:
    """Read out of ``content``, with zeros behind it up to ``size_bytes``."""
    size = len(content) if size_bytes is None else size_bytes

    def read(offset: int, length: int) -> bytes:
        wanted = max(0, min(length, size - offset))
        return content[offset : offset + wanted].ljust(min(wanted, MIB), b"\0")

    return read


@functools.lru_cache(maxsize=1)
def disk() -> bytes:
    """Return what all good images hold: data at the beginning, in the middle, and at the end."""
    content = bytearray(DISK_BYTES)
    for seed, place in enumerate(_PLACES):
        content[place : place + 70_000] = random.Random(seed).randbytes(70_000)
    return bytes(content)


@functools.cache
def made(qemu_format: str, *options: str, packed: bool = False) -> bytes:
    """Return the disk as an image that qemu-img made."""
    with tempfile.TemporaryDirectory() as directory:
        source, target = Path(directory) / "source.raw", Path(directory) / "target"
        source.write_bytes(disk())
        arguments = [word for option in options for word in ("-o", option)] + ["-c"] * packed
        command = ["qemu-img", "convert", "-f", "raw", "-O", qemu_format, *arguments, str(source), str(target)]
        subprocess.run(command, check=True)
        return target.read_bytes()


def qcow2() -> bytes:
    """Return a good qcow2 image."""
    return made("qcow2")


def vmdk() -> bytes:
    """Return a good VMDK image with its tables at the beginning, as QEMU makes it."""
    return made("vmdk", "subformat=streamOptimized")


def vhd() -> bytes:
    """Return a good VHD image whose blocks are allocated on demand."""
    return made("vpc", "force_size=on")


def fixed_vhd() -> bytes:
    """Return a good VHD image that is a disk with a footer."""
    return made("vpc", "subformat=fixed,force_size=on")


def vhdx_image() -> bytes:
    """Return a good VHDX image."""
    return made("vhdx")


@functools.lru_cache(maxsize=1)
def streamed_vmdk() -> bytes:
    """Return a good VMDK image as VMware makes it."""
    return streamed_vmdk_of(disk())


def streamed_vmdk_of(content: bytes) -> bytes:
    """Return a VMDK image written in one go: its tables and a footer stand at the end."""
    sectors = len(content) // _SECTOR
    text = _descriptor("streamOptimized", f'RDONLY {sectors} SPARSE "generated-stream.vmdk"')
    out = bytearray(_vmdk_header(sectors, 2**64 - 1) + text.ljust(20 * _SECTOR, b"\0")).ljust(_GRAIN * _SECTOR, b"\0")
    directory: list[int] = []
    for first in range(0, sectors, _GRAIN * _PER_TABLE):
        entries = [_append_grain(out, content, first + number * _GRAIN) for number in range(_PER_TABLE)]
        out += _vmdk_marker(_PER_TABLE * 4 // _SECTOR, 1)
        directory.append(len(out) // _SECTOR)
        out += struct.pack(f"<{_PER_TABLE}I", *entries)
    out += _vmdk_marker(1, 2)
    place = len(out) // _SECTOR
    out += struct.pack(f"<{len(directory)}I", *directory).ljust(_SECTOR, b"\0")
    return bytes(out) + _vmdk_marker(1, 3) + _vmdk_header(sectors, place) + _vmdk_marker(0, 0)


def _append_grain(out: bytearray, content: bytes, sector: int) -> int:
    """Append the part of the disk at ``sector`` and return where it stands; zeros stand nowhere."""
    part = content[sector * _SECTOR : (sector + _GRAIN) * _SECTOR]
    if not any(part):
        return 0
    place, packed = len(out) // _SECTOR, zlib.compress(part)
    out += struct.pack("<QI", sector, len(packed)) + packed
    out += bytes(-len(out) % _SECTOR)
    return place


def _vmdk_header(sectors: int, directory: int) -> bytes:
    fields = (b"KDMV", 3, 0x30001, sectors, _GRAIN, 1, 20, _PER_TABLE, 0, directory, _GRAIN, 0, b"\n \r\n", 1)
    return struct.pack("<4sIIQQQQIQQQB4sH", *fields).ljust(_SECTOR, b"\0")


def _vmdk_marker(value: int, kind: int) -> bytes:
    return struct.pack("<QII", value, 0, kind).ljust(_SECTOR, b"\0")


def iso() -> bytes:
    """Return a good ISO 9660 image."""
    return build_iso({"meta-data": "instance-id: a\n"})


def patched(content: bytes, *changes: tuple[int, bytes]) -> bytes:
    """Return ``content`` with bytes replaced; a negative offset counts from the end."""
    out = bytearray(content)
    for offset, replacement in changes:
        start = offset if offset >= 0 else len(out) + offset
        out[start : start + len(replacement)] = replacement
    return bytes(out)


def replaced(content: bytes, old: bytes, new: bytes) -> bytes:
    """Return ``content`` with the first ``old`` replaced; what is longer takes the padding that follows."""
    place = content.index(old)
    end = content.index(b"\0", place) if len(new) > len(old) else place + len(old)
    tail = content[place + len(old) : end]
    return patched(content, (place, (new + tail).ljust(end - place, b"\0")))


def vhd_summed(content: bytes, place: int, length: int, checksum: int) -> bytes:
    """Return a VHD image with the checksum at ``checksum`` of the structure at ``place`` made right again."""
    start = place if place >= 0 else len(content) + place
    blank = patched(content[start : start + length], (checksum, bytes(4)))
    return patched(content, (start + checksum, struct.pack(">I", ~sum(blank) & 0xFFFFFFFF)))


def vhd_changed(content: bytes, offset: int, replacement: bytes) -> bytes:
    """Return a VHD image with both copies of its footer changed, and right sums."""
    out = patched(content, (offset - _SECTOR, replacement))
    out = vhd_summed(out, -_SECTOR, _SECTOR, 64)
    return patched(out, (0, out[-_SECTOR:])) if content.startswith(b"conectix") else out


def vhdx_changed(content: bytes, places: t.Iterable[int], length: int, offset: int, replacement: bytes) -> bytes:
    """Return a VHDX image with the structures at ``places`` changed, and right sums."""
    out = content
    for place in places:
        out = patched(out, (place + offset, replacement), (place + 4, bytes(4)))
        checksum = crc32c(out[place : place + length])
        out = patched(out, (place + 4, struct.pack("<I", checksum)))
    return out


@dataclass(frozen=True)
class Hostile:
    """An image to be refused: what makes it, and the words it is refused with."""

    name: str
    make: t.Callable[[str], bytes]
    """Takes the path of the file that the image tries to have read."""
    words: str


def _descriptor(kind: str, extents: str) -> bytes:
    return f'# Disk DescriptorFile\nversion=1\nCID=1\nparentCID=ffffffff\ncreateType="{kind}"\n{extents}\n'.encode()


def _backed_qcow2(path: str) -> bytes:
    name = path.encode()
    return patched(qcow2(), (8, struct.pack(">QI", 1024, len(name))), (1024, name))


def _apart_qcow2(path: str) -> bytes:
    name = path.encode()
    extension = struct.pack(">II", 0x44415441, len(name)) + name.ljust(-(-len(name) // 8) * 8, b"\0")
    length = struct.unpack_from(">I", qcow2(), 100)[0]
    return patched(qcow2(), (72, struct.pack(">Q", 4)), (length, extension + bytes(8)))


def _vmdk_text(path: str) -> bytes:
    return _descriptor("monolithicFlat", f'RW 2048 FLAT "{path}" 0').ljust(1024, b"\n")


def _embedded_flat(path: str) -> bytes:
    text = _descriptor("monolithicFlat", f'RW 81920 FLAT "{path}" 0')
    return patched(vmdk(), (12, bytes(8)), (_SECTOR, text.ljust(20 * _SECTOR, b"\0")))


def _second_extent(path: str) -> bytes:
    text = _descriptor("streamOptimized", f'RW 81920 SPARSE "a.vmdk"\nRW 2048 FLAT "{path}" 0')
    return patched(vmdk(), (_SECTOR, text.ljust(20 * _SECTOR, b"\0")))


def _other_extent(path: str) -> bytes:
    text = _descriptor("streamOptimized", f'RW 81920 SPARSE "{path}"')
    return patched(vmdk(), (_SECTOR, text.ljust(20 * _SECTOR, b"\0")))


def _vmdk_parent(path: str) -> bytes:
    text = _descriptor("streamOptimized", f'parentFileNameHint="{path}"\nRW 81920 SPARSE "a.vmdk"')
    return patched(vmdk(), (_SECTOR, text.ljust(20 * _SECTOR, b"\0")))


def _commented_text(path: str) -> bytes:
    text = _descriptor("monolithicFlat", f'RW 2048 FLAT "{path}" 0').replace(b"# Disk DescriptorFile", b"#\n\n  # else")
    return text.ljust(1024, b"\n")


def _qed(path: str) -> bytes:
    name = path.encode()
    fields = (b"QED\0", 65536, 4, 1, 1, 0, 0, 65536, MIB, 1024, len(name))
    return patched(bytes(20 * 65536), (0, struct.pack("<4sIIIQQQQQII", *fields)), (1024, name))


REFERRING = (
    Hostile("qcow2 backing file", _backed_qcow2, "has a backing file"),
    Hostile("qcow2 data file", _apart_qcow2, "keeps its data in another file"),
    Hostile("vmdk descriptor alone", _vmdk_text, "keeps its data in other files"),
    Hostile("vmdk descriptor behind comments", _commented_text, "keeps its data in other files"),
    Hostile("vmdk flat extent within", _embedded_flat, "claims a virtual size of 0 bytes"),
    Hostile("vmdk second extent", _second_extent, "names 2 extents"),
    Hostile("vmdk extent elsewhere", _other_extent, "names an extent in another file"),
    Hostile("vmdk parent", _vmdk_parent, "has a parent image"),
    Hostile("qed backing file", _qed, "is of format qed"),
)
"""Images that name another file."""


def qcow2_of_two_tables() -> bytes:
    """Return a good qcow2 image whose disk needs several L2 tables."""
    return made("qcow2", "cluster_size=4096")


def _twice(content: bytes) -> bytes:
    """Let the second entry of the L1 table lead where the first one does."""
    place = struct.unpack_from(">Q", content, 40)[0]
    return patched(content, (place + 8, content[place : place + 8]))


def _vhd_sparse(offset: int, replacement: bytes) -> bytes:
    return vhd_summed(patched(vhd(), (_SECTOR + offset, replacement)), _SECTOR, 1024, 36)


def _vhdx_parameters(flags: bytes) -> bytes:
    guid = bytes.fromhex("3767a1ca36fa434db3b633f0aa44e76b")
    content = vhdx_image()
    table = content.index(b"metadata")
    place = table + struct.unpack_from("<I", content, content.index(guid, table) + 16)[0]
    return patched(content, (place + 4, flags))


def _vhdx_of_unknown_region() -> bytes:
    """Let the first region be one that nobody knows, and required."""
    places = (196608, 262144)
    return vhdx_changed(vhdx_changed(vhdx_image(), places, 65536, 44, b"\1"), places, 65536, 16, b"\1")


def _hostile(name: str, words: str, make: t.Callable[[], bytes]) -> Hostile:
    return Hostile(name, lambda _path: make(), words)


BROKEN = (
    _hostile("qcow2 unknown feature", "unknown features", lambda: patched(qcow2(), (72, b"\1"))),
    _hostile("qcow2 in clusters too large", "clusters of 2^22", lambda: patched(qcow2(), (20, b"\0\0\0\x16"))),
    _hostile("qcow2 absurd size", "virtual size", lambda: patched(qcow2(), (24, b"\x10"))),
    _hostile("qcow2 cut", "part of it is missing", lambda: qcow2()[: len(qcow2()) - 100_000]),
    _hostile("qcow2 one table for all", "one L2 table", lambda: _twice(qcow2_of_two_tables())),
    _hostile("qcow2 as iso", "can be taken for qcow2 and for iso", lambda: patched(qcow2(), (0x8001, b"CD001"))),
    _hostile("vmdk sparse", "not stream-optimized", lambda: made("vmdk", "subformat=monolithicSparse")),
    _hostile("vmdk kind", "only streamOptimized", lambda: replaced(vmdk(), b"streamOptimized", b'monolithicFlat"')),
    _hostile("vmdk two kinds", "and only streamOpt", lambda: replaced(vmdk(), b"CID=", b'createType="vmfs"\nCID=')),
    _hostile("vmdk parent id", "has a parent", lambda: replaced(vmdk(), b"parentCID=ffffffff", b"parentCID=fffffffe")),
    _hostile("vmdk other length", "by its descriptor", lambda: replaced(vmdk(), b"RW 81920", b"RW 81921")),
    _hostile("vmdk no text", "no descriptor", lambda: patched(vmdk(), (28, bytes(8)))),
    _hostile(
        "vmdk long text",
        "no descriptor",
        lambda: patched(vmdk(), (36, b"\xff\xff")),
    ),
    _hostile("vmdk unknown feature", "unknown features", lambda: patched(vmdk(), (11, b"\x80"))),
    _hostile("vmdk version", "unknown version 9", lambda: patched(vmdk(), (4, b"\x09"))),
    _hostile("vmdk grains", "grains of 129 sectors", lambda: patched(vmdk(), (20, b"\x81"))),
    _hostile("vmdk tables", "grain tables of 0 entries", lambda: patched(vmdk(), (44, bytes(4)))),
    _hostile("vmdk absurd size", "virtual size", lambda: patched(vmdk(), (18, b"\xff"))),
    _hostile("vmdk cut", "last grain", lambda: vmdk()[: len(vmdk()) // 2]),
    _hostile("vmdk in no time", "within its header", lambda: vmdk()[:100]),
    _hostile("vmdk no directory", "grain directory", lambda: patched(vmdk(), (56, b"\0\0\0\x7f"))),
    _hostile("vmdk stream cut", "no footer", lambda: streamed_vmdk()[:-_SECTOR]),
    _hostile(
        "vmdk stream with another footer", "differs from its footer", lambda: patched(streamed_vmdk(), (-1012, b"\1"))
    ),
    _hostile("vhd parent", "has a parent", lambda: vhd_changed(vhd(), 60, b"\0\0\0\4")),
    _hostile("vhd kind", "unknown kind 9", lambda: vhd_changed(vhd(), 60, b"\0\0\0\x09")),
    _hostile("vhd sum", "wrong checksum", lambda: patched(vhd(), (-_SECTOR + 64, b"\0\0\0\0"))),
    _hostile("vhd absurd size", "virtual size", lambda: vhd_changed(vhd(), 48, b"\x10")),
    _hostile("vhd header differs", "differs from its footer", lambda: patched(vhd(), (20, b"\1"))),
    _hostile("vhd cut", "no footer", lambda: vhd()[: len(vhd()) // 2 // 512 * 512]),
    _hostile("vhd no table", "no header for its blocks", lambda: vhd_changed(vhd(), 16, b"\0\0\0\0\0\0\7\0")),
    _hostile("vhd short table", "table too small", lambda: _vhd_sparse(28, b"\0\0\0\1")),
    _hostile("vhd blocks", "blocks of 3 bytes", lambda: _vhd_sparse(32, b"\0\0\0\3")),
    _hostile("vhd table beyond", "ends before its block table", lambda: _vhd_sparse(16, b"\0\0\1")),
    _hostile("vhd table sum", "blocks with a wrong checksum", lambda: patched(vhd(), (_SECTOR + 28, b"\1"))),
    _hostile("vhd block beyond", "last block", lambda: patched(vhd(), (1536, b"\0\1\0\0"))),
    _hostile("vhd block twice", "one block for several", lambda: patched(vhd(), (1536, vhd()[1540:1544]))),
    _hostile("fixed vhd cut", "bytes of data and has", lambda: fixed_vhd()[MIB:]),
    _hostile("fixed vhd parent", "has a parent", lambda: vhd_changed(fixed_vhd(), 60, b"\0\0\0\4")),
    _hostile("fixed vhd around qcow2", "for qcow2 and for vhd", lambda: patched(fixed_vhd(), (0, b"QFI\xfb"))),
    _hostile("vhdx parent", "has a parent", lambda: _vhdx_parameters(b"\2")),
    _hostile("vhdx log", "not closed cleanly", lambda: vhdx_changed(vhdx_image(), (65536, 131072), 4096, 48, b"\1")),
    _hostile("vhdx headers", "no header", lambda: patched(vhdx_image(), (65600, b"\1"), (131136, b"\1"))),
    _hostile("vhdx regions", "no region table", lambda: patched(vhdx_image(), (196700, b"\1"), (262236, b"\1"))),
    _hostile("vhdx region", "unknown feature", _vhdx_of_unknown_region),
    _hostile("vhdx metadata", "no metadata", lambda: patched(vhdx_image(), (vhdx_image().index(b"metadata"), b"M"))),
    _hostile("vhdx cut", "part of it is missing", lambda: vhdx_image()[: 7 * MIB]),
    _hostile("iso cut", "ends before", lambda: iso()[:-2048]),
    _hostile("iso short", "within its volume descriptor", lambda: iso()[: 0x8000 + 20]),
    _hostile("nothing", "is empty", lambda: b""),
)
"""Images that lie or are damaged."""


def whole(blocks: t.Iterable[tuple[int, bytes]]) -> bytes:
    """Return the disk that ``blocks`` are of, which must come in rising order and not overlap."""
    out = bytearray(DISK_BYTES)
    end = 0
    for offset, content in blocks:
        assert offset >= end
        end = offset + len(content)
        out[offset:end] = content
    return bytes(out)
