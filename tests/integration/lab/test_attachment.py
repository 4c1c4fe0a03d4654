# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Volumes attached to an instance and detached: looked at in its definition, in the guest as it runs, and from inside."""

from __future__ import annotations

import functools
import typing as t

import pytest

from .conftest import Hypervisor, Result, wait_until
from .killing import Runs
from .subjects import BOOTING, SWITCHED_OFF, Subject, removed_after

MIB = 1024**2
SECTOR = 512


class Volumes:
    """Declares volumes of one host, in processes that take no time to start."""

    def __init__(self, host: Hypervisor, runs: Runs) -> None:
        """Take the host, and what has the module loaded."""
        self._host = host
        self._runs = runs

    def declare(self, name: str, check: bool = False, **declared: t.Any) -> Result:
        """Declare a volume."""
        ended = self._runs.run("compute_volume", check=check, uri=self._host.uri, name=name, **declared)
        return ended.result or pytest.fail(f"killed at {ended.calls[-1]}")

    def made(self, name: str, **declared: t.Any) -> Result:
        """Declare a volume: check mode foretells what is done, and a second run does nothing."""
        foretold, done = self.declare(name, check=True, **declared), self.declare(name, **declared)
        assert not done.failed, done.message
        assert (foretold.data["actions"], foretold.data["changes"]) == (done.data["actions"], done.data["changes"])
        again = self.declare(name, **declared)
        assert (again.failed, again.changed, again.data["actions"]) == (False, False, []), again.message
        return done

    def refusal(self, name: str, **declared: t.Any) -> str:
        """Return why a declaration of a volume is refused; check mode says the same."""
        refused = self.declare(name, **declared)
        assert refused.failed
        assert self.declare(name, check=True, **declared).message == refused.message
        return refused.message

    def killed_everywhere(self, name: str, begin: t.Callable[[], t.Any], **declared: t.Any) -> t.Iterator[str]:
        """Declare it after ``begin`` again and again, killed one call later each time; give the call it died at."""
        return self._runs.killed_everywhere("compute_volume", begin, uri=self._host.uri, name=name, **declared)


@pytest.fixture(scope="module")
def volumes(shared_host: Hypervisor) -> t.Iterator[Volumes]:
    """Return what declares volumes."""
    with Runs("compute_volume") as runs:
        yield Volumes(shared_host, runs)


@pytest.fixture(scope="module")
def guest(shared_host: Hypervisor) -> t.Iterator[Subject]:
    """Return an instance whose guest has booted, with one volume of its own declaration."""
    declared = {**BOOTING, "volumes": [{"name": "attach-own", "serial": "own", "size_gb": 1}]}
    with removed_after(Subject(shared_host, "attach-guest", **declared)) as subject:
        subject.run()
        subject.wait_for_boot()
        yield subject


def serials(subject: Subject, *arguments: str) -> dict[str, str]:
    """Return target and serial number of the disks by the definition, or of the guest."""
    return {
        disk.find("target").attrib["dev"]: disk.findtext("serial") or ""  # type: ignore[union-attr]
        for disk in subject.tree(*arguments).iterfind("devices/disk")
    }


def both(subject: Subject) -> tuple[dict[str, str], dict[str, str]]:
    """Return the same of the guest and of the definition."""
    return serials(subject), serials(subject, "--inactive")


def seen(subject: Subject) -> str:
    """Return the serial numbers that the guest sees."""
    return subject.inside("cat /sys/block/vd?/serial")


def test_a_running_guest_gets_a_volume_and_gives_it_back(
    shared_host: Hypervisor, volumes: Volumes, guest: Subject
) -> None:
    """It sees the serial number, keeps what it wrote, and sees the volume grow; its own declaration leaves the disk alone."""
    name = "attach-data"
    assert volumes.declare(name, size="10M", attached_to=guest.name, check=True).changed
    assert name not in shared_host.volumes()
    first = volumes.made(name, size="10M", attached_to=guest.name, serial="data.1")
    assert first.data["actions"] == [f"create_volume {name}", f"attach_volume {guest.name}/{name}"]
    assert first.data["volume"]["attached_to"] == guest.name
    assert both(guest) == ({"vda": "", "vdb": "own", "vdc": "data.1"},) * 2
    wait_until(lambda: "data.1" in seen(guest), "the volume in the guest")
    assert guest.inside("echo written | dd of=/dev/vdc conv=fsync 2>/dev/null; head -c 7 /dev/vdc") == "written"
    for again in (guest.run(), guest.run(volumes=guest.declared["volumes"])):
        assert (again["changed"], again["restart_required"]) == (False, False)

    assert volumes.made(name, size="20M").data["actions"] == [f"grow_volume {name}"]
    assert guest.inside("cat /sys/block/vdc/size") == str(20 * MIB // SECTOR)
    assert "declare at least 20 MiB" in volumes.refusal(name, size="10M", attached_to=guest.name)
    assert "attached to attach-guest with data.1" in volumes.refusal(name, attached_to=guest.name, serial="other")
    assert "with virtio" in volumes.refusal(name, attached_to=guest.name, bus="scsi")
    assert "it is used by domain attach-guest" in volumes.refusal(name, state="absent")

    gone = volumes.made(name, attached_to="")
    assert gone.data["actions"] == [f"detach_volume {guest.name}/{name}"]
    assert both(guest) == ({"vda": "", "vdb": "own"},) * 2
    assert "data.1" not in seen(guest)
    volumes.made(name, attached_to=guest.name)
    wait_until(lambda: "attach-data" in seen(guest), "the volume in the guest again")
    assert guest.inside("head -c 7 /dev/vdc") == "written"
    volumes.made(name, attached_to="")
    volumes.made(name, state="absent")


def test_what_is_done_by_half_is_finished(shared_host: Hypervisor, volumes: Volumes, guest: Subject) -> None:
    """Plugged into the guest or the definition alone, as by hand, or by a run that was killed."""
    name = "attach-half"
    volumes.made(name, size="10M")
    path = str(shared_host.pool_path() / name)
    options = ("--targetbus", "virtio", "--serial", "half", "--subdriver", "qcow2")
    for scope in ("--live", "--config"):
        shared_host.virsh("attach-disk", guest.name, path, "vdk", *options, scope)
        volumes.made(name, attached_to=guest.name)
        assert [one["vdk"] for one in both(guest)] == ["half", "half"]
        volumes.made(name, attached_to="")
        shared_host.virsh("attach-disk", guest.name, path, "vdk", *options, scope)
        volumes.made(name, attached_to="")
        assert not any("vdk" in one for one in both(guest))

    def attached(instance: str) -> None:
        assert not volumes.declare(name, attached_to=instance).failed

    for start, end in (("", guest.name), (guest.name, "")):
        deaths = []
        for death in volumes.killed_everywhere(name, functools.partial(attached, start), attached_to=end):
            deaths.append(death)
            attached(end)
            assert [name in one.values() for one in both(guest)] == [bool(end)] * 2
        assert len(deaths) == (2 if end else 3)
    volumes.made(name, state="absent")


def test_what_others_use_is_left_to_them(shared_host: Hypervisor, volumes: Volumes, guest: Subject, name: str) -> None:
    """Another instance's disk, what a declaration lists, a domain that is not ours, and a disguised disk: each is named."""
    data, foreign, top = "attach-kept", f"{name}-foreign", "attach-top"
    volumes.made(data, size="10M", format="raw")
    for wanted in ("attach-own", "attach-guest-vda.qcow2"):
        assert not volumes.made(wanted, attached_to=guest.name).changed
        assert "is declared among the volumes of instance attach-guest" in volumes.refusal(wanted, attached_to="")
    assert "it is used by domain attach-guest" in volumes.refusal("attach-own", size="2G")
    assert "there is no instance nosuch" in volumes.refusal(data, attached_to="nosuch")
    assert "no virtio-scsi controller" in volumes.refusal(data, attached_to=guest.name, bus="scsi")

    with removed_after(Subject(shared_host, name, disk_bus="scsi", power_state="stopped")) as other:
        other.run()
        volumes.made(data, attached_to=name, bus="scsi")
        assert serials(other, "--inactive") == {"sda": "", "sdb": data}
        assert "used by domain" in volumes.refusal(data, attached_to=guest.name)
        assert not other.run(power_state="running")["restart_required"]
        assert serials(other) == {"sda": "", "sdb": data}
        shared_host.virsh("suspend", name)
        assert "can't let go" in volumes.refusal(data, attached_to="")
        assert other.run(power_state="stopped", allow_power_cycle=True, **SWITCHED_OFF)["changed"]
        volumes.made(data, attached_to="")
        assert serials(other, "--inactive") == {"sda": ""}
        volumes.made(data, attached_to=name)
        assert not other.absent(**SWITCHED_OFF).failed
        assert data in shared_host.volumes()

    path = shared_host.pool_path() / data
    disk = f"<disk type='file'><source file='{path}'/><target dev='vda' bus='virtio'/></disk>"
    shared_host.feed(
        f"<domain type='qemu'><name>{foreign}</name><memory unit='MiB'>16</memory><os><type>hvm</type></os>"
        f"<devices>{disk}</devices></domain>",
        "define",
    )
    assert f"{foreign} was not created by kilonova.compute" in volumes.refusal(data, attached_to="")
    shared_host.virsh("undefine", foreign)
    shared_host.virsh("vol-create-as", "default", top, "10M", "--format", "qcow2",
                      "--backing-vol", data, "--backing-vol-format", "raw")  # fmt: skip
    assert f"volume {top} of pool default" in volumes.refusal(data, attached_to=guest.name)
    shared_host.virsh("vol-delete", data, "default")
    assert "has a backing file" in volumes.refusal(top, attached_to=guest.name)
    volumes.made(top, state="absent")
