# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What the passphrase of an encrypted volume takes: libvirt keeps it as a secret, and tells it to nobody. Pure.

A secret is finished when it is private, which is written last: what a run that was killed left is set again. Whether the
passphrase of a finished one is as declared, its description tells, since libvirt does not compare.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._errors import ConflictError, SpecError
from .._spec.encryption import OPTION, is_own_description
from .._spec.volume import StoredVolumeSpec
from .plan import Action, Change

SET_PASSPHRASE = "set_passphrase"
FORGET_PASSPHRASE = "forget_passphrase"


@dataclass(frozen=True)
class SecretState:
    """The secret of a volume as it is."""

    uuid: str
    description: str | None = None
    is_finished: bool = True

    @property
    def is_ours(self) -> bool:
        """Tell whether the collection made it."""
        return is_own_description(self.description)


def secret_of_new(spec: StoredVolumeSpec, secret: SecretState | None) -> t.Iterator[Action]:
    """Give what is to be done before a volume is made; a secret that is there already says nothing of it."""
    if secret is not None and not secret.is_ours:
        if spec.encryption is None:
            return
        raise ConflictError(
            f"Option encryption: libvirt has a secret {secret.uuid} for a volume {spec.name} of pool {spec.pool} already, which"
            " kilonova.compute did not make; remove it first (virsh secret-undefine).",
            {"option": "encryption"},
        )
    if spec.encryption is not None:
        yield Action(SET_PASSPHRASE, spec.name, (Change("volume.encryption", None, "luks"),))
    elif secret is not None:
        yield Action(FORGET_PASSPHRASE, spec.name)


def secret_of_existing(
    spec: StoredVolumeSpec, encrypted: bool, secret: SecretState | None, users: t.Sequence[str]
) -> t.Iterator[Action]:
    """Give what is to be done for a volume that is there; ``users`` are the guests that have it open."""
    if spec.encryption is None:
        return
    if not encrypted:
        raise SpecError(
            "encryption",
            f"volume {spec.name} is not encrypted, and can't become it in place",
            "make another volume with this one as its source, or leave encryption out",
        )
    if secret is None or (secret.is_ours and not secret.is_finished):
        if users:
            raise ConflictError(
                f"Option encryption: the passphrase of volume {spec.name} is not on this host any more, and whether the"
                f" declared one opens it can't be tried while it is used by {', '.join(users)}; stop that first.",
                {"option": "encryption", "users": list(users)},
            )
        yield Action(SET_PASSPHRASE, spec.name, (Change("volume.passphrase", None, "set"),))
    elif not spec.encryption.fits(secret.description or ""):
        raise SpecError(
            OPTION,
            f"it is not the one that volume {spec.name} was made with, and can't be changed",
            "declare that one, or make another volume with this one as its source",
        )


def secret_of_removed(spec: StoredVolumeSpec, secret: SecretState | None) -> t.Iterator[Action]:
    """Give what is to be done after a volume is removed."""
    if secret is not None and secret.is_ours:
        yield Action(FORGET_PASSPHRASE, spec.name)
