# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""By what bytes each format of disk or archive is known to whatever may open it."""

from __future__ import annotations

import re

from .inspection import HEADER_BYTES, SECTOR_BYTES, Reader

_BEGINNINGS = (
    (0, b"QFI\xfb", "qcow2"),
    (0, b"KDMV", "vmdk"),
    (0, b"COWD", "vmdk"),
    (0, b"# Disk DescriptorFile", "vmdk"),
    (0x40, b"\x7f\x10\xda\xbe", "vdi"),
    (0, b"vhdxfile", "vhdx"),
    (0, b"conectix", "vhd"),
    (0, b"QED\0", "qed"),
    (0, b"LUKS\xba\xbe", "luks"),
    (0x8001, b"CD001", "iso"),
    (0, b"WithoutFreeSpace", "parallels"),
    (0, b"WithouFreSpacExt", "parallels"),
    (0, b"Bochs Virtual HD Image", "bochs"),
    (0, b"#!/bin/sh\n#V2.0 Format\nmodprobe cloop", "cloop"),
    (0, b"\x1f\x8b\x08", "gzip"),
    (0, b"\xfd7zXZ\0", "xz"),
    (0, b"\x28\xb5\x2f\xfd", "zstd"),
    (0, b"PK\x03\x04", "zip"),
    (0, b"7z\xbc\xaf\x27\x1c", "7z"),
)
_ENDINGS = ((b"conectix", "vhd"), (b"koly", "dmg"))
_BZIP2 = re.compile(rb"BZh[1-9](1AY&SY|\x17rE8P\x90)")
_PAGES = (b"<!doctype html", b"<html", b"<?xml")
_VMDK_TEXT = re.compile(rb"(?:[ \t]*(?:#[^\n]*)?\r?\n)*version=[123]\r?\n")
"""A descriptor alone: QEMU takes it for a disk whose data is in the files that it names."""


def detect(read: Reader, size_bytes: int) -> list[str]:
    """Return every format that somebody may take the image for; none means raw."""
    header = read(0, HEADER_BYTES)
    found = [name for offset, signature, name in _BEGINNINGS if header[offset : offset + len(signature)] == signature]
    if _BZIP2.match(header):
        found.append("bzip2")
    if _VMDK_TEXT.match(header):
        found.append("vmdk")
    if header.lstrip()[:16].lower().startswith(_PAGES):
        found.append("html")
    tail = read(max(0, size_bytes - SECTOR_BYTES), SECTOR_BYTES)
    found += [name for signature, name in _ENDINGS if tail.startswith(signature)]
    return sorted(set(found), key=found.index)
