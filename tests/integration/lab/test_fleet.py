# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""compute_fleet against a real daemon: many at once, failures apart, claims, purge, call counts."""

from __future__ import annotations

import itertools
import json
import signal
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest

from .conftest import Hypervisor, Result, run_module, start_module

FLAVOR = {"name": "tiny", "vcpus": 1, "memory_mb": 64, "disk_gb": 1}
IMAGE = "guest"
LIMITS = {"reserved_host_memory_mb": 0, "cpu_allocation_ratio": 100.0, "disk_allocation_ratio": 10.0}
LIST_CALLS = {
    "getAllDomainStats",
    "listAllDomains",
    "listAllVolumes",
    "listAllNetworks",
    "listAllStoragePools",
    "storagePoolLookupByName",
}


@pytest.fixture
def host(hypervisor: Hypervisor, guest_image: Path) -> Hypervisor:
    """Return an empty hypervisor with the test guest's image published."""
    result = run_module("compute_image", uri=hypervisor.uri, name=IMAGE, src=str(guest_image))
    assert not result.failed, result.message
    return hypervisor


def member(name: str, **changes: t.Any) -> dict[str, t.Any]:
    """Declare a member of a fleet."""
    return {"name": name, "flavor": FLAVOR, "image": IMAGE, "graphics": {"type": "none"}, **changes}


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


def fleet(host: Hypervisor, members: list[dict[str, t.Any]], **changes: t.Any) -> Result:
    """Reconcile the fleet."""
    return run_module("compute_fleet", **arguments(host, members, **changes))


def test_scale_up_and_down(host: Hypervisor) -> None:
    """Two boot; a third joins without touching them; purge removes what is no longer declared."""
    two = [member("a-1"), member("a-2")]
    first = fleet(host, two)
    assert not first.failed, first.message
    assert host.domains() == {"a-1", "a-2"}
    assert not fleet(host, two).changed

    ids = {name: host.virsh("domid", name) for name in ("a-1", "a-2")}
    third = fleet(host, [*two, member("a-3")])
    assert [entry["name"] for entry in third.data["instances"] if entry["changed"]] == ["a-3"]
    assert {name: host.virsh("domid", name) for name in ids} == ids

    assert not fleet(host, two).changed
    purged = fleet(host, two, purge=True, force=True, shutdown_timeout=1)
    assert purged.changed
    assert host.domains() == {"a-1", "a-2"}
    assert "a-3-vda.qcow2" not in host.volumes()

    gone = fleet(host, [], state="absent", force=True, shutdown_timeout=1)
    assert gone.changed
    assert host.domains() == set()
    assert not fleet(host, [], state="absent").changed


def test_one_failure_does_not_stop_the_others(host: Hypervisor) -> None:
    """The task fails with the list, and everyone else is there."""
    result = fleet(host, [member("a"), member("b", image="nosuch"), member("c", networks=[{"network": "nosuch"}])])
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


def test_two_runs_of_one_fleet_at_once(host: Hypervisor) -> None:
    """Neither takes the other's half-made instances for its own: every guest runs on a disk that is there.

    terraform-provider-libvirt#71, #324 and #594 are of volumes made at once in one pool, which is busy, or locked for ever.
    """
    members = [member(f"c-{index}") for index in range(4)]
    for _round in range(2):
        runs = [start_module("compute_fleet", **arguments(host, members)) for _run in range(2)]
        results = [json.loads(run.communicate(timeout=300)[0].strip().splitlines()[-1]) for run in runs]
        assert [result.get("msg") for result in results if result.get("failed")] == []
        assert {entry["name"]: host.state(entry["name"]) for entry in members} == dict.fromkeys(
            (entry["name"] for entry in members), "running"
        )
        assert {f"{entry['name']}-vda.qcow2" for entry in members} <= host.volumes()
        assert not fleet(host, members).changed
        host.clear_domains()


def test_a_fleet_leaves_other_fleets_alone(host: Hypervisor) -> None:
    """Neither purge nor absent reaches beyond the named fleet."""
    assert not fleet(host, [member("a", power_state="stopped")], fleet="left").failed
    assert not fleet(host, [], fleet="right", purge=True).changed
    assert not fleet(host, [], fleet="right", state="absent").changed
    assert host.domains() == {"a"}
    conflict = fleet(host, [member("a")], fleet="right")
    assert conflict.failed
    assert "belongs to fleet left" in conflict.message


def test_a_killed_run_is_finished_by_the_next(host: Hypervisor) -> None:
    """Whatever moment the process dies at, the next run ends with every instance running on its own disk."""
    members = [member(f"k-{index}") for index in range(6)]
    for _unused in range(3):
        process = start_module("compute_fleet", **arguments(host, members))
        while process.poll() is None and len(host.domains()) < 2:
            pass
        process.kill()
        process.communicate()
        result = fleet(host, members)
        assert not result.failed, result.message
        assert {host.state(entry["name"]) for entry in members} == {"running"}
        assert {f"{entry['name']}-vda.qcow2" for entry in members} <= host.volumes()
        assert not fleet(host, members).changed
        host.clear_domains()


_KILLED = """
import json, os, signal, sys
from ansible.module_utils.testing import patch_module_args
from ansible_collections.kilonova.compute.plugins.module_utils._driver import connection
fatal, seen, original = int(sys.argv[1]), 0, connection.Connection.call
def call(self, doing, function, *args):
    global seen
    seen += 1
    if seen == fatal:
        os.kill(os.getpid(), signal.SIGKILL)
    return original(self, doing, function, *args)
connection.Connection.call = call
from ansible_collections.kilonova.compute.plugins.modules import compute_fleet
with patch_module_args(json.load(sys.stdin)):
    compute_fleet.main()
"""


def killed_at(call: int, options: dict[str, t.Any]) -> bool:
    """Run the module in a process that is killed right before its ``call``-th libvirt call; tell whether it was."""
    done = subprocess.run(
        [sys.executable, "-c", _KILLED, str(call)],
        input=json.dumps(options),
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode == -signal.SIGKILL


@pytest.mark.parametrize("state", ["present", "absent"])
def test_a_run_killed_at_any_call_is_finished_by_the_next(host: Hypervisor, state: str) -> None:
    """Whichever libvirt call is the last one made, the next run does the rest, and nothing is left over."""
    images = host.volumes()
    members = [member("k", power_state="stopped")]
    for call in itertools.count(1):
        if state == "absent":
            assert not fleet(host, members).failed
        killed = killed_at(call, arguments(host, members, state=state))
        finished = fleet(host, members, state=state)
        assert not finished.failed, f"after a kill at call {call}: {finished.message}"
        assert host.domains() == ({"k"} if state == "present" else set())
        assert ("k-vda.qcow2" in host.volumes()) == (state == "present")
        assert not fleet(host, members, state="absent").failed
        assert host.volumes() == images
        if not killed:
            assert call > 5
            break


_COUNTED = """
import json, sys
from ansible_collections.kilonova.compute.plugins.module_utils._driver.connection import Connection
from ansible_collections.kilonova.compute.plugins.modules import compute_fleet
from ansible_collections.kilonova.compute.plugins.module_utils._options import instance_options, lifecycle_options
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
spec = {"uri": {}, "fleet": {}, "state": {"default": "present"}, "purge": {"type": "bool", "default": False},
        **lifecycle_options(), "instances": {"type": "list", "elements": "dict", "options": instance_options()}}
params = ArgumentSpecValidator(spec).validate(json.load(sys.stdin)).validated_parameters
with Connection(params["uri"]) as connection:
    result = compute_fleet.work(connection, compute_fleet.read(params), False)
    print(json.dumps({"changed": result["changed"], "calls": connection.calls}))
"""


def calls_of(options: dict[str, t.Any]) -> dict[str, t.Any]:
    """Run the module's work and return whether it changed anything and the libvirt calls it made."""
    done = subprocess.run(
        [sys.executable, "-c", _COUNTED], input=json.dumps(options), capture_output=True, text=True, check=True
    )
    return t.cast("dict[str, t.Any]", json.loads(done.stdout))


def test_a_no_op_costs_few_calls(host: Hypervisor) -> None:
    """List calls do not grow with the number of instances, which cost at most two calls each."""
    counted = {}
    for size in (2, 12):
        members = [member(f"n-{index}", power_state="stopped") for index in range(size)]
        result = fleet(host, members)
        assert not result.failed, result.message
        counted[size] = calls_of(arguments(host, members))
        assert not counted[size]["changed"]
    few, many = counted[2]["calls"], counted[12]["calls"]
    for name in LIST_CALLS:
        assert few.get(name, 0) == many.get(name, 0)
    assert sum(many.values()) - sum(few.values()) <= 2 * 10
