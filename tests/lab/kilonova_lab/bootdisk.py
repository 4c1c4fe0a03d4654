# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""The partition that a guest's kernel starts from: FAT with syslinux, made without a mount and without root."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from .archive import FIRST_SECTOR, SECTOR, partitioned
from .errors import LabError
from .run import find, run

_BOOT_CODE = ("/usr/lib/syslinux/mbr/mbr.bin", "/usr/lib/SYSLINUX/mbr.bin", "/usr/share/syslinux/mbr.bin")

_CHUNK = 1024 * 1024
_DISK_SIZE = 40 * 1024 * 1024
_CONFIG = """DEFAULT guest
PROMPT 0
NOESCAPE 1
LABEL guest
  KERNEL vmlinuz
  INITRD initrd
  APPEND {parameters}
"""


def make(work: Path, kernel: Path, initrd: bytes, parameters: str, root: Path | None = None) -> Path:
    """Make the raw disk in the directory ``work``; the file system ``root``, if any, becomes its second partition."""
    shutil.copyfile(kernel, work / "vmlinuz")
    (work / "initrd").write_bytes(initrd)
    (work / "syslinux.cfg").write_text(_CONFIG.format(parameters=parameters), encoding="ascii")
    disk = work / "disk.raw"
    disk.write_bytes(partitioned(_boot_code(), _file_system(work), root.stat().st_size // SECTOR if root else 0))
    if root:
        _append_sparse(disk, root)
    return disk


def packed(disk: Path, *options: str) -> Path:
    """Return a raw disk as qcow2, in a file beside it."""
    target = disk.with_suffix(".qcow2")
    run(
        [find("qemu-img", "qemu-utils"), "convert", *options, "-O", "qcow2", disk.name, target.name],
        cwd=disk.parent,
        limit=300,
    )
    return target


def _append_sparse(disk: Path, part: Path) -> None:
    with open(part, "rb") as source, open(disk, "ab") as target:
        while chunk := source.read(_CHUNK):
            if any(chunk):
                target.write(chunk)
            else:
                target.truncate(target.tell() + len(chunk))
                target.seek(0, os.SEEK_END)


def _boot_code() -> bytes:
    for candidate in _BOOT_CODE:
        if os.path.exists(candidate):
            return Path(candidate).read_bytes()
    raise LabError("The boot code mbr.bin is missing: install the package syslinux-common.")


def _file_system(work: Path) -> bytes:
    partition = work / "part.img"
    with open(partition, "wb") as stream:
        stream.truncate(_DISK_SIZE - FIRST_SECTOR * SECTOR)
    # The hidden sectors and the volume's number are said outright: the first for the boot code, the second for equal bytes every time.
    options = ["-F", "16", "-n", "KILONOVA", "-i", "4B4E4F56", "-h", str(FIRST_SECTOR), "--invariant"]
    timeless = {**os.environ, "SOURCE_DATE_EPOCH": "1767225600", "TZ": "UTC"}
    # Bare names, since mtools reads meanings into characters of a longer one.
    run([find("mkfs.vfat", "dosfstools"), *options, partition.name], cwd=work, env=timeless)
    for name in ("vmlinuz", "initrd", "syslinux.cfg"):
        run([find("mcopy", "mtools"), "-i", partition.name, name, f"::{name}"], cwd=work, env=timeless)
    run([find("syslinux", "syslinux"), "--install", partition.name], cwd=work, env=timeless)
    return partition.read_bytes()
