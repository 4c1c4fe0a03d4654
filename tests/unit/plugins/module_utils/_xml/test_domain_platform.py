# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of what an edit of the platform takes away: what cannot stand beside the new value."""

from __future__ import annotations

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._spec.machine import (
    Cpu,
    Disk,
    Features,
    Machine,
    Nic,
    OsBoot,
)
from ansible_collections.kilonova.compute.plugins.module_utils._xml.domain import edit, read
from lxml import etree

PER_DEVICE = (
    "<domain type='qemu'><name>m</name><os><type>hvm</type></os><devices>"
    "<disk type='file'><target dev='vda'/><boot order='2'/></disk>"
    "<interface type='user'><mac address='52:54:00:00:00:01'/><boot order='1'/></interface>"
    "<redirdev bus='usb' type='spicevmc'><boot order='3'/></redirdev></devices></domain>"
)
BY_OS = PER_DEVICE.replace("<type>hvm</type>", "<type>hvm</type><boot dev='hd'/><bios useserial='yes'/>")


def test_boot_devices_replace_the_orders_of_devices() -> None:
    """Libvirt takes one kind of boot order only."""
    machine = read(edit(PER_DEVICE, Machine("qemu", "m", os=OsBoot(boot_devices=("cdrom", "hd")))))
    assert machine.os.boot_devices == ("cdrom", "hd")
    assert (machine.disks[0].boot_order, machine.nics[0].boot_order) == (None, None)
    assert "order=" not in edit(PER_DEVICE, Machine("qemu", "m", os=OsBoot(boot_devices=("hd",))))


@pytest.mark.parametrize(
    "wanted",
    [
        Machine("qemu", "m", disks=(Disk("vda", boot_order=5),)),
        Machine("qemu", "m", nics=(Nic("52:54:00:00:00:01", "user", boot_order=5),)),
    ],
)
def test_orders_of_devices_replace_boot_devices(wanted: Machine) -> None:
    """The same the other way round; the rest of the boot stays."""
    edited = edit(BY_OS, wanted)
    assert read(edited).os.boot_devices == ()
    assert "<bios useserial=" in edited
    assert 'order="5"' in edited
    assert 'order="3"' in edited


def test_no_boot_order_leaves_every_boot_order() -> None:
    """Both kinds stay as found when none is asked for."""
    edited = read(edit(BY_OS, Machine("qemu", "m")))
    assert edited.os.boot_devices == ("hd",)
    assert (edited.disks[0].boot_order, edited.nics[0].boot_order) == (2, 1)


def test_boot_devices_replace_boot_devices() -> None:
    """They are one value."""
    edited = edit(BY_OS, Machine("qemu", "m", os=OsBoot(boot_devices=("network", "hd"))))
    assert read(edited).os.boot_devices == ("network", "hd")


def test_false_takes_a_feature_away() -> None:
    """False removes the element, None leaves it, and others' features stay."""
    text = "<domain><features><acpi/><apic eoi='on'/><pae/><hap/></features></domain>"
    edited = edit(text, Machine("kvm", "m", features=Features(acpi=False, apic=True)))
    assert read(edited).features == Features(acpi=False, apic=True, pae=True)
    assert '<apic eoi="on"/>' in edited
    assert "<hap/>" in edited


@pytest.mark.parametrize(
    ("text", "smm"),
    [("<smm/>", True), ("<smm state='on'/>", True), ("<smm state='off'/>", False), ("", None)],
)
def test_reads_system_management_mode(text: str, smm: bool | None) -> None:
    """An element without a state means on."""
    assert read(f"<domain><features>{text}</features></domain>").features.smm is smm


def test_false_hides_the_system_table() -> None:
    """Only the mode that was asked for before is taken away."""
    hidden = Machine("qemu", "m", os=OsBoot(smbios_sysinfo=False))
    assert "<smbios" not in edit("<domain><os><smbios mode='sysinfo'/></os></domain>", hidden)
    assert '<smbios mode="host"/>' in edit("<domain><os><smbios mode='host'/></os></domain>", hidden)


def test_the_system_table_is_one_value() -> None:
    """Its entries are replaced, those of other tables stay."""
    text = (
        "<domain><sysinfo type='fwcfg'><entry name='n'>v</entry></sysinfo><sysinfo type='smbios'>"
        "<bios><entry name='vendor'>B</entry></bios>"
        "<system><entry name='sku'>S</entry><entry name='family'>F</entry></system></sysinfo></domain>"
    )
    assert read(text).sysinfo == (("family", "F"), ("sku", "S"))
    edited = edit(text, Machine("qemu", "m", sysinfo=(("serial", "1"),)))
    assert read(edited).sysinfo == (("serial", "1"),)
    assert '<entry name="vendor">B</entry>' in edited
    assert '<entry name="n">v</entry>' in edited


CUSTOM = (
    "<domain><cpu mode='custom' match='exact' check='partial'><model fallback='forbid'>Nehalem</model>"
    "<vendor>Intel</vendor><topology sockets='1' dies='1' cores='2' threads='1'/>"
    "<feature policy='require' name='vmx'/><numa><cell id='0' cpus='0-1'/></numa></cpu></domain>"
)


def test_another_cpu_mode_takes_the_old_model_away() -> None:
    """A model and how to match it belong to mode custom; topology, features and NUMA cells to any."""
    edited = edit(CUSTOM, Machine("kvm", "m", cpu=Cpu(mode="host-passthrough")))
    cpu = read(edited).cpu
    assert cpu is not None
    assert (cpu.mode, cpu.model, cpu.vendor, cpu.check) == ("host-passthrough", None, None, None)
    assert (cpu.sockets, cpu.dies, cpu.cores, cpu.threads) == (1, 1, 2, 1)
    assert (cpu.features, len(cpu.cells or ())) == ((("vmx", "require"),), 1)
    assert "Intel" not in edited
    assert "match=" not in edited
    assert 'name="vmx"' in edited
    assert "<numa>" in edited
    assert 'dies="1"' in edited


def test_another_cpu_model_keeps_how_it_is_matched() -> None:
    """The same mode changes only what is asked for."""
    edited = edit(CUSTOM, Machine("kvm", "m", cpu=Cpu(mode="custom", model="Westmere")))
    assert '<model fallback="forbid">Westmere</model>' in edited
    assert 'match="exact"' in edited


def test_a_cpu_with_nothing_known_reads_as_none() -> None:
    """An element with only others' parts says nothing, and an empty one is not written."""
    text = "<domain><cpu><cache mode='passthrough'/></cpu></domain>"
    assert read(text).cpu is None
    assert etree.fromstring(edit("<domain/>", Machine("kvm", "m", cpu=Cpu()))).find("cpu") is None


def test_another_clock_offset_keeps_the_timers() -> None:
    """What belongs to the old offset goes."""
    text = "<domain><clock offset='variable' adjustment='60' basis='utc'><timer name='hpet' present='no'/></clock></domain>"
    edited = edit(text, Machine("kvm", "m", clock_offset="localtime"))
    assert '<clock offset="localtime"><timer name="hpet" present="no"/></clock>' in edited


def test_the_same_clock_offset_keeps_its_adjustment() -> None:
    """Nothing changes, nothing goes."""
    text = "<domain><clock offset='utc' adjustment='reset'/></domain>"
    assert 'adjustment="reset"' in edit(text, Machine("kvm", "m", clock_offset="utc"))


def test_secure_boot_is_turned_off_beside_other_firmware_features() -> None:
    """Other demands on the firmware stay."""
    text = (
        "<domain><os firmware='efi'><firmware><feature enabled='yes' name='secure-boot'/>"
        "<feature enabled='yes' name='enrolled-keys'/></firmware></os></domain>"
    )
    edited = edit(text, Machine("kvm", "m", os=OsBoot(secure_boot=False)))
    assert read(edited).os.secure_boot is False
    assert 'enabled="yes" name="enrolled-keys"' in edited
