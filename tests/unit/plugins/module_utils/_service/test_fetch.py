# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests for getting an image: files here, the web in the lab tests."""

from __future__ import annotations

import hashlib
import os
import typing as t
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._errors import ImageError
from ansible_collections.kilonova.compute.plugins.module_utils._service._image.fetched import HashingReader
from ansible_collections.kilonova.compute.plugins.module_utils._service.fetch import fetch, source_mtime_ns
from ansible_collections.kilonova.compute.plugins.module_utils._spec.image import ImageSpec
from ansible_collections.kilonova.compute.plugins.module_utils._spec.image_checksum import Checksum

CONTENT = os.urandom(1024) + bytes(3 * 1024 * 1024)


@pytest.fixture
def spec(tmp_path: Path) -> ImageSpec:
    """Return a declared image that is a file."""
    path = tmp_path / "image.raw"
    path.write_bytes(CONTENT)
    return ImageSpec("a", path=str(path))


@pytest.mark.parametrize("algorithm", ["sha256", "sha384", "sha512"])
def test_is_hashed_and_judged(spec: ImageSpec, algorithm: str) -> None:
    """The own digest is always sha256; the file can be read again from its beginning."""
    checksum = Checksum(algorithm, hashlib.new(algorithm, CONTENT).hexdigest())
    with fetch(replace(spec, checksum=checksum), None) as fetched:
        assert fetched.digest == "sha256:" + hashlib.sha256(CONTENT).hexdigest()
        assert fetched.size_bytes == len(CONTENT)
        assert fetched.inspection.format == "raw"
        assert fetched.mtime_ns == source_mtime_ns(spec)
        reader = HashingReader(fetched.file)
        assert reader.read(len(CONTENT)) == CONTENT
        assert reader.digest == fetched.digest


def _missing(spec: ImageSpec) -> ImageSpec:
    return replace(spec, path=f"{spec.path}.none")


def _directory(spec: ImageSpec) -> ImageSpec:
    return replace(spec, path=os.path.dirname(str(spec.path)))


def _pipe(spec: ImageSpec) -> ImageSpec:
    pipe = f"{spec.path}.pipe"
    os.mkfifo(pipe)
    return replace(spec, path=pipe)


def _wrong(spec: ImageSpec) -> ImageSpec:
    return replace(spec, checksum=Checksum("sha256", "0" * 64))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_missing, "No such file"),
        (_directory, "it is not a file"),
        (_pipe, "it is not a file"),
        (_wrong, "and not sha256:000"),
    ],
)
def test_what_goes_wrong_is_one_sentence(
    spec: ImageSpec, change: t.Callable[[ImageSpec], ImageSpec], words: str
) -> None:
    """A file that is not there or no file, and one that is another."""
    with pytest.raises(ImageError, match=words), fetch(change(spec), None):
        pytest.fail("fetched")


def test_time_of_change(spec: ImageSpec) -> None:
    """Only files have one."""
    os.utime(str(spec.path), ns=(7, 7))
    expected = 7
    assert source_mtime_ns(spec) == expected
    assert source_mtime_ns(_missing(spec)) is None
    assert source_mtime_ns(ImageSpec("a", url="http://h/a")) is None
