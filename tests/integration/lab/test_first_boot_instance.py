# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""What compute_instance tells a guest of its first boot, and what becomes of another declaration."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest

from .conftest import Hypervisor, Result, run_module

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ8v2aDn0oMZ0mmHCt5FIyZOmHUyQ6bWPnG3u4bKPZ1k me@there"
HASH = "$6$saltsalt$" + "a" * 86
SECRET = "topsecret-words"


def script(mark: str) -> str:
    """Return user data that leaves a mark on the console."""
    return f"#!/bin/sh\n# {SECRET}\necho mark-{mark} >/dev/console\n"


def instance(host: Hypervisor, name: str, *, check: bool = False, **changes: t.Any) -> Result:
    """Declare an instance, and see that nothing secret is in what comes back."""
    declared: dict[str, t.Any] = {
        "name": name,
        "flavor": {"name": "tiny", "vcpus": 1, "memory_mb": 128, "disk_gb": 1},
        "image": "guest",
        "virt_type": "qemu",
        "graphics": {"type": "none"},
        "networks": [{"user": True}],
        "limits": {"reserved_host_memory_mb": 0},
    }
    result = run_module("compute_instance", check=check, diff=True, uri=host.uri, **{**declared, **changes})
    shown = json.dumps(result.data)
    for secret in (SECRET, HASH):
        assert secret not in shown
    return result


def made(result: Result) -> dict[str, t.Any]:
    """Return the instance of a result that must not have failed."""
    assert not result.failed, result.message
    return t.cast("dict[str, t.Any]", result.data["instance"])


def seeds(host: Hypervisor, name: str) -> set[str]:
    """Return the names of the volumes with an instance's seeds."""
    return {volume for volume in host.volumes() if volume.startswith(f"{name}-seed-")}


@pytest.fixture
def host(hypervisor: Hypervisor, guest_image: Path) -> Hypervisor:
    """Return an empty hypervisor with the test guest's image published."""
    result = run_module("compute_image", uri=hypervisor.uri, name="guest", src=str(guest_image))
    assert not result.failed, result.message
    return hypervisor


def test_a_declaration_arrives_is_kept_and_changes_at_the_next_boot(host: Hypervisor, name: str) -> None:
    """The guest is told what is declared; another declaration waits for a boot, is told once and leaves nothing over.

    terraform-provider-libvirt#470, #1150, #1267 and #1299: its ISO stays as it was when the data change, is made anew when
    they do not, or is left behind. virt_volume of community.libvirt writes one once and says changed every time.
    """
    declared: dict[str, t.Any] = {"user_data": script("one"), "ssh_keys": [KEY], "hostname": "told", "password": HASH}
    foretold = made(instance(host, name, check=True, **declared))
    first = made(instance(host, name, **declared))
    assert foretold["actions"] == first["actions"]
    host.wait_for_console(name, "kilonova-guest ready: told")
    host.wait_for_console(name, "mark-one")
    assert host.inside(name, "cat /root/.ssh/authorized_keys").strip() == KEY
    assert len(seeds(host, name)) == 1
    for again in (declared, {}):
        assert made(instance(host, name, **again))["changes"] == []

    declared["user_data"] = script("two")
    foretold = made(instance(host, name, check=True, **declared))
    second = made(instance(host, name, **declared))
    assert foretold["changes"] == second["changes"]
    assert [(change["path"], change["effect"]) for change in second["changes"]] == [("first_boot", "next_boot")]
    assert second["restart_required"]
    pending = made(instance(host, name, **declared))
    assert (pending["changes"], pending["restart_required"]) == ([], True)
    assert len(seeds(host, name)) == 2

    made(instance(host, name, allow_power_cycle=True, **declared))
    host.wait_for_console(name, "mark-two")
    settled = made(instance(host, name, **declared))
    assert not settled["restart_required"]
    assert len(seeds(host, name)) == 1

    made(instance(host, name, state="absent", force=True, shutdown_timeout=1))
    assert seeds(host, name) == set()
    assert host.domains() == set()


def test_a_new_instance_id_only_when_asked_for(host: Hypervisor, name: str) -> None:
    """The same instance-id means to cloud-init that it has booted before."""
    declared: dict[str, t.Any] = {"power_state": "stopped", "ssh_keys": [KEY]}
    made(instance(host, name, user_data=script("one"), **declared))
    uuid = host.virsh("domuuid", name)
    assert instance_id(host, name) == uuid
    made(instance(host, name, user_data=script("two"), **declared))
    assert instance_id(host, name) == uuid
    made(instance(host, name, user_data=script("three"), first_boot_change="first_boot", **declared))
    assert instance_id(host, name) == f"{uuid}-1"
    again = made(instance(host, name, user_data=script("three"), first_boot_change="first_boot", **declared))
    assert again["changes"] == []
    assert len(seeds(host, name)) == 1


def instance_id(host: Hypervisor, name: str) -> str:
    """Return the instance-id in the seed that the definition points to."""
    seed = next(word for word in host.virsh("domblklist", "--inactive", name).split() if "-seed-" in word)
    text = Path(seed).read_bytes().decode("latin-1")
    return text.split("instance-id")[1].splitlines()[0].strip('": ,')


@pytest.mark.parametrize("bus", ["scsi", "sata", "ide"])
def test_the_seed_is_on_the_root_disks_bus(host: Hypervisor, name: str, bus: str) -> None:
    """For that the guest has a driver when it looks for the seed; CD-ROMs beside it come and go as declared."""
    machine = "pc" if bus == "ide" else "q35"
    declared: dict[str, t.Any] = {
        "disk_bus": bus,
        "machine_type": machine,
        "power_state": "stopped",
        "hostname": "told",
    }
    host.virsh("vol-create-as", "default", "other.iso", "1M", "--format", "raw")
    made(instance(host, name, cdroms=["other.iso"], **declared))
    assert made(instance(host, name, cdroms=["other.iso"], **declared))["changes"] == []
    made(instance(host, name, cdroms=[], **declared))
    blocks = host.virsh("domblklist", name)
    assert "-seed-" in blocks
    assert "other.iso" not in blocks


def test_an_instance_is_told_later(host: Hypervisor, name: str) -> None:
    """One that was made without gets a seed, and its firmware does not say another name."""
    made(instance(host, name, power_state="stopped"))
    told = made(instance(host, name, power_state="stopped", hostname="told-later"))
    assert "first_boot" in {change["path"] for change in told["changes"]}
    assert made(instance(host, name, power_state="stopped", hostname="told-later"))["changes"] == []
    made(instance(host, name))
    host.wait_for_console(name, "kilonova-guest ready: told-later")


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        ({"user_data": "echo no header"}, ["user_data"]),
        ({"ssh_keys": ["nonsense"]}, ["ssh_keys[0]"]),
        ({"password": "plain"}, ["password", "mkpasswd"]),
        ({"hostname": "no_host_name!"}, ["hostname"]),
        ({"network_config": {"version": 1}}, ["network_config", "version: 2"]),
        ({"network_config": {"version": 2, "ethernets": {"nic7": {}}}}, ["network_config", "nic7"]),
    ],
)
def test_a_bad_declaration_makes_nothing(
    hypervisor: Hypervisor, name: str, declared: dict[str, t.Any], words: list[str]
) -> None:
    """The option is named.

    virt_cloud_instance of community.libvirt takes user data without a header, which the guest ignores, and appends to it.
    """
    before = hypervisor.volumes()
    refused = instance(hypervisor, name, image=None, **declared)
    assert refused.failed
    for word in words:
        assert word in refused.message
    assert hypervisor.domains() == set()
    assert hypervisor.volumes() == before
