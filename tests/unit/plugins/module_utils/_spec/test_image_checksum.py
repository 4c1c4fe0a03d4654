# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests for finding an image's digest among others."""

from __future__ import annotations

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._errors import ImageError
from ansible_collections.kilonova.compute.plugins.module_utils._spec.image_checksum import Checksum, ChecksumFile

ONE, TWO, LONG = "1a" * 32, "2b" * 32, "3c" * 64
FILE = ChecksumFile("https://h/SHA256SUMS", "d.qcow2")


@pytest.mark.parametrize(
    "text",
    [
        f"{ONE}  d.qcow2\n{TWO}  e.qcow2\n",
        f"{ONE} *d.qcow2\r\n",
        f"{TWO}  old-d.qcow2\n{ONE.upper()}  ./images/d.qcow2",
        f"SHA256 (d.qcow2) = {ONE}\nSHA256 (e.qcow2) = {TWO}\n",
        f"# d.qcow2: 1 bytes\nSHA256 (d.qcow2) = {ONE}\n-----BEGIN PGP SIGNATURE-----\n",
        f"{ONE}  d.qcow2\n{ONE}  d.qcow2\n",
        f"{'4d' * 16}  d.qcow2\n{'5e' * 20}  d.qcow2\n{ONE}  d.qcow2\n",
        f"MD5 (d.qcow2) = {'4d' * 16}\nSHA256 (d.qcow2) = {ONE}\n",
    ],
)
def test_picks_the_line_of_the_image(text: str) -> None:
    """In both styles, whatever else is in the file."""
    assert FILE.pick(text, "there") == Checksum("sha256", ONE)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no sha256, sha384 or sha512 digest of d.qcow2"),
        (f"{ONE}\n", "no sha256"),
        (f"{ONE}  D.qcow2\n", "no sha256"),
        (f"{'4d' * 16}  d.qcow2\n", "no sha256"),
        (f"{ONE[:-1]}  d.qcow2\n", "no sha256"),
        (f"SHA512 (d.qcow2) = {ONE}\n", "no sha256"),
        (f"{ONE}  a/d.qcow2\n{TWO}  b/d.qcow2\n", "2 different sha256 digests of d.qcow2"),
        ("<html>d.qcow2</html>", "no sha256"),
    ],
)
def test_none_and_two_are_refused(text: str, words: str) -> None:
    """With the place and what to do instead."""
    with pytest.raises(ImageError) as caught:
        FILE.pick(text, "there")
    assert caught.value.message.startswith("Option checksum: the file at there has ")
    assert words in caught.value.message


def test_kinds() -> None:
    """The strongest is taken, or the one that was asked for."""
    text = f"SHA256 (d.qcow2) = {ONE}\nSHA512 (d.qcow2) = {LONG}\n"
    assert FILE.pick(text, "there") == Checksum("sha512", LONG)
    assert ChecksumFile(FILE.url, FILE.name, "sha256").pick(text, "there") == Checksum("sha256", ONE)
    with pytest.raises(ImageError, match="no sha384 digest"):
        ChecksumFile(FILE.url, FILE.name, "sha384").pick(text, "there")


def test_what_is_a_url() -> None:
    """With an algorithm before it or not; a digest is none."""
    assert ChecksumFile.parse(" https://h/S ", "a") == ChecksumFile("https://h/S", "a")
    assert ChecksumFile.parse("SHA512:http://h/S", "a") == ChecksumFile("http://h/S", "a", "sha512")
    assert ChecksumFile.parse("file:///S", "a") == ChecksumFile("file:///S", "a")
    assert ChecksumFile.parse(f"sha256:{ONE}", "a") is None
