# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of the single devices that golden files do not show."""

from __future__ import annotations

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._spec.machine import Machine
from ansible_collections.kilonova.compute.plugins.module_utils._xml.domain import edit, read
from lxml import etree

QXL = (
    "<video><driver vgaconf='io'/><model type='qxl' ram='65536' vgamem='16384' primary='yes'/>"
    "<address type='pci' slot='0x01'/></video><video><model type='virtio'/></video>"
)


def _domain(devices: str) -> str:
    return f"<domain type='qemu'><name>m</name><devices>{devices}</devices></domain>"


def test_another_video_model_takes_what_is_only_of_the_old_one() -> None:
    """Memory sizes and address of the old card are none of the new one; a second card stays."""
    edited = edit(_domain(QXL), Machine("qemu", "m", video="vga"))
    videos = etree.fromstring(edited).findall("devices/video")
    assert [etree.tostring(video).decode() for video in videos] == [
        '<video><model type="vga"/></video>',
        '<video><model type="virtio"/></video>',
    ]


def test_the_same_video_model_keeps_its_details() -> None:
    """Nothing changes, nothing goes."""
    assert 'vgamem="16384"' in edit(_domain(QXL), Machine("qemu", "m", video="qxl"))


def test_adds_random_numbers_beside_a_source_of_another_kind() -> None:
    """A network source of random numbers is someone else's."""
    egd = "<rng model='virtio'><backend model='egd' type='udp'><source mode='connect' host='h'/></backend></rng>"
    edited = edit(_domain(egd), Machine("qemu", "m", rng="/dev/urandom"))
    assert read(edited).rng == "/dev/urandom"
    assert 'model="egd"' in edited


def test_changes_the_source_of_random_numbers() -> None:
    """The limit on its rate stays."""
    rng = "<rng model='virtio'><rate bytes='1024'/><backend model='random'>/dev/random</backend></rng>"
    edited = edit(_domain(rng), Machine("qemu", "m", rng="/dev/urandom"))
    assert read(edited).rng == "/dev/urandom"
    assert '<rate bytes="1024"/>' in edited
    assert len(etree.fromstring(edited).findall("devices/rng")) == 1


def test_no_balloon_has_no_statistics() -> None:
    """What belongs to a balloon goes with it."""
    balloon = "<memballoon model='virtio'><stats period='5'/><address type='pci' slot='0x06'/></memballoon>"
    edited = edit(_domain(balloon), Machine("qemu", "m", balloon="none"))
    assert '<memballoon model="none"/>' in edited
    kept = read(edit(_domain(balloon), Machine("qemu", "m", balloon="virtio")))
    assert (kept.balloon, kept.balloon_stats_seconds) == ("virtio", 5)


@pytest.mark.parametrize("devices", ["", "<memballoon model='virtio'/>"])
def test_statistics_make_a_balloon(devices: str) -> None:
    """Only a virtio balloon can give them."""
    machine = read(edit(_domain(devices), Machine("qemu", "m", balloon_stats_seconds=7)))
    assert (machine.balloon, machine.balloon_stats_seconds) == ("virtio", 7)


def test_another_scsi_controller_needs_another_address() -> None:
    """The first controller is meant; a second one stays."""
    scsi = (
        "<controller type='scsi' index='1' model='lsilogic'/>"
        "<controller type='scsi' index='0' model='lsilogic'><address type='pci' slot='0x05'/></controller>"
    )
    edited = edit(_domain(scsi), Machine("qemu", "m", scsi_model="virtio-scsi"))
    assert '<controller type="scsi" index="1" model="lsilogic"/>' in edited
    assert '<controller type="scsi" index="0" model="virtio-scsi"/>' in edited
    assert "slot" in edit(_domain(scsi), Machine("qemu", "m", scsi_model="lsilogic"))
