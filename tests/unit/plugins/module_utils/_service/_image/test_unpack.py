# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests for unpacking, with what the usual tools make and what breaks off or swells."""

from __future__ import annotations

import bz2
import gzip
import lzma
import random
import subprocess
import typing as t

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._errors import ImageError, MissingLibraryError
from ansible_collections.kilonova.compute.plugins.module_utils._service._image.unpack import (
    MAGIC_BYTES,
    Unpacker,
    find_unpacker,
)
from ansible_collections.kilonova.compute.tests.unit.plugins.module_utils import zstd_libraries

CONTENT = random.Random(1).randbytes(300_000) + bytes(5_000_000) + b"end"
PACKERS: dict[str, t.Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "xz": lzma.compress,
    "bzip2": bz2.compress,
}


def unpacker(packed: bytes) -> Unpacker:
    """Return what unpacks ``packed``."""
    found = find_unpacker(packed[:MAGIC_BYTES])
    assert found
    return found


def unpacked(packed: bytes, step: int = 100_000, most: int = 1024 * 1024) -> bytes:
    """Return what is in ``packed``, fed in pieces."""
    one = unpacker(packed)
    pieces = [piece for start in range(0, len(packed), step) for piece in one.feed(packed[start : start + step])]
    one.finish()
    assert all(len(piece) <= most for piece in pieces)
    return b"".join(pieces)


@pytest.mark.parametrize("packing", PACKERS)
@pytest.mark.parametrize("step", [1000, 100_000, 10_000_000])
def test_comes_out_as_it_was(packing: str, step: int) -> None:
    """In pieces of any size."""
    packed = PACKERS[packing](CONTENT)
    assert unpacker(packed).packing == packing
    assert unpacked(packed, step) == CONTENT


@pytest.mark.parametrize("packing", PACKERS)
@pytest.mark.parametrize("padding", [b"", bytes(8)])
def test_several_streams_are_one(packing: str, padding: bytes) -> None:
    """As the parallel packers write, with padding behind each."""
    pack = PACKERS[packing]
    assert unpacked(pack(CONTENT[:1000]) + padding + pack(CONTENT[1000:]) + padding) == CONTENT


@pytest.mark.parametrize("packing", PACKERS)
def test_what_breaks_off_is_refused(packing: str) -> None:
    """Nothing that came before it counts."""
    packed = PACKERS[packing](CONTENT)
    for part in (packed[:-9], packed[: len(packed) // 2], packed + packed[:-9]):
        with pytest.raises(ImageError, match=f"can't be unpacked as {packing}"):
            unpacked(part)


@pytest.mark.parametrize("packing", PACKERS)
def test_damage_is_refused(packing: str) -> None:
    """Within, and in what stands behind."""
    packed = PACKERS[packing](CONTENT)
    for damaged in (packed[:5000] + b"\xff" * 64 + packed[5064:], packed + b"something else"):
        with pytest.raises(ImageError, match=f"can't be unpacked as {packing}"):
            unpacked(damaged)


@pytest.mark.parametrize("packing", PACKERS)
def test_a_bomb_comes_in_pieces(packing: str) -> None:
    """Whoever takes them can stop at any time, so memory does not grow with what comes out."""
    pack = PACKERS[packing]
    packed = pack(bytes(200 * 1024**2)) if packing != "xz" else lzma.compress(bytes(200 * 1024**2), preset=0)
    pieces = unpacker(packed).feed(packed)
    assert max(len(next(pieces)) for _piece in range(20)) <= 1024 * 1024


def test_memory_is_limited() -> None:
    """A stream that wants more than any usual one is refused."""
    packed = lzma.compress(b"a", filters=[{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 30}])
    with pytest.raises(ImageError, match="can't be unpacked as xz"):
        unpacked(packed)


@pytest.mark.parametrize("beginning", [b"", b"BZh9 of course", b"QFI\xfb\0\0\0\3\0\0", bytes(10)])
def test_everything_else_is_not_packed(beginning: bytes) -> None:
    """Disks are left as they are."""
    assert find_unpacker(beginning) is None


@pytest.mark.parametrize("library", zstd_libraries.INSTALLED)
def test_zstd(library: str) -> None:
    """With one of the known libraries it is unpacked."""
    packed = subprocess.run(["zstd", "-q", "-c"], input=CONTENT, capture_output=True, check=True).stdout
    most = 32 * 1024**2 if library == "zstandard" else 1024 * 1024
    with zstd_libraries.only(library):
        assert unpacked(packed, most=most) == CONTENT
        assert unpacked(packed + bytes(8) + packed, most=most) == CONTENT * 2
        with pytest.raises(ImageError, match="can't be unpacked as zstd"):
            unpacked(packed[:-9], most=most)


def test_zstd_needs_a_library() -> None:
    """The error says what to install."""
    with zstd_libraries.only(None), pytest.raises(MissingLibraryError, match="install python3-zstandard"):
        find_unpacker(b"\x28\xb5\x2f\xfd")
