# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of what the passphrase of a volume takes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._errors import ConflictError, SpecError
from ansible_collections.kilonova.compute.plugins.module_utils._plan.volume import VolumeState, plan_volume
from ansible_collections.kilonova.compute.plugins.module_utils._plan.volume_secret import SecretState
from ansible_collections.kilonova.compute.plugins.module_utils._spec.encryption import EncryptionSpec
from ansible_collections.kilonova.compute.plugins.module_utils._spec.volume import StoredVolumeSpec

MIB = 1024**2
UUID = "86856312-8f70-5740-a102-117e4bae2e22"
KEY = EncryptionSpec("Tuberose")
SPEC = StoredVolumeSpec("a", size=10 * MIB, encryption=KEY)
OURS = SecretState(UUID, KEY.description())
FOREIGN = SecretState(UUID, "made by hand", is_finished=False)
NEW = VolumeState()
THERE = VolumeState(10 * MIB, "qcow2", encrypted=True)


def steps(spec: StoredVolumeSpec, state: VolumeState, secret: SecretState | None) -> list[str]:
    """Return the planned steps in words."""
    return [action.verb for action in plan_volume(spec, replace(state, secret=secret)).actions]


@pytest.mark.parametrize("left", [None, OURS, replace(OURS, is_finished=False)])
def test_a_new_volume_gets_its_passphrase_first(left: SecretState | None) -> None:
    """Whatever a run that was killed left of it, which may be another one; and without one, nothing stays of that."""
    assert steps(SPEC, NEW, left) == ["set_passphrase", "create_volume"]
    plain = replace(SPEC, encryption=None)
    assert steps(plain, NEW, left) == (["forget_passphrase"] if left else []) + ["create_volume"]


def test_a_secret_that_is_not_ours_is_not_touched() -> None:
    """It is in the way of a new volume, opens one that is there, and stays when that goes."""
    with pytest.raises(ConflictError, match="did not make"):
        steps(SPEC, NEW, FOREIGN)
    assert steps(replace(SPEC, encryption=None), NEW, FOREIGN) == ["create_volume"]
    assert steps(SPEC, THERE, FOREIGN) == []
    assert steps(StoredVolumeSpec("a", present=False), THERE, FOREIGN) == ["delete_volume"]


def test_what_was_lost_is_set_again() -> None:
    """Unless a guest has the volume open, under which it can't be tried."""
    assert steps(SPEC, THERE, OURS) == []
    for left in (None, replace(OURS, is_finished=False)):
        assert steps(SPEC, THERE, left) == ["set_passphrase"]
        with pytest.raises(ConflictError, match="used by web-1; stop that first"):
            steps(SPEC, replace(THERE, guests=("web-1",)), left)
    with pytest.raises(SpecError, match="declare it to have it set again"):
        steps(StoredVolumeSpec("a", size=20 * MIB), THERE, None)
    assert steps(StoredVolumeSpec("a", size=20 * MIB), replace(THERE, guests=("web-1",)), None) == ["grow_volume"]


def test_another_passphrase_is_refused() -> None:
    """As is one for a volume that is not encrypted."""
    with pytest.raises(SpecError, match="not the one that volume a was made with"):
        steps(replace(SPEC, encryption=EncryptionSpec("petrichor")), THERE, OURS)
    with pytest.raises(SpecError, match="can't become it in place"):
        steps(SPEC, replace(THERE, encrypted=False), None)


def test_it_goes_with_the_volume() -> None:
    """After it, and also where only it is left."""
    gone = StoredVolumeSpec("a", present=False)
    assert steps(gone, THERE, OURS) == ["delete_volume", "forget_passphrase"]
    assert steps(gone, NEW, OURS) == ["forget_passphrase"]
    assert steps(gone, NEW, None) == []
