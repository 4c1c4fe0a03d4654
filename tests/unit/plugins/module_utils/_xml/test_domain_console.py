# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of graphical and serial consoles and channels that golden files do not show."""

from __future__ import annotations

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._spec.machine import Channel, Graphics, Machine, Serial
from ansible_collections.kilonova.compute.plugins.module_utils._xml.domain import edit, read
from lxml import etree


def _domain(devices: str) -> str:
    return f"<domain type='qemu'><name>m</name><devices>{devices}</devices></domain>"


def _graphics(devices: str, graphics: Graphics) -> str:
    return edit(_domain(devices), Machine("qemu", "m", graphics=(graphics,)))


@pytest.mark.parametrize(
    "devices",
    [
        "<graphics type='vnc' listen='0.0.0.0'><listen type='address' address='0.0.0.0'/></graphics>",
        "<graphics type='vnc' listen='0.0.0.0'/>",
        "<graphics type='vnc'><listen type='network' network='lan' address='192.0.2.1'/></graphics>",
        "<graphics type='vnc'><listen type='none'/></graphics>",
        "<graphics type='vnc'/>",
    ],
)
def test_listens_in_one_place_only(devices: str) -> None:
    """Both ways to say it cannot disagree afterwards."""
    edited = _graphics(devices, Graphics("vnc", listen="127.0.0.1"))
    assert read(edited).graphics[0].listen == "127.0.0.1"
    listeners = etree.fromstring(edited).findall("devices/graphics/listen")
    assert [dict(listener.attrib) for listener in listeners] == [{"type": "address", "address": "127.0.0.1"}]
    assert etree.fromstring(edited).find("devices/graphics[@listen]") is None


def test_a_chosen_port_ends_a_fixed_one() -> None:
    """With autoport the old number means nothing."""
    edited = _graphics("<graphics type='vnc' port='5901' autoport='no' passwd='p'/>", Graphics("vnc", autoport=True))
    assert read(edited).graphics == (Graphics("vnc", autoport=True),)
    assert 'passwd="p"' in edited


def test_a_fixed_port_ends_a_chosen_one() -> None:
    """The number -1 of a port not chosen yet is replaced."""
    edited = _graphics("<graphics type='vnc' port='-1' autoport='yes'/>", Graphics("vnc", port=5907, autoport=False))
    assert read(edited).graphics == (Graphics("vnc", port=5907, autoport=False),)


def test_a_second_console_of_another_type_is_added() -> None:
    """The first of its type is edited, another type is left alone."""
    devices = "<graphics type='spice' keymap='fr'/><graphics type='vnc' keymap='fr'/><graphics type='vnc'/>"
    machine = read(_graphics(devices, Graphics("vnc", keymap="de")))
    assert [(graphics.type, graphics.keymap) for graphics in machine.graphics] == [
        ("spice", "fr"),
        ("vnc", "de"),
        ("vnc", None),
    ]
    assert len(read(_graphics(devices, Graphics("rdp"))).graphics) == 4


def test_another_type_of_serial_port_takes_the_old_source_away() -> None:
    """A file's path is none of a pty."""
    devices = (
        "<serial type='file'><source path='/old.txt'/><target type='isa-serial' port='0'/><alias name='s'/></serial>"
        "<console type='file'><source path='/old.txt'/><target type='serial' port='0'/></console>"
    )
    edited = edit(_domain(devices), Machine("qemu", "m", serials=(Serial("pty", log="/log", log_append=True),)))
    assert read(edited).serials == (Serial("pty", 0, "/log", True),)
    serial = etree.fromstring(edited).find("devices/serial")
    assert serial is not None
    assert serial.find("source") is None
    assert serial.find("alias") is not None
    assert len(etree.fromstring(edited).findall("devices/console")) == 1


def test_finds_a_serial_port_by_its_number() -> None:
    """A port without a number has that of its place."""
    devices = "<serial type='pty'/><serial type='pty'><target port='7'/></serial><serial type='pty'/>"
    wanted = (Serial("pty", 2, log="/two"), Serial("pty", 7, log="/seven"), Serial("pty", 9, log="/nine"))
    serials = read(edit(_domain(devices), Machine("qemu", "m", serials=wanted))).serials
    assert [(serial.port, serial.log) for serial in serials] == [
        (0, None),
        (7, "/seven"),
        (2, "/two"),
        (9, "/nine"),
    ]


def test_a_channel_that_is_there_is_not_added_again() -> None:
    """Its name is what counts; another type has another source."""
    devices = (
        "<channel type='pty'><source path='/dev/pts/3'/><target type='virtio' name='org.qemu.guest_agent.0'/></channel>"
        "<channel type='pty'><target type='guestfwd' address='10.0.2.1' port='4600'/></channel>"
    )
    agent, other = Channel("org.qemu.guest_agent.0"), Channel("com.example.other")
    edited = edit(_domain(devices), Machine("qemu", "m", channels=(agent, other)))
    assert read(edited).channels == (agent, other)
    assert len(etree.fromstring(edited).findall("devices/channel")) == 3
    assert "pts" not in edited
