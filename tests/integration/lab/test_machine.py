# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests that a real hypervisor takes the definitions that are written, and gives them back as they were meant."""

from __future__ import annotations

import typing as t
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._spec.machine import (
    Cpu,
    Disk,
    Features,
    Machine,
    Nic,
    OsBoot,
    Watchdog,
)
from ansible_collections.kilonova.compute.plugins.module_utils._spec.tuning import (
    IoTune,
    MemoryBacking,
    NumaCell,
)
from ansible_collections.kilonova.compute.plugins.module_utils._xml.devices import (
    edit_device,
    find_device_xml,
    remove_devices,
    render_disk,
    render_rng,
)
from ansible_collections.kilonova.compute.plugins.module_utils._xml.domain import edit, read, render
from ansible_collections.kilonova.compute.tests.unit.plugins.module_utils._xml.examples import EXAMPLES
from ansible_collections.kilonova.compute.tests.unit.plugins.module_utils._xml.strategies import unmet

from .conftest import Hypervisor

OF_OTHER_HOSTS = {
    "lxc": "containers",
    "xen": "Xen",
    "emulator": "an emulator in a place of its own",
    "clock-utc": "Xen's actions on events",
    "disks-file": "an IDE disk that is read-only",
    "sev": "an AMD processor with SEV",
    "filesystems": "a system daemon, for virtiofs",
    "spice": "TLS certificates for Spice",
}
"""Examples that a rootless host of the lab refuses, by what they need."""
MACHINES = {"pcie-ports": "q35"}
HERE = sorted(set(EXAMPLES) - set(OF_OTHER_HOSTS))


@pytest.fixture(name="empty")
def _empty(hypervisor: Hypervisor) -> t.Iterator[Hypervisor]:
    """Return a hypervisor that is rid of its domains afterwards, whatever they are called."""
    yield hypervisor
    for uuid in hypervisor.virsh("list", "--all", "--uuid").split():
        hypervisor.virsh("destroy", uuid, check=False)
        hypervisor.virsh("undefine", uuid, "--nvram")


def _define(hypervisor: Hypervisor, tmp_path: Path, text: str) -> str:
    """Define a domain, checked against libvirt's schema by libvirt itself, and return its definition."""
    path = tmp_path / "domain.xml"
    path.write_text(text, encoding="utf-8")
    hypervisor.virsh("define", "--validate", str(path))
    (uuid,) = hypervisor.virsh("list", "--all", "--uuid").split()
    return hypervisor.virsh("dumpxml", "--inactive", uuid)


@pytest.mark.parametrize("name", HERE)
def test_a_hypervisor_takes_and_gives_back_a_definition(empty: Hypervisor, tmp_path: Path, name: str) -> None:
    """What libvirt makes of a definition leaves nothing to change, and takes an edit with the same."""
    machine = replace(EXAMPLES[name], type="qemu", os=replace(EXAMPLES[name].os, machine=MACHINES.get(name)))
    given = _define(empty, tmp_path, render(machine))
    assert unmet(replace(machine, os=replace(machine.os, machine=None)), read(given)) == []
    again = _define(empty, tmp_path, edit(given, machine))
    assert read(again) == read(given)


MAC = "52:54:00:00:00:01"
TUNED = Machine(
    type="qemu",
    name="tuned",
    memory_kib=65536,
    vcpus=2,
    iothreads=1,
    os=OsBoot(arch="x86_64", machine="q35"),
    features=Features(acpi=True, pmu=False),
    cpu=Cpu(
        mode="custom",
        model="qemu64",
        sockets=1,
        cores=2,
        threads=1,
        features=(("aes", "require"), ("svm", "disable")),
        check="none",
        cells=(NumaCell(0, 32768, (0,), access="shared"), NumaCell(1, 32768, (1,), access="shared")),
    ),
    memory_backing=MemoryBacking(source="memfd", access="shared"),
    suspend_to_memory=False,
    nics=(Nic(MAC, "user", model="virtio", link_state="up"),),
    watchdogs=(Watchdog("i6300esb", "none"),),
    sound="ich9",
    tablet="virtio",
    scsi_model="virtio-scsi",
    scsi_queues=2,
    scsi_iothread=1,
    pcie_ports=16,
    video="vga",
    video_vram_kib=16384,
    rng="/dev/urandom",
    rng_rate_bytes=4096,
    rng_rate_period_ms=1000,
    balloon="virtio",
)


def test_a_guest_runs_with_it_and_its_devices_come_change_and_go(hypervisor: Hypervisor, tmp_path: Path) -> None:
    """QEMU takes what libvirt took; single devices are attached, updated and detached while it runs."""
    hypervisor.virsh("vol-create-as", "default", "more.raw", "1048576", "--format", "raw")
    disk = Disk(
        "vdb",
        "virtio",
        source=str(hypervisor.pool_path() / "more.raw"),
        format="raw",
        iothread=1,
        queues=2,
        iotune=IoTune(total_iops_sec=100),
    )
    _define(hypervisor, tmp_path, render(TUNED))
    hypervisor.virsh("start", "tuned")
    live = hypervisor.virsh("dumpxml", "tuned")
    assert unmet(replace(TUNED, cpu=None, os=OsBoot()), read(live)) == []

    for element in (render_disk(disk), render_rng("/dev/random")):
        (tmp_path / "device.xml").write_text(element, encoding="utf-8")
        hypervisor.virsh("attach-device", "tuned", str(tmp_path / "device.xml"), "--live", "--config")
    live = hypervisor.virsh("dumpxml", "tuned")
    assert unmet(replace(TUNED, cpu=None, os=OsBoot(), disks=(disk,)), read(live)) == []
    assert find_device_xml(live, "rng", "/dev/random") is not None
    assert "vdb" in hypervisor.virsh("domblklist", "tuned")

    nic = find_device_xml(live, "nic", MAC)
    assert nic is not None
    unplugged = edit_device(nic, Nic(MAC, "user", link_state="down"))
    (tmp_path / "device.xml").write_text(unplugged, encoding="utf-8")
    hypervisor.virsh("update-device", "tuned", str(tmp_path / "device.xml"), "--live")
    assert hypervisor.virsh("domif-getlink", "tuned", MAC).split()[-1] == "down"

    kept = hypervisor.virsh("dumpxml", "--inactive", "tuned")
    for kind, key in (("disk", "vdb"), ("rng", "/dev/random"), ("watchdog", "i6300esb"), ("sound", "ich9")):
        assert find_device_xml(kept, kind, key) is not None
        kept = remove_devices(kept, kind, [key])
    machine = read(_define(hypervisor, tmp_path, kept))
    assert (machine.disks, machine.watchdogs, machine.sound, machine.rng) == ((), (), None, "/dev/urandom")
