# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests for qcow2 images whose clusters are compressed with zstd: QEMU makes them and says what is right."""

from __future__ import annotations

import functools
import io
import random
import struct
import subprocess
import tempfile
import tracemalloc
import typing as t
from pathlib import Path

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._errors import MissingLibraryError
from ansible_collections.kilonova.compute.plugins.module_utils._spec._image.disk import disk_clusters, write_disk
from ansible_collections.kilonova.compute.plugins.module_utils._spec.image_format import inspect
from ansible_collections.kilonova.compute.tests.unit.plugins.module_utils import zstd_libraries
from ansible_collections.kilonova.compute.tests.unit.plugins.module_utils.disk_images import (
    MIB,
    disk,
    made,
    patched,
    reader,
)
from hypothesis import given
from hypothesis import strategies as st

CLUSTER = 65536
TEXT = b"some text, over and over. "
CONTENT = (TEXT * CLUSTER)[:CLUSTER]
OFFSET, COMPRESSED, SECTORS_SHIFT = 0xFF_FFFF_FFFF_FE00, 1 << 62, 54
SKIPPABLE = b"\x50\x2a\x4d\x18\x03\0\0\0abc"
LIBRARIES = zstd_libraries.INSTALLED

each_library = pytest.mark.parametrize("library", LIBRARIES)


def raw(content: bytes) -> bytes:
    """Return the disk of an image, as ours writes it."""
    found = inspect(reader(content), len(content))
    assert not found.problems
    file = io.BytesIO()
    write_disk(file, "raw", found.virtual_size_bytes, disk_clusters(reader(content), len(content), found, 64 * MIB))
    return file.getvalue().ljust(found.virtual_size_bytes, b"\0")


def converted(content: bytes, source: str, target: str, *options: str) -> bytes | None:
    """Return what qemu-img makes of an image, or None if it refuses."""
    with tempfile.TemporaryDirectory() as directory:
        before, after = Path(directory) / "before", Path(directory) / "after"
        before.write_bytes(content)
        command = ["qemu-img", "convert", "-f", source, "-O", target, *options, str(before), str(after)]
        done = subprocess.run(command, check=False, capture_output=True)
        return None if done.returncode else after.read_bytes()


def zstd_image(content: bytes, *options: str) -> bytes:
    """Return a disk as QEMU compresses it."""
    image = converted(content, "raw", "qcow2", "-c", "-o", ",".join(("compression_type=zstd", *options)))
    assert image
    return image


def frame(content: bytes, *options: str) -> bytes:
    """Return a frame, which does not tell how much is in it."""
    return subprocess.run(["zstd", "-q", "-c", *options], input=content, capture_output=True, check=True).stdout


@functools.lru_cache(maxsize=1)
def image_of_text() -> bytes:
    """Return an image of which every cluster is compressed."""
    return zstd_image(CONTENT * 4)


def with_cluster(frames: bytes) -> bytes:
    """Return that image with its second cluster in ``frames``, behind which the next one's would stand."""
    content = image_of_text()
    (l1_table,) = struct.unpack_from(">Q", content, 40)
    place = (struct.unpack_from(">Q", content, l1_table)[0] & OFFSET) + 8
    assert struct.unpack_from(">Q", content, place)[0] & COMPRESSED
    end, sectors = -(-len(content) // CLUSTER) * CLUSTER, -(-len(frames) // 512)
    entry = COMPRESSED | (sectors - 1) << SECTORS_SHIFT | end
    whole = content.ljust(end, b"\0") + frames.ljust(sectors * 512, b"\xaa")
    return patched(whole, (place, struct.pack(">Q", entry)))


@each_library
@pytest.mark.parametrize("options", ["cluster_size=512", "cluster_size=4k", "", "cluster_size=2M", "extended_l2=on"])
def test_is_the_disk(library: str, options: str) -> None:
    """Byte by byte, with clusters of any size, of which some are not worth to be compressed."""
    with zstd_libraries.only(library):
        assert raw(made("qcow2", "compression_type=zstd", *filter(None, [options]), packed=True)) == disk()


@given(
    data=st.dictionaries(st.integers(0, 3000), st.binary(min_size=1, max_size=20), max_size=5),
    repeats=st.integers(1, 9000),
    sectors=st.integers(3500, 4200),
    cluster=st.sampled_from(["4k", "64k", "1M", "2M"]),
    library=st.sampled_from(LIBRARIES),
)
def test_any_disk_comes_back(data: dict[int, bytes], repeats: int, sectors: int, cluster: str, library: str) -> None:
    """What QEMU compressed is what it was."""
    content = patched(bytes(sectors * 512), *((sector * 512, part * repeats) for sector, part in data.items()))
    content = content[: sectors * 512]
    with zstd_libraries.only(library):
        assert raw(zstd_image(content, f"cluster_size={cluster}")) == content


GOOD: dict[str, t.Callable[[], bytes]] = {
    "of unknown length": lambda: frame(CONTENT),
    "of known length": lambda: frame(CONTENT, f"--stream-size={CLUSTER}"),
    "without a checksum": lambda: frame(CONTENT, "--no-check"),
    "of one byte, repeated": lambda: frame(b"a" * CLUSTER, "--ultra", "-22"),
    "in two": lambda: frame(CONTENT[:1000]) + frame(CONTENT[1000:]),
    "with an empty one first": lambda: frame(b"") + frame(CONTENT),
    "with one to skip first": lambda: SKIPPABLE + frame(CONTENT),
    "longer than any piece": lambda: frame(random.Random(1).randbytes(CLUSTER - 1000) + bytes(1000)),
}
BAD: dict[str, t.Callable[[], bytes]] = {
    "too short": lambda: frame(CONTENT[:-1]),
    "too long": lambda: frame(CONTENT + b"a"),
    "much too long": lambda: frame(bytes(200 * MIB)),
    "cut off": lambda: frame(random.Random(1).randbytes(2000) + bytes(CLUSTER - 2000))[:1024],
    "of another kind": lambda: b"\xaa" * 512,
    "damaged": lambda: patched(frame(CONTENT), (len(frame(CONTENT)) - 4, b"\xff\xff\xff\xff")),
    "of unknown features": lambda: patched(frame(CONTENT), (4, b"\xff")),
}


@each_library
@pytest.mark.parametrize("name", GOOD)
def test_frames_that_qemu_reads(library: str, name: str) -> None:
    """Others than QEMU may have written them."""
    image = with_cluster(GOOD[name]())
    with zstd_libraries.only(library):
        assert raw(image) == converted(image, "qcow2", "raw")


@each_library
@pytest.mark.parametrize("name", BAD)
def test_frames_that_qemu_refuses(library: str, name: str) -> None:
    """They are refused here too, and none makes more of itself than a piece."""
    image = with_cluster(BAD[name]())
    assert converted(image, "qcow2", "raw") is None
    with zstd_libraries.only(library), pytest.raises(ValueError, match="a compressed part of it "):
        raw(image)


@each_library
def test_a_bomb_takes_no_memory(library: str) -> None:
    """Neither for what a frame says is in it nor for what is."""
    images = [with_cluster(frame(bytes(200 * MIB), *options)) for options in ((), (f"--stream-size={200 * MIB}",))]
    with zstd_libraries.only(library):
        tracemalloc.start()
        for image in images:
            with pytest.raises(ValueError, match="longer than it may be"):
                raw(image)
        _now, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 100 * MIB


def test_needs_a_library() -> None:
    """The error says what to install, and what else could be done."""
    with (
        zstd_libraries.only(None),
        pytest.raises(
            MissingLibraryError, match=r"clusters are packed with zstd, .* install python3-zstandard .* qcow2"
        ),
    ):
        raw(image_of_text())
