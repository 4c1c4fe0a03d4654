# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests for judging an image by its first bytes."""

from __future__ import annotations

import struct
import typing as t

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._errors import ImageError
from ansible_collections.kilonova.compute.plugins.module_utils._spec._image.inspection import (
    HEADER_BYTES,
    LARGEST_DISK,
    Inspection,
)
from ansible_collections.kilonova.compute.plugins.module_utils._spec.image_format import check_safe, inspect
from ansible_collections.kilonova.compute.tests.unit.plugins.module_utils import disk_images
from ansible_collections.kilonova.compute.tests.unit.plugins.module_utils.disk_images import Hostile, patched, reader
from hypothesis import given
from hypothesis import strategies as st

GIB = 1024**3
SIZE = 4 * 1024**2


def qcow2(extensions: bytes = b"", **changes: t.Any) -> bytes:
    """Return the header of a good qcow2 image of 1 GiB with ``changes``."""
    fields = {
        "magic": b"QFI\xfb",
        "version": 3,
        "backing_offset": 0,
        "backing_size": 0,
        "cluster_bits": 16,
        "size": GIB,
        "encryption": 0,
        "l1_entries": 2,
        "l1_offset": 0x30000,
        "refcount_offset": 0x10000,
        "refcount_clusters": 1,
        "snapshots": 0,
        "snapshots_offset": 0,
        "incompatible": 0,
        "compatible": 0,
        "autoclear": 0,
        "refcount_order": 4,
        "header_length": 104,
    }
    return struct.pack(">4sIQIIQIIQQIIQQQQII", *{**fields, **changes}.values()) + extensions


def refusal(header: bytes, size: int = 4 * 1024**2, declared: str | None = None) -> str:
    """Return why an image is refused."""
    with pytest.raises(ImageError) as caught:
        check_safe(inspect(reader(header, size), size), declared)
    assert caught.value.message.endswith(".")
    return caught.value.message


@pytest.mark.parametrize("changes", [{}, {"version": 2}, {"incompatible": 1}, {"incompatible": 8}])
def test_complete_qcow2_is_accepted(changes: dict[str, t.Any]) -> None:
    """Both versions, and features that leave the image complete by itself."""
    found = inspect(reader(qcow2(**changes), SIZE), SIZE)
    assert found == Inspection("qcow2", GIB)
    check_safe(found, None)
    check_safe(found, "qcow2")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"backing_offset": 512, "backing_size": 20}, "backing file"),
        ({"backing_offset": 512}, "backing file"),
        ({"version": 2, "backing_size": 1}, "backing file"),
        ({"incompatible": 4}, "its data in another file"),
        ({"incompatible": 2}, "corrupt"),
        ({"incompatible": 1 << 5}, "unknown features (bits 0x20)"),
        ({"incompatible": 1 << 63}, "unknown features"),
        ({"encryption": 2}, "encrypted"),
        ({"version": 1}, "version 1"),
        ({"version": 4}, "version 4"),
        ({"cluster_bits": 8}, "clusters"),
        ({"cluster_bits": 63}, "clusters"),
        ({"size": 0}, "virtual size"),
        ({"size": 1 << 63}, "virtual size"),
        ({"size": LARGEST_DISK + 512}, "virtual size"),
        ({"size": 513}, "virtual size"),
        ({"size": LARGEST_DISK, "l1_entries": 1 << 23}, "an L1 table of"),
        ({"refcount_offset": SIZE}, "before its refcount table"),
        ({"l1_entries": 1}, "L1 table too small"),
        ({"l1_entries": 3, "incompatible": 16}, "L1 table too small"),
        ({"l1_offset": 4 * 1024**2 - 8}, "a part of it is missing"),
    ],
)
def test_dangerous_or_broken_qcow2_is_refused(changes: dict[str, t.Any], expected: str) -> None:
    """Each flaw has its words."""
    assert expected in refusal(qcow2(**changes))


def test_all_flaws_are_told() -> None:
    """A second flaw is not hidden by the first."""
    message = refusal(qcow2(backing_offset=1, encryption=1, incompatible=4))
    assert all(words in message for words in ("backing file", "encrypted", "another file"))


def test_data_file_is_seen_without_its_bit() -> None:
    """The name of a data file among the extensions is enough to refuse, behind others as well."""
    other = struct.pack(">II", 0x6803F857, 5) + b"abcde\0\0\0"
    assert "another file" in refusal(qcow2(other + struct.pack(">II", 0x44415441, 8) + b"/etc/abc"))
    check_safe(inspect(reader(qcow2(other + struct.pack(">II", 0, 0)), SIZE), SIZE), None)


@pytest.mark.parametrize("length", [4, 71, 80])
def test_cut_header_is_refused(length: int) -> None:
    """A header that ends too early is refused and not misread."""
    assert "ends within its header" in refusal(qcow2()[:length], length)


@pytest.mark.parametrize(
    ("header", "found"),
    [
        (b"<<< Oracle VM VirtualBox Disk Image >>>".ljust(64) + b"\x7f\x10\xda\xbe", "vdi"),
        (b"QED\0", "qed"),
        (b"LUKS\xba\xbe\0\1", "luks"),
        (b"WithoutFreeSpace", "parallels"),
        (b"Bochs Virtual HD Image", "bochs"),
        (b"#!/bin/sh\n#V2.0 Format\nmodprobe cloop", "cloop"),
    ],
)
@pytest.mark.parametrize("declared", [None, "raw", "qcow2"])
def test_other_formats_are_refused(header: bytes, found: str, declared: str | None) -> None:
    """A format that is not accepted is named, whatever was declared."""
    message = refusal(header.ljust(HEADER_BYTES, b"\0"), declared=declared)
    assert f"of format {found}" in message
    assert "convert it" in message


@pytest.mark.parametrize(
    ("header", "found"),
    [
        (b"\x1f\x8b\x08", "gzip"),
        (b"\xfd7zXZ\0", "xz"),
        (b"\x28\xb5\x2f\xfd", "zstd"),
        (b"BZh91AY&SY", "bzip2"),
        (b"PK\3\4", "zip"),
    ],
)
def test_archives_are_refused(header: bytes, found: str) -> None:
    """A packed image says so instead of not booting."""
    assert f"a {found} archive" in refusal(header.ljust(1024, b"\0"))


@pytest.mark.parametrize("page", [b"<!DOCTYPE html><html>", b"\n\n <HTML>", b"<?xml version='1.0'?>"])
def test_pages_are_refused(page: bytes) -> None:
    """A portal's page that came in place of the image is refused."""
    assert "HTML or XML page" in refusal(page, len(page))


def test_raw_is_what_is_nothing_else() -> None:
    """Zeros and boot sectors are raw; nothing and odd sizes are no disk."""
    check_safe(inspect(reader(bytes(512), 1024), 1024), None)
    assert inspect(reader(b"\xeb\x63\x90", 4096), 4096) == Inspection("raw", 4096)
    assert "empty" in refusal(b"", 0)
    assert "sectors" in refusal(b"not found", 9)
    assert "declared qcow2 but is of format raw" in refusal(bytes(512), 512, "qcow2")
    assert "declared raw but is of format qcow2" in refusal(qcow2(), declared="raw")


@given(header=st.binary(max_size=600), size=st.integers(0, 2**70), declared=st.sampled_from([None, "raw", "qcow2"]))
def test_any_bytes_get_a_verdict(header: bytes, size: int, declared: str | None) -> None:
    """Nothing makes the judge fall over, as raw bytes and behind qcow2's magic."""
    for candidate in (header, b"QFI\xfb\0\0\0\3" + header, b"QFI\xfb\0\0\0\2" + header):
        found = inspect(reader(candidate, size), size)
        try:
            check_safe(found, declared)
        except ImageError:
            continue
        assert found.format in ("raw", "qcow2")
        assert declared in (None, found.format)
        assert found.virtual_size_bytes > 0
        if found.format == "qcow2":
            assert candidate[8:20] == bytes(12)


@given(
    backing_offset=st.integers(0, 2**64 - 1),
    backing_size=st.integers(0, 2**32 - 1),
    incompatible=st.integers(0, 2**64 - 1),
    encryption=st.integers(0, 3),
)
def test_only_harmless_headers_pass(backing_offset: int, backing_size: int, incompatible: int, encryption: int) -> None:
    """Whatever passes refers to nothing outside itself."""
    header = qcow2(
        backing_offset=backing_offset, backing_size=backing_size, incompatible=incompatible, encryption=encryption
    )
    harmless = not backing_offset and not backing_size and not encryption and not incompatible & ~0b11001
    try:
        check_safe(inspect(reader(header, SIZE), SIZE), "qcow2")
    except ImageError:
        assert not harmless or incompatible & 16
    else:
        assert harmless


@pytest.mark.parametrize(
    ("make", "found"),
    [
        (disk_images.disk, "raw"),
        (disk_images.qcow2, "qcow2"),
        (disk_images.qcow2_of_two_tables, "qcow2"),
        (disk_images.vmdk, "vmdk"),
        (disk_images.streamed_vmdk, "vmdk"),
        (disk_images.vhd, "vhd"),
        (disk_images.fixed_vhd, "vhd"),
        (disk_images.vhdx_image, "vhdx"),
    ],
)
def test_good_images_have_no_problems(make: t.Callable[[], bytes], found: str) -> None:
    """What QEMU makes of each format is seen as such, with the size of its disk."""
    content = make()
    assert inspect(reader(content), len(content)) == Inspection(found, disk_images.DISK_BYTES)


@pytest.mark.parametrize(
    "options",
    [
        ("preallocation=metadata",),
        ("preallocation=falloc",),
        ("compat=0.10",),
        ("extended_l2=on,cluster_size=128k",),
        ("refcount_bits=1",),
        ("cluster_size=2M",),
        ("lazy_refcounts=on",),
    ],
)
def test_kinds_of_qcow2(options: tuple[str, ...]) -> None:
    """Whatever QEMU can make of a qcow2 that stands for itself is whole."""
    content = disk_images.made("qcow2", *options)
    assert inspect(reader(content), len(content)) == Inspection("qcow2", disk_images.DISK_BYTES)


@pytest.mark.parametrize(
    "hostile", [*disk_images.REFERRING, *disk_images.BROKEN], ids=lambda hostile: hostile.name.replace(" ", "-")
)
def test_hostile_images_are_refused(hostile: Hostile) -> None:
    """Each for its own reason, however it is declared."""
    content = hostile.make("/etc/machine-id")
    found = inspect(reader(content), len(content))
    assert any(hostile.words in problem for problem in (*found.problems, f"is of format {found.format}"))
    for declared in (None, "raw", found.format):
        with pytest.raises(ImageError):
            check_safe(found, declared)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (disk_images.disk() + disk_images.fixed_vhd()[-512:], "vhd"),
        (patched(disk_images.disk(), (-512, b"koly")), "dmg"),
        (patched(disk_images.disk(), (0, b"\n#\n \nversion=1\n")), "vmdk"),
    ],
)
def test_raw_is_nothing_that_a_tool_would_take_for_more(content: bytes, found: str) -> None:
    """What stands at the end counts as well, and a text that QEMU reads as a list of files."""
    assert found in refusal(content, len(content), "raw")


IMAGES = [
    disk_images.qcow2,
    disk_images.vmdk,
    disk_images.streamed_vmdk,
    disk_images.vhd,
    disk_images.fixed_vhd,
    disk_images.vhdx_image,
    disk_images.iso,
]


@given(
    make=st.sampled_from(IMAGES),
    places=st.lists(
        st.tuples(
            st.one_of(st.integers(0, 2048), st.integers(-2048, -1), st.integers(65536, 65800), st.integers(0, 2**24)),
            st.binary(min_size=1, max_size=9),
        ),
        min_size=1,
        max_size=3,
    ),
    cut=st.one_of(st.just(0), st.integers(0, 2**16)),
)
def test_damage_anywhere_gets_a_verdict(make: t.Callable[[], bytes], places: list[tuple[int, bytes]], cut: int) -> None:
    """Nothing in an image of any format makes the judge fall over."""
    good = make()
    content = patched(good, *((place % len(good), damage) for place, damage in places))[: len(good) - cut]
    assert inspect(reader(content), len(content)).virtual_size_bytes >= 0
