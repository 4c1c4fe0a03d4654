# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""compute_fleet against a real daemon: many at once, failures apart, claims, purge, call counts."""

from __future__ import annotations

import functools
import json
import typing as t
from collections import Counter

import pytest

from .conftest import Hypervisor, Result, run_module, start_module
from .killing import Runs
from .subjects import SWITCHED_OFF

FLAVOR = {"name": "tiny", "vcpus": 1, "memory_mb": 64, "disk_gb": 1}
IMAGE = "guest"
LIMITS = {"reserved_host_memory_mb": 0, "cpu_allocation_ratio": 100.0, "disk_allocation_ratio": 10.0}


Reconcile = t.Callable[..., Result]


@pytest.fixture(scope="module")
def runs() -> t.Iterator[Runs]:
    """Return what runs the modules."""
    with Runs("compute_fleet", "compute_instance_info") as opened:
        yield opened


@pytest.fixture
def host(shared_host: Hypervisor) -> t.Iterator[Hypervisor]:
    """Return a hypervisor with nothing but the test guest's image, before and after."""
    images = shared_host.volumes()
    yield shared_host
    shared_host.clear_domains()
    for volume in shared_host.volumes() - images:
        shared_host.virsh("vol-delete", volume, "default")


@pytest.fixture
def fleet(host: Hypervisor, runs: Runs) -> Reconcile:
    """Return what reconciles a fleet, which must not fail."""
    return lambda members, **changes: runs.run("compute_fleet", **arguments(host, members, **changes)).done


def member(name: str, **changes: t.Any) -> dict[str, t.Any]:
    """Declare a member of a fleet, whose guest has its disk and never boots from it, which would take its time."""
    small = {"flavor": FLAVOR, "image": IMAGE, "graphics": {"type": "none"}, "boot": {"devices": ["network"]}}
    return {"name": name, **small, **changes}


def arguments(host: Hypervisor, members: list[dict[str, t.Any]], **changes: t.Any) -> dict[str, t.Any]:
    """Return the module's options as the tests like them."""
    return {
        "uri": host.uri,
        "fleet": "t",
        "virt_type": "qemu",
        "limits": LIMITS,
        "instances": members,
        **changes,
    }


def attempt(host: Hypervisor, members: list[dict[str, t.Any]], **changes: t.Any) -> Result:
    """Reconcile the fleet, in a process of its own, be it that this fails."""
    return run_module("compute_fleet", **arguments(host, members, **changes))


def test_scale_up_and_down(host: Hypervisor, fleet: Reconcile) -> None:
    """Two boot; a third joins without touching them; purge removes what is no longer declared."""
    two = [member("a-1"), member("a-2")]
    fleet(two)
    assert host.domains() == {"a-1", "a-2"}
    assert not fleet(two).changed

    ids = {name: host.virsh("domid", name) for name in ("a-1", "a-2")}
    third = fleet([*two, member("a-3")])
    assert [entry["name"] for entry in third.data["instances"] if entry["changed"]] == ["a-3"]
    assert {name: host.virsh("domid", name) for name in ids} == ids

    assert not fleet(two).changed
    purged = fleet(two, purge=True, **SWITCHED_OFF)
    assert purged.changed
    assert host.domains() == {"a-1", "a-2"}
    assert "a-3-vda.qcow2" not in host.volumes()

    gone = fleet([], state="absent", **SWITCHED_OFF)
    assert gone.changed
    assert host.domains() == set()
    assert not fleet([], state="absent").changed


def test_one_failure_does_not_stop_the_others(host: Hypervisor) -> None:
    """The task fails with the list, and everyone else is there."""
    result = attempt(host, [member("a"), member("b", image="nosuch"), member("c", networks=[{"network": "nosuch"}])])
    assert result.failed
    assert result.changed
    assert "2 of 3 instances failed" in result.message
    assert host.domains() == {"a"}
    outcome = {entry["name"]: entry.get("failed", False) for entry in result.data["instances"]}
    assert outcome == {"a": False, "b": True, "c": True}


def test_the_host_is_never_promised_twice(host: Hypervisor) -> None:
    """Two runs at once each ask for more than half of the memory: exactly one gets it."""
    total = run_module("compute_facts", uri=host.uri).data["ansible_facts"]["compute_node"]["memory_mb"]
    large = {**FLAVOR, "memory_mb": total * 6 // 10}
    runs = [
        start_module(
            "compute_fleet",
            **arguments(host, [member(name, flavor=large, power_state="stopped")], fleet=name),
        )
        for name in ("one", "two")
    ]
    results = [json.loads(run.communicate(timeout=300)[0].strip().splitlines()[-1]) for run in runs]
    assert sorted(bool(result.get("failed")) for result in results) == [False, True]
    assert "MiB of memory" in next(result["msg"] for result in results if result.get("failed"))
    assert len(host.domains()) == 1


def test_two_runs_of_one_fleet_at_once(host: Hypervisor, fleet: Reconcile) -> None:
    """Neither takes the other's half-made instances for its own: every guest runs on a disk that is there.

    terraform-provider-libvirt#71, #324 and #594 are of volumes made at once in one pool, which is busy, or locked for ever.
    """
    members = [member(f"c-{index}") for index in range(3)]
    for _round in range(2):
        runs = [start_module("compute_fleet", **arguments(host, members)) for _run in range(2)]
        results = [json.loads(run.communicate(timeout=300)[0].strip().splitlines()[-1]) for run in runs]
        assert [result.get("msg") for result in results if result.get("failed")] == []
        assert {entry["name"]: host.state(entry["name"]) for entry in members} == dict.fromkeys(
            (entry["name"] for entry in members), "running"
        )
        assert {f"{entry['name']}-vda.qcow2" for entry in members} <= host.volumes()
        assert not fleet(members).changed
        host.clear_domains()


def test_a_fleet_leaves_other_fleets_alone(host: Hypervisor, fleet: Reconcile) -> None:
    """Neither purge nor absent reaches beyond the named fleet."""
    fleet([member("a", power_state="stopped")], fleet="left")
    assert not fleet([], fleet="right", purge=True).changed
    assert not fleet([], fleet="right", state="absent").changed
    assert host.domains() == {"a"}
    conflict = attempt(host, [member("a")], fleet="right")
    assert conflict.failed
    assert "belongs to fleet left" in conflict.message


@pytest.mark.parametrize("state", ["present", "absent"])
def test_a_run_killed_at_any_call_is_finished_by_the_next(
    host: Hypervisor, runs: Runs, fleet: Reconcile, state: str
) -> None:
    """Whichever libvirt call is the last one made, the next run does the rest, and nothing is left over."""
    images = host.volumes()
    gone: dict[str, t.Any] = {"state": "absent", **SWITCHED_OFF}
    members = [member("k-1", power_state="stopped"), member("k-2")]
    disks = {f"{entry['name']}-vda.qcow2" for entry in members}
    wanted = arguments(host, members, **(gone if state == "absent" else {}))
    begin = functools.partial(fleet, members, **(gone if state == "present" else {}))
    died = []
    for call in runs.killed_everywhere("compute_fleet", begin, **wanted):
        died.append(call)
        if state == "present":
            assert fleet(members).changed == bool(call)
            assert not fleet(members).changed
            assert [host.state(entry["name"]) for entry in members] == ["shut off", "running"]
            assert {volume for volume in host.volumes() - images if not volume.endswith(".log")} == disks
            fleet([], **gone)
        else:
            assert fleet([], **gone).changed == bool(call)
        assert host.domains() == set()
        assert host.volumes() == images
    steps = {"defineXMLFlags", "createXML", "create"} if state == "present" else {"delete", "destroy", "undefineFlags"}
    assert steps <= set(died)


def calls_of(runs: Runs, module: str, **options: t.Any) -> dict[str, int]:
    """Run a module that changes nothing, and return how often it made each libvirt call."""
    ended = runs.run(module, every_call=True, **options)
    assert not ended.done.changed
    return Counter(ended.calls)


def grown(before: dict[str, int], after: dict[str, int]) -> dict[str, int]:
    """Return of which calls there are more, and how many more."""
    return {call: count - before.get(call, 0) for call, count in after.items() if count != before.get(call, 0)}


def lists(calls: dict[str, int]) -> dict[str, int]:
    """Return the calls that ask for everything of a kind."""
    return {call: count for call, count in calls.items() if call.startswith(("list", "getAll"))}


def rich(index: int, **changes: t.Any) -> dict[str, t.Any]:
    """Declare a member with two NICs, two volumes and a seed, which has nothing to boot."""
    volumes = [{"name": f"n-{index}-{which}", "size_gb": 1} for which in ("a", "b")]
    devices = {"networks": [{"user": True}, {"user": True}], "volumes": volumes, "hostname": f"n-{index}"}
    return member(f"n-{index}", autostart=True, metadata={"role": "web"}, **devices, **changes)


def test_a_no_op_costs_few_calls(host: Hypervisor, runs: Runs, fleet: Reconcile) -> None:
    """However many there are: two calls for each that runs, one for each that is off, one for each volume, no list call more."""
    few = [rich(1), rich(2, power_state="stopped")]
    more = [*few, *(rich(index) for index in (3, 4, 5)), *(rich(index, power_state="stopped") for index in (6, 7))]
    counted, looked = [], []
    for members in (few, more):
        fleet(members)
        counted.append(calls_of(runs, "compute_fleet", **arguments(host, members)))
        looked.append(calls_of(runs, "compute_instance_info", uri=host.uri, addresses=["lease", "agent", "arp"]))
    (one, all_of_them), (one_seen, all_seen) = counted, looked
    assert lists(one) == {"listAllDomains": 2, "getAllDomainStats": 1, "listAllVolumes": 1}
    assert grown(one, all_of_them) == {"XMLDesc": 3 * 2 + 2 + 5 * len(rich(1)["volumes"])}
    assert lists(one_seen) == {"listAllDomains": 2, "getAllDomainStats": 1}
    assert grown(one_seen, all_seen) == {"XMLDesc": 3 * 2 + 2, "interfaceAddresses": 3 * 3}
    fleet([], state="absent", **SWITCHED_OFF)
