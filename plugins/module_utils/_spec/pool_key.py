# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The key or password by which a pool's storage is reached, as libvirt is to keep it in a secret of the pool's own."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field

from .._errors import SpecError
from .encryption import describe_value, fits_value

OPTION = "source.auth.key"
USAGES = {"rbd": "ceph", "iscsi": "iscsi"}
"""What libvirt calls a secret that is for a pool of that type."""
_RANDOM_BYTES = 8
"""How much of a digest stands with the key of a Ceph user, which nobody can guess; a password might be."""


@dataclass(frozen=True)
class PoolKey:
    """What opens a pool's storage; nothing shows ``value``."""

    usage: str
    value: bytes = field(repr=False)

    @staticmethod
    def from_text(text: str, pool_type: str) -> PoolKey:
        """Check option ``source.auth.key`` of a pool of that type."""
        usage = USAGES.get(pool_type)
        if usage is None:
            raise SpecError(OPTION, f"a pool of type {pool_type} has no use for it", "leave it out")
        if not text or not text.isprintable():
            raise SpecError(OPTION, "it is empty, or no text of one line", "give the key or the password")
        if usage != "ceph":
            return PoolKey(usage, text.encode("utf-8"))
        try:
            value = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            value = b""
        if not value:
            raise SpecError(OPTION, "it is not the key of a Ceph user", "give what ceph auth get-key prints")
        return PoolKey(usage, value)

    def description(self) -> str:
        """Return what stands with the secret, by which the key is recognised."""
        return describe_value(self.value, _RANDOM_BYTES) if self.usage == "ceph" else describe_value(self.value)

    def fits(self, description: str | None) -> bool:
        """Tell whether the secret with that description holds this key, as far as it says."""
        return fits_value(description or "", self.value)


def secret_usage(pool: str) -> str:
    """Return what the secret of the pool's own is for, as its definition says."""
    return f"kilonova.compute pool {pool}"
