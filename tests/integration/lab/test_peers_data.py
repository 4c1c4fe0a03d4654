# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""How other tools lose data, each a test that we do not: cl is community.libvirt, tf is terraform-provider-libvirt."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from .conftest import Hypervisor, run_module
from .subjects import BOOTING, SWITCHED_OFF, Subject, digest, removed_after, said

APART = """
<domain type='qemu'>
  <name>{name}</name><memory unit='MiB'>64</memory><os><type arch='x86_64' machine='q35'>hvm</type></os>
  <devices>
    <disk type='file'><source file='{path}'/><target dev='vda' bus='virtio'/></disk>
    <serial type='pty'><log file='{log}'/></serial>
  </devices>
</domain>
"""
REMOTE = """
<disk type='network'>
  <source protocol='nbd' name='theirs'><host name='127.0.0.1' port='9'/></source><target dev='vdy' bus='virtio'/>
</disk>
"""


@pytest.fixture
def subject(shared_host: Hypervisor, name: str) -> t.Iterator[Subject]:
    """Return an instance that is yet to be made, and is off."""
    with removed_after(Subject(shared_host, name, power_state="stopped")) as one:
        yield one


def digests(host: Hypervisor) -> dict[str, str]:
    """Return what tells the content of every volume from any other."""
    return {volume: digest(host.pool_path() / volume) for volume in host.volumes()}


def write_xml(directory: Path, text: str) -> str:
    """Write a description for virsh and return its path."""
    path = directory / "given.xml"
    path.write_text(text)
    return str(path)


def test_cl_177_absent_deletes_only_what_it_made(subject: Subject, tmp_path: Path) -> None:
    """community.libvirt#171 and #177 asked for a removal with the storage, and got one of every file a domain has.

    With force, or with virt_install's state absent, that takes discs, read-only and shared disks as well. We delete what
    the instance's record says was made for it; check mode says the same and deletes nothing.
    """
    host, name = subject.host, subject.name
    for volume in ("disc.iso", "readonly.raw", "shared.raw", "users.raw"):
        host.virsh("vol-create-as", "default", f"{name}-{volume}", "1M", "--format", "raw")
    apart = tmp_path / "apart.raw"
    apart.write_bytes(b"precious" * 128)
    before = digests(host)
    subject.declare(
        image="guest",
        cdroms=[f"{name}-disc.iso"],
        volumes=[
            {"name": f"{name}-readonly.raw", "readonly": True},
            {"name": f"{name}-shared.raw", "shareable": True},
            {"name": f"{name}-users.raw"},
            {"name": f"{name}-made", "size_gb": 1},
        ],
    )
    host.virsh("attach-disk", name, str(apart), "vdz", "--config")
    assert set(subject.disks()) == {"vda", "vdb", "vdc", "vdd", "vde", "vdz", "sda"}
    made = host.volumes() - set(before)
    assert made == {f"{name}-vda.qcow2", f"{name}-made"}

    foretold = said(subject.absent(check=True))
    assert name in host.domains()
    assert host.volumes() == set(before) | made
    assert said(subject.absent())["actions"] == foretold["actions"]
    assert name not in host.domains()
    assert digests(host) == before
    assert apart.read_bytes() == b"precious" * 128
    assert not subject.absent().changed


def test_cl_recreate_keeps_the_old_until_the_new_is_sure(subject: Subject) -> None:
    """With recreate, virt_cloud_instance removes the domain and its disk, and only then finds that there is no such image.

    What can't be had, or not without a new disk, we refuse with the instance as it was.
    """
    host = subject.host
    subject.declare(image="guest", volumes=[{"name": f"{subject.name}-made", "size_gb": 1}])
    xml, before = subject.xml(), digests(host)
    for changes in (
        {"image": "nosuch"},
        {"disk_bus": "scsi"},
        {"disk_format": "raw"},
        {"machine_type": "pc"},
        {"boot": {"firmware": "efi"}},
        {"volumes": [{"name": "nosuch"}]},
        {"cdroms": ["nosuch.iso"]},
        {"networks": [{"network": "nosuch"}]},
    ):
        refused = subject.attempt(**changes)
        assert refused.failed
        assert not refused.changed
    assert (subject.xml(), digests(host)) == (xml, before)


def test_cl_a_failed_creation_takes_nothing_along(subject: Subject) -> None:
    """A creation of virt_install that fails half-way leaves its parts, and the remedy, absent, deletes the user's disks.

    Ours takes back what it made, and a volume that was there before stays.
    """
    host, name = subject.host, subject.name
    host.virsh("vol-create-as", "default", f"{name}-users.raw", "1M", "--format", "raw")
    before = digests(host)
    failed = subject.attempt(
        image="guest",
        volumes=[{"name": f"{name}-users.raw"}, {"name": f"{name}-made", "size_gb": 1}],
        networks=[{"bridge": "nobr0"}],
        power_state="running",
    )
    assert failed.failed
    assert f"Cannot start {name}" in failed.message
    assert name not in host.domains()
    host.virsh("vol-delete", f"{name}.console.log", "default", check=False)
    assert digests(host) == before


def test_cl_disks_outside_of_any_pool_hinder_nothing(subject: Subject, tmp_path: Path) -> None:
    """Module virt looks every disk up in the pools: one that is in none fails each removal, with the guest off already.

    Such a disk, a file or one on the network, is not ours: the domain goes, and the disk stays.
    """
    host, name = subject.host, subject.name
    apart = tmp_path / "apart.raw"
    apart.write_bytes(b"precious" * 128)
    subject.declare(image="guest")
    host.virsh("attach-disk", name, str(apart), "vdz", "--config")
    host.virsh("attach-device", name, write_xml(tmp_path, REMOTE), "--config")
    assert set(subject.disks()) == {"vda", "vdy", "vdz"}
    assert subject.declare(metadata={"owner": "us"})["changed"]
    assert subject.absent().changed
    assert name not in host.domains()
    assert apart.read_bytes() == b"precious" * 128
    assert not subject.absent().changed


def test_cl_a_guest_whose_disk_is_in_no_pool_is_adopted_and_removed(subject: Subject) -> None:
    """The same of a domain that was made by hand and runs: virt powers it off, fails, and fails again.

    Of such a domain we delete nothing at all, not even its console's log.
    """
    host, name = subject.host, subject.name
    apart, log = host.pool_path().parent / f"{name}.raw", host.pool_path() / f"{name}-theirs.log"
    apart.write_bytes(b"\0" * 2**20)
    apart.chmod(0o666)
    try:
        host.virsh("define", write_xml(host.pool_path().parent, APART.format(name=name, path=apart, log=log)))
        host.virsh("start", name)
        adopted = run_module("compute_instance", uri=host.uri, name=name, adopt=True, metadata={"owner": "us"})
        assert said(adopted)["changed"]
        assert subject.state == "running"
        assert said(subject.absent(**SWITCHED_OFF))["changed"]
        assert name not in host.domains()
        assert apart.exists()
        assert log.exists()
        assert not subject.absent().changed
    finally:
        apart.unlink()


def test_cl_a_disk_in_a_pool_that_is_gone_can_be_let_go_of(subject: Subject) -> None:
    """A pool that was removed is the same dead end to virt: no look-up, no removal, for ever.

    Ours says which disk it can't delete, with nothing touched, and removes the instance without its disks when told to.
    """
    host, name = subject.host, subject.name
    host.virsh("pool-define-as", name, "dir", "--target", str(host.pool_path().parent / name))
    host.virsh("pool-build", name)
    host.virsh("pool-start", name)
    subject.declare(image="guest", volumes=[{"name": f"{name}-far", "pool": name, "size_gb": 1}])
    far, xml, before = Path(subject.disks()["vdb"]), subject.xml(), host.volumes()
    host.virsh("pool-destroy", name)
    host.virsh("pool-undefine", name)
    for check in (True, False):
        refused = subject.absent(check)
        assert refused.failed
        for word in ("vdb", f"storage pool {name}", "keep_disks: true"):
            assert word in refused.message
    assert (subject.xml(), host.volumes()) == (xml, before)

    assert subject.absent(keep_disks=True).changed
    assert name not in host.domains()
    assert far.exists()
    assert f"{name}-vda.qcow2" in host.volumes()


def test_cl_absent_needs_a_name_whatever_the_instance_has(subject: Subject) -> None:
    """virt_install's absent undefines without flags: NVRAM, a snapshot or saved memory fail it after the disks are gone.

    terraform-provider-libvirt#1203 and stackhpc/ansible-role-libvirt-vm#84 are the same of UEFI alone. We remove all of it
    by name.
    """
    host, name = subject.host, subject.name
    before = host.volumes()
    subject.declare(**BOOTING, boot={"firmware": "efi"})
    host.virsh("snapshot-create-as", name, "s1")
    host.virsh("start", name, "--paused")
    nvram = Path(str(subject.tree().findtext("os/nvram")))
    assert nvram.exists()
    host.virsh("managedsave", name)
    assert "s1" in host.virsh("snapshot-list", name)
    assert name in host.virsh("list", "--all", "--name", "--with-managed-save")

    assert subject.absent().changed
    assert name not in host.domains()
    assert not nvram.exists()
    assert host.volumes() == before
    assert not subject.absent().changed
    # Nothing of the old is left that a new one of that name would wake up with.
    assert subject.run()["changed"]
    assert host.virsh("snapshot-list", name) == ""
    assert name not in host.virsh("list", "--all", "--name", "--with-managed-save")


def test_cl_images_of_one_file_name_are_told_apart(shared_host: Hypervisor, name: str, tmp_path: Path) -> None:
    """virt_cloud_instance's cache goes by the last part of the URL, so the same file name elsewhere gives the first content.

    Ours goes by content.
    """
    for letter in ("a", "b"):
        source = tmp_path / letter / "disk.raw"
        source.parent.mkdir()
        source.write_bytes(letter.encode() * 2**20)
        image = f"{name}-{letter}"
        published = run_module("compute_image", uri=shared_host.uri, name=image, src=str(source), format="raw")
        assert not published.failed, published.message
        declared: dict[str, t.Any] = {"image": image, "disk_format": "raw", "power_state": "stopped"}
        with removed_after(Subject(shared_host, image, **declared)) as one:
            one.declare()
            with (shared_host.pool_path() / f"{image}-vda.raw").open("rb") as disk:
                assert disk.read(8) == letter.encode() * 8
