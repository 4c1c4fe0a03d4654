# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The digest that an image must have: declared, or to be found by the image's name in a file such as SHA256SUMS."""

from __future__ import annotations

import posixpath
import re
import typing as t
from dataclasses import dataclass

from .._errors import ImageError, SpecError

_DIGEST_LENGTHS = {"sha256": 64, "sha384": 96, "sha512": 128}
_GNU = re.compile(r"\\?([0-9a-fA-F]+)\s+\*?(\S.*)")
_BSD = re.compile(r"(\w+)\s*\((.+)\)\s*=\s*([0-9a-fA-F]+)")
_URL = re.compile(r"(?:(\w+):)?((?:https?|file)://.+)", re.IGNORECASE)


@dataclass(frozen=True)
class Checksum:
    """A digest that the image must have."""

    algorithm: str
    value: str

    @staticmethod
    def parse(text: str) -> Checksum:
        """Read ``algorithm:hexadecimal``."""
        algorithm, colon, value = text.strip().partition(":")
        algorithm, value = algorithm.lower(), value.strip().lower()
        remedy = (
            "give it as sha256:<64 hexadecimal digits>, or with sha384 or sha512, or as the URL of a file of checksums"
        )
        if not colon or algorithm not in _DIGEST_LENGTHS:
            raise SpecError("checksum", f"{text!r} does not begin with sha256:, sha384: or sha512:", remedy)
        if not re.fullmatch(f"[0-9a-f]{{{_DIGEST_LENGTHS[algorithm]}}}", value):
            raise SpecError("checksum", f"{text!r} is not an {algorithm} digest", remedy)
        return Checksum(algorithm, value)

    def __str__(self) -> str:
        """Return it as a user writes it."""
        return f"{self.algorithm}:{self.value}"


@dataclass(frozen=True)
class ChecksumFile:
    """Where checksums of several files are, and by which name to look for the image's."""

    url: str
    name: str
    algorithm: str | None = None
    """The only one to take."""

    @staticmethod
    def parse(text: str, name: str) -> ChecksumFile | None:
        """Read ``URL`` or ``algorithm:URL``; None for what is no URL. An image called ``name`` is looked for."""
        found = _URL.fullmatch(text.strip())
        if not found:
            return None
        algorithm = found[1].lower() if found[1] else None
        if algorithm not in (None, *_DIGEST_LENGTHS):
            raise SpecError("checksum", f"the algorithm {algorithm} is not accepted", "use sha256, sha384 or sha512")
        if not name:
            raise SpecError(
                "checksum", "the URL of the image ends in no file name to look for", "give the digest itself"
            )
        return ChecksumFile(found[2], name, algorithm)

    def pick(self, text: str, shown_url: str) -> Checksum:
        """Return the one checksum that ``text`` has of the image: the strongest, if there are several kinds."""
        found = {entry for name, entry in _entries(text) if posixpath.basename(name.strip()) == self.name}
        wanted = [entry for entry in found if self.algorithm in (None, entry.algorithm)]
        longest = max((len(entry.value) for entry in wanted), default=0)
        picked = [entry for entry in wanted if len(entry.value) == longest]
        if len(picked) == 1:
            return picked[0]
        kind = self.algorithm or "sha256, sha384 or sha512"
        many = f"{len(picked)} different {picked[0].algorithm} digests" if picked else f"no {kind} digest"
        raise ImageError(f"Option checksum: the file at {shown_url} has {many} of {self.name}; give the digest itself.")


def _entries(text: str) -> t.Iterator[tuple[str, Checksum]]:
    for line in (line.strip() for line in text.splitlines()):
        if found := _BSD.fullmatch(line):
            algorithm, name, value = found[1].lower(), found[2], found[3].lower()
        elif found := _GNU.fullmatch(line):
            value, name = found[1].lower(), found[2]
            algorithm = next((name for name, length in _DIGEST_LENGTHS.items() if length == len(value)), "")
        else:
            continue
        if _DIGEST_LENGTHS.get(algorithm) == len(value):
            yield name, Checksum(algorithm, value)
