# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests for publishing an image in another format than it came in."""

from __future__ import annotations

import hashlib
import typing as t
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._errors import ImageError, MissingLibraryError
from ansible_collections.kilonova.compute.plugins.module_utils._service.fetch import fetch
from ansible_collections.kilonova.compute.plugins.module_utils._spec.image import ImageSpec
from ansible_collections.kilonova.compute.tests.unit.plugins.module_utils import disk_images, zstd_libraries
from ansible_collections.kilonova.compute.tests.unit.plugins.module_utils.disk_images import disk, patched


def declared(tmp_path: Path, content: bytes) -> ImageSpec:
    """Return a declared image that is a file with ``content``."""
    path = tmp_path / "image"
    path.write_bytes(content)
    return ImageSpec("a", path=str(path))


def sha256(content: bytes) -> str:
    """Return a digest as it is shown."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@pytest.mark.parametrize(
    ("make", "convert_to", "published", "came"),
    [
        (disk_images.qcow2, None, "qcow2", None),
        (disk_images.qcow2, "qcow2", "qcow2", None),
        (disk_images.qcow2, "raw", "raw", "qcow2"),
        (disk, None, "raw", None),
        (disk, "qcow2", "qcow2", "raw"),
        (disk_images.vmdk, None, "qcow2", "vmdk"),
        (disk_images.vhd, "raw", "raw", "vhd"),
        (disk_images.vhdx_image, None, "qcow2", "vhdx"),
        (disk_images.iso, "qcow2", "raw", "iso"),
    ],
)
def test_is_published_as_asked(
    tmp_path: Path, make: t.Callable[[], bytes], convert_to: str | None, published: str, came: str | None
) -> None:
    """The digest is of what is published, and what came is told where it is something else."""
    spec = replace(declared(tmp_path, make()), convert_to=convert_to)
    with fetch(spec, None) as fetched:
        fetched.file.seek(0)
        content = fetched.file.read()
        assert fetched.inspection.format == published
        assert fetched.digest == sha256(content)
        assert fetched.size_bytes == len(content)
        assert fetched.source_format == came
        assert fetched.fetched_digest == sha256(make())
        assert (content == make()) == (came in (None, "iso"))
        if published == "raw" and came != "iso":
            assert content == disk()


def test_more_data_than_allowed_is_refused(tmp_path: Path) -> None:
    """The error names the option."""
    spec = replace(declared(tmp_path, disk_images.vmdk()), max_size_gb=0)
    with pytest.raises(ImageError, match="Option max_size_gb: "), fetch(spec, None):
        pytest.fail("fetched")


def test_damage_is_one_sentence(tmp_path: Path) -> None:
    """What only reading the data can tell is told like the rest."""
    damaged = patched(disk_images.streamed_vmdk(), (128 * 512 + 12, b"\xff" * 8))
    with (
        pytest.raises(ImageError, match="vmdk image is refused: a compressed part"),
        fetch(declared(tmp_path, damaged), None),
    ):
        pytest.fail("fetched")


@pytest.mark.parametrize("library", zstd_libraries.INSTALLED)
def test_zstd_clusters(tmp_path: Path, library: str) -> None:
    """They are unpacked as any others."""
    spec = declared(tmp_path, disk_images.made("qcow2", "compression_type=zstd", packed=True))
    with zstd_libraries.only(library), fetch(replace(spec, convert_to="raw"), None) as fetched:
        fetched.file.seek(0)
        assert fetched.file.read() == disk()
        assert fetched.source_format == "qcow2"


def test_missing_library_is_one_sentence(tmp_path: Path) -> None:
    """An image compressed with zstd is published as it is, and as raw where something can read it."""
    spec = declared(tmp_path, disk_images.made("qcow2", "compression_type=zstd", packed=True))
    with zstd_libraries.only(None):
        with fetch(spec, None) as fetched:
            assert fetched.inspection.format == "qcow2"
        with pytest.raises(MissingLibraryError, match="publish it as qcow2"), fetch(
            replace(spec, convert_to="raw"), None
        ):
            pytest.fail("fetched")


def test_disk_that_looks_like_an_image_is_refused(tmp_path: Path) -> None:
    """What a guest's disk holds must not turn into an image with a backing file by being published as raw."""
    hostile = disk_images.REFERRING[0].make("/etc/machine-id")
    packed = disk_images.streamed_vmdk_of(hostile.ljust(disk_images.DISK_BYTES, b"\0"))
    with fetch(declared(tmp_path, packed), None) as fetched:
        assert fetched.inspection.format == "qcow2"
    with (
        pytest.raises(ImageError, match="it has a backing file"),
        fetch(replace(declared(tmp_path, packed), convert_to="raw"), None),
    ):
        pytest.fail("fetched")
