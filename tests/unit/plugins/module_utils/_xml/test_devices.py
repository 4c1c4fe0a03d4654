# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of single devices: what is rendered alone is what stands in a whole definition."""

from __future__ import annotations

import typing as t
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._spec.machine import (
    Channel,
    Disk,
    Filesystem,
    Graphics,
    Hostdev,
    Machine,
    Nic,
    Serial,
    Tpm,
    Vsock,
    Watchdog,
)
from ansible_collections.kilonova.compute.plugins.module_utils._xml.devices import (
    KINDS,
    edit_device,
    find_device_xml,
    remove_devices,
    render_channel,
    render_device,
    render_disk,
    render_filesystem,
    render_graphics,
    render_hostdev,
    render_nic,
    render_rng,
    render_vsock,
    render_watchdog,
)
from ansible_collections.kilonova.compute.plugins.module_utils._xml.document import XmlError
from ansible_collections.kilonova.compute.plugins.module_utils._xml.domain import edit, read, render
from ansible_collections.kilonova.compute.tests.unit.plugins.module_utils._xml.examples import EXAMPLES
from lxml import etree

DATA = Path(__file__).parent / "data"
DISK = Disk("vda", "virtio", source="/a & b.qcow2", format="qcow2", cache="none")
NIC = Nic("52:54:00:AB:00:01", "network", "lan", model="virtio")
PCI = Hostdev("0000:00:1f.6", managed=True)
FIELDS = {
    "disk": ("disks", "target"),
    "nic": ("nics", "mac"),
    "graphics": ("graphics", "type"),
    "channel": ("channels", "name"),
    "watchdog": ("watchdogs", "model"),
    "hostdev": ("hostdevs", "address"),
    "filesystem": ("filesystems", "target"),
}
"""By kind: the field of a machine that holds such devices, and what identifies one."""
DEVICES = [
    pytest.param(kind, device, getattr(device, key), id=f"{name}-{kind}-{getattr(device, key)}")
    for name, machine in EXAMPLES.items()
    for kind, (field, key) in FIELDS.items()
    for device in getattr(machine, field)
]
SINGLE = {
    "serial": ("serials", (Serial("pty", 0, log="/log"),), "0"),
    "rng": ("rng", "/dev/urandom", "/dev/urandom"),
    "vsock": ("vsock", Vsock(auto=True), "virtio"),
    "tpm": ("tpm", Tpm("tpm-crb", "2.0"), "tpm-crb"),
    "sound": ("sound", "ich9", "ich9"),
    "input": ("tablet", "usb", "tablet"),
    "video": ("video", "vga", "vga"),
}
"""By kind: the field of a machine that holds such a device, what it may hold, and what identifies that."""


def _dump(name: str) -> str:
    return (DATA / f"{name}.xml").read_text(encoding="utf-8")


def _canonical(text: str | None) -> str:
    return etree.canonicalize(text or "<nothing/>", strip_text=True)


@pytest.mark.parametrize(("kind", "device", "key"), DEVICES)
def test_a_device_alone_is_the_one_of_a_definition(kind: str, device: t.Any, key: str) -> None:
    """Rendered, found, removed and edited, a device is that of a machine which has it."""
    field = FIELDS[kind][0]
    bare = Machine("qemu", "m")
    held: dict[str, t.Any] = {field: (device,)}
    whole = render(replace(bare, **held))
    assert _canonical(find_device_xml(whole, kind, key)) == _canonical(render_device(device))
    assert getattr(read(remove_devices(whole, kind, [key])), field) == ()
    assert find_device_xml(render(bare), kind, key) is None
    assert _canonical(edit_device(render_device(device), device)) == _canonical(render_device(device))


@pytest.mark.parametrize("kind", sorted(SINGLE))
def test_removes_what_there_is_one_of(kind: str) -> None:
    """It is found and gone without a trace."""
    field, value, key = SINGLE[kind]
    bare = Machine("qemu", "m")
    held: dict[str, t.Any] = {field: value}
    whole = render(replace(bare, **held))
    assert find_device_xml(whole, kind, key) is not None
    assert find_device_xml(whole, kind, f"no {key}") is None
    assert read(remove_devices(whole, kind, [key])) == read(render(bare))
    assert "<console" not in remove_devices(whole, kind, [key])


def test_a_serial_port_leaves_the_console_of_another() -> None:
    """Only with the last one the console goes."""
    two = render(Machine("qemu", "m", serials=(Serial("pty", 0), Serial("pty", 1))))
    assert [serial.port for serial in read(remove_devices(two, "serial", ["0"])).serials] == [1]
    assert "<console" in remove_devices(two, "serial", ["1"])


def test_every_kind_is_tried() -> None:
    """No kind is without a test."""
    assert {str(parameter.values[0]) for parameter in DEVICES} == set(FIELDS)
    assert set(FIELDS) | set(SINGLE) == set(KINDS)


def test_renders_by_name() -> None:
    """Each kind has a function that says what it renders."""
    assert render_disk(DISK) == render_device(DISK)
    assert render_nic(NIC) == render_device(NIC)
    assert render_graphics(Graphics("vnc")) == render_device(Graphics("vnc"))
    assert render_channel(Channel("c")) == render_device(Channel("c"))
    assert render_watchdog(Watchdog()) == render_device(Watchdog())
    assert render_hostdev(PCI) == render_device(PCI)
    assert render_filesystem(Filesystem("tag", "/srv")) == render_device(Filesystem("tag", "/srv"))
    assert render_vsock(Vsock(auto=True)) == render_device(Vsock(auto=True))
    rng = find_device_xml(render(EXAMPLES["rng-rate"]), "rng", "/dev/urandom")
    assert _canonical(render_rng("/dev/urandom", 1024, 1000)) == _canonical(rng)


@pytest.mark.parametrize(
    ("kind", "key", "inside"),
    [("disk", "vda", "rbd"), ("nic", "52:54:00:AA:00:03", 'mode="'), ("graphics", "spice", "spice")],
)
def test_finds_devices_of_other_kinds_as_they_stand(kind: str, key: str, inside: str) -> None:
    """Whatever the device is made of: it comes back whole, without namespaces that it does not use."""
    found = find_device_xml(_dump("dump-foreign"), kind, key)
    assert found is not None
    assert inside in found
    assert "xmlns" not in found


def test_finds_nothing_where_there_is_nothing() -> None:
    """A domain without devices has none of any kind."""
    assert find_device_xml("<domain/>", "disk", "vda") is None
    assert remove_devices("<domain/>", "disk", ["vda"]) == "<domain/>"


def test_an_edit_keeps_what_it_does_not_know() -> None:
    """Address and alias of a running guest's device stay, which is what an update needs."""
    live = find_device_xml(_dump("dump-q35-live"), "disk", "vda")
    assert live is not None
    edited = edit_device(live, Disk("vda", cache="writeback"))
    assert edited == live.replace('cache="none"', 'cache="writeback"')
    assert "<alias" in edited
    assert "<address" in edited


@pytest.mark.parametrize(
    ("element", "device"), [(render_disk(DISK), Disk("vdb")), (render_disk(DISK), NIC), ("<rng/>", Channel("c"))]
)
def test_refuses_to_edit_another_device(element: str, device: t.Any) -> None:
    """An edit never makes a second device of one."""
    with pytest.raises(XmlError, match=r"^The device's XML cannot be changed: <\w+> is not the device "):
        edit_device(element, device)


def test_removes_only_what_is_named() -> None:
    """Devices that are not named, the definition around them and what others wrote stay."""
    before = _dump("dump-foreign")
    removed = remove_devices(before, "nic", ["52:54:00:aa:00:02", "52:54:00:AA:00:04", "52:54:00:00:00:00"])
    machine = read(removed)
    assert [nic.mac for nic in machine.nics] == ["52:54:00:aa:00:01", "52:54:00:aa:00:03"]
    assert replace(machine, nics=()) == replace(read(before), nics=())
    assert "commandline" in removed
    assert read(edit(removed, Machine("kvm", "foreign", vcpus=4))).disks == read(before).disks


def test_refuses_what_is_no_xml() -> None:
    """Broken XML is one sentence."""
    with pytest.raises(XmlError, match=r"^The device's XML cannot be read: "):
        edit_device("<disk>", DISK)
