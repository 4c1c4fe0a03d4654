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
SALT = "86856312-8f70-5740-a102-117e4bae2e22"


def test_a_passphrase_is_recognised_by_what_does_not_tell_it() -> None:
    """Another one does not fit, nor the same one elsewhere; of a secret that somebody else made nothing is known."""
    told = ONE.description(SALT)
    assert is_own_description(told)
    assert ONE.fits(told, SALT)
    assert not EncryptionSpec("petrichor").fits(told, SALT)
    assert not ONE.fits(told, SALT.replace("8", "9"))
    assert ONE.fits("made by hand", SALT)
    assert not any(is_own_description(other) for other in ("made by hand", None, told + "0"))


def test_nothing_shows_it() -> None:
    """An error that shows the declaration does not show the passphrase."""
    assert "Tuberose" not in repr(ONE)
    assert ONE.value == b"Tuberose"
