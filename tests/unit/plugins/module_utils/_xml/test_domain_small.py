# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of small devices that golden files do not show."""

from __future__ import annotations

from ansible_collections.kilonova.compute.plugins.module_utils._spec.machine import Machine, Vsock, Watchdog
from ansible_collections.kilonova.compute.plugins.module_utils._xml.domain import edit, read

SMALL = (
    "<domain><devices><input type='mouse' bus='ps2'/><input type='tablet' bus='usb'><address type='usb' bus='0'/></input>"
    "<sound model='ich6'><codec type='micro'/><audio id='1'/><address type='pci' slot='0x04'/></sound>"
    "<watchdog model='itco' action='reset'/><vsock model='virtio'><cid auto='no' address='5'/>"
    "<address type='pci' slot='0x05'/></vsock></devices></domain>"
)


def test_another_bus_needs_another_address() -> None:
    """The mouse is not the tablet."""
    edited = edit(SMALL, Machine("kvm", "m", tablet="virtio"))
    assert read(edited).tablet == "virtio"
    assert 'type="usb"' not in edited
    assert 'type="mouse"' in edited
    assert 'type="usb"' in edit(SMALL, Machine("kvm", "m", tablet="usb"))


def test_another_sound_card_takes_what_is_only_of_the_old_one() -> None:
    """Where the sound goes stays."""
    edited = edit(SMALL, Machine("kvm", "m", sound="ich9"))
    assert read(edited).sound == "ich9"
    assert "<codec" not in edited
    assert "<audio" in edited
    assert "<codec" in edit(SMALL, Machine("kvm", "m", sound="ich6"))


def test_a_watchdog_stands_beside_that_of_the_chip_set() -> None:
    """Libvirt may have added one by itself."""
    edited = read(edit(SMALL, Machine("kvm", "m", watchdogs=(Watchdog("i6300esb", "pause"), Watchdog("itco")))))
    assert edited.watchdogs == (Watchdog("itco", "reset"), Watchdog("i6300esb", "pause"))


def test_libvirt_chooses_a_number_anew() -> None:
    """A number that was given is none that was chosen; the device's own address stays."""
    edited = edit(SMALL, Machine("kvm", "m", vsock=Vsock(auto=True)))
    assert read(edited).vsock == Vsock(auto=True)
    assert 'slot="0x05"' in edited
