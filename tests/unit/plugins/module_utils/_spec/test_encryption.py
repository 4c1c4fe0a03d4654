# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of how a passphrase is recognised."""

from __future__ import annotations

from ansible_collections.kilonova.compute.plugins.module_utils._spec.encryption import (
    EncryptionSpec,
    is_own_description,
)

ONE = EncryptionSpec("Tuberose")


def test_a_passphrase_is_recognised_by_what_does_not_tell_it() -> None:
    """Most others do not fit, and all volumes of one tell the same; of a secret that somebody else made nothing is known."""
    told = ONE.description()
    assert is_own_description(told)
    assert told == EncryptionSpec("Tuberose").description()
    assert len(told) == len("Made by kilonova.compute, check 00")
    assert ONE.fits(told)
    assert not EncryptionSpec("petrichor").fits(told)
    assert ONE.fits("made by hand")
    assert not any(is_own_description(other) for other in ("made by hand", None, told + "0"))


def test_nothing_shows_it() -> None:
    """An error that shows the declaration does not show the passphrase."""
    assert "Tuberose" not in repr(ONE)
    assert ONE.value == b"Tuberose"
