# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of what it takes to attach a volume, and to detach it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._errors import ConflictError, SpecError
from ansible_collections.kilonova.compute.plugins.module_utils._plan.attachment import (
    AttachmentState,
    Member,
    new_disk,
    plan_attachment,
)
from ansible_collections.kilonova.compute.plugins.module_utils._spec.attachment import AttachmentSpec
from ansible_collections.kilonova.compute.plugins.module_utils._spec.machine import Disk
from ansible_collections.kilonova.compute.plugins.module_utils._spec.volume import StoredVolumeSpec

DISK = Disk("vdb", "virtio", source="/pool/a", serial="a")
FREE = Member("web-1", is_active=True, is_running=True, targets=frozenset({"vda"}))
HAS_IT = replace(FREE, defined=DISK, plugged=DISK)
OTHER = replace(HAS_IT, name="web-2")


def spec(instance: str | None = "web-1", bus: str | None = None, serial: str | None = None) -> StoredVolumeSpec:
    """Declare where the volume shall be."""
    return StoredVolumeSpec("a", attachment=AttachmentSpec(instance, bus, serial))


def steps(
    declared: StoredVolumeSpec, *holders: Member, goal: Member | None = None, others: tuple[str, ...] = ()
) -> list[str]:
    """Return the planned steps in words."""
    return [action.describe() for action in plan_attachment(declared, AttachmentState(goal, holders, others))]


@pytest.mark.parametrize(
    ("goal", "expected"),
    [
        (FREE, ["attach_volume web-1/a"]),
        (HAS_IT, []),
        (replace(HAS_IT, is_active=False, plugged=None), []),
        (replace(HAS_IT, plugged=None), ["attach_volume web-1/a"]),
        (replace(HAS_IT, defined=None), ["attach_volume web-1/a"]),
    ],
)
def test_it_is_attached_where_it_is_not(goal: Member, expected: list[str]) -> None:
    """To the definition, and to the guest where there is one."""
    assert steps(spec(), goal=goal) == expected


def test_the_disk() -> None:
    """It gets the first free target and the serial number of its name; what is there by half stays what it is."""
    known = Disk("", source="/pool/a", format="raw", secret="uuid")
    assert new_disk(spec(), FREE, known) == replace(known, target="vdb", bus="virtio", serial="a")
    assert new_disk(spec(bus="scsi", serial="x"), FREE, known) == replace(known, target="sda", bus="scsi", serial="x")
    half = replace(HAS_IT, defined=None, plugged=Disk("vdk", "virtio", serial="k"))
    assert new_disk(spec(), half, known) == replace(known, target="vdk", bus="virtio", serial="k")


def test_it_is_detached_from_whoever_has_it() -> None:
    """And from nobody where nobody has it."""
    assert steps(spec(None)) == []
    assert steps(spec(None), HAS_IT) == ["detach_volume web-1/a"]
    assert steps(spec(None), replace(HAS_IT, is_active=False, is_running=False, plugged=None)) == [
        "detach_volume web-1/a"
    ]


@pytest.mark.parametrize(
    ("holder", "words"),
    [
        (replace(HAS_IT, is_declared=True), "leave it out there"),
        (replace(HAS_IT, is_ours=False), "was not created by kilonova.compute"),
        (replace(HAS_IT, obstacle="is rescued"), "web-1 is rescued"),
        (replace(HAS_IT, is_running=False), "resume or stop it first"),
    ],
)
def test_it_stays_where_it_must(holder: Member, words: str) -> None:
    """Each says what is to be done first."""
    with pytest.raises(ConflictError, match=words):
        steps(spec(None), holder)
    with pytest.raises(ConflictError, match="through another volume"):
        steps(spec(None), others=("volume b of pool p",))


def test_it_is_not_given_to_two() -> None:
    """Nor to what is not ours, nor otherwise than it is."""
    with pytest.raises(ConflictError, match="used by domain web-2, volume b of pool p"):
        steps(spec(), OTHER, goal=FREE, others=("volume b of pool p",))
    with pytest.raises(ConflictError, match="was not created"):
        steps(spec(), goal=replace(FREE, is_ours=False))
    for declared in (spec(serial="x"), spec(bus="scsi")):
        with pytest.raises(SpecError, match="is attached to web-1 with"):
            steps(declared, goal=HAS_IT)
    with pytest.raises(SpecError, match="no virtio-scsi controller"):
        steps(spec(bus="scsi"), goal=FREE)
    assert steps(spec(bus="scsi"), goal=replace(FREE, scsi=True)) == ["attach_volume web-1/a"]
