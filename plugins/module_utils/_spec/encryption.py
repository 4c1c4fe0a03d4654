# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""How a user declares that a volume is encrypted, and how a passphrase is recognised without being told."""

from __future__ import annotations

import hashlib
import hmac
import re
import typing as t
from dataclasses import dataclass, field

from .._errors import SpecError

OPTION = "encryption.passphrase"
_ROUNDS = 200_000
_BYTES = 1
"""So few never confirm a guess."""
_SALT = b"kilonova.compute encryption.passphrase"
"""One for all: with a salt each, all volumes of a passphrase together would tell it from every other."""
_CHECK = re.compile(r"Made by kilonova\.compute, check ((?:[0-9a-f]{2})+)")


@dataclass(frozen=True)
class EncryptionSpec:
    """A volume is encrypted with LUKS, and opened with ``passphrase``, which nothing shows."""

    passphrase: str = field(repr=False)

    @staticmethod
    def from_params(params: t.Mapping[str, t.Any] | None) -> EncryptionSpec | None:
        """Check option ``encryption``."""
        if params is None:
            return None
        passphrase = params["passphrase"]
        if not passphrase:
            raise SpecError(OPTION, "it is empty", "give some text that nobody guesses")
        if not passphrase.isprintable():
            raise SpecError(OPTION, "it has a line break or another control character", "give text of one line")
        return EncryptionSpec(passphrase)

    @property
    def value(self) -> bytes:
        """Return what libvirt is given."""
        return self.passphrase.encode("utf-8")

    def description(self) -> str:
        """Return what stands with a secret whose value this passphrase is."""
        return describe_value(self.value)

    def fits(self, description: str) -> bool:
        """Tell whether the secret with that description was made with this passphrase; of 256 others one fits too."""
        return fits_value(description, self.value)


def describe_value(value: bytes, length: int = _BYTES) -> str:
    """Return what stands with a secret of the collection, with so many bytes by which its value is recognised."""
    return f"Made by kilonova.compute, check {_digest(value, length)}"


def fits_value(description: str, value: bytes) -> bool:
    """Tell whether the secret with that description was made with this value, as far as it says."""
    found = _CHECK.fullmatch(description)
    return found is None or hmac.compare_digest(found[1], _digest(value, len(found[1]) // 2))


def is_own_description(description: str | None) -> bool:
    """Tell whether a secret was made by the collection."""
    return _CHECK.fullmatch(description or "") is not None


def _digest(value: bytes, length: int) -> str:
    """Return bytes that most mistaken values have not: everybody who may read libvirt's XML sees them. They are slow to compute."""
    return hashlib.pbkdf2_hmac("sha256", value, _SALT, _ROUNDS, length).hex()
