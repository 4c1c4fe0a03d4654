# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""What users of terraform-provider-libvirt (tf) report, each a test of what we do."""

from __future__ import annotations

import json
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest

from .conftest import Hypervisor, run_module
from .subjects import BOOTING, FLAVOR, SWITCHED_OFF, Subject, digest, effects, removed_after


@pytest.fixture
def subject(shared_host: Hypervisor, name: str) -> t.Iterator[Subject]:
    """Return an instance that is yet to be made."""
    with removed_after(Subject(shared_host, name)) as one:
        yield one


@pytest.fixture(scope="module")
def booted(shared_host: Hypervisor) -> t.Iterator[Subject]:
    """Return an instance whose guest has booted, for the tests to share."""
    with removed_after(Subject(shared_host, "peer-guest", **BOOTING, max_memory_mb=192)) as one:
        one.declare()
        one.wait_for_boot()
        yield one


@pytest.fixture
def guest(booted: Subject) -> Subject:
    """Return the shared instance once its agent answers."""
    booted.inside("true")
    return booted


def test_tf_1069_growth_keeps_the_guest_and_what_it_is(guest: Subject) -> None:
    """terraform-provider-libvirt#1069, #751 and #1017: more memory or a disk replaces the domain, with a new UUID and MACs.

    Ours is the same guest, which goes on.
    """

    def identity() -> tuple[t.Any, ...]:
        return guest.host.virsh("domuuid", guest.name), guest.number, guest.macs()[0], guest.boots()

    before = identity()
    guest.inside("echo alive > /run/marker")
    grown = guest.declare(
        flavor={"name": "more", "vcpus": 1, "memory_mb": 160, "disk_gb": 2},
        networks=[*BOOTING["networks"], {"user": True}],
        volumes=[{"name": f"{guest.name}-new", "size_gb": 1}],
    )
    assert {"memory_mb", "disk_gb", "disks[vdb].volume"} < set(effects(grown))
    assert set(effects(grown).values()) == {"live"}
    assert identity() == before
    assert guest.inside("cat /run/marker") == "alive"
    assert guest.inside("cat /sys/block/vda/size") == str(2 * 1024**3 // 512)
    assert guest.declare(networks=BOOTING["networks"], volumes=[])["changed"]


def test_tf_1325_a_volume_grows_around_its_data(guest: Subject) -> None:
    """terraform-provider-libvirt#952 and #1325: a volume can't be updated, so a larger one is a new, empty one.

    Ours grows, under a guest that runs and under none, and one that is smaller is refused.
    """
    host, name = guest.host, f"{guest.name}-data"
    path = host.pool_path() / name
    guest.declare(volumes=[{"name": name, "size_gb": 1, "format": "raw"}])
    inode = path.stat().st_ino
    guest.inside("echo precious > /dev/vdb; sync")
    guest.declare(volumes=[{"name": name, "size_gb": 2}])
    assert guest.inside("cat /sys/block/vdb/size") == str(2 * 1024**3 // 512)
    assert guest.inside("head -n 1 /dev/vdb") == "precious"
    refused = guest.attempt(volumes=[{"name": name, "size_gb": 1}])
    assert refused.failed
    assert "at least 2" in refused.message

    guest.declare(volumes=[])
    with removed_after(Subject(host, f"{guest.name}-2", power_state="stopped")) as other:
        refused = other.attempt(volumes=[{"name": name, "size_gb": 3}])
        assert refused.failed
        assert "has 2 GiB" in refused.message
        other.declare(volumes=[{"name": name, "size_gb": 2}])
        other.declare(volumes=[{"name": name, "size_gb": 3}])
        assert path.stat().st_size == 3 * 1024**3
        with path.open("rb") as disk:
            assert disk.read(8) == b"precious"
        assert other.absent().changed
    assert path.stat().st_ino == inode


def test_tf_1060_a_power_cycle_is_asked_for_and_never_forced(guest: Subject, subject: Subject) -> None:
    """terraform-provider-libvirt#1060 and #356: a change switches the guest off hard, and since 0.9.7 after 30 seconds.

    Ours waits for the next boot; where a cycle is allowed, the guest is asked, and one that does not hear stays as it is.
    The timeout says what to do, as #536 asks of another one.
    """
    host, name = guest.host, guest.name
    number, boots = guest.number, guest.boots()
    assert guest.declare(clock="localtime")["restart_required"]
    assert guest.number == number
    cycled = guest.declare(allow_power_cycle=True)
    assert cycled["actions"] == [f"stop {name}", f"start {name}"]
    assert f"kilonova-guest stopping: {name}" in host.console(name)
    assert guest.boots() == boots + 1

    subject.declare()
    number = subject.number
    deaf = subject.attempt(clock="localtime", allow_power_cycle=True, shutdown_timeout=1)
    assert deaf.failed
    for word in ("still running", "1 s", "shutdown_timeout", "force: true"):
        assert word in deaf.message
    assert (subject.state, subject.number) == ("running", number)
    assert subject.run(clock="localtime")["restart_required"]


_OVERTAKEN = """
import json, subprocess, sys
from ansible.module_utils.testing import patch_module_args
from ansible_collections.kilonova.compute.plugins.module_utils._driver import connection
name, call, virsh = json.loads(sys.argv[1])
original, seen = connection.Connection.call, []
def overtaken(self, doing, function, *args):
    if function.__name__ == call and not seen:
        seen.append(subprocess.run(virsh, check=True, stdout=subprocess.DEVNULL))
    return original(self, doing, function, *args)
connection.Connection.call = overtaken
from ansible_collections.kilonova.compute.plugins.modules import compute_instance
try:
    with patch_module_args(json.load(sys.stdin)):
        compute_instance.main()
finally:
    if not seen:
        sys.exit(f"{call} was not called")
"""


@pytest.mark.parametrize(
    ("before", "wanted", "call", "command"),
    [
        ("running", {"power_state": "stopped"}, "shutdown", "destroy"),
        ("running", {"power_state": "stopped", **SWITCHED_OFF}, "destroy", "destroy"),
        ("paused", {"power_state": "stopped"}, "resume", "destroy"),
        ("running", {"state": "absent"}, "shutdown", "destroy"),
        ("running", {"clock": "localtime", "allow_power_cycle": True}, "shutdown", "destroy"),
        ("stopped", {"power_state": "running"}, "create", "start"),
        ("paused", {"power_state": "running"}, "resume", "resume"),
    ],
)
def test_tf_1348_whoever_is_faster_did_what_was_wanted(
    subject: Subject, before: str, wanted: dict[str, t.Any], call: str, command: str
) -> None:
    """terraform-provider-libvirt#1348: a guest that powers off by itself right before it is forced to fails the run.

    Right before our call somebody else does the same, and the run ends well, in the state that was declared.
    """
    host, name = subject.host, subject.name
    subject.run(power_state=before)
    virsh = ["virsh", "-q", "-c", host.uri, command, name]
    done = subprocess.run(
        [sys.executable, "-c", _OVERTAKEN, json.dumps([name, call, virsh])],
        input=json.dumps({**subject.declared, "uri": host.uri, "name": name, **wanted}),
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.stderr == ""
    result = json.loads(done.stdout)
    assert not result.get("failed"), result.get("msg")
    if wanted.get("state") == "absent":
        assert name not in host.domains()
    else:
        assert subject.state == {"stopped": "shut off"}.get(wanted.get("power_state", ""), "running")


def test_tf_622_the_power_state_holds_in_every_run(subject: Subject) -> None:
    """terraform-provider-libvirt#622, #1010 and #1339: running is looked at once, and not when it was changed by hand."""
    host, name = subject.host, subject.name
    for state, word, by_hand in (
        ("running", "running", "destroy"),
        ("running", "running", "suspend"),
        ("paused", "paused", "resume"),
        ("stopped", "shut off", "start"),
    ):
        wanted: dict[str, t.Any] = {"power_state": state, **SWITCHED_OFF}
        subject.run(**wanted)
        host.virsh(by_hand, name)
        assert subject.state != word
        assert subject.run(**wanted)["changed"]
        assert subject.state == word


def test_tf_1203_a_uefi_guest_is_redefined_with_its_variables(subject: Subject) -> None:
    """terraform-provider-libvirt#1203 and #1270: each change undefines the domain, which NVRAM stands against.

    We define over it, and what the firmware keeps there stays.
    """
    subject.declared.update(boot={"firmware": "efi"}, power_state="paused")
    subject.run()
    nvram = Path(str(subject.tree().findtext("os/nvram")))
    subject.run(power_state="stopped", **SWITCHED_OFF)
    written = bytearray(nvram.read_bytes())
    written[-8:] = b"precious"
    nvram.write_bytes(written)
    before = digest(nvram)
    changed: dict[str, t.Any] = {"flavor": {**FLAVOR, "memory_mb": 96}, "networks": [{"user": True}]}
    assert subject.run(power_state="stopped", **changed)["changed"]
    subject.declare(**changed)
    assert subject.tree().findtext("os/nvram") == str(nvram)
    assert digest(nvram) == before


def test_tf_967_firmware_is_found_without_a_path(subject: Subject) -> None:
    """terraform-provider-libvirt#967, #888 and #981: without the right pair of paths there is "no master var store".

    As in community.libvirt#232, where there was no UEFI at all. Here it is one word, and libvirt knows the files.
    """
    subject.declare(boot={"firmware": "efi"}, power_state="paused")
    tree = subject.tree()
    assert Path(str(tree.findtext("os/loader"))).exists()
    assert Path(str(tree.findtext("os/nvram"))).exists()


@pytest.mark.parametrize(
    "cpu",
    [{"mode": "host-model"}, {"mode": "maximum"}, {"mode": "custom", "model": "qemu64"}],
    ids=lambda cpu: cpu["mode"],
)
def test_tf_1269_what_libvirt_makes_of_a_cpu_is_no_difference(subject: Subject, cpu: dict[str, str]) -> None:
    """terraform-provider-libvirt#1269: host-model is read back as custom, and so differs for ever.

    What was declared is compared with what was defined, so the guest may show what libvirt chose.
    """
    subject.declare(cpu=cpu, power_state="paused")
    shown = subject.tree().find("cpu")
    assert shown is not None
    if cpu["mode"] == "host-model":
        assert shown.get("mode") == "custom"
    assert f"<cpu mode='{cpu['mode']}'" in subject.xml("--inactive")


def test_tf_307_new_content_of_an_image_is_for_new_instances(
    shared_host: Hypervisor, name: str, tmp_path: Path
) -> None:
    """terraform-provider-libvirt#307: with the base replaced below them, disks keep old content, or mix it with the new.

    An instance keeps the content it was made from, untouched; the next one gets the new, and neither differs for ever.
    """
    host, contents = shared_host, {}
    for letter in ("a", "b"):
        source = tmp_path / f"{letter}.raw"
        source.write_bytes(letter.encode() * 2**20)
        published = run_module("compute_image", uri=host.uri, name=name, src=str(source), format="raw")
        assert not published.failed, published.message
        contents[letter] = published.data["image"]["path"]
        if letter == "a":
            old = Subject(host, f"{name}-a", image=name, power_state="stopped")
            old.declare()
    new = Subject(host, f"{name}-b", image=name, power_state="stopped")
    with removed_after(old), removed_after(new):
        new.declare()
        before = digest(host.pool_path() / f"{name}-a-vda.qcow2")
        assert not old.run()["changed"]
        assert digest(host.pool_path() / f"{name}-a-vda.qcow2") == before
        for letter, path in contents.items():
            shown = host.virsh("vol-dumpxml", f"{name}-{letter}-vda.qcow2", "default")
            assert path in shown.partition("<backingStore>")[2]
            assert Path(path).read_bytes() == letter.encode() * 2**20
