# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests for writing an image's disk anew: read by QEMU, it must be the disk that the image was made of."""

from __future__ import annotations

import io
import subprocess
import typing as t
from pathlib import Path

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._spec._image.disk import disk_clusters, write_disk
from ansible_collections.kilonova.compute.plugins.module_utils._spec._image.inspection import Inspection
from ansible_collections.kilonova.compute.plugins.module_utils._spec.image_format import inspect
from ansible_collections.kilonova.compute.tests.unit.plugins.module_utils import disk_images
from ansible_collections.kilonova.compute.tests.unit.plugins.module_utils.disk_images import (
    DISK_BYTES,
    disk,
    made,
    patched,
    reader,
)
from hypothesis import given
from hypothesis import strategies as st

LIMIT = 64 * 1024**2
IMAGES: dict[str, t.Callable[[], bytes]] = {
    "raw": disk,
    "qcow2": disk_images.qcow2,
    "qcow2-small": disk_images.qcow2_of_two_tables,
    "qcow2-old": lambda: made("qcow2", "compat=0.10"),
    "qcow2-preallocated": lambda: made("qcow2", "preallocation=metadata"),
    "qcow2-extended": lambda: made("qcow2", "extended_l2=on,cluster_size=128k"),
    "qcow2-packed": lambda: made("qcow2", packed=True),
    "qcow2-packed-large": lambda: made("qcow2", "cluster_size=2M", packed=True),
    "vmdk": disk_images.vmdk,
    "vmdk-streamed": disk_images.streamed_vmdk,
    "vhd": disk_images.vhd,
    "vhd-fixed": disk_images.fixed_vhd,
    "vhdx": disk_images.vhdx_image,
}


def written(content: bytes, target: str, limit: int = LIMIT) -> bytes:
    """Return the disk of an image written in the format ``target``."""
    found = inspect(reader(content), len(content))
    assert not found.problems
    file = io.BytesIO()
    write_disk(file, target, found.virtual_size_bytes, disk_clusters(reader(content), len(content), found, limit))
    # A buffer in memory, other than a file, does not grow by being truncated.
    return file.getvalue().ljust(found.virtual_size_bytes if target == "raw" else 0, b"\0")


@pytest.mark.parametrize("name", IMAGES)
def test_raw_is_the_disk(name: str) -> None:
    """Byte by byte, whatever it is read from."""
    assert written(IMAGES[name](), "raw") == disk()


@pytest.mark.parametrize("name", IMAGES)
def test_qcow2_is_the_same_from_every_format(name: str) -> None:
    """It depends on the disk alone, so that equal disks are stored once."""
    assert written(IMAGES[name](), "qcow2") == written(disk(), "qcow2")


def test_qcow2_is_right_in_qemus_eyes(tmp_path: Path) -> None:
    """QEMU finds no error in it and reads the disk; nothing is stored of zeros."""
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(disk())
    target.write_bytes(written(disk(), "qcow2"))
    subprocess.run(["qemu-img", "check", "-q", "-f", "qcow2", str(target)], check=True)
    subprocess.run(["qemu-img", "compare", "-q", "-f", "raw", "-F", "qcow2", str(source), str(target)], check=True)
    assert target.stat().st_size < DISK_BYTES / 20


@pytest.mark.parametrize("virtual_size", [512, 65536, 512 * 1024**2, 512 * 1024**2 + 512, 40 * 1024**4])
def test_sizes_at_the_edges(tmp_path: Path, virtual_size: int) -> None:
    """Disks of any size, with data at their ends only."""
    target = tmp_path / "target"
    last = (virtual_size - 1) // 65536
    clusters = [(0, b"a" * 512)] + ([(last, b"b" * 512)] if last else [])
    with target.open("w+b") as file:
        write_disk(file, "qcow2", virtual_size, clusters)
    subprocess.run(["qemu-img", "check", "-q", "-f", "qcow2", str(target)], check=True)
    content = target.read_bytes()
    found = inspect(reader(content), len(content))
    assert found == Inspection("qcow2", virtual_size)
    again = list(disk_clusters(reader(content), len(content), found, LIMIT))
    assert [(number, part.rstrip(b"\0")) for number, part in again] == clusters


@given(
    data=st.dictionaries(st.integers(0, 4000), st.binary(min_size=1, max_size=600), max_size=6),
    sectors=st.integers(4010, 5000),
)
def test_any_disk_comes_back(data: dict[int, bytes], sectors: int) -> None:
    """To qcow2 and to raw again, it is what it was."""
    content = patched(bytes(sectors * 512), *((sector * 512, part) for sector, part in data.items()))
    found = Inspection("raw", len(content))
    target = io.BytesIO()
    write_disk(target, "qcow2", len(content), disk_clusters(reader(content), len(content), found, LIMIT))
    assert written(target.getvalue(), "raw") == content


@pytest.mark.parametrize("name", IMAGES)
def test_more_data_than_allowed_is_refused(name: str) -> None:
    """The limit is of data, not of what the image claims."""
    assert written(IMAGES[name](), "qcow2", 8 * 65536)
    with pytest.raises(OverflowError):
        written(IMAGES[name](), "qcow2", 65536)


def test_what_can_not_be_unpacked_is_refused() -> None:
    """Damage within what is compressed, and a compression that nobody knows."""
    packed = made("qcow2", packed=True)
    damaged = patched(packed, *((place, b"\xff" * 64) for place in range(0x50000, len(packed) - 64, 4096)))
    with pytest.raises(ValueError, match="compressed"):
        written(damaged, "raw")
    unknown = patched(made("qcow2", "compression_type=zstd", packed=True), (104, b"\x02"))
    with pytest.raises(ValueError, match=r"not known \(type 2\)"):
        written(unknown, "raw")
    streamed = patched(disk_images.streamed_vmdk(), (128 * 512 + 12, b"\xff" * 8))
    with pytest.raises(ValueError, match="compressed"):
        written(streamed, "raw")
