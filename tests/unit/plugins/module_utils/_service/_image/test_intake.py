# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests for taking in what comes: hashed, unpacked, and without its zeros."""

from __future__ import annotations

import gzip
import hashlib
import random
import tempfile
import typing as t
from dataclasses import replace

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._errors import ImageError
from ansible_collections.kilonova.compute.plugins.module_utils._service._image.intake import Intake
from ansible_collections.kilonova.compute.plugins.module_utils._spec.image import ImageSpec
from ansible_collections.kilonova.compute.plugins.module_utils._spec.image_checksum import Checksum

MIB = 1024 * 1024
CONTENT = random.Random(1).randbytes(MIB) + bytes(30 * MIB)
SPEC = ImageSpec("a", url="http://h/a")


def sha256(content: bytes) -> str:
    """Return a digest as it is shown."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@pytest.fixture
def file() -> t.Iterator[t.BinaryIO]:
    """Return an empty file."""
    with tempfile.TemporaryFile() as opened:
        yield t.cast(t.BinaryIO, opened)


def take(intake: Intake, content: bytes, step: int = MIB) -> None:
    """Give all of it in pieces."""
    for start in range(0, len(content), step):
        intake.update(content[start : start + step])


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize("step", [MIB, 7])
def test_is_stored(file: t.BinaryIO, pack: t.Callable[[bytes], bytes], step: int) -> None:
    """Both digests are known, and the checksum is of what came."""
    content = CONTENT if step > 7 else CONTENT[:5000]
    came = pack(content)
    intake = Intake(replace(SPEC, checksum=Checksum("sha512", hashlib.sha512(came).hexdigest())), file)
    take(intake, came, step)
    intake.verify("here")
    assert intake.digest == sha256(came)
    assert intake.content_digest == sha256(content)
    assert intake.received == len(came)
    file.seek(0)
    assert file.read() == content


def test_begins_anew(file: t.BinaryIO) -> None:
    """Nothing of the first attempt is left, though it was longer and packed."""
    intake = Intake(SPEC, file)
    take(intake, gzip.compress(CONTENT))
    intake.restart()
    assert intake.received == 0
    take(intake, b"short")
    intake.verify("here")
    assert intake.digest == intake.content_digest == sha256(b"short")
    file.seek(0)
    assert file.read() == b"short"


def test_limit_is_of_what_comes_out(file: t.BinaryIO) -> None:
    """A bomb of a few bytes is stopped, and nothing at all is stored of its zeros."""
    intake = Intake(replace(SPEC, max_size_gb=1), file)
    bomb = gzip.compress(bytes(64 * MIB), 1) * 17
    with pytest.raises(ImageError, match="Option max_size_gb: the image http://h/a is larger than 1 GiB"):
        take(intake, bomb)


def test_wrong_checksum_is_refused(file: t.BinaryIO) -> None:
    """Of what came, and not of what is in it."""
    declared = Checksum("sha256", hashlib.sha256(CONTENT).hexdigest())
    intake = Intake(replace(SPEC, checksum=declared), file)
    take(intake, gzip.compress(CONTENT))
    with pytest.raises(ImageError, match="Option checksum: the image at here has sha256:"):
        intake.verify("here")


@pytest.mark.parametrize(
    ("content", "convert_to", "told"),
    [
        (b"QFI\xfb" + bytes(MIB), None, [MIB + 4]),
        (b"QFI\xfb" + bytes(MIB), "qcow2", [MIB + 4]),
        (b"QFI\xfb" + bytes(MIB), "raw", []),
        (CONTENT, None, []),
        (gzip.compress(b"QFI\xfb" + bytes(MIB)), None, []),
    ],
)
def test_what_it_will_take_is_told_when_it_begins(
    file: t.BinaryIO, content: bytes, convert_to: str | None, told: list[int]
) -> None:
    """Only of what is stored as it comes, and has no holes."""
    seen: list[int] = []
    intake = Intake(replace(SPEC, convert_to=convert_to), file, announced=seen.append)
    intake.expect(len(content))
    intake.update(content[:11])
    assert seen == told
    intake.update(content[11:])
    assert seen == told
