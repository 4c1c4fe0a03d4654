# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""What is adopted, kept, attached and refused: nothing of anybody's is lost."""

from __future__ import annotations

import re
import subprocess
import typing as t

import pytest

from .conftest import Hypervisor, Result, run_module

FLAVOR = {"name": "tiny", "vcpus": 1, "memory_mb": 64, "disk_gb": 1}
LIMITS = {"reserved_host_memory_mb": 0, "cpu_allocation_ratio": 16.0}
FOREIGN = """
<domain type='qemu'>
  <name>{name}</name><title>Their own</title>
  <memory unit='MiB'>96</memory><vcpu>2</vcpu>
  <os><type arch='x86_64' machine='pc'>hvm</type></os>
  <devices>
    <disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='{path}'/><target dev='vda' bus='virtio'/></disk>
    <disk type='file' device='cdrom'><target dev='hdc' bus='ide'/><readonly/></disk>
    <interface type='user'><mac address='52:54:00:aa:00:01'/><model type='e1000'/></interface>
    <serial type='pty'/>
  </devices>
</domain>
"""


def instance(host: Hypervisor, name: str, *, check: bool = False, **declared: t.Any) -> Result:
    """Declare an instance that has nothing to boot from, so that it starts at once."""
    return run_module(
        "compute_instance", check=check, uri=host.uri, name=name, virt_type="qemu", limits=LIMITS, **declared
    )


def made(result: Result) -> dict[str, t.Any]:
    """Return the instance of a result that must not have failed."""
    assert not result.failed, result.message
    return t.cast("dict[str, t.Any]", result.data["instance"])


def without_record(xml: str) -> str:
    """Return a definition without what the collection writes into it."""
    return re.sub(r"\s*<metadata>.*?</metadata>", "", xml, flags=re.DOTALL)


@pytest.fixture
def foreign(hypervisor: Hypervisor, name: str) -> str:
    """Return the name of a domain that was made by hand."""
    hypervisor.virsh("vol-create-as", "default", "their.qcow2", "1G", "--format", "qcow2")
    text = FOREIGN.format(name=name, path=hypervisor.pool_path() / "their.qcow2")
    subprocess.run(["virsh", "-q", "-c", hypervisor.uri, "define", "/dev/stdin"], input=text, check=True, text=True)
    return name


def test_a_password_set_by_hand_is_kept(hypervisor: Hypervisor, name: str) -> None:
    """Libvirt shows a console's password only when asked for it, and a definition without it would remove it."""
    host = hypervisor
    made(instance(host, name, flavor=FLAVOR, power_state="stopped"))
    shown = host.virsh("dumpxml", "--security-info", name).replace("<graphics ", "<graphics passwd='hidden1' ")
    subprocess.run(["virsh", "-q", "-c", host.uri, "define", "/dev/stdin"], input=shown, check=True, text=True)
    result = instance(host, name, flavor={**FLAVOR, "memory_mb": 80}, power_state="stopped")
    assert made(result)["changed"]
    assert "hidden1" not in str(result.data)
    assert "passwd='hidden1'" in host.virsh("dumpxml", "--security-info", name)


@pytest.mark.parametrize("state", ["stopped", "running"])
def test_adoption_touches_nothing_that_is_not_declared(hypervisor: Hypervisor, foreign: str, state: str) -> None:
    """It is taken over as it is and in the state it is in, changed only as declared, and its disk is never deleted."""
    host = hypervisor
    refused = instance(host, foreign, metadata={"owner": "a"})
    assert refused.failed
    assert "adopt: true" in refused.message
    if state == "running":
        host.virsh("start", foreign)
    shown, word = host.virsh("dumpxml", foreign), host.state(foreign)

    adopted = made(instance(host, foreign, adopt=True, metadata={"owner": "a"}))
    assert [change["path"] for change in adopted["changes"]] == ["managed"]
    assert without_record(host.virsh("dumpxml", foreign)) == without_record(shown)
    assert 'value="a"' in host.virsh("dumpxml", foreign).replace("'", '"')
    assert host.state(foreign) == word
    for again in (
        instance(host, foreign, adopt=True, metadata={"owner": "a"}),
        instance(host, foreign, metadata={"owner": "a"}),
    ):
        assert made(again)["changes"] == []

    wanted: dict[str, t.Any] = {"flavor": {"name": "custom", "vcpus": 1, "memory_mb": 80, "disk_gb": 2}}
    grown = made(instance(host, foreign, **wanted))
    assert {change["path"] for change in grown["changes"]} >= {"memory_mb", "vcpus", "disk_gb"}
    assert made(instance(host, foreign, **wanted))["changes"] == []
    assert "2147483648" in host.virsh("domblkinfo", foreign, "vda")
    after = host.virsh("dumpxml", "--inactive", foreign)
    assert "52:54:00:aa:00:01" in after
    assert "<title>Their own</title>" in after
    assert "pc-i440fx" in after

    made(instance(host, foreign, state="absent", force=True, shutdown_timeout=0))
    assert host.domains() == set()
    assert "their.qcow2" in host.volumes()


def test_volumes_that_were_there_stay_and_those_that_were_made_go(hypervisor: Hypervisor, name: str) -> None:
    """What the instance only used is not deleted with it."""
    host = hypervisor
    host.virsh("vol-create-as", "default", "users.qcow2", "1M", "--format", "qcow2")
    volumes = [{"name": "users.qcow2"}, {"name": f"{name}-made", "size_gb": 1}]
    made(instance(host, name, flavor=FLAVOR, volumes=volumes, power_state="stopped"))
    assert {f"{name}-vda.qcow2", f"{name}-made", "users.qcow2"} <= host.volumes()
    made(instance(host, name, state="absent"))
    assert host.volumes() == {"users.qcow2"}


def test_disks_are_kept_when_asked(hypervisor: Hypervisor, name: str) -> None:
    """The domain goes, its disks stay, also one below a snapshot."""
    host = hypervisor
    made(instance(host, name, flavor=FLAVOR, power_state="stopped"))
    host.virsh("snapshot-create-as", name, "s1", "--disk-only", "--no-metadata")
    before = host.volumes()
    assert instance(host, name, state="absent").failed
    made(instance(host, name, state="absent", keep_disks=True))
    assert host.domains() == set()
    assert {volume for volume in before if "vda" in volume} <= host.volumes()


def test_what_was_added_by_hand_stays(hypervisor: Hypervisor, name: str) -> None:
    """Drives, disks and NICs that the collection did not add are not taken away with those that it did."""
    host = hypervisor
    for volume in ("ours.iso", "hand.iso", "hand.raw", "users.raw"):
        host.virsh("vol-create-as", "default", volume, "1M", "--format", "raw")
    declared: dict[str, t.Any] = {
        "cdroms": ["ours.iso"],
        "volumes": [{"name": "users.raw"}],
        "networks": [{"user": True, "mac": "52:54:00:0a:0a:0a"}],
    }
    made(instance(host, name, flavor=FLAVOR, power_state="stopped", **declared))
    drive = ["--type", "cdrom", "--mode", "readonly", "--targetbus", "sata"]
    host.virsh("attach-disk", name, str(host.pool_path() / "hand.iso"), "sdx", *drive, "--config")
    host.virsh("attach-disk", name, str(host.pool_path() / "hand.raw"), "vdx", "--config")
    nic = "<interface type='user'><mac address='52:54:00:0b:0b:0b'/></interface>"
    attach = ["virsh", "-q", "-c", host.uri, "attach-device", name, "/dev/stdin", "--config"]
    subprocess.run(attach, input=nic, check=True, text=True)
    assert made(instance(host, name, **declared))["changes"][0]["path"] == "power_state"

    declared["cdroms"] = []
    ejected = made(instance(host, name, **declared))
    assert [(change["path"], change["effect"]) for change in ejected["changes"]] == [("disks[sda]", "live")]
    assert "ours.iso" not in host.virsh("domblklist", name)
    assert "hand.iso" in host.virsh("domblklist", name)

    declared.update(volumes=[], networks=[], power_state="stopped", force=True, shutdown_timeout=0)
    changes = made(instance(host, name, **declared))["changes"]
    assert {change["path"] for change in changes} == {"disks[vdb]", "nics[52:54:00:0a:0a:0a]", "power_state"}
    assert made(instance(host, name, **declared))["changes"] == []
    assert re.findall(r"\S+$", host.virsh("domblklist", name), flags=re.MULTILINE) == [
        str(host.pool_path() / volume) for volume in (f"{name}-vda.qcow2", "hand.raw", "hand.iso")
    ]
    assert host.virsh("domiflist", name).split()[-1] == "52:54:00:0b:0b:0b"
    made(instance(host, name, state="absent"))
    assert host.volumes() == {"ours.iso", "hand.iso", "hand.raw", "users.raw"}


def test_a_volume_is_one_guests_alone(hypervisor: Hypervisor, name: str) -> None:
    """Two guests that write to one disk destroy it, so the second is refused unless both say that they share."""
    host = hypervisor
    host.virsh("vol-create-as", "default", "data.raw", "1M", "--format", "raw")
    one, two = f"{name}-1", f"{name}-2"
    plain, shared = [{"name": "data.raw"}], [{"name": "data.raw", "shareable": True}]
    made(instance(host, one, flavor=FLAVOR, volumes=plain, power_state="stopped"))
    for volumes in (plain, shared):
        refused = instance(host, two, flavor=FLAVOR, volumes=volumes, power_state="stopped")
        assert refused.failed
        assert f"is a disk of {one}" in refused.message
    assert host.domains() == {one}
    made(instance(host, one, flavor=FLAVOR, volumes=shared, power_state="stopped"))
    made(instance(host, two, flavor=FLAVOR, volumes=shared, power_state="stopped"))


def test_a_mac_is_one_guests_alone(hypervisor: Hypervisor, name: str) -> None:
    """Two NICs with one address on a network are the end of both."""
    host, one, two = hypervisor, f"{name}-1", f"{name}-2"
    networks = [{"user": True, "mac": "52:54:00:00:00:55"}]
    made(instance(host, one, flavor=FLAVOR, networks=networks, power_state="stopped"))
    refused = instance(host, two, flavor=FLAVOR, networks=networks, power_state="stopped")
    assert refused.failed
    assert f"networks[0].mac: 52:54:00:00:00:55 is the address of a NIC of {one}" in refused.message
    members = [{"name": f"{name}-{number}", "flavor": FLAVOR, "networks": networks} for number in (3, 4)]
    refused = run_module("compute_fleet", uri=host.uri, fleet="t", instances=members)
    assert refused.failed
    assert "instances[1].networks[0].mac" in refused.message
    uuid = "4b20d080-1b54-4048-85b3-a6a62d165c01"
    members = [{"name": f"{name}-{number}", "flavor": FLAVOR, "uuid": uuid} for number in (3, 4)]
    refused = run_module("compute_fleet", uri=host.uri, fleet="t", instances=members)
    assert refused.failed
    assert f"instances[1].uuid: {uuid} is the UUID of {name}-3 already" in refused.message
    config = {"version": 2, "ethernets": {"nic0": {"addresses": ["192.0.2.10/24"]}}}
    bridged: dict[str, t.Any] = {"flavor": FLAVOR, "networks": [{"bridge": "br0"}], "network_config": config}
    members = [{"name": f"{name}-{number}", **bridged} for number in (3, 4)]
    refused = run_module("compute_fleet", uri=host.uri, fleet="t", instances=members)
    assert refused.failed
    assert "instances[1].network_config: 192.0.2.10 is the address of" in refused.message
    assert f"{name}-3 in bridge br0 already" in refused.message
    assert host.domains() == {one}


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        ({"volumes": [{"name": "nosuch"}]}, ["volumes[0].name", "nosuch", "size_gb"]),
        ({"volumes": [{"name": "v", "pool": "nosuch", "size_gb": 1}]}, ["pool", "nosuch", "default"]),
        ({"volumes": [{"name": "v", "size_gb": 9999999}]}, ["GiB"]),
        ({"volumes": [{"name": "v", "bus": "sata", "size_gb": 1}], "machine_type": "pc"}, ["volumes[0].bus", "SATA"]),
        ({"max_memory_mb": 128, "balloon": False}, ["max_memory_mb", "balloon"]),
        ({"max_vcpus": 9999}, ["max_vcpus", "9999"]),
        ({"max_memory_mb": 99999999}, ["max_memory_mb", "99999999"]),
        ({"power_state": "suspended"}, ["power_state", "running first"]),
    ],
)
def test_bad_declarations_make_nothing(
    hypervisor: Hypervisor, name: str, declared: dict[str, t.Any], words: list[str]
) -> None:
    """One sentence names the option, and neither a domain nor a volume is made."""
    before = hypervisor.volumes()
    refused = instance(hypervisor, name, flavor=FLAVOR, **declared)
    assert refused.failed
    for word in words:
        assert word in refused.message
    assert hypervisor.domains() == set()
    assert hypervisor.volumes() == before


def test_a_growth_that_does_not_fit_changes_nothing(hypervisor: Hypervisor, name: str) -> None:
    """Neither the definition nor the disk is touched when the host has no room for the whole declaration."""
    host = hypervisor
    made(instance(host, name, flavor=FLAVOR, power_state="stopped"))
    before = host.virsh("dumpxml", name)
    refused = instance(host, name, flavor={**FLAVOR, "memory_mb": 99999999, "disk_gb": 2}, power_state="stopped")
    assert refused.failed
    assert "MiB of memory" in refused.message
    assert host.virsh("dumpxml", name) == before
