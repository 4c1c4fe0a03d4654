# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""compute_instance_info against a real daemon and a real guest; what it says is compared with what virsh says."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._driver.connection import Connection
from ansible_collections.kilonova.compute.plugins.module_utils._service.instance_info import (
    InfoOptions,
    list_instances,
)

from .conftest import Hypervisor, run_module, wait_until

FLAVOR = {"name": "tiny", "vcpus": 1, "memory_mb": 128, "disk_gb": 1}
FOREIGN = "<domain type='qemu'><name>{}</name><memory unit='MiB'>100</memory><os><type>hvm</type></os></domain>"


def info(host: Hypervisor, *, check: bool = False, **options: t.Any) -> list[t.Any]:
    """Return the listed instances."""
    result = run_module("compute_instance_info", check=check, uri=host.uri, **options)
    assert not result.failed, result.message
    assert not result.changed
    instances: list[t.Any] = result.data["instances"]
    return instances


def make(host: Hypervisor, name: str, **changes: t.Any) -> None:
    """Make an instance of ours; without an image it is only defined."""
    declared: dict[str, t.Any] = {
        "flavor": FLAVOR,
        "virt_type": "qemu",
        "power_state": "stopped",
        "networks": [{"user": True}],
        "limits": {"reserved_host_memory_mb": 0},
    }
    made = run_module("compute_instance", uri=host.uri, name=name, **{**declared, **changes})
    assert not made.failed, made.message


def define_foreign(host: Hypervisor, directory: Path, name: str) -> None:
    """Define a domain that is not ours."""
    path = directory / "foreign.xml"
    path.write_text(FOREIGN.format(name))
    host.virsh("define", str(path))


def shown(text: str) -> dict[str, str]:
    """Return what virsh shows as lines of a name and a value."""
    pairs = (line.split(None, 1) for line in text.replace(":", " ").splitlines())
    return {pair[0]: pair[1].strip() for pair in pairs if len(pair) == 2}


def guest_addresses(host: Hypervisor, name: str) -> set[str]:
    """Return the addresses that the guest itself has, but those of no use to others; none before its agent is there."""
    answer = host.virsh("qemu-agent-command", name, '{"execute":"guest-network-get-interfaces"}', check=False)
    nics = json.loads(answer)["return"] if answer else []
    found = {one["ip-address"] for nic in nics for one in nic.get("ip-addresses", [])}
    return {address for address in found if not address.startswith(("127.", "::1", "fe80:"))}


def value_of(statistics: str, key: str) -> str:
    """Return one value of what ``virsh domstats`` prints."""
    return next(line.partition("=")[2] for line in statistics.splitlines() if line.strip().startswith(f"{key}="))


def check_disk(host: Hypervisor, name: str, row: dict[str, t.Any]) -> None:
    """Check the one disk's row; its size is the same whether the guest runs or not."""
    (disk,) = row["disks"]
    sizes = shown(host.virsh("domblkinfo", name, "vda"))
    assert disk["source"] == str(host.pool_path() / f"{name}-vda.qcow2")
    assert (disk["target"], disk["bus"], disk["format"], disk["owned"]) == ("vda", "virtio", "qcow2", True)
    assert (disk["capacity_bytes"], disk["capacity_gb"]) == (int(sizes["Capacity"]), 1)
    assert 0 < disk["allocation_bytes"] <= disk["capacity_bytes"]


def check_usage(host: Hypervisor, name: str, usage: dict[str, t.Any]) -> None:
    """Check counters against later ones, which can only be larger."""
    later = host.virsh("domstats", "--raw", name)
    assert 0 < usage["cpu_time_seconds"] * 1e9 <= int(value_of(later, "cpu.time")) + 1e6
    (disk_usage,) = usage["disks"]
    assert 0 < disk_usage["read_bytes"] <= int(value_of(later, "block.0.rd.bytes"))
    assert usage["memory_balloon_mb"] == 128
    assert usage["memory_rss_mb"] > 0


def test_a_running_instance(hypervisor: Hypervisor, guest_image: Path, name: str) -> None:
    """Its machine, disks, usage, screen, addresses and state are those that virsh and the guest's agent tell.

    Its NIC is of the type that community.libvirt's virt get_interfaces crashes on.
    """
    made = run_module("compute_image", uri=hypervisor.uri, name="guest", src=str(guest_image))
    assert not made.failed, made.message
    make(hypervisor, name, image="guest", power_state="running", fleet="shop", metadata={"role": "web"})
    hypervisor.wait_for_console(name, f"kilonova-guest ready: {name}")
    hypervisor.virsh("autostart", name)

    # The guest may still be given another address.
    addresses_before = wait_until(lambda: guest_addresses(hypervisor, name), "the agent tells addresses")
    (row,) = info(hypervisor, addresses=["lease", "agent", "arp"])
    addresses_after = guest_addresses(hypervisor, name)
    assert (row["name"], row["uuid"]) == (name, hypervisor.virsh("domuuid", name))
    assert (row["managed"], row["fleet"], row["flavor"], row["image"]) == (True, "shop", "tiny", "guest")
    assert row["labels"] == {"role": "web"}
    assert (row["state"], row["power_state"], row["autostart"]) == (hypervisor.state(name), "running", True)
    assert (row["vcpus"], row["memory_mb"]) == (1, 128)
    assert str(row["max_vcpus"]) == hypervisor.virsh("vcpucount", name, "--maximum", "--live")
    assert f"<memory unit='KiB'>{row['max_memory_mb'] * 1024}</memory>" in hypervisor.virsh("dumpxml", name)
    live = hypervisor.virsh("dumpxml", name)
    assert f"machine='{row['machine_type']}'" in live
    assert (row["virt_type"], row["firmware"]) == ("qemu", "bios")

    check_disk(hypervisor, name, row)
    (nic,) = row["nics"]
    assert f"<mac address='{nic['mac']}'/>" in live
    assert (nic["type"], nic["model"], nic["link_state"]) == ("user", "virtio", "up")

    assert set() != addresses_before <= {address["address"] for address in row["addresses"]} <= addresses_after
    assert {(one["source"], one["mac"], one["interface"]) for one in row["addresses"]} == {
        ("agent", nic["mac"], "eth0")
    }

    check_usage(hypervisor, name, row["usage"])
    (screen,) = row["graphics"]
    # virsh counts displays from port 5900 on.
    assert hypervisor.virsh("vncdisplay", name) == f"{screen['host']}:{screen['port'] - 5900}"
    assert screen["uri"] == f"vnc://127.0.0.1:{screen['port']}"
    assert row["console_log"] == str(hypervisor.pool_path() / f"{name}.console.log")

    hypervisor.virsh("suspend", name)
    (paused,) = info(hypervisor, addresses=["agent"])
    assert (paused["state"], paused["power_state"], paused["addresses"]) == ("paused", "paused", [])
    hypervisor.virsh("managedsave", name)
    (saved,) = info(hypervisor)
    assert (saved["state"], saved["power_state"]) == ("shutoff", "suspended")
    assert (saved["usage"], saved["graphics"], saved["addresses"]) == (None, [], [])
    check_disk(hypervisor, name, saved)


def test_which_are_listed(hypervisor: Hypervisor, tmp_path: Path, name: str) -> None:
    """Ours by name, fleet, labels and query, others only when asked for, all of it in check mode as well.

    community.libvirt#229 asks how to list all there are, also those that are off, each with its state.
    """
    make(hypervisor, f"{name}-b", fleet="shop", metadata={"role": "web", "size": 2})
    make(hypervisor, f"{name}-a", fleet="shop", metadata={"role": "db"})
    make(hypervisor, f"{name}-c")
    define_foreign(hypervisor, tmp_path, f"{name}-z")

    def names(**options: t.Any) -> list[str]:
        return [row["name"].removeprefix(f"{name}-") for row in info(hypervisor, **options)]

    assert names() == names(check=True) == ["a", "b", "c"]
    assert names(all_domains=True) == ["a", "b", "c", "z"]
    assert names(names=[f"{name}-c", f"{name}-z", "nobody"]) == ["c"]
    assert names(fleet="shop") == ["a", "b"]
    assert names(labels={"role": "web", "size": 2}) == ["b"]
    assert names(fleet="shop", query="[?labels.role == 'db']") == ["a"]
    foreign = info(hypervisor, names=[f"{name}-z"], all_domains=True)[0]
    assert (foreign["managed"], foreign["fleet"], foreign["labels"]) == (False, None, {})
    assert info(hypervisor, query="[].power_state") == ["stopped"] * 3


def test_calls_do_not_grow_with_the_instances(hypervisor: Hypervisor, tmp_path: Path, name: str) -> None:
    """One more that is off costs one call, one more that runs two and one for each source; no list call grows."""

    def calls() -> dict[str, int]:
        with Connection(hypervisor.uri) as connection:
            list_instances(connection, InfoOptions(all_domains=True, addresses=("lease", "arp")))
            return dict(connection.calls)

    def grown(before: dict[str, int]) -> dict[str, int]:
        return {key: count - before[key] for key, count in calls().items() if count != before[key]}

    define_foreign(hypervisor, tmp_path, f"{name}-0")
    hypervisor.virsh("start", f"{name}-0")
    one = calls()
    assert {key: count for key, count in one.items() if key.startswith(("list", "getAll"))} == {
        "getAllDomainStats": 1,
        "listAllDomains": 2,
    }
    for number in range(1, 4):
        define_foreign(hypervisor, tmp_path, f"{name}-{number}")
    assert grown(one) == {"XMLDesc": 3}
    hypervisor.virsh("start", f"{name}-1")
    assert grown(one) == {"XMLDesc": 4, "interfaceAddresses": 2}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"query": "[?name =="}, "Option query: "),
        ({"query": "nothing(@)"}, "Unknown function: nothing()"),
        ({"labels": {"role": ["web"]}}, "Option labels[role]: "),
    ],
)
def test_what_is_refused(hypervisor: Hypervisor, options: dict[str, t.Any], words: str) -> None:
    """One sentence that names the option."""
    result = run_module("compute_instance_info", uri=hypervisor.uri, **options)
    assert result.failed
    assert words in result.message
    assert "\n" not in result.message
