# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""compute_facts against a real daemon; what is there is made and checked with virsh."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._driver.connection import Connection
from ansible_collections.kilonova.compute.plugins.module_utils._service.facts import FactsOptions, compute_node

from .conftest import Hypervisor, run_module

FLAVOR = {"name": "tiny", "vcpus": 2, "memory_mb": 96, "disk_gb": 3}


def facts(host: Hypervisor, *, check: bool = False, **options: t.Any) -> dict[str, t.Any]:
    """Return what compute_facts says."""
    result = run_module("compute_facts", check=check, uri=host.uri, **options)
    assert not result.failed, result.message
    assert not result.changed
    assert set(result.data["ansible_facts"]) == {"compute_node"}
    node: dict[str, t.Any] = result.data["ansible_facts"]["compute_node"]
    return node


def define(host: Hypervisor, path: Path, name: str, body: str = "", devices: str = "") -> None:
    """Define a guest that is not ours."""
    path.write_text(
        f"<domain type='qemu'><name>{name}</name><memory unit='MiB'>100</memory><vcpu current='1'>3</vcpu>{body}"
        f"<os><type>hvm</type></os><devices>{devices}</devices></domain>"
    )
    host.virsh("define", str(path))


def disk(host: Hypervisor, name: str, size: str, directory: Path | None = None) -> str:
    """Return a disk on a new volume of the pool, or on a file elsewhere."""
    host.virsh("vol-create-as", "default", name, size, "--format", "qcow2")
    path = host.pool_path() / name
    if directory:
        path = directory / name
        path.write_bytes((host.pool_path() / name).read_bytes())
        path.chmod(0o666)
    return (
        "<disk type='file' device='disk'><driver name='qemu' type='qcow2'/>"
        f"<source file='{path}'/><target dev='vda'/></disk>"
    )


def instance(node: dict[str, t.Any], name: str) -> dict[str, t.Any]:
    """Return one instance's row."""
    (row,) = [row for row in node["instances"] if row["name"] == name]
    found: dict[str, t.Any] = row
    return found


def test_an_empty_host(hypervisor: Hypervisor) -> None:
    """Everything is free, and the figures are those that virsh gives."""
    node = facts(hypervisor)
    assert node["host_uuid"] in hypervisor.virsh("capabilities")
    assert node["hypervisor_hostname"] == hypervisor.virsh("hostname")
    assert node["uri"] == hypervisor.uri
    assert (node["hypervisor_type"], node["state"], node["service_status"]) == ("QEMU", "up", "enabled")
    assert (node["vcpus_used"], node["memory_mb_used"], node["local_gb_used"], node["running_vms"]) == (0, 0, 0, 0)
    assert node["free_ram_mb"] == node["memory_mb"] > 0
    assert f"CPU(s): {node['vcpus']}" in " ".join(hypervisor.virsh("nodeinfo").split())
    assert {"q35", "pc"} <= set(node["machine_types"])
    assert "qemu" in node["virt_types"]
    assert "bios" in node["firmware"]
    assert sum(len(cell["cpus"]) for cell in node["numa_topology"]) >= node["vcpus"]
    pool = node["storage_pools"]["default"]
    assert (pool["type"], pool["active"], pool["path"]) == ("dir", True, str(hypervisor.pool_path()))
    assert node["local_gb"] == node["free_disk_gb"] == pool["capacity_gb"]
    assert node["instances"] == []


def test_a_foreign_guest_counts_with_what_it_is_defined_with(hypervisor: Hypervisor, tmp_path: Path, name: str) -> None:
    """Its most vCPUs and its disk's full size are gone, although it is off; it is not said to be ours."""
    before = facts(hypervisor)
    define(hypervisor, tmp_path / "d.xml", name, devices=disk(hypervisor, f"{name}-vda.qcow2", "3G"))
    node = facts(hypervisor)
    assert (node["vcpus_used"], node["memory_mb_used"], node["local_gb_used"]) == (3, 100, 3)
    assert node["free_ram_mb"] == node["memory_mb"] - 100
    assert node["free_disk_gb"] == node["local_gb"] - 3
    assert before["disk_available_least"] - node["disk_available_least"] in (3, 4)
    row = instance(node, name)
    assert row["uuid"] == hypervisor.virsh("domuuid", name)
    assert (row["vcpus"], row["memory_mb"], row["disk_gb"], row["power_state"]) == (3, 100, 3, "stopped")
    assert row["managed"] is False
    assert row["fleet"] is row["flavor"] is row["created_at"] is None


def test_a_disk_outside_the_pool_takes_nothing_of_it(hypervisor: Hypervisor, tmp_path: Path, name: str) -> None:
    """The guest's own row still has it."""
    define(hypervisor, tmp_path / "d.xml", name, devices=disk(hypervisor, f"{name}-vda.qcow2", "3G", tmp_path))
    node = facts(hypervisor)
    assert node["local_gb_used"] == 0
    assert instance(node, name)["disk_gb"] == 3


def test_an_instance_of_ours_counts_with_its_flavor(hypervisor: Hypervisor, name: str) -> None:
    """What compute_instance makes is found again with its flavor's disk, fleet and time of creation."""
    made = run_module(
        "compute_instance", uri=hypervisor.uri, name=name, fleet="demo", flavor=FLAVOR, power_state="stopped"
    )
    assert not made.failed, made.message
    node = facts(hypervisor)
    row = instance(node, name)
    assert (row["managed"], row["fleet"], row["flavor"]) == (True, "demo", "tiny")
    assert (row["vcpus"], row["memory_mb"], row["disk_gb"]) == (2, 96, 3)
    assert row["created_at"].endswith("Z")
    assert (node["vcpus_used"], node["memory_mb_used"], node["local_gb_used"]) == (2, 96, 3)


def test_power_states(hypervisor: Hypervisor, tmp_path: Path, name: str) -> None:
    """Nova's words follow the guest through its life."""
    define(hypervisor, tmp_path / "d.xml", name)

    def seen() -> tuple[str, int]:
        node = facts(hypervisor)
        return instance(node, name)["power_state"], node["running_vms"]

    hypervisor.virsh("start", name)
    assert seen() == ("running", 1)
    hypervisor.virsh("suspend", name)
    assert seen() == ("paused", 1)
    hypervisor.virsh("managedsave", name)
    assert seen() == ("suspended", 0)
    hypervisor.virsh("managedsave-remove", name)
    assert seen() == ("stopped", 0)


def test_pinned_cpus(hypervisor: Hypervisor, tmp_path: Path, name: str) -> None:
    """A host CPU that a vCPU is pinned to is named in its NUMA cell."""
    define(hypervisor, tmp_path / "d.xml", name, "<cputune><vcpupin vcpu='0' cpuset='0'/></cputune>")
    assert facts(hypervisor)["numa_topology"][0]["pinned_cpus"] == [0]


def test_options_and_check_mode(hypervisor: Hypervisor) -> None:
    """What the user says of the host comes back, also in check mode."""
    options = {"availability_zone": "east", "aggregates": ["fast", "fast"], "traits": ["CUSTOM_SSD"]}
    for check in (False, True):
        node = facts(hypervisor, check=check, **options)
        assert (node["availability_zone"], node["aggregates"]) == ("east", ["fast"])
        assert "CUSTOM_SSD" in node["traits"]
        assert any(trait.startswith("HW_ARCH_") for trait in node["traits"])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"pool": "nowhere"}, ("Option pool:", "nowhere", "there are: default")),
        ({"traits": ["ssd"]}, ("Option traits:", "'ssd'", "CUSTOM_SSD")),
        ({"uri": "qemu:///session?socket=/nonexistent/sock"}, ("/nonexistent/sock", "check option uri")),
        ({"uri": "nonsense"}, ("nonsense", "check option uri")),
    ],
)
def test_one_clear_sentence(hypervisor: Hypervisor, options: dict[str, t.Any], words: tuple[str, ...]) -> None:
    """Bad input says which option and what would be right, in one line."""
    result = run_module("compute_facts", **{"uri": hypervisor.uri, **options})
    assert result.failed
    assert all(word in result.message for word in words), result.message
    assert "\n" not in result.message


def test_a_pool_that_is_not_running(hypervisor: Hypervisor) -> None:
    """It is said, with what to do."""
    hypervisor.virsh("pool-destroy", "default")
    try:
        result = run_module("compute_facts", uri=hypervisor.uri)
    finally:
        hypervisor.virsh("pool-start", "default")
    assert result.failed
    assert "not running; start it (virsh pool-start default)" in result.message


def test_calls_do_not_grow_with_the_guests(hypervisor: Hypervisor, tmp_path: Path, name: str) -> None:
    """One more guest costs just one more call, and that is not a list call."""

    def calls() -> dict[str, int]:
        with Connection(hypervisor.uri) as connection:
            compute_node(connection, FactsOptions("default"))
            return dict(connection.calls)

    define(hypervisor, tmp_path / "d.xml", f"{name}-0")
    one = calls()
    for number in range(1, 6):
        define(hypervisor, tmp_path / "d.xml", f"{name}-{number}")
    six = calls()
    assert {key: count - one[key] for key, count in six.items() if count != one[key]} == {"XMLDesc": 5}
    assert {key: count for key, count in six.items() if key.startswith(("list", "getAll"))} == {
        "getAllDomainStats": 1,
        "listAllDomains": 1,
        "listAllStoragePools": 1,
        "listAllVolumes": 1,
        "listAllNetworks": 1,
        "listAllDevices": 1,
    }
