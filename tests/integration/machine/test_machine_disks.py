# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Storage pools that stand on what a kernel must have: a volume group, an NFS server's directory and an iSCSI server's disk."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from ..lab.conftest import Result, run_module
from ..lab.subjects import SWITCHED_OFF, Subject, removed_after
from .conftest import MachineHost

MIB = 1024**2
GROUP, DISK = "vg-lab", "/dev/vdb"
TARGET = "iqn.2026-01.com.example:lab"
_SERVE_NFS = """
mkdir -p /srv/exported
systemctl start nfs-server
exportfs -o rw,no_root_squash,insecure,no_subtree_check,fsid=1 127.0.0.1:/srv/exported
"""
_SERVE_ISCSI = f"""
systemctl start tgt
set -e
tgtadm --lld iscsi --op new --mode target --tid 1 --targetname {TARGET}
truncate -s 64M /srv/unit.img
tgtadm --lld iscsi --op new --mode logicalunit --tid 1 --lun 1 --backing-store /srv/unit.img
tgtadm --lld iscsi --op bind --mode target --tid 1 --initiator-address ALL
"""


class Pool:
    """A pool with its declaration."""

    def __init__(self, machine: MachineHost, name: str, **declared: t.Any) -> None:
        """Think of it."""
        self.host, self.name, self.declared = machine, name, declared

    def attempt(self, **changes: t.Any) -> Result:
        """Declare it."""
        return run_module("compute_pool", uri=self.host.uri, name=self.name, **{**self.declared, **changes})

    def made(self, **changes: t.Any) -> Result:
        """Declare it, foretold by check mode; a second run does nothing, and none fails."""
        foretold, first, again = self.attempt(check=True, **changes), self.attempt(**changes), self.attempt(**changes)
        for result in (foretold, first, again):
            assert not result.failed, result.message
        assert foretold.data["actions"] == first.data["actions"]
        assert (again.changed, again.data["actions"]) == (False, [])
        return first

    def absent(self) -> Result:
        """Have libvirt forget it."""
        return run_module("compute_pool", uri=self.host.uri, name=self.name, state="absent")

    def facts(self) -> dict[str, str]:
        """Return what virsh says of it."""
        lines = self.host.virsh("pool-info", self.name).splitlines()
        return {key.strip(): value.strip() for key, _colon, value in (line.partition(":") for line in lines)}

    def volumes(self) -> dict[str, str]:
        """Return its volumes and where they are."""
        listed = self.host.virsh("vol-list", self.name).splitlines()
        return dict(line.split(maxsplit=1) for line in listed if line.strip())

    def runs_from_the_start(self) -> bool:
        """Tell whether it runs now, and will when its host has booted."""
        return self.facts().items() >= {"State": "running", "Autostart": "yes"}.items()

    def forget(self) -> None:
        """Remove it behind our back."""
        self.host.virsh("pool-destroy", self.name, check=False)
        self.host.virsh("pool-undefine", self.name, check=False)


def volume(machine: MachineHost, name: str, pool: str, **declared: t.Any) -> Result:
    """Declare a volume, which must not fail, and a second run must not change."""
    first, again = (
        run_module("compute_volume", uri=machine.uri, name=name, pool=pool, **declared) for _run in range(2)
    )
    for result in (first, again):
        assert not result.failed, result.message
    assert not again.changed
    return first


@pytest.fixture
def group(machine: MachineHost) -> t.Iterator[Pool]:
    """Return a pool that is no volume group yet."""
    pool = Pool(machine, "lvm", type="logical", source={"name": GROUP, "devices": [DISK]})
    try:
        yield pool
    finally:
        pool.forget()
        machine.attempt(f"vgremove -ff -y {GROUP}; pvremove -y {DISK}; wipefs -a {DISK}")


def lvs(machine: MachineHost) -> dict[str, int]:
    """Return the logical volumes and their sizes, as LVM itself says."""
    listed = machine.on(f"lvs --noheadings --units b --nosuffix -o lv_name,lv_size {GROUP}").splitlines()
    return {name: int(size) for name, size in map(str.split, listed)}


def test_a_volume_group_is_made_used_and_kept(machine: MachineHost, group: Pool) -> None:
    """Only when asked to; its volumes grow under LVM's eyes, carry a disk of an instance, and outlive the pool."""
    refused = group.attempt()
    assert refused.failed
    assert "declare build: true" in refused.message
    group.made(build=True)
    assert group.runs_from_the_start()
    assert GROUP in machine.on("vgs --noheadings -o vg_name")

    assert volume(machine, "data", "lvm", size="64M").changed
    assert lvs(machine) == {"data": 64 * MIB}
    grown: dict[str, t.Any] = {"uri": machine.uri, "name": "data", "pool": "lvm", "size": "100M"}
    refused = run_module("compute_volume", **grown)
    assert refused.failed
    assert "libvirt can't grow volumes" in refused.message
    machine.on(f"lvextend -q -L 100M {GROUP}/data")
    assert not group.attempt(refresh=True).changed
    assert not volume(machine, "data", "lvm", size="100M").changed
    assert lvs(machine) == {"data": 100 * MIB}
    machine.on(f"echo kept | dd of=/dev/{GROUP}/data conv=notrunc status=none")
    volume(machine, "gone", "lvm", size="8M")
    assert volume(machine, "gone", "lvm", state="absent").changed
    assert set(lvs(machine)) == {"data"}

    volumes: list[dict[str, t.Any]] = [{"name": "data", "pool": "lvm"}, {"serial": "own", "pool": "lvm", "size_gb": 1}]
    with removed_after(Subject(machine, "on-lvm", volumes=volumes)) as subject:
        subject.declare()
        assert set(subject.disks().values()) >= {f"/dev/{GROUP}/data", f"/dev/{GROUP}/on-lvm-own"}
        assert lvs(machine)["on-lvm-own"] == 1024 * MIB
        # What LVM calls a snapshot has less room than it promises.
        assert machine.on(f"lvs --noheadings -o lv_attr {GROUP}/on-lvm-own").startswith("-wi")
        refused = subject.attempt(volumes=[volumes[0], {**volumes[1], "size_gb": 2}])
        assert refused.failed
        assert "QEMU can't grow" in refused.message
        machine.on(f"lvextend -q -L 2G {GROUP}/on-lvm-own")
        assert not group.attempt(refresh=True).changed
        subject.declare(volumes=[volumes[0], {**volumes[1], "size_gb": 2}])
        assert "2147483648" in machine.virsh("domblkinfo", "on-lvm", f"/dev/{GROUP}/on-lvm-own").split("Capacity:")[1]
        in_use = group.absent()
        assert in_use.failed
        assert "on-lvm" in in_use.message
        assert not subject.absent(**SWITCHED_OFF).failed
    assert set(lvs(machine)) == {"data"}

    group.made(active=False, autostart=False)
    assert group.facts().items() >= {"State": "inactive", "Autostart": "no"}.items()
    assert group.absent().changed
    mistaken = Pool(machine, "other", type="logical", source={"name": "vg-other", "devices": [DISK]}, build=True)
    assert mistaken.attempt().failed
    assert group.made(build=True).data["actions"][0] == "define_pool lvm"
    assert machine.on(f"head -c 4 /dev/{GROUP}/data") == "kept"
    machine.on(f"lvcreate -q -y -L 8M -n by-hand {GROUP}")
    assert not group.attempt(refresh=True).changed
    assert set(group.volumes()) == {"data", "by-hand"}


def test_a_root_disk_lies_in_a_volume_group(machine: MachineHost, group: Pool, guest_image: Path) -> None:
    """Made of an image that is published there, whole; what the image says at its end is in the disk, and later kept."""
    group.made(build=True)
    published: dict[str, t.Any] = {"uri": machine.uri, "name": "guest", "src": str(guest_image), "pool": "lvm"}
    refused = run_module("compute_image", **published)
    assert (refused.failed, refused.data.get("option")) == (True, "convert_to")
    for changed in (True, False):
        done = run_module("compute_image", convert_to="raw", **published)
        assert not done.failed, done.message
        assert done.changed == changed
    declared = {"image": "guest", "pool": "lvm", "disk_format": "raw"}
    with removed_after(Subject(machine, "rooted", **declared)) as subject:
        subject.declare()
        (path,) = subject.disks().values()
        assert path.startswith(f"/dev/{GROUP}/rooted-vda")
        image = next(name for name in lvs(machine) if name.startswith("kilonova-sha256"))
        machine.on(f"qemu-img compare -f raw -F raw {path} /dev/{GROUP}/{image}")
        assert not subject.absent(**SWITCHED_OFF).failed
    assert not [name for name in lvs(machine) if name.startswith("rooted")]
    assert not run_module("compute_image", uri=machine.uri, name="guest", state="absent", pool="lvm").failed
    assert lvs(machine) == {}


def test_a_directory_of_an_nfs_server_becomes_a_pool(machine: MachineHost) -> None:
    """Mounted where it is declared; a volume in it is a file of the server's, and stays when the pool goes."""
    machine.on(_SERVE_NFS)
    source = {"hosts": [{"name": "127.0.0.1"}], "dir": "/srv/exported", "format": "nfs"}
    pool = Pool(machine, "nfs", type="netfs", path="/srv/shared", source=source)
    try:
        pool.made()
        assert pool.runs_from_the_start()
        assert machine.on("findmnt -n -o FSTYPE /srv/shared").startswith("nfs")
        volume(machine, "data.qcow2", "nfs", size="16M")
        assert machine.on("ls /srv/exported") == "data.qcow2"
        volume(machine, "data.qcow2", "nfs", size="32M")
        machine.on("truncate -s 1M /srv/exported/by-hand.raw")
        assert not pool.attempt(refresh=True).changed
        assert set(pool.volumes()) == {"data.qcow2", "by-hand.raw"}
        with removed_after(Subject(machine, "on-nfs", volumes=[{"name": "data.qcow2", "pool": "nfs"}])) as subject:
            subject.declare()
            assert "/srv/shared/data.qcow2" in subject.disks().values()
            assert not subject.absent(**SWITCHED_OFF).failed
        pool.made(active=False)
        assert machine.attempt("findmnt /srv/shared").returncode
        assert pool.absent().changed
        assert "data.qcow2" in machine.on("ls /srv/exported")
    finally:
        pool.forget()
        machine.attempt("exportfs -u 127.0.0.1:/srv/exported; rm -r /srv/exported")


def test_the_disks_of_an_iscsi_server_become_a_pool(machine: MachineHost) -> None:
    """Its unit is a volume that an instance can have; without the pool there is no session, and the data is still there."""
    machine.on(_SERVE_ISCSI)
    pool = Pool(machine, "iscsi", type="iscsi", source={"hosts": [{"name": "127.0.0.1"}], "devices": [TARGET]})
    try:
        pool.made()
        assert pool.runs_from_the_start()
        assert TARGET in machine.on("iscsiadm -m session")
        ((unit, path),) = pool.volumes().items()
        assert path.startswith("/dev/disk/by-path/")
        machine.on(f"echo kept | dd of={path} conv=notrunc,fsync status=none")
        assert machine.on("head -c 4 /srv/unit.img") == "kept"
        assert not pool.attempt(refresh=True).changed
        with removed_after(
            Subject(machine, "on-iscsi", volumes=[{"name": unit, "pool": "iscsi", "serial": "unit"}])
        ) as one:
            one.declare()
            assert path in one.disks().values()
            assert not one.absent(**SWITCHED_OFF).failed
        refused = run_module("compute_volume", uri=machine.uri, name="more", pool="iscsi", size="1M")
        assert refused.failed
        assert pool.absent().changed
        assert TARGET not in machine.attempt("iscsiadm -m session").stdout
        assert machine.on("head -c 4 /srv/unit.img") == "kept"
    finally:
        pool.forget()
        machine.attempt(
            f"iscsiadm -m node -T {TARGET} --logout; tgtadm --lld iscsi --op delete --mode target --tid 1 --force; rm /srv/unit.img"
        )
