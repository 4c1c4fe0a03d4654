# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of the definition that another host is told."""

from __future__ import annotations

import typing as t
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._spec.machine import Disk, Machine
from ansible_collections.kilonova.compute.plugins.module_utils._spec.record import InstanceRecord, OwnedDisk
from ansible_collections.kilonova.compute.plugins.module_utils._xml.domain import edit, read, render
from ansible_collections.kilonova.compute.plugins.module_utils._xml.migration import (
    Moved,
    read_moving_traits,
    render_moved,
)
from ansible_collections.kilonova.compute.tests.unit.plugins.module_utils._xml.strategies import machines
from hypothesis import HealthCheck, given, settings
from lxml import etree

DATA = Path(__file__).parent / "data"
SCHEMA = Path("/usr/share/libvirt/schemas/domain.rng")
RECORD = InstanceRecord(flavor="tiny", disks=(OwnedDisk("vda", "fast", "web-vda.qcow2"),))
PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
RUNS = """<domain type='kvm' id='7'><name>web</name><uuid>4b20d080-1b54-4048-85b3-a6a62d165c01</uuid>
  <memory>1024</memory><vcpu>2</vcpu>
  <os><type arch='x86_64'>hvm</type></os>
  <devices><emulator>/usr/bin/kvm</emulator>
    <disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='/a/web-vda.qcow2' index='2'/>
      <backingStore type='file' index='3'><format type='raw'/><source file='/a/base'/><backingStore/></backingStore>
      <target dev='vda' bus='virtio'/></disk>
    <disk type='file' device='cdrom'><target dev='sda' bus='sata'/><readonly/></disk>
    <serial type='pty'><target port='0'/><log file='/a/web.console.log' append='on'/></serial>
  </devices></domain>"""


def moved(text: str, disks: t.Mapping[str, str]) -> etree._Element:
    """Return what the destination is told, which libvirt's schema must take."""
    told = Moved(disks, RECORD, {"/a/web.console.log": "/b/web.console.log"}, "/usr/bin/qemu-system-x86_64")
    root = etree.fromstring(render_moved(text, told))
    etree.RelaxNG(etree.parse(str(SCHEMA))).assertValid(root)
    return root


def test_paths_are_those_of_the_destination() -> None:
    """Nothing is left that points to where it was; an empty drive stays empty."""
    text = etree.tostring(moved(RUNS, {"vda": "/b/web-vda.qcow2"}), encoding="unicode")
    for old in ("/a/", "index", "backingStore", "/usr/bin/kvm", " id="):
        assert old not in text, old
    for new in ("/b/web-vda.qcow2", "/b/web.console.log", "/usr/bin/qemu-system-x86_64"):
        assert new in text.replace('"', "'"), new
    assert read(text).record == RECORD


@PATIENT
@given(machines())
def test_the_machine_stays(machine: Machine) -> None:
    """Of any machine, nothing but the paths that are told, the record and the emulator is another."""
    files = [disk for disk in machine.disks if disk.source and disk.type == "file"]
    disks = {disk.target: f"/b/{number}" for number, disk in enumerate(files)}
    before = render(replace(machine, serials=()))
    root = moved(before, disks)
    for number, disk in enumerate(files):
        found = root.find(f"devices/disk/target[@dev='{disk.target}']/../source")
        assert found is not None
        assert found.get("file") == f"/b/{number}"
    ours, theirs = (
        replace(read(text), disks=(), record=None, emulator=None)
        for text in (before, etree.tostring(root, encoding="unicode"))
    )
    assert ours == theirs


@pytest.mark.parametrize("dump", ["dump-q35-inactive.xml", "dump-pc-inactive.xml"])
def test_what_libvirt_writes_goes_through(dump: str) -> None:
    """A whole definition of a real daemon, twice the same as once."""
    text = edit((DATA / dump).read_text(), replace(read((DATA / dump).read_text()), record=RECORD))
    targets = {disk.target: f"/b/{disk.target}" for disk in read(text).disks if disk.source}
    once = etree.tostring(moved(text, targets), encoding="unicode")
    assert etree.tostring(moved(once, targets), encoding="unicode") == once


def test_what_ties_it_to_its_host() -> None:
    """Each is seen, and nothing of an ordinary one."""
    plain = read_moving_traits(
        render(Machine(type="qemu", name="m", memory_kib=1024, disks=(Disk("vda", source="/d"),)))
    )
    assert plain == replace(
        plain, tpm=False, pinned=False, firmware_state=False, foreign_disks=(), host_devices=(), shares=()
    )

    def changed(part: str, other: str) -> t.Any:
        return read_moving_traits(RUNS.replace(part, other, 1))

    pflash = "<os><type>hvm</type><loader readonly='yes' type='pflash'>/fw/code</loader></os>"
    assert changed("<os><type arch='x86_64'>hvm</type></os>", pflash).firmware_state
    assert changed("<os>", "<os firmware='efi'>").firmware_state
    end, cpus = "</devices>", "<vcpu>2</vcpu>"
    assert changed(end, "<tpm model='tpm-crb'><backend type='emulator'/></tpm></devices>").tpm
    assert changed(end, "<filesystem type='mount'><target dir='share'/></filesystem></devices>").shares == ("share",)
    device = "<hostdev mode='subsystem' type='usb'><source><vendor id='1'/></source></hostdev></devices>"
    assert changed(end, device).host_devices == ("usb device",)
    assert changed(cpus, "<vcpu cpuset='1'>2</vcpu>").pinned
    assert changed(cpus, f"{cpus}<cputune><vcpupin vcpu='0' cpuset='1'/></cputune>").pinned
    assert changed(cpus, f"{cpus}<memoryBacking><hugepages/></memoryBacking>").pinned
    assert changed(cpus, f"{cpus}<numatune><memory mode='strict' nodeset='0'/></numatune>").pinned
    assert changed("<source file='/a/web-vda.qcow2' index='2'/>", "<source dev='/x'/><transient/>").foreign_disks == (
        "vda",
    )
    assert changed(cpus, f"{cpus}<cpu mode='host-passthrough'/>").cpu_mode == "host-passthrough"
    assert changed(cpus, f"{cpus}<launchSecurity type='sev'/>").sealed
