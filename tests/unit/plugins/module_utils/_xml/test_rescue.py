# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of the edits that an action makes in a definition."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._spec.machine import Disk
from ansible_collections.kilonova.compute.plugins.module_utils._spec.record import InstanceRecord, OwnedDisk, Rescue
from ansible_collections.kilonova.compute.plugins.module_utils._xml.document import XmlError
from ansible_collections.kilonova.compute.plugins.module_utils._xml.domain import edit, read
from ansible_collections.kilonova.compute.plugins.module_utils._xml.rescue import (
    add_rescue_disk,
    move_disk,
    read_controllers,
    remove_rescue_disk,
)

DATA = Path(__file__).parent / "data"
RECORD = InstanceRecord(flavor="tiny", image="guest", disks=(OwnedDisk("vda", "p", "web-vda.qcow2"),))
RESCUE_DISK = Disk("vdz", "virtio", source="/pool/web-rescue.qcow2", format="qcow2", boot_order=1)
ORDERED = """<domain type="qemu"><name>web</name><os><type>hvm</type></os><devices>
  <disk type="file" device="disk"><source file="/pool/a"/><target dev="vda" bus="virtio"/><boot order="2"/></disk>
  <controller type="pci" index="0" model="pcie-root"/>
  <interface type="user"><mac address="52:54:00:00:00:01"/><boot order="1"/></interface>
</devices></domain>"""


def rescue_of(xml: str) -> Rescue:
    """Return what is remembered of a definition."""
    return Rescue("vdz", "rescue", "sha256:1", read(xml).os.boot_devices, read_controllers(xml))


def with_record(xml: str) -> str:
    """Return a definition of ours."""
    return edit(xml, replace(read(xml), record=RECORD))


@pytest.mark.parametrize(
    "xml", [(DATA / "dump-q35-inactive.xml").read_text(), (DATA / "dump-pc-inactive.xml").read_text(), ORDERED]
)
def test_rescue_and_back_leaves_no_trace(xml: str) -> None:
    """Whichever kind of boot order the domain has; what libvirt adds for the disk goes with it."""
    before = with_record(xml)
    rescue = rescue_of(before)
    rescued = add_rescue_disk(before, RESCUE_DISK, replace(RECORD, rescue=rescue))
    machine = read(rescued)
    assert machine.record == replace(RECORD, rescue=rescue)
    assert machine.os.boot_devices == ()
    orders = {disk.target: disk.boot_order for disk in machine.disks}
    assert orders.pop("vdz") == 1
    assert 1 not in orders.values()
    libvirt_added = '<controller type="pci" index="40" model="pcie-root-port"/></devices>'
    rescued = rescued.replace("</devices>", libvirt_added)
    after = remove_rescue_disk(rescued, rescue, RECORD)
    assert read(after) == read(before)
    assert read_controllers(after) == read_controllers(before)
    assert "".join(after.split()) == "".join(before.split())


def test_the_orders_of_devices_come_after_the_rescue_disk() -> None:
    """In the same order as before."""
    rescued = read(add_rescue_disk(ORDERED, RESCUE_DISK, RECORD))
    assert [disk.boot_order for disk in rescued.disks] == [3, 1]
    assert [nic.boot_order for nic in rescued.nics] == [2]


@pytest.mark.parametrize(
    ("controller", "device"),
    [
        (
            '<controller type="pci" index="10" model="pcie-root-port"/>',
            '<rng model="virtio"><address type="pci" domain="0x0000" bus="0x0a" slot="0x00" function="0x0"/></rng>',
        ),
        (
            '<controller type="scsi" index="1" model="virtio-scsi"/>',
            '<disk type="file"><target dev="sdh" bus="scsi"/><address type="drive" controller="1" unit="0"/></disk>',
        ),
    ],
)
def test_a_controller_that_came_meanwhile_and_is_used_stays(controller: str, device: str) -> None:
    """Somebody plugged something in while the instance was rescued; one that nothing is in goes."""
    rescue = rescue_of(ORDERED)
    rescued = add_rescue_disk(ORDERED, RESCUE_DISK, RECORD).replace("</devices>", f"{controller}{device}</devices>")
    assert controller in remove_rescue_disk(rescued, rescue, RECORD)
    assert controller not in remove_rescue_disk(rescued.replace(device, ""), rescue, RECORD)


def test_unrescue_without_the_disk_is_fine() -> None:
    """Somebody took it out by hand."""
    assert read(remove_rescue_disk(ORDERED.replace('"2"', '"3"'), rescue_of(ORDERED), RECORD)).disks[0].boot_order == 2


def test_a_disk_moves_to_another_volume() -> None:
    """What was below the old volume is forgotten, and the rest of the disk stays."""
    xml = with_record((DATA / "dump-q35-inactive.xml").read_text())
    disk = read(xml).disks[0]
    moved = move_disk(xml, replace(disk, source="/pool/new.qcow2"), replace(RECORD, image="other"))
    machine = read(moved)
    assert machine.disks == (replace(disk, source="/pool/new.qcow2"), *read(xml).disks[1:])
    assert machine.record == replace(RECORD, image="other")
    assert moved.count("<backingStore") <= xml.count("<backingStore")
    with pytest.raises(XmlError, match="no disk vdq"):
        move_disk(xml, Disk("vdq"), RECORD)
