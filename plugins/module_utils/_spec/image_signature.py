# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""A detached OpenPGP signature: what is declared of it, and what gpg's status lines say."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from .._errors import ImageError, SpecError
from .local_path import local_path

_ARMOR = "-----BEGIN PGP "
_PUBLIC = _ARMOR + "PUBLIC KEY BLOCK-----"
_STRONG_HASHES = frozenset({"8", "9", "10", "11", "12", "14"})
"""SHA-2 and SHA-3, by OpenPGP's numbers."""
_DOCUMENT_CLASSES = frozenset({"00", "01"})
_VALIDSIG_FIELDS = 9
_FINGERPRINT_FIELD = 9
_PROBLEMS = {
    "BADSIG": "it is not of what was fetched, or one of both was changed",
    "REVKEYSIG": "its key is revoked",
    "EXPKEYSIG": "its key has expired",
    "EXPSIG": "it has expired",
    "NO_PUBKEY": "it was made with a key that is none of signing_keys",
    "ERRSIG": "it can't be verified",
    "NODATA": "it is no detached OpenPGP signature",
}
"""In the order in which they matter."""


@dataclass(frozen=True)
class ImageSignature:
    """Where a signature is, and whose it must be."""

    url: str
    """With http, https or file."""
    keys: tuple[str, ...]
    """Each a public key as text, or the path of a file with some."""
    of_checksums: bool = False
    """It is of the file of checksums, and else of the image as it is fetched."""

    @staticmethod
    def from_params(params: t.Mapping[str, t.Any], of_checksums: bool, is_file: bool) -> ImageSignature | None:
        """Check a module's parameters, of an image with a file of checksums, or that is itself a file or at a URL."""
        place, keys = params.get("signature"), params.get("signing_keys")
        if not place and not keys:
            return None
        if not place:
            raise SpecError("signing_keys", "there is no signature for them", "set option signature too")
        if not keys:
            raise SpecError("signature", "nobody is trusted to have made it", "set option signing_keys too")
        if not of_checksums and not is_file:
            raise SpecError(
                "signature",
                "it is of a file, and the image comes from none",
                "set checksum to the URL of signed checksums",
            )
        return ImageSignature(_url(place), tuple(_key(key) for key in keys), of_checksums)


def is_key_text(key: str) -> bool:
    """Tell whether a declared key is the key itself."""
    return key.startswith(_ARMOR)


def signer(status: str) -> str:
    """Return the fingerprint of the key that made a good signature, by gpg's status lines, or say what is wrong.

    A signature by any other key beside it does not matter, a bad one does.
    """
    words = [line.split()[1:] for line in status.splitlines() if line.startswith("[GNUPG:] ")]
    found = {line[0] for line in words if line}
    good, fingerprint = False, None
    for line in words:
        if line[:1] == ["NEWSIG"]:
            good = False
        elif line[:1] == ["GOODSIG"]:
            good = True
        elif line[:1] == ["VALIDSIG"] and good and len(line) > _VALIDSIG_FIELDS:
            if line[8] not in _STRONG_HASHES:
                raise ImageError(
                    "Option signature: it is refused: it uses a hash that is broken; nothing was published."
                )
            if line[9] in _DOCUMENT_CLASSES:
                fingerprint = line[10] if len(line) > _VALIDSIG_FIELDS + 1 else line[1]
    if fingerprint and "BADSIG" not in found:
        return fingerprint
    problem = next((words for key, words in _PROBLEMS.items() if key in found), _PROBLEMS["NODATA"])
    raise ImageError(f"Option signature: it is refused: {problem}; nothing was published.")


def key_fingerprints(listing: str) -> frozenset[str]:
    """Return the fingerprints of the keys that gpg lists with colons, but of those that are revoked."""
    found = set()
    is_next = False
    for line in listing.splitlines():
        kind, *fields = line.split(":")
        if kind == "pub":
            is_next = fields[:1] != ["r"]
        elif kind == "fpr" and is_next and len(fields) >= _FINGERPRINT_FIELD:
            found.add(fields[_FINGERPRINT_FIELD - 1])
            is_next = False
    return frozenset(found)


def _url(place: str) -> str:
    try:
        parts = urlsplit(place)
        server = parts.hostname
    except ValueError as exc:
        raise SpecError(
            "signature", "it is not a URL", "give it as http://, https:// or file:///, or as a path"
        ) from exc
    if parts.scheme.lower() in ("http", "https") and server:
        return place
    if parts.scheme.lower() == "file" and server in (None, "localhost"):
        return "file://" + local_path("signature", unquote(parts.path))
    return "file://" + local_path("signature", place)


def _key(key: str) -> str:
    text = key.strip()
    if text.startswith(_PUBLIC):
        return text + "\n"
    if text.startswith(_ARMOR):
        raise SpecError("signing_keys", "one of them is no public key", f"it begins with {_PUBLIC}")
    return local_path("signing_keys", text)
