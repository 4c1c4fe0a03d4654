# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of compute_instance_action as Ansible runs it, on libvirt's test driver, which has no images to boot from."""

from __future__ import annotations

import json
import typing as t
from dataclasses import replace

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.kilonova.compute.plugins.module_utils._driver.connection import Connection, libvirt
from ansible_collections.kilonova.compute.plugins.module_utils._spec.machine import Disk, Machine, OsBoot
from ansible_collections.kilonova.compute.plugins.module_utils._spec.record import (
    Begun,
    InstanceRecord,
    OwnedDisk,
    Rescue,
)
from ansible_collections.kilonova.compute.plugins.module_utils._xml.domain import read, render
from ansible_collections.kilonova.compute.plugins.modules import compute_instance_action

POOL = "<pool type='dir'><name>default</name><uuid>35bb2ad9-388a-cdfe-461a-b8907f6e53fe</uuid><target><path>/p</path></target></pool>"
ROOT, RESCUE_DISK = OwnedDisk("vda", "default", "web-vda.qcow2"), OwnedDisk("vdb", "default", "web-rescue.qcow2")
RECORD = InstanceRecord(flavor="tiny", vcpus=1, memory_mb=64, disk_gb=0, image="guest", disks=(ROOT,))
WEB = Machine(
    type="test",
    name="web",
    record=RECORD,
    memory_kib=65536,
    os=OsBoot(boot_devices=("hd",)),
    disks=(Disk("vda", "virtio", source="/p/web-vda.qcow2", format="qcow2"),),
)
RESCUED = replace(
    WEB,
    record=replace(RECORD, disks=(ROOT, RESCUE_DISK), rescue=Rescue("vdb", "fix", "sha256:1", ("hd",))),
    os=OsBoot(),
    disks=(*WEB.disks, Disk("vdb", "virtio", source="/p/web-rescue.qcow2", format="qcow2", boot_order=1)),
)


class Host:
    """A node with the instance web and its volumes, kept by a connection for as long as the test goes."""

    def __init__(self, connection: Connection, capsys: pytest.CaptureFixture[str]) -> None:
        """Take a connection to an empty node."""
        self.connection = connection
        self.capsys = capsys
        self.pool = connection.raw.storagePoolLookupByName("default")

    def make(self, machine: Machine, active: bool) -> None:
        """Define the instance, and start it."""
        for own in machine.record.disks if machine.record else ():
            xml = f"<volume><name>{own.volume}</name><capacity>1048576</capacity></volume>"
            self.pool.createXML(xml)
        domain = self.connection.raw.defineXML(render(machine))
        if active:
            domain.create()

    def run(self, action: str, *, check: bool = False, **options: t.Any) -> dict[str, t.Any]:
        """Run the module and return what it prints."""
        arguments = {
            "uri": self.connection.uri,
            "name": "web",
            "action": action,
            "_ansible_check_mode": check,
            **options,
        }
        with patch_module_args(arguments), pytest.raises(SystemExit):
            compute_instance_action.main()
        result: dict[str, t.Any] = json.loads(self.capsys.readouterr().out)
        return result

    def refused(self, action: str, **options: t.Any) -> str:
        """Run the module, which must fail and change nothing, and return its message."""
        before = self.definition(), self.is_active()
        result = self.run(action, **options)
        assert result["failed"]
        assert (self.definition(), self.is_active()) == before
        return str(result["msg"])

    def actions(self, action: str, **options: t.Any) -> list[str]:
        """Run the module, first in check mode which foretells the same, and return its steps."""
        before = self.definition(), self.is_active()
        foretold = self.run(action, check=True, **options)
        assert (self.definition(), self.is_active()) == before
        result = self.run(action, **options)
        assert result["instance"] == foretold["instance"]
        assert result["changed"] == bool(result["instance"]["actions"])
        return list(result["instance"]["actions"])

    def definition(self) -> Machine:
        """Return the instance's definition."""
        return read(self.connection.raw.lookupByName("web").XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE))

    def is_active(self) -> bool:
        """Tell whether the guest runs."""
        return bool(self.connection.raw.lookupByName("web").isActive())

    def volumes(self) -> set[str]:
        """Return the names of the volumes."""
        return {volume.name() for volume in self.pool.listAllVolumes()}


@pytest.fixture
def host(capsys: pytest.CaptureFixture[str]) -> t.Iterator[Host]:
    """Return a node with a pool; a node from a file is another one for each connection, so the shared one is taken."""
    with Connection("test:///default") as connection:
        pool = connection.raw.storagePoolDefineXML(POOL)
        pool.create()
        yield Host(connection, capsys)
        domain = connection.raw.lookupByName("web")
        if domain.isActive():
            domain.destroy()
        domain.undefineFlags(libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE)
        pool.destroy()
        pool.undefine()


def test_reboots(host: Host) -> None:
    """A guest that runs is stopped and started; one that is off is only started hard."""
    host.make(WEB, active=True)
    assert host.actions("reboot") == ["stop web", "start web"]
    assert host.definition().record == RECORD
    assert "force: true" in host.refused("reboot", reboot_type="hard")
    assert host.actions("reboot", reboot_type="hard", force=True) == ["power_off web", "start web"]
    assert "force: true" in host.refused("reset")
    assert host.actions("reset", force=True) == ["reset web"]
    assert host.is_active()
    host.connection.raw.lookupByName("web").managedSave()
    assert host.actions("reboot", reboot_type="hard", force=True) == ["discard_memory web", "start web"]
    host.connection.raw.lookupByName("web").destroy()
    assert "is stopped" in host.refused("reboot")
    assert host.actions("reboot", reboot_type="hard") == ["start web"]


def test_an_interrupted_reboot_is_finished(host: Host) -> None:
    """The guest was stopped for it."""
    host.make(replace(WEB, record=replace(RECORD, begun=Begun("reboot", running=True))), active=False)
    assert host.actions("reboot", wait=True, wait_timeout=0) == ["start web"]
    assert host.is_active()
    assert host.definition().record == RECORD


def test_shelve_and_unshelve(host: Host) -> None:
    """Both ends are found good; the room is only claimed back where it is."""
    host.make(WEB, active=True)
    roomy = {"limits": {"reserved_host_memory_mb": 0, "ram_allocation_ratio": 1000.0}}
    assert host.actions("shelve") == ["stop web", "shelve web"]
    assert host.definition().record == replace(RECORD, shelved=True)
    assert host.actions("shelve") == []
    assert "needs 64 MiB of memory" in host.refused("unshelve", limits={"reserved_host_memory_mb": 99999999})
    assert host.actions("unshelve", **roomy) == ["unshelve web", "start web"]
    assert host.definition().record == RECORD
    assert host.is_active()
    assert host.actions("unshelve", **roomy) == []


def test_unrescue(host: Host) -> None:
    """The definition is what it was, and the rescue disk is gone."""
    host.make(RESCUED, active=True)
    assert host.actions("rescue") == []
    assert host.actions("unrescue") == ["stop web", "unrescue web", "delete_disk web/vdb", "start web"]
    machine = host.definition()
    assert machine.record == RECORD
    assert machine.os.boot_devices == ("hd",)
    assert [disk.target for disk in machine.disks] == ["vda"]
    assert host.volumes() == {"web-vda.qcow2"}
    assert host.is_active()
    assert host.actions("unrescue") == []


@pytest.mark.parametrize("action", ["rescue", "unrescue"])
def test_a_rescue_that_all_but_ended_is_finished(host: Host, action: str) -> None:
    """Only the record is left to be written."""
    begun = replace(RECORD, rescue=Rescue("vdb", "fix", "sha256:1", ("hd",)), begun=Begun(action, running=True))
    machine = WEB if action == "unrescue" else RESCUED
    host.make(replace(machine, record=begun), active=True)
    assert host.actions(action) == ["finish web"]
    record = host.definition().record
    assert record is not None
    assert record.begun is None
    assert (record.rescue is None) == (action == "unrescue")


def test_what_is_not_there_is_named(host: Host) -> None:
    """An instance of that name, an image, and a sensible option."""
    host.make(WEB, active=False)
    assert "There is no instance db on this host" in host.run("reboot", name="db")["msg"]
    assert "no image named fix" in host.refused("rescue", image="fix")
    assert "Option image: reboot takes none" in host.refused("reboot", image="fix")
    assert "Option shutdown_timeout: -1" in host.refused("reboot", shutdown_timeout=-1)
