# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Runs of compute_instance that end at any call: the next one finishes, nothing is left over, nothing of the user's is gone."""

from __future__ import annotations

import json
import subprocess
import typing as t
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from .conftest import Hypervisor, Result, run_module, start_module
from .killing import Runs

FLAVOR = {"name": "tiny", "vcpus": 1, "memory_mb": 64, "disk_gb": 1}
LARGER = {"name": "small", "vcpus": 2, "memory_mb": 96, "disk_gb": 2}
MACS = ("52:54:00:0a:00:01", "52:54:00:0a:00:02")
OTHERS = "<domain type='qemu'><name>other</name><memory>65536</memory><os><type>hvm</type></os></domain>"
PRECIOUS = b"precious"
USERS = {"users.raw", "theirs.raw"}


@pytest.fixture(scope="module")
def runs() -> t.Iterator[Runs]:
    """Return what runs the module."""
    with Runs("compute_instance") as opened:
        yield opened


@dataclass
class Subject:
    """One instance on a host where there are other things too."""

    host: Hypervisor
    runs: Runs
    name: str
    run_number: str = ""
    """Libvirt's number of the run of the guest; "-" of one that is off."""

    def __post_init__(self) -> None:
        """Put a user's domain and volumes beside it."""
        for volume in sorted(USERS):
            self.host.virsh("vol-create-as", "default", volume, "1M", "--format", "raw")
            self._path(volume).write_bytes(PRECIOUS.ljust(2**20, b"\0"))
        command = ["virsh", "-q", "-c", self.host.uri, "define", "/dev/stdin"]
        subprocess.run(command, input=OTHERS, check=True, text=True)
        self._other = self.host.virsh("dumpxml", "other")

    def _path(self, volume: str) -> Path:
        return self.host.pool_path() / volume

    def options(self, **declared: t.Any) -> dict[str, t.Any]:
        """Return all options of the module."""
        return {
            "uri": self.host.uri,
            "name": self.name,
            "virt_type": "qemu",
            "force": True,
            "shutdown_timeout": 0,
            "limits": {"reserved_host_memory_mb": 0, "cpu_allocation_ratio": 16.0, "disk_allocation_ratio": 10.0},
            **declared,
        }

    def bring(self, **declared: t.Any) -> Result:
        """Run the module to the end."""
        return self.runs.run("compute_instance", **self.options(**declared)).done

    def begin(self, **declared: t.Any) -> None:
        """Remove what is there, and bring the instance about as it is before the run in question."""
        self.bring(state="absent")
        for volume in self.host.volumes() - USERS:
            self.host.virsh("vol-delete", volume, "default")
        if declared:
            self.bring(**declared)
            self.run_number = self.host.virsh("domid", self.name)

    def interrupt(self, before: dict[str, t.Any], after: dict[str, t.Any]) -> t.Iterator[str]:
        """Give some of the calls that a run from ``before`` to ``after`` can die at, when the next run has finished it."""
        begin = partial(self.begin, **before)
        for call in self.runs.killed_here_and_there("compute_instance", begin, **self.options(**after)):
            finished = self.bring(**after)
            assert finished.changed or not call, f"nothing was left to do after {call}"
            again = self.bring(**after)
            assert not again.changed, f"after {call}: {again.data['instance']['actions']}"
            assert not again.data["instance"].get("restart_required")
            self.check_others()
            yield call

    def check_others(self) -> None:
        """See that nothing of the user's is gone."""
        assert self.host.domains() - {self.name} == {"other"}
        assert self.host.virsh("dumpxml", "other") == self._other
        for volume in USERS:
            assert self._path(volume).read_bytes().startswith(PRECIOUS)

    def own_volumes(self) -> set[str]:
        """Return the volumes that are not the user's, without the console log."""
        return {volume for volume in self.host.volumes() - USERS if not volume.endswith(".log")}


@pytest.fixture
def subject(hypervisor: Hypervisor, runs: Runs, name: str) -> Subject:
    """Return an instance that is not there yet."""
    return Subject(hypervisor, runs, name)


def _nics(*macs: str) -> list[dict[str, t.Any]]:
    return [{"user": True, "mac": mac} for mac in macs]


BEFORE: dict[str, t.Any] = {
    "flavor": FLAVOR,
    "networks": _nics(MACS[0]),
    "volumes": [{"name": "gone", "size_gb": 1}, {"name": "theirs.raw"}],
    "metadata": {"tier": "web"},
}
AFTER: dict[str, t.Any] = {
    "flavor": LARGER,
    "max_memory_mb": 128,
    "networks": _nics(MACS[1]),
    "volumes": [{"name": "data", "size_gb": 1}, {"name": "users.raw"}],
    "metadata": {"tier": "db"},
    "autostart": True,
}


def _check_after(subject: Subject) -> None:
    host, name = subject.host, subject.name
    assert "2147483648" in host.virsh("domblkinfo", name, "vda").splitlines()[0]
    assert "enable" in host.virsh("dominfo", name).split("Autostart:")[1].splitlines()[0]
    assert subject.own_volumes() == {f"{name}-vda.qcow2", "data", "gone"}
    is_off = host.state(name) == "shut off"
    for scope, flags in (("--config", ["--inactive"]), *(() if is_off else (("--live", []),))):
        disks = {Path(word).name for word in host.virsh("domblklist", name, *flags).split()}
        assert {"data", "users.raw"} <= disks
        assert MACS[1] in host.virsh("domiflist", name, *flags)
        assert 'value="db"' in host.virsh("dumpxml", name, *flags).replace("'", '"')
        assert host.virsh("vcpucount", name, "--current", scope) == "2"


def test_a_stopped_instance_is_reconfigured(subject: Subject) -> None:
    """Sizes, NICs, volumes, labels and autostart."""
    stopped = {"power_state": "stopped"}
    for _call in subject.interrupt({**BEFORE, **stopped}, {**AFTER, **stopped}):
        _check_after(subject)
        assert MACS[0] not in subject.host.virsh("domiflist", subject.name)
        left = subject.host.virsh("domblklist", subject.name)
        assert "gone" not in left
        assert "theirs.raw" not in left
    assert set(subject.runs.calls) >= {"defineXMLFlags", "createXML", "resize", "setAutostart"}


def test_a_running_guest_is_reconfigured(subject: Subject) -> None:
    """All that is added to a guest while it runs, which has nothing to boot from and is never started again."""
    before = {**BEFORE, "max_memory_mb": 128}
    after = {**AFTER, "networks": _nics(*MACS), "volumes": [*BEFORE["volumes"], *AFTER["volumes"]]}
    for _call in subject.interrupt(before, after):
        _check_after(subject)
        assert subject.host.virsh("domid", subject.name) == subject.run_number
    live = {"setMemoryFlags", "setVcpusFlags", "attachDeviceFlags", "blockResize", "setMetadata"}
    assert set(subject.runs.calls) >= {"defineXMLFlags", "createXML", "setAutostart", *live}


def test_a_creation_with_volumes(subject: Subject) -> None:
    """The definition is there first, and says which volumes are the instance's own."""
    assert list(subject.interrupt({}, BEFORE))[-1] == ""
    assert subject.runs.calls == ("defineXMLFlags", "createXML", "createXML", "create")


@pytest.mark.parametrize("state", ["stopped", "running"])
def test_an_instance_is_removed(subject: Subject, state: str) -> None:
    """Its own volumes go, those that were only attached stay, and the record goes last."""
    begin = partial(subject.begin, **BEFORE, autostart=True, power_state=state)
    for call in subject.runs.killed_here_and_there("compute_instance", begin, **subject.options(state="absent")):
        assert subject.bring(state="absent").changed == bool(call)
        assert not subject.bring(state="absent").changed
        assert subject.host.domains() == {"other"}
        assert subject.host.volumes() == USERS
        subject.check_others()
    assert set(subject.runs.calls) >= {
        "delete",
        "undefineFlags",
        *(["shutdown", "destroy"] if state == "running" else []),
    }


@pytest.mark.parametrize("state", ["stopped", "running"])
def test_another_seed(subject: Subject, state: str) -> None:
    """What a guest was told is there as long as it runs, what it will be told before it is defined, and no other is left."""
    host, name = subject.host, subject.name
    before = {"flavor": FLAVOR, "hostname": "one", "power_state": state}
    after = {**before, "hostname": "two"}
    begin = partial(subject.begin, **before)
    for call in subject.runs.killed_here_and_there("compute_instance", begin, **subject.options(**after)):
        subject.bring(**after)
        assert not subject.bring(**after).changed, f"after {call}"
        defined, used = (_seed(host.virsh("domblklist", name, *flags)) for flags in (["--inactive"], []))
        assert subject.own_volumes() == {f"{name}-vda.qcow2", defined, used}
        assert (defined == used) == (state == "stopped")
        assert b"two" in (host.pool_path() / defined).read_bytes()
        assert state == "stopped" or b"one" in (host.pool_path() / used).read_bytes()
        assert host.virsh("domid", name) == subject.run_number
        subject.check_others()
    assert set(subject.runs.calls) >= {"createXML", "defineXMLFlags", *(["delete"] if state == "stopped" else [])}


def _seed(blocks: str) -> str:
    """Return the volume with a seed that ``virsh domblklist`` shows."""
    return next(Path(word).name for word in blocks.split() if "-seed-" in word)


def test_a_power_cycle(subject: Subject) -> None:
    """A guest that was taken down for a change is up again, with the change."""
    after = {**BEFORE, "video": "vga", "allow_power_cycle": True}
    for _call in subject.interrupt({**BEFORE, "video": "virtio"}, after):
        assert subject.host.state(subject.name) == "running"
        assert "type='vga'" in subject.host.virsh("dumpxml", subject.name)
    assert set(subject.runs.calls) >= {"defineXMLFlags", "destroy", "create"}


def test_a_guest_lets_go(subject: Subject, guest_image: Path) -> None:
    """Devices go from a guest that runs, whatever the call was after which nobody remembered that they should."""
    host, name = subject.host, subject.name
    result = run_module("compute_image", uri=host.uri, name="guest", src=str(guest_image))
    assert not result.failed, result.message
    images = host.volumes() - USERS
    machine = {"flavor": {**FLAVOR, "memory_mb": 128}, "image": "guest", "networks": _nics(MACS[0])}
    full = {**machine, "networks": _nics(*MACS), "volumes": [{"name": "data", "size_gb": 1}, {"name": "users.raw"}]}
    less = {**machine, "volumes": []}
    subject.bring(**full)
    host.wait_for_console(name, f"kilonova-guest ready: {name}")
    number, begin = host.virsh("domid", name), partial(subject.bring, **full)
    for call in subject.runs.killed_here_and_there("compute_instance", begin, **subject.options(**less)):
        subject.bring(**less)
        again = subject.bring(**less)
        assert not again.changed, f"after {call}: {again.data['instance']['actions']}"
        disks = {Path(word).name for word in host.virsh("domblklist", name).split()}
        assert not disks & {"data", "users.raw"}
        assert MACS[1] not in host.virsh("domiflist", name)
        assert host.virsh("domid", name) == number
        subject.check_others()
        assert host.volumes() - USERS - images >= {f"{name}-vda.qcow2", "data"}
    assert subject.runs.calls.count("detachDeviceFlags") >= 3
    assert "defineXMLFlags" in subject.runs.calls


def test_two_runs_at_the_same_moment(subject: Subject) -> None:
    """Both end well, and what is there is what both declared."""
    subject.begin(**BEFORE)
    after = {**AFTER, "max_memory_mb": 64, "flavor": {**LARGER, "memory_mb": 64}, "networks": _nics(*MACS)}
    after["volumes"] = [*BEFORE["volumes"], *AFTER["volumes"]]
    for _round in range(2):
        both = [start_module("compute_instance", **subject.options(**after)) for _run in range(2)]
        results = [json.loads(run.communicate(timeout=300)[0].strip().splitlines()[-1]) for run in both]
        assert [result.get("msg") for result in results if result.get("failed")] == []
        assert not subject.bring(**after).changed
        _check_after(subject)
        subject.check_others()
        subject.begin(**BEFORE)
