# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""What users of community.libvirt (cl) ask for in vain, each a test of what we do; ansible is where it came from."""

from __future__ import annotations

import json
import typing as t
from xml.etree import ElementTree

import pytest

from .conftest import Hypervisor, Result, run_module, start_module, wait_until
from .subjects import BOOTING, FLAVOR, SWITCHED_OFF, Subject, effects, removed_after, said

NOWHERE = "qemu:///session?socket=/nonexistent/xen-esx.sock"
WILD = "$HOME ~root ~/x `id` $(id) {{ name }} a,readonly=on,b;c <&>\"' grüß\tdich\nda \\"


@pytest.fixture
def subject(shared_host: Hypervisor, name: str) -> t.Iterator[Subject]:
    """Return an instance that is yet to be made, and is off."""
    with removed_after(Subject(shared_host, name, power_state="stopped")) as one:
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
    """Return the shared instance, up again, with no more devices than at first."""
    booted.declared.pop("flavor", None)
    booted.declared.pop("max_memory_mb", None)
    booted.declared.update(power_state="running", networks=BOOTING["networks"], volumes=[])
    booted.run()
    booted.inside("true")
    return booted


def test_cl_53_a_new_size_is_not_swallowed(guest: Subject) -> None:
    """community.libvirt#53, ansible#37660 and stackhpc/ansible-role-libvirt-vm#74: another size, no change, no error.

    Later, of ansible#63433, the old definition was compared with itself; virt_install and virt_cloud_instance do not
    compare at all. We change size, disks and NICs, in the definition and in the guest, which does not boot.
    """
    number, boots = guest.number, guest.boots()
    done = guest.declare(
        flavor={"name": "more", "vcpus": 2, "memory_mb": 160, "disk_gb": 2},
        networks=[*BOOTING["networks"], {"user": True, "mac": "52:54:00:00:00:53"}],
        volumes=[{"name": f"{guest.name}-data", "size_gb": 1}],
    )
    assert set(effects(done).values()) == {"live"}
    assert all(change["before"] != change["after"] for change in done["changes"])
    for arguments in ((), ("--inactive",)):
        tree = guest.tree(*arguments)
        assert (tree.findtext("vcpu"), vcpus(tree)) == ("2", "2")
        assert guest.macs(*arguments)[1] == "52:54:00:00:00:53"
        assert set(guest.disks(*arguments)) == {"vda", "vdb"}
    assert guest.tree("--inactive").findtext("currentMemory") == str(160 * 1024)
    wait_until(lambda: guest.tree().findtext("currentMemory") == str(160 * 1024), "memory that the balloon gave back")
    wait_until(lambda: guest.inside("nproc") == "2", "a second CPU in the guest")
    assert guest.inside("cat /sys/block/vda/size") == str(2 * 1024**3 // 512)
    assert (guest.number, guest.boots()) == (number, boots)


def vcpus(tree: ElementTree.Element) -> str:
    """Return how many vCPUs are plugged in; there is no such number where all are."""
    found = tree.find("vcpu")
    return "" if found is None else found.get("current") or str(found.text)


def test_cl_63_stopped_is_off_and_running_after_that_counts(guest: Subject) -> None:
    """community.libvirt#63 and ansible#19284: shutdown does not wait, the start after it is a no-op, and then it goes off.

    Of virt's other word for it, stop, there is no code. We return when it is off, also if libvirt would boot it again.
    """
    host, name, boots = guest.host, guest.name, guest.boots()
    host.virsh("set-lifecycle-action", name, "poweroff", "restart", "--live")
    # As a real guest does, it takes its time.
    guest.inside("sed -i '2i sleep 4' $(readlink -f /sbin/shutdown)")
    assert guest.run(power_state="stopped")["changed"]
    assert guest.state == "shut off"
    assert guest.run(power_state="running")["actions"] == [f"start {name}"]
    assert guest.boots() == boots + 1
    assert guest.state == "running"
    assert f"kilonova-guest stopping: {name}" in host.console(name)


def test_cl_define_changes_the_guest_too_or_says_that_it_waits(guest: Subject) -> None:
    """Module virt defines for the next boot alone, so the guest goes on as it was, and nothing in the result tells.

    What can't be done at once is told, on every run, until the guest was off and on.
    """
    number, present = guest.number, int(vcpus(guest.tree()))
    waiting = guest.declare(flavor={"name": "large", "vcpus": present, "memory_mb": 224, "disk_gb": 2})
    assert waiting["restart_required"]
    assert effects(waiting)["memory_mb"] == "next_boot"
    assert guest.tree("--inactive").findtext("memory") == str(224 * 1024)
    assert guest.tree().findtext("memory") != str(224 * 1024)
    assert guest.number == number

    guest.run(power_state="stopped")
    assert not guest.run()["restart_required"]
    assert guest.tree().findtext("memory") == str(224 * 1024)


def test_cl_167_a_guest_that_sleeps_is_woken(subject: Subject) -> None:
    """community.libvirt#167: libvirt's state of a guest that suspended itself is unknown to virt, which fails on it.

    It is woken to run, and woken to hear that it shall power off.
    """
    host, name = subject.host, subject.name
    subject.declared.update(BOOTING)
    subject.run(power_state="running")
    assert subject.boots() == 1
    number = subject.number
    fall_asleep(subject)
    assert subject.run(power_state="running")["actions"] == [f"wake {name}"]
    assert subject.state == "running"
    assert (subject.number, subject.boots()) == (number, 1)

    # The simulated board can't sleep again, nor switch itself off, once it slept.
    subject.run(power_state="stopped", **SWITCHED_OFF)
    subject.run(power_state="running")
    assert subject.boots() == 2
    times = host.console(name).count("Power down")
    fall_asleep(subject)
    declared = {**subject.declared, "power_state": "stopped", "shutdown_timeout": 600}
    stopping = start_module("compute_instance", uri=host.uri, name=name, **declared)
    wait_until(lambda: host.console(name).count("Power down") > times, f"{name} heard that it shall power off")
    host.virsh("destroy", name)
    out, _err = stopping.communicate(timeout=300)
    assert json.loads(out)["instance"]["actions"] == [f"stop {name}"]
    assert subject.state == "shut off"


def fall_asleep(guest: Subject) -> None:
    """Let the guest suspend itself."""
    guest.host.virsh("dompmsuspend", guest.name, "mem")
    wait_until(lambda: guest.state == "pmsuspended", f"{guest.name} sleeps")


def seen(subject: Subject) -> dict[str, t.Any]:
    """Return all of the instance that can be seen from outside."""
    host, name = subject.host, subject.name
    found: dict[str, t.Any] = {"volumes": host.volumes() - {f"{name}.console.log"}, "there": name in host.domains()}
    if found["there"]:
        sizes = [host.virsh("domblkinfo", name, target) for target in subject.disks("--inactive")]
        information = host.virsh("dominfo", name).splitlines()
        found.update(
            definition=subject.xml("--inactive"),
            state=subject.state,
            sizes=[line for size in sizes for line in size.splitlines() if line.startswith("Capacity")],
            autostart=[line for line in information if line.startswith("Autostart")],
        )
    return found


def test_cl_205_changed_is_what_changes_in_check_mode_and_out_of_it(subject: Subject) -> None:
    """community.libvirt#205: in check mode define always says changed; its commands and virt_cloud_instance never do.

    In check mode some even change things. We foretell what the run does, and say changed when something changed.
    """
    name = subject.name
    made = {"name": f"{name}-made", "size_gb": 1}
    stages: tuple[tuple[bool, dict[str, t.Any]], ...] = (
        (True, {}),
        (False, {}),
        (True, {"flavor": {**FLAVOR, "memory_mb": 96, "disk_gb": 2}, "autostart": True}),
        (True, {"volumes": [made], "networks": [{"user": True}], "power_state": "running"}),
        (False, {}),
        (True, {"power_state": "paused", "volumes": [{**made, "size_gb": 2}]}),
        (True, {"power_state": "stopped", "metadata": {"tier": "web"}, **SWITCHED_OFF}),
        (True, {"volumes": [], "networks": []}),
    )
    for changes_something, changes in stages:
        subject.declared.update(changes)
        before = seen(subject)
        foretold = subject.run(check=True)
        assert seen(subject) == before
        done = subject.run()
        assert [foretold[key] for key in ("changed", "changes", "actions")] == [
            done[key] for key in ("changed", "changes", "actions")
        ]
        assert done["changed"] == (seen(subject) != before) == changes_something
    foretold = said(subject.absent(check=True))
    assert seen(subject)["there"]
    assert said(subject.absent())["actions"] == foretold["actions"]
    assert not seen(subject)["there"]


def test_cl_186_mac_addresses_stay(subject: Subject) -> None:
    """community.libvirt#186: a NIC without a MAC address gets a new one at each define, above all one of type user.

    Ours follow from the name, and stay whatever else changes, and even when the instance is made anew.
    """
    subject.declare(networks=[{"user": True}, {"user": True, "model": "e1000"}])
    macs = subject.macs()
    assert len(set(macs)) == 2
    for changes in ({"flavor": {**FLAVOR, "memory_mb": 96}}, {"power_state": "paused", "metadata": {"a": "b"}}):
        subject.declare(**changes)
        assert subject.macs() == subject.macs("--inactive") == macs
    assert subject.absent(**SWITCHED_OFF).changed
    subject.run()
    assert subject.macs() == macs


def test_cl_commands_may_be_given_twice(subject: Subject) -> None:
    """Of module virt no command returns changed; start fails on a guest that runs, and undefine on a domain that is gone.

    What is as declared is fine, and unchanged.
    """
    host, name = subject.host, subject.name
    for check in (True, False):
        assert not subject.absent(check).changed
    for state, word in (("running", "running"), ("paused", "paused"), ("stopped", "shut off")):
        wanted: dict[str, t.Any] = {"power_state": state, **SWITCHED_OFF}
        assert subject.run(**wanted)["changed"]
        number = subject.number
        assert not subject.run(**wanted)["changed"]
        assert (subject.state, subject.number) == (word, number)
    host.virsh("undefine", name)
    host.virsh("vol-delete", f"{name}-vda.qcow2", "default")
    assert not subject.absent().changed


def test_ansible_26486_autostart_power_and_size_go_together(subject: Subject) -> None:
    """ansible#26486, #26791, #27064 and #41592: of state, command and autostart in one task all but one are ignored."""
    host, name = subject.host, subject.name
    subject.declare()
    for state, word, enabled, memory in (("paused", "paused", "enable", 96), ("stopped", "shut off", "disable", 64)):
        subject.declare(
            power_state=state,
            autostart=enabled == "enable",
            flavor={**FLAVOR, "memory_mb": memory},
            **SWITCHED_OFF,
        )
        assert subject.state == word
        assert f"Autostart:      {enabled}" in host.virsh("dominfo", name)
        assert subject.tree().findtext("memory") == str(memory * 1024)


def test_cl_sizes_mean_what_they_say(subject: Subject) -> None:
    """virt_volume takes 10 GiB for 10 bytes and then can't shrink to them, as in stackhpc/ansible-role-libvirt-vm#55.

    Our unit is in the option's name, growing is done once, and shrinking refused before anything is touched.
    """
    host, name = subject.host, subject.name
    volumes = [{"name": f"{name}-{kind}", "format": kind, "size_gb": 2} for kind in ("raw", "qcow2")]
    subject.declare(volumes=volumes)
    for size in (2, 3):
        subject.declare(volumes=[{**volume, "size_gb": size} for volume in volumes])
        for volume in volumes:
            shown = host.virsh("vol-info", "--bytes", str(volume["name"]), "default")
            assert f"Capacity:       {size * 1024**3} bytes" in shown
    before = seen(subject)
    for check in (True, False):
        refused = subject.attempt(check, volumes=volumes, metadata={"a": "b"})
        assert refused.failed
        assert "volumes[0].size_gb" in refused.message
        assert "at least 3" in refused.message
        assert seen(subject) == before


def test_cl_248_disks_in_another_pool_have_their_size_and_a_path(subject: Subject) -> None:
    """community.libvirt#248: with a pool the size of the disk is dropped, and so virt_cloud_instance fails.

    terraform-provider-libvirt#97, #126 and #546 are of disks of type volume, which AppArmor keeps from the guest when their
    pool is not the usual one. Ours are files by their path.
    """
    host, name = subject.host, subject.name
    directory = host.pool_path().parent / f"pool-{name}"
    directory.mkdir(mode=0o777)
    directory.chmod(0o777)
    host.virsh("pool-define-as", name, "dir", "--target", str(directory))
    host.virsh("pool-start", name)
    try:
        subject.declare(
            pool=name,
            flavor={**FLAVOR, "disk_gb": 3},
            volumes=[{"name": f"{name}-here", "size_gb": 2}, {"name": f"{name}-d", "size_gb": 1, "pool": "default"}],
            power_state="paused",
        )
        for pool, volume, size in ((name, "vda.qcow2", 3), (name, "here", 2), ("default", "d", 1)):
            shown = host.virsh("vol-info", "--bytes", f"{name}-{volume}", pool)
            assert f"Capacity:       {size * 1024**3} bytes" in shown
        assert {disk.get("type") for disk in subject.tree().iterfind("devices/disk")} == {"file"}
        assert subject.disks() == {
            "vda": str(directory / f"{name}-vda.qcow2"),
            "vdb": str(directory / f"{name}-here"),
            "vdc": str(host.pool_path() / f"{name}-d"),
        }
        said(subject.absent(**SWITCHED_OFF))
        assert host.volumes(name) <= {f"{name}.console.log"}
    finally:
        subject.remove()
        host.virsh("pool-destroy", name)
        host.virsh("pool-undefine", name)


def test_cl_228_what_no_option_says_can_be_said(subject: Subject) -> None:
    """community.libvirt#228, #231 and #271: memfd, passt and a WWN had to wait for a release of the wrapper's options.

    terraform-provider-libvirt#1206 misses its XSLT. We patch the definition by XPath, once.
    """
    patches: list[dict[str, t.Any]] = [
        {"path": ".", "action": "add", "xml": "<memoryBacking/>"},
        {"path": "memoryBacking", "action": "add", "xml": "<source type='memfd'/>"},
        {"path": "devices/disk[target/@dev='sdb']", "action": "add", "xml": "<wwn>5000c50015ea71aa</wwn>"},
    ]
    subject.declare(
        disk_bus="scsi", volumes=[{"name": f"{subject.name}-data", "size_gb": 1, "bus": "scsi"}], xml_patch=patches
    )
    assert subject.tree().find("memoryBacking/source[@type='memfd']") is not None
    assert subject.tree().findtext("devices/disk[wwn]/wwn") == "5000c50015ea71aa"
    before = seen(subject)
    refused = subject.attempt(xml_patch=[{"path": "devices/nosuch", "attribute": "a", "value": "b"}])
    assert refused.failed
    assert "devices/nosuch" in refused.message
    assert seen(subject) == before


@pytest.mark.parametrize("state", ["present", "absent"])
@pytest.mark.parametrize("check", [True, False])
def test_cl_an_unreachable_host_is_not_an_empty_one(subject: Subject, state: str, check: bool) -> None:
    """virt_secret takes every error for absence; and virt goes elsewhere where uname has "xen" or the URI "esx" in it.

    A hypervisor that can't be reached is an error, and no other is taken for it.
    """
    before = seen(subject)
    declared = {**subject.declared, "state": state}
    result = run_module("compute_instance", check=check, **{**declared, "uri": NOWHERE, "name": subject.name})
    assert result.failed
    assert result.data["error_code"] == "CONNECTION_FAILED"
    assert NOWHERE in result.message
    assert seen(subject) == before


def test_cl_262_what_was_just_made_is_not_made_again(subject: Subject) -> None:
    """community.libvirt#262: virt_cloud_instance has the guest reboot itself, and then fails as it "is already running".

    For that it gives it user data which nobody declared. Ours is given nothing that is not declared, and boots once.
    """
    assert subject.run(power_state="running", **BOOTING)["changed"]
    number = subject.number
    assert not subject.run(power_state="running", **BOOTING)["changed"]
    assert set(subject.disks()) == {"vda"}
    subject.wait_for_boot()
    assert not subject.run(power_state="running", **BOOTING)["changed"]
    assert (subject.number, subject.boots()) == (number, 1)


def test_cl_153_nothing_is_printed_but_the_result(subject: Subject) -> None:
    """community.libvirt#153 and #247: libvirt prints every error to stderr itself, also those that are none.

    A module's output is its one line of JSON, whatever libvirt says.
    """
    uri, name = subject.host.uri, subject.name
    subject.declare(power_state="running", networks=[{"user": True}])
    deaf = {**subject.declared, "name": name, "uri": uri, "power_state": "stopped", "shutdown_timeout": 0}
    outputs = []
    for module, arguments in (
        ("compute_instance", {"uri": NOWHERE, "name": name, "state": "absent"}),
        ("compute_instance", {**deaf, "networks": [{"network": "nosuch"}]}),
        ("compute_instance", deaf),
        ("compute_instance_info", {"uri": uri, "addresses": ["lease", "agent", "arp"]}),
        ("compute_instance", {**deaf, "force": True}),
        ("compute_instance_info", {"uri": uri, "addresses": ["lease", "agent", "arp"]}),
    ):
        out, err = start_module(module, **arguments).communicate(timeout=300)
        assert err == ""
        outputs.append(json.loads(out))
    assert [bool(output.get("failed")) for output in outputs] == [True, True, True, False, False, False]


def test_cl_values_are_taken_as_they_are(subject: Subject) -> None:
    """The modules that wrap virt-install join values with commas and let $ and ~ be expanded, so a value can be an option.

    Ours become text in XML and nothing else, and a name that could be misread is refused.
    """
    subject.declare(metadata={WILD: "key", "value": WILD})
    labels = {
        element.get("name"): element.get("value") for element in subject.tree().iter() if element.tag.endswith("}label")
    }
    assert labels == {WILD: "key", "value": WILD}

    before = seen(subject)
    for option, wrong, declared in (
        ("name", "a,readonly=on", {"name": "a,readonly=on"}),
        ("name", "../a", {"name": "../a"}),
        ("image", "$HOME", {"image": "$HOME"}),
        ("cdroms", "a/b", {"cdroms": ["a/b"]}),
        ("cdroms", "~root", {"cdroms": ["~root"]}),
        ("volumes[0].name", "<a/>", {"volumes": [{"name": "<a/>", "size_gb": 1}]}),
        ("volumes[0].name", "a\nb", {"volumes": [{"name": "a\nb", "size_gb": 1}]}),
    ):
        assert refusal_of(subject.attempt(**declared)) == (option, repr(wrong))
    assert seen(subject) == before


def refusal_of(result: Result) -> tuple[str, str]:
    """Return the option and the value that a message names."""
    assert result.failed
    option, _space, rest = result.message.removeprefix("Option ").partition(": ")
    return option, rest.partition(" is not a valid name")[0]
