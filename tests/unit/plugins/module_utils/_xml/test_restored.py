# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of the definition of an instance that is made from a backup."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._spec.record import Begun, InstanceRecord, OwnedDisk
from ansible_collections.kilonova.compute.plugins.module_utils._xml.document import XmlError, attribute
from ansible_collections.kilonova.compute.plugins.module_utils._xml.domain import edit, read
from ansible_collections.kilonova.compute.plugins.module_utils._xml.restored import Identity, read_then, render_restored
from lxml import etree

DATA = Path(__file__).parent / "data"
SCHEMA = Path("/usr/share/libvirt/schemas/domain.rng")
RECORD = InstanceRecord(
    flavor="tiny", disks=(OwnedDisk("vda", "p", "new-vda.qcow2"),), begun=Begun("restore", target="b")
)
MACHINE = """<domain type='kvm'><name>web</name><uuid>4b20d080-1b54-4048-85b3-a6a62d165c01</uuid>
  <genid>4b20d080-1b54-4048-85b3-a6a62d165c02</genid><memory>1024</memory><vcpu cpuset='0-3'>2</vcpu>
  <cputune><shares>5</shares><vcpupin vcpu='0' cpuset='1'/><emulatorpin cpuset='2'/></cputune>
  <numatune><memory mode='strict' nodeset='0'/></numatune>
  <sysinfo type='smbios'><system>SERIAL</system></sysinfo>
  <os><type arch='x86_64'>hvm</type><loader readonly='yes' type='pflash'>/fw/code</loader>
    <nvram template='/fw/vars'>/nvram/web_VARS.fd</nvram><smbios mode='sysinfo'/></os>
  <devices>
    <disk type='block' device='disk'><driver name='qemu' type='raw' cache='none'/><source dev='/dev/x'/>
      <target dev='vda' bus='virtio'/><serial>data</serial></disk>
    <disk type='file' device='disk'><source file='/p/shared'/><target dev='vdb' bus='virtio'/><shareable/></disk>
    <disk type='file' device='cdrom'><source file='/p/seed.iso'/><target dev='sda' bus='sata'/><readonly/></disk>
    <interface type='network'><mac address='52:54:00:00:00:01'/><source network='n'/><target dev='mine0'/>
      <filterref filter='kilonova-nic.clean'><parameter name='IP' value='192.0.2.7'/></filterref></interface>
    <interface type='hostdev' managed='yes'><mac address='52:54:00:00:00:02'/>
      <source><address type='pci' domain='0' bus='1' slot='0' function='0'/></source></interface>
    <serial type='file'><source path='/p/web.console.log'/><target port='0'/></serial>
    <serial type='pty'><target port='1'/><log file='/p/web.console.log' append='on'/></serial>
    <hostdev mode='subsystem' type='pci'><source><address domain='0' bus='2' slot='0' function='0'/></source></hostdev>
  </devices></domain>"""
NAMED = "<entry name='serial'>ds=nocloud;h=web</entry><entry name='uuid'>4b20d080-1b54-4048-85b3-a6a62d165c01</entry>"
ALONE = "<entry name='uuid'>4b20d080-1b54-4048-85b3-a6a62d165c01</entry>"


def restored(text: str, name: str = "new") -> etree._Element:
    """Return the new definition, which libvirt's schema must take."""
    macs = ("52:54:00:00:00:0a", "52:54:00:00:00:0b")
    made = render_restored(text, Identity(name, RECORD, {"vda": ("/p/new-vda.qcow2", "qcow2")}, macs))
    root = etree.fromstring(made)
    etree.RelaxNG(etree.parse(str(SCHEMA))).assertValid(root)
    return root


@pytest.mark.parametrize("kept", [NAMED, ALONE])
def test_nothing_of_the_host_is_there_twice(kept: str) -> None:
    """Names, numbers and addresses are the new one's, and so are its disks; the rest of the machine stays."""
    root = restored(MACHINE.replace("SERIAL", kept))
    text = etree.tostring(root, encoding="unicode")
    for old in (
        "web",
        "4b20d080",
        "/dev/x",
        "shared",
        "seed.iso",
        "00:00:01",
        "mine0",
        "192.0.2.7",
        "hostdev",
        "cpuset",
        "numatune",
    ):
        assert old not in text, old
    assert (root.findtext("name"), root.findtext("genid"), root.findtext("os/nvram")) == ("new", "", "")
    assert attribute(root, "os/nvram", "template") == "/fw/vars"
    assert root.findtext("cputune/shares") == "5"
    assert root.findtext("devices/disk/serial") == "data"
    assert attribute(root, "devices/disk/driver", "cache") == "none"
    assert [target.get("dev") for target in root.iterfind("devices/disk/target")] == ["vda", "sda"]
    assert [mac.get("address") for mac in root.iterfind("devices/interface/mac")] == ["52:54:00:00:00:0a"]
    assert text.count("/p/new.console.log") == 2
    assert ("ds=nocloud;h=new" in text) == (root.find("sysinfo") is not None) == (root.find("os/smbios") is not None)
    assert read(text).record == RECORD


@pytest.mark.parametrize("dump", ["dump-q35-inactive.xml", "dump-pc-inactive.xml"])
def test_what_libvirt_writes_is_taken(dump: str) -> None:
    """A whole definition of a real daemon goes through."""
    text = (DATA / dump).read_text()
    ours = edit(text, replace(read(text), record=replace(RECORD, begun=None, image="guest")))
    then, nics = read_then(ours)
    assert (then.image, nics) == ("guest", len(read(text).nics))
    assert restored(ours).findtext("name") == "new"


def test_other_xml_is_refused() -> None:
    """A pool's is no definition."""
    with pytest.raises(XmlError):
        read_then("<pool/>")
