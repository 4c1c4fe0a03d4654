# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""What instances that are there take more of their host: nobody else gets it while a run is still at work on them."""

from __future__ import annotations

import json
import typing as t

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.kilonova.compute.plugins.module_utils._service._instance import reconcile
from ansible_collections.kilonova.compute.plugins.module_utils._service._instance.host import Host
from ansible_collections.kilonova.compute.plugins.module_utils._service._instance.steps import Job
from ansible_collections.kilonova.compute.plugins.modules import compute_instance

from .conftest import Hypervisor, Result, run_module, start_module
from .killing import Runs
from .subjects import FLAVOR

LIMITS = {"reserved_host_memory_mb": 0, "cpu_allocation_ratio": 16.0}


def declaration(host: Hypervisor, name: str, **changes: t.Any) -> dict[str, t.Any]:
    """Return an instance that is off, and has nothing to boot."""
    base = {"virt_type": "qemu", "limits": LIMITS, "flavor": FLAVOR, "power_state": "stopped"}
    return {"uri": host.uri, "name": name, **base, **changes}


def made(host: Hypervisor, *names: str) -> None:
    """Make instances."""
    for name in names:
        result = run_module("compute_instance", **declaration(host, name))
        assert not result.failed, result.message


def large(host: Hypervisor) -> dict[str, t.Any]:
    """Return a flavor of which the host has room for one."""
    total = run_module("compute_facts", uri=host.uri).data["ansible_facts"]["compute_node"]["memory_mb"]
    return {**FLAVOR, "memory_mb": total * 6 // 10}


@pytest.mark.parametrize("what", ["memory", "volume"])
def test_a_run_that_comes_between(
    hypervisor: Hypervisor,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    what: str,
) -> None:
    """One run has looked and not yet done its work when another asks for the same: that one is refused, and changes nothing."""
    one, two = f"{name}-1", f"{name}-2"
    made(hypervisor, one, two)
    hypervisor.virsh("vol-create-as", "default", "data.raw", "1M", "--format", "raw")
    changes: dict[str, t.Any] = (
        {"flavor": large(hypervisor)} if what == "memory" else {"volumes": [{"name": "data.raw"}]}
    )
    before = hypervisor.virsh("dumpxml", two)
    others: list[Result] = []
    original = reconcile._work  # pylint: disable=protected-access  # between the two locks

    def work(host: Host, jobs: t.Sequence[Job]) -> None:
        others.append(run_module("compute_instance", **declaration(hypervisor, two, **changes)))
        original(host, jobs)

    monkeypatch.setattr(reconcile, "_work", work)
    with patch_module_args(declaration(hypervisor, one, **changes)), pytest.raises(SystemExit):
        compute_instance.main()
    assert "failed" not in json.loads(capsys.readouterr().out)
    assert "MiB of memory" in others[0].message if what == "memory" else f"is a disk of {one}" in others[0].message
    assert hypervisor.virsh("dumpxml", two) == before
    assert not run_module("compute_instance", **declaration(hypervisor, one, **changes)).changed


def test_one_fleet_gives_a_volume_once(hypervisor: Hypervisor, name: str) -> None:
    """Two new instances of one run can't share a disk either, unless both say so; check mode says the same."""
    hypervisor.virsh("vol-create-as", "default", "data.raw", "1M", "--format", "raw")
    volumes = [{"name": "data.raw"}]
    members = [
        {"name": f"{name}-{number}", "flavor": FLAVOR, "power_state": "stopped", "volumes": volumes}
        for number in (1, 2)
    ]
    declared: dict[str, t.Any] = {
        "uri": hypervisor.uri,
        "fleet": name,
        "virt_type": "qemu",
        "limits": LIMITS,
        "instances": members,
    }
    for check in (True, False):
        result = run_module("compute_fleet", check=check, **declared)
        assert f"volume data.raw is a disk of {name}-1" in result.message
    assert hypervisor.domains() == {f"{name}-1"}
    for member in members:
        member.update(name=f"{member['name']}-shared", volumes=[{"name": "shared.raw", "shareable": True}])
    hypervisor.virsh("vol-create-as", "default", "shared.raw", "1M", "--format", "raw")
    assert not run_module("compute_fleet", **declared).failed
    assert not run_module("compute_fleet", **declared).changed


def test_a_volume_is_attached_once(hypervisor: Hypervisor, name: str) -> None:
    """However many ask at once, one instance gets it."""
    names = [f"{name}-{number}" for number in range(3)]
    made(hypervisor, *names)
    volume: dict[str, t.Any] = {"uri": hypervisor.uri, "name": "data", "pool": "default"}
    assert run_module("compute_volume", size="1M", format="raw", **volume).changed
    runs = [start_module("compute_volume", attached_to=one, **volume) for one in names]
    results = [json.loads(run.communicate(timeout=300)[0].strip().splitlines()[-1]) for run in runs]
    assert sorted(bool(result.get("failed")) for result in results) == [False, True, True]
    path = hypervisor.virsh("vol-path", "data", "default")
    assert sum(path in hypervisor.virsh("dumpxml", one) for one in names) == 1


def test_killed_anywhere_it_is_finished(hypervisor: Hypervisor, name: str) -> None:
    """What was taken stays taken, and the next run makes the rest of it."""
    changes = {"flavor": {**FLAVOR, "memory_mb": 128}, "volumes": [{"name": f"{name}-new", "size_gb": 1}]}
    declared = declaration(hypervisor, name, **changes)

    def begin() -> None:
        run_module("compute_instance", uri=hypervisor.uri, name=name, state="absent")
        made(hypervisor, name)

    with Runs("compute_instance") as runs:
        for _call in runs.killed_everywhere("compute_instance", begin, **declared):
            assert not runs.run("compute_instance", **declared).done.failed
            assert not runs.run("compute_instance", **declared).done.changed
            assert f"{name}-new" in hypervisor.volumes()
            assert "131072" in hypervisor.virsh("dumpxml", name)
