# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""The two containers that the test guest is made of, written byte for byte: a cpio archive and a partition table."""

from __future__ import annotations

import gzip
import stat
import struct
from dataclasses import dataclass, field

SECTOR = 512
FIRST_SECTOR = 2048
_FAT16_LBA = 0x0E
_LINUX = 0x83
_BOOTABLE = 0x80
_TABLE_OFFSET = 446


@dataclass
class Archive:
    """A root file system for the kernel, in cpio's newc format.

    Written here and not by cpio, so that the same contents give the same bytes: no time stamps, no inode numbers from a disk.
    """

    _parts: list[bytes] = field(default_factory=list)
    _directories: set[str] = field(default_factory=set)

    def add_file(self, path: str, content: bytes, mode: int = 0o644) -> None:
        """Add a regular file and the directories above it."""
        self._add_parents(path)
        self._add(path, stat.S_IFREG | mode, content)

    def add_link(self, path: str, target: str) -> None:
        """Add a symbolic link."""
        self._add_parents(path)
        self._add(path, stat.S_IFLNK | 0o777, target.encode())

    def add_directory(self, path: str, mode: int = 0o755) -> None:
        """Add a directory once."""
        if path not in self._directories:
            self._add_parents(path)
            self._directories.add(path)
            self._add(path, stat.S_IFDIR | mode, b"")

    def packed(self) -> bytes:
        """Return the whole archive, compressed."""
        self._add("TRAILER!!!", 0, b"")
        return gzip.compress(b"".join(self._parts), compresslevel=6, mtime=0)

    def _add_parents(self, path: str) -> None:
        parent = path.rpartition("/")[0]
        if parent:
            self.add_directory(parent)

    def _add(self, path: str, mode: int, content: bytes) -> None:
        name = path.encode() + b"\0"
        numbers = (len(self._parts) + 1, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name), 0)
        header = b"070701" + b"".join(b"%08X" % number for number in numbers) + name
        self._parts.append(_padded(header) + _padded(content))


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)


def partitioned(boot_code: bytes, file_system: bytes, second_sectors: int = 0) -> bytes:
    """Return a disk with one bootable FAT16 partition, and room promised for a second one behind it, for Linux."""
    sectors = len(file_system) // SECTOR
    entries = _entry(_BOOTABLE, _FAT16_LBA, FIRST_SECTOR, sectors)
    if second_sectors:
        entries += _entry(0, _LINUX, FIRST_SECTOR + sectors, second_sectors)
    table = boot_code[:_TABLE_OFFSET].ljust(_TABLE_OFFSET, b"\0") + entries.ljust(64, b"\0") + b"\x55\xaa"
    return table.ljust(FIRST_SECTOR * SECTOR, b"\0") + file_system


def _entry(flag: int, kind: int, first: int, sectors: int) -> bytes:
    unused_chs = b"\xfe\xff\xff"
    return struct.pack("<B3sB3sII", flag, unused_chs, kind, unused_chs, first, sectors)
