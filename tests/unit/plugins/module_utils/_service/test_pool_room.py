# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests for the room that an image needs, with real files with holes and a pool of libvirt's test driver."""

from __future__ import annotations

import io
import tempfile
import typing as t

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._driver.connection import Connection
from ansible_collections.kilonova.compute.plugins.module_utils._driver.storage import Pool, find_pool
from ansible_collections.kilonova.compute.plugins.module_utils._errors import CapacityError
from ansible_collections.kilonova.compute.plugins.module_utils._service._image.fetched import Fetched
from ansible_collections.kilonova.compute.plugins.module_utils._service.pool_room import data_bytes, refuse_without_room
from ansible_collections.kilonova.compute.plugins.module_utils._spec._image.inspection import Inspection
from hypothesis import given
from hypothesis import strategies as st

MIB = 1024**2
BLOCK = 64 * 1024
"""No file system that tests run on has larger ones."""


def fetched(file: t.BinaryIO, size_bytes: int, allocated_bytes: int | None = None) -> Fetched:
    """Return an image in ``file``."""
    return Fetched(file, "sha256:0", size_bytes, Inspection("raw", size_bytes), allocated_bytes=allocated_bytes)


@pytest.fixture
def pool() -> t.Iterator[Pool]:
    """Return a pool of which libvirt knows how much room it has."""
    with Connection("test:///default") as connection:
        yield find_pool(connection, "default-pool")


@given(
    places=st.sets(st.integers(0, 15), max_size=6),
    size=st.integers(1, 16 * BLOCK),
    within=st.integers(0, 16 * BLOCK),
)
def test_holes_take_no_room(places: set[int], size: int, within: int) -> None:
    """Only blocks that were written count, also in a file of nothing else; where the file was read is where it is read on."""
    with tempfile.TemporaryFile() as file:
        for place in places:
            file.seek(place * BLOCK)
            file.write(b"a" * BLOCK)
        file.truncate(size)
        file.flush()
        file.seek(within)
        wanted = sum(max(0, min(BLOCK, size - place * BLOCK)) for place in places)
        # The last block is whole on the disk, but what is behind the end is no data.
        assert data_bytes(fetched(file, size)) == wanted
        assert file.tell() == within


def test_what_is_told_elsewhere_counts() -> None:
    """As of a volume on another hypervisor, whose metadata may take more room than its bytes."""
    assert data_bytes(fetched(io.BytesIO(), 10 * MIB, MIB)) == MIB
    assert data_bytes(fetched(io.BytesIO(), 10 * MIB, 11 * MIB)) == 10 * MIB


def test_without_word_of_holes_all_is_data() -> None:
    """As of what is no file."""
    assert data_bytes(fetched(io.BytesIO(bytes(10)), 10)) == 10


def test_a_pool_without_room_is_refused(pool: Pool) -> None:
    """To the byte; the error says how much is there and how much is needed."""
    available = pool.describe().available_bytes
    with tempfile.TemporaryFile() as file:
        file.write(bytes(BLOCK))
        file.truncate(2 * available)
        image = fetched(file, 2 * available)
        data = data_bytes(image)
        refuse_without_room(image, pool, "the image", besides=available - data)
        with pytest.raises(CapacityError) as caught:
            refuse_without_room(image, pool, "the image", besides=available - data + 1)
        assert caught.value.message == (
            f"Storage pool default-pool has {available} bytes free, and the image needs up to {available + 1};"
            " make room there."
        )
        with pytest.raises(CapacityError, match=f" and the image needs {2 * available};"):
            refuse_without_room(image, pool, "the image", sparse=False)
