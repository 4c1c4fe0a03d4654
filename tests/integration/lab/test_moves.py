# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""The playbooks drain, undrain and rebalance, and deploy with moves, on three real daemons: every state on the way is looked at."""

from __future__ import annotations

import re
import sys
import typing as t
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import Hypervisor, lab_tool, run_module
from .movers import MIGRATE_URI
from .people import Operator, changes_in
from .stages import Stages, watched
from .subjects import FLAVOR

SMALL = {**FLAVOR, "name": "small", "memory_mb": 64}
LARGE = {**FLAVOR, "name": "large", "memory_mb": 128}
SLOTS = 4
"""How many of the small ones a host may have."""
NOWHERE = "tcp://127.0.0.1:1"


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[str]:
    """Return the directory of a lab of three hosts."""
    path = str(tmp_path_factory.mktemp("three"))
    lab_tool("up", "--hosts", "3", "--dir", path)
    try:
        yield path
    finally:
        lab_tool("down", "--dir", path)


@pytest.fixture
def hosts(directory: str) -> t.Iterator[list[Hypervisor]]:
    """Return the three, empty before and after."""
    found = [Hypervisor(name, lab_tool("uri", name, "--dir", directory)) for name in ("host1", "host2", "host3")]
    for host in found:
        host.clear()
    yield found
    for host in found:
        host.clear()


@pytest.fixture
def limits(hosts: list[Hypervisor]) -> dict[str, t.Any]:
    """Return what may be promised of a host, which is room for four small ones."""
    node = run_module("compute_facts", uri=hosts[0].uri).data["ansible_facts"]["compute_node"]
    share = (SLOTS * SMALL["memory_mb"] + 1) / node["memory_mb"]
    return {"reserved_host_memory_mb": 0, "cpu_allocation_ratio": 100.0, "ram_allocation_ratio": share}


@pytest.fixture
def operator(
    hosts: list[Hypervisor], directory: str, limits: dict[str, t.Any], guest_image: Path, tmp_path: Path
) -> Operator:
    """Return somebody with an inventory of all three."""
    assert hosts
    inventory = lab_tool("inventory", "--dir", directory, "--python", sys.executable)
    operator = Operator(tmp_path, inventory, "", guest_image)
    operator.fleet.update(
        fleet_name="t",
        fleet_limits=limits,
        fleet_flavors=[SMALL, LARGE],
        fleet_images=[],
        fleet_instances=[],
        fleet_force=True,
        fleet_shutdown_timeout=0,
        fleet_host_migrate_uri=MIGRATE_URI,
    )
    return operator


Has = Callable[..., None]


@pytest.fixture
def has(limits: dict[str, t.Any]) -> Has:
    """Return what gives a host instances, whatever any plan would say of that."""

    def has(host: Hypervisor, *names: str, fleet: str = "t", **declared: t.Any) -> None:
        members = [member(name, **declared) for name in names]
        for one in members:
            one["flavor"] = {"small": SMALL, "large": LARGE}[one["flavor"]]
        made = run_module(
            "compute_fleet", uri=host.uri, fleet=fleet, instances=members, limits=limits, virt_type="qemu"
        )
        assert not made.failed, made.message

    return has


def member(name: str, **declared: t.Any) -> dict[str, t.Any]:
    """Declare an instance with a blank disk, which is of no use but can be moved live."""
    small = {"flavor": "small", "graphics": {"type": "none"}, "boot": {"devices": ["network"]}}
    return {"name": name, **small, **declared}


def apart(group: str) -> dict[str, str]:
    """Return what keeps members of a group on hosts of their own."""
    return {"group": group, "group_policy": "anti-affinity"}


def check_stages(stages: Stages, sizes: dict[str, int], groups: t.Iterable[set[str]] = ()) -> None:
    """Make sure that no state on the way had too much on a host, two that are to be apart, or something nowhere."""
    there = set().union(*stages.seen[0].values())
    for stage in stages.seen:
        assert there <= set().union(*stage.values())
        for host, names in stage.items():
            assert sum(sizes.get(name, 1) for name in names) <= SLOTS, (host, names)
            assert not [group for group in groups if len(group & names) > 1], (host, names)


def play(operator: Operator, playbook: str, *arguments: str, fails: bool = False) -> str:
    """Run a playbook, which has to succeed unless it has to fail."""
    status, output = operator.play(playbook, *arguments)
    assert bool(status) == fails, output
    return " ".join(output.replace("\\n", " ").split())


def disable(inventory: Path, host: str) -> str:
    """Declare in the inventory that a host is out of service, and return what was there before."""
    text = inventory.read_text()
    more = 'fleet_host_service_status: disabled\n      fleet_host_disabled_reason: "new disks"\n'
    inventory.write_text(text.replace(f"    {host}:\n", f"    {host}:\n      {more}"))
    return text


def test_drained_and_back(operator: Operator, hosts: list[Hypervisor], has: Has, tmp_path: Path) -> None:
    """What stands against it is told before anything is moved; rules hold at every step; a second run moves nothing."""
    first, second, third = hosts
    has(first, "db-1", **apart("db"))
    has(first, "a-1", "a-2")
    has(first, "off", power_state="stopped")
    has(second, "db-2", **apart("db"))
    has(third, "theirs", fleet="other")
    first.virsh("snapshot-create-as", "off", "s1")
    operator.fleet["fleet_instances"] = [member("db", count=2, **apart("db")), member("a", count=2)]
    before = [(host.domains(), host.volumes()) for host in hosts]
    told = play(operator, "drain", "-e", "fleet_drain=host1", "--check", fails=True)
    for words in ("WAVE INSTANCE FROM TO", "host1 is empty then.", "off was not moved from host1 to", "snapshot"):
        assert words in told
    assert [(host.domains(), host.volumes()) for host in hosts] == before
    first.virsh("snapshot-delete", "off", "s1")

    drained(operator, hosts, tmp_path)
    text = disable(tmp_path / "inventory.yml", "host1")
    assert "host1 is disabled: new disks" in play(operator, "undrain", "-e", "fleet_undrain=host1", fails=True)
    (tmp_path / "inventory.yml").write_text(text)
    evened_out(operator, hosts, tmp_path)


def drained(operator: Operator, hosts: list[Hypervisor], directory: Path) -> None:
    """Drain the first host of all that it has, every step of which has to be allowed."""
    first = hosts[0]
    ids = {name: first.virsh("domuuid", name) for name in first.domains()}
    with watched(hosts, directory) as stages:
        told = play(operator, "drain", "-e", "fleet_drain=host1")
    check_stages(stages, {}, [{"db-1", "db-2"}])
    assert {name for name, _host in stages.arrivals} == set(ids)
    assert (first.domains(), first.volumes()) == (set(), set())
    homes = {name: host for host in hosts for name in host.domains()}
    assert {name: homes[name].virsh("domuuid", name) for name in ids} == ids
    assert {name: homes[name].state(name) for name in ids} == {**dict.fromkeys(ids, "running"), "off": "shut off"}
    assert "Only the inventory keeps it so" in told
    assert changes_in(play(operator, "drain", "-e", "fleet_drain=host1")) == 0


def evened_out(operator: Operator, hosts: list[Hypervisor], directory: Path) -> None:
    """Give the first host its share again; the figures are those that were foretold, and nothing is left to move."""
    with watched(hosts, directory) as stages:
        told = play(operator, "undrain", "-e", "fleet_undrain=host1")
    check_stages(stages, {}, [{"db-1", "db-2"}])
    assert hosts[0].domains()
    (foretold,) = re.findall(r"imbalance (\S+) -> ([0-9.]+)", told)
    assert foretold[0] > foretold[1]
    again = play(operator, "rebalance", "-e", '{"fleet_rebalance": {"threshold": 0.0}}')
    assert re.findall(r"imbalance (\S+) -> ([0-9.]+)", again) == [(foretold[1], foretold[1])]
    assert changes_in(again) == 0


def test_deploy_moves_before_it_creates(operator: Operator, hosts: list[Hypervisor], has: Has, tmp_path: Path) -> None:
    """A rule that is broken is mended and room is made; a move that fails leaves all as it was, and the next run does it."""
    first, second, third = hosts
    has(first, "v-1", "v-2", "x-1", "x-2")
    has(second, "y-1", "y-2")
    disable(tmp_path / "inventory.yml", "host3")
    operator.fleet.update(
        fleet_instances=[
            *(member("v", count=2, **apart("v")), member("x", count=2), member("y", count=2)),
            member("big", flavor="large"),
        ],
        fleet_fix_violations=True,
        fleet_make_room=True,
    )
    before = [host.domains() for host in hosts]

    told = play(operator, "deploy", "-e", f"fleet_host_migrate_uri={NOWHERE}", fails=True)
    for words in ("host3 is disabled: new disks", "moves from host1 to host2", "was not moved from host1 to host2"):
        assert words in told
    assert [host.domains() for host in hosts] == before
    assert {first.state(name) for name in first.domains()} == {"running"}

    with watched(hosts, tmp_path) as stages:
        play(operator, "deploy")
    check_stages(stages, {"big": 2})
    assert stages.arrivals[-1] == ("big", "host1")
    assert [len(group & first.domains()) for group in ({"v-1", "v-2"}, {"x-1", "x-2"})] == [1, 1]
    assert third.domains() == set()
    assert {host.state(name) for host in hosts for name in host.domains()} == {"running"}
    assert changes_in(play(operator, "deploy")) == 0
