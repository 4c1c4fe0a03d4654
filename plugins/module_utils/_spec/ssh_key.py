# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The form of a public SSH key, as it stands in a file such as ``id_ed25519.pub``."""

from __future__ import annotations

import base64
import re
import struct

from .._errors import SpecError

_TYPES = frozenset(
    {
        "ecdsa-sha2-nistp256",
        "ecdsa-sha2-nistp384",
        "ecdsa-sha2-nistp521",
        "sk-ecdsa-sha2-nistp256@openssh.com",
        "sk-ssh-ed25519@openssh.com",
        "ssh-ed25519",
        "ssh-rsa",
    }
)
_KEY = re.compile(r"(\S+) +([A-Za-z0-9+/]+={0,2})(?: +[^\x00-\x1f\x7f]*)?")
_REMEDY = "give the one line of a file such as id_ed25519.pub: type, key, comment"
_LENGTH_BYTES = 4


def check_ssh_key(option: str, value: str) -> str:
    """Return a public key without surrounding space, or refuse it."""
    if "PRIVATE KEY" in value:
        raise SpecError(option, "it is a private key", _REMEDY)
    key = value.strip()
    found = _KEY.fullmatch(key)
    if found is None:
        raise SpecError(option, "it is not a public SSH key", _REMEDY)
    if found[1] not in _TYPES:
        raise SpecError(option, f"it begins with {found[1]!r}", f"begin with one of {', '.join(sorted(_TYPES))}")
    if _inner_type(found[2]) != found[1].encode():
        raise SpecError(option, f"its second word is not a key of type {found[1]}", _REMEDY)
    return key


def _inner_type(encoded: str) -> bytes:
    """Return the type that a key states in its encoded part."""
    try:
        blob = base64.b64decode(encoded, validate=True)
    except ValueError:
        return b""
    if len(blob) < _LENGTH_BYTES:
        return b""
    (length,) = struct.unpack_from(">I", blob)
    return blob[_LENGTH_BYTES : _LENGTH_BYTES + length] if len(blob) > _LENGTH_BYTES + length else b""
