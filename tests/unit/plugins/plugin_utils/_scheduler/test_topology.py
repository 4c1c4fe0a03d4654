# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of what hosts have for instances alone: what is told of it, what is free of it, and what is short."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._plan.allocate import Demand
from ansible_collections.kilonova.compute.plugins.module_utils._plan.topology import PlacedCell
from ansible_collections.kilonova.compute.plugins.plugin_utils._scheduler.answer import answer
from ansible_collections.kilonova.compute.plugins.plugin_utils._scheduler.errors import ScheduleError
from ansible_collections.kilonova.compute.plugins.plugin_utils._scheduler.intake.question import Question
from ansible_collections.kilonova.compute.plugins.plugin_utils._scheduler.topology.demands import read_demand
from ansible_collections.kilonova.compute.plugins.plugin_utils._scheduler.topology.facts import read_host_facts
from ansible_collections.kilonova.compute.plugins.plugin_utils._scheduler.topology.state import HostTopology
from ansible_collections.kilonova.compute.plugins.plugin_utils._values import ValuesError

MDEV = "4b20d080-1b54-4048-85b3-a6a62d165c01"
CARD = {"vendor_id": "8086", "product_id": "10ed"}
DEDICATED: dict[str, t.Any] = {"cpu_policy": "dedicated"}


def cell(number: int, **changes: t.Any) -> dict[str, t.Any]:
    """Return a NUMA cell of two cores with two threads each, with 1536 MiB and 256 huge pages."""
    first = 4 * number
    pages = [{"size_kb": 2048, "total": 256, "free": 256}]
    return {
        **{"id": number, "cpus": list(range(first, first + 4)), "memory_mb": 2048, "page_kb": 4},
        **{"siblings": [[first, first + 1], [first + 2, first + 3]], "hugepages": pages, "pinned_cpus": []},
        **changes,
    }


def node(**changes: t.Any) -> dict[str, t.Any]:
    """Return a host of two such cells with room for a lot, and two cards at cell 1."""
    cards = [{"address": f"0000:3b:00.{number}", **CARD, "numa_node": 1, "in_use_by": None} for number in (0, 1)]
    return {
        **{"vcpus": 64, "vcpus_used": 0, "memory_mb": 99999, "memory_mb_used": 0, "local_gb": 99, "local_gb_used": 0},
        **{"numa_topology": [cell(0), cell(1)], "pci_devices": cards, "mdevs": [{"uuid": MDEV, "in_use_by": None}]},
        **changes,
    }


def instance(name: str = "a", vcpus: int = 2, memory_mb: int = 512, **declared: t.Any) -> dict[str, t.Any]:
    """Return a resolved instance; ``specs`` are its flavor's."""
    specs = declared.pop("specs", {})
    flavor = {"name": "f", "vcpus": vcpus, "memory_mb": memory_mb, "disk_gb": 1, "extra_specs": specs}
    return {"name": name, "flavor": flavor, **declared}


def plan(declared: list[dict[str, t.Any]], **changes: t.Any) -> dict[str, t.Any]:
    """Return the plan for one such host."""
    return answer(Question("demo", declared, {"hv1": node(**changes)}))


def wanted(**declared: t.Any) -> Demand:
    """Return what an instance wants."""
    demand = read_demand(instance(**declared), "Instance a")
    assert demand is not None
    return demand


def topology(**changes: t.Any) -> HostTopology:
    """Return what is free on the host."""
    return HostTopology(read_host_facts("hv1", node(**changes)))


def test_the_plan_says_where_an_instance_lies() -> None:
    """Near its device, in pages as asked; one that floats is told nothing."""
    specs = {"hw:cpu_policy": "dedicated", "hw:mem_page_size": "2MB", "hw:emulator_threads_policy": "isolate"}
    told = plan([instance(specs=specs, pci_devices=[CARD]), instance("b")])["by_host"]["hv1"]
    assert told[0]["placement"] == {
        "cells": [{"host_cell": 1, "cpus": [4, 5], "page_kb": 2048}],
        "emulator_cpu": 6,
        "pci_devices": ["0000:3b:00.0"],
    }
    assert "placement" not in told[1]


def test_only_some_vcpus_have_cpus_of_their_own() -> None:
    """Those that the mask names; a guest that runs so keeps what it has."""
    specs = {"hw:cpu_policy": "mixed", "hw:cpu_dedicated_mask": "^0-1", "hw:emulator_threads_policy": "isolate"}
    mine = instance(vcpus=4, specs=specs)
    told = plan([mine, instance("b", vcpus=4, **DEDICATED)])["by_host"]["hv1"]
    assert told[0]["placement"]["cells"] == [{"host_cell": 0, "cpus": [0, 1], "page_kb": None}]
    assert told[0]["placement"]["emulator_cpu"] == 2
    assert told[1]["placement"]["cells"][0]["host_cell"] == 1
    held = {"cells": [{"host_cell": 1, "cpus": [6, 7], "memory_mb": 512, "page_kb": None}], "emulator_cpu": 5}
    row = guest("a", vcpus=4, fleet="demo", placement={**held, "taken_cpus": [5, 6, 7]})
    kept = plan([mine], instances=[row])
    assert (kept["placements"][0]["action"], kept["unplaced"]) == ("keep", [])
    assert "placement" not in kept["by_host"]["hv1"][0]
    crowded = plan([mine], instances=[guest("x", placement={"taken_cpus": [0, 1, 4, 5, 6]})])
    assert crowded["unplaced"][0]["hosts"][0]["message"] == "needs 3 free CPUs in one cell, most are 2 in cell 0"


@pytest.mark.parametrize(
    ("policy", "cells"),
    [("required", None), ("socket", None), ("legacy", None), ("preferred", 0), (None, 0)],
)
def test_devices_are_as_near_as_the_flavor_wants(policy: str | None, cells: int | None) -> None:
    """Where the CPUs of the device's cell are taken, only some go elsewhere, and the others are told why not."""
    specs = {} if policy is None else {"hw:pci_numa_affinity_policy": policy}
    one = instance(specs=specs, pci_devices=[CARD], **DEDICATED)
    assert plan([one])["by_host"]["hv1"][0]["placement"]["cells"][0]["host_cell"] == 1
    result = plan([one], instances=[guest("x", placement={"taken_cpus": [4, 5, 6]})])
    if cells is not None:
        assert result["by_host"]["hv1"][0]["placement"]["cells"][0]["host_cell"] == cells
        return
    refusal = result["unplaced"][0]["hosts"][0]
    assert refusal["filter"] == "NUMATopologyFilter"
    assert refusal["message"] == (
        "has no NUMA cells that it fits into and that its PCI devices are near enough to"
        f" (hw:pci_numa_affinity_policy: {policy})"
    )
    # What floats lies in no cell that they could be near to.
    assert not plan([instance(specs=specs, pci_devices=[CARD])])["unplaced"]
    gone = plan([instance(specs=specs, pci_devices=[{**CARD, "count": 3}], **DEDICATED)])["unplaced"][0]
    assert gone["hosts"][0]["filter"] == "PciPassthroughFilter"


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ({"vcpus": 5, **DEDICATED}, "NUMATopologyFilter: needs 5 free CPUs in one cell, most are 4 in cell 0"),
        (
            {"vcpus": 3, **DEDICATED, "cpu_thread_policy": "isolate"},
            "NUMATopologyFilter: needs 3 idle cores in one cell, most are 2 in cell 0",
        ),
        (
            {"memory_mb": 2000, "numa": {"nodes": 1}},
            "NUMATopologyFilter: needs 2000 MiB of memory in one cell, most are 1536 in cell 0",
        ),
        (
            {"memory_mb": 1024, "hugepages": "large"},
            "NUMATopologyFilter: needs 1024 MiB of pages (large) in one cell, most are 512 in cell 0",
        ),
        (
            {"memory_mb": 511, "hugepages": "2MB"},
            "NUMATopologyFilter: has no cell that fits: cell 0 has too few pages (2048 KiB) for 511 MiB, free huge pages: "
            "256 of 2048 KiB; cell 1 has too few pages (2048 KiB) for 511 MiB, free huge pages: 256 of 2048 KiB",
        ),
        (
            {"vcpus": 3, "memory_mb": 300, "numa": {"nodes": 3}},
            "NUMATopologyFilter: needs 3 NUMA cells, the host has 2",
        ),
        ({"pci_devices": [{**CARD, "count": 3}]}, "PciPassthroughFilter: needs 3 of PCI 8086:10ed, 2 free"),
        (
            {"pci_devices": [{"address": "0000:01:00.0"}]},
            "PciPassthroughFilter: needs PCI 0000:01:00.0, which is not free",
        ),
        (
            {"mdevs": [f"{MDEV[:-1]}9"]},
            f"PciPassthroughFilter: needs the mediated device {MDEV[:-1]}9, which is not free",
        ),
    ],
)
def test_what_is_short(declared: dict[str, t.Any], message: str) -> None:
    """In units, of the cell that comes nearest."""
    (reason,) = plan([instance(**declared)])["unplaced"][0]["hosts"]
    assert f"{reason['filter']}: {reason['message']}" == message


def test_cells_that_fit_one_by_one() -> None:
    """But not together: what is short is told."""
    cells = [cell(0), cell(1, cpus=[4], siblings=[[4]])]
    two = {"numa": {"cells": [{"vcpus": [0, 1], "memory_mb": 256}, {"vcpus": [2, 3], "memory_mb": 256}]}, **DEDICATED}
    (reason,) = plan([instance(vcpus=4, **two)], numa_topology=cells)["unplaced"][0]["hosts"]
    assert reason["message"] == "has room for each of the 2 NUMA cells, but not for all: each needs a cell to itself"


def test_a_host_that_tells_nothing_of_cells() -> None:
    """It takes nothing that wants some, and devices all the same."""
    result = plan([instance(**DEDICATED), instance("b", pci_devices=[CARD])], numa_topology=[])
    assert [item["name"] for item in result["placements"]] == ["b"]
    assert result["unplaced"][0]["hosts"][0]["message"].startswith("tells of no NUMA cells")


HELD = {
    "cells": [{"host_cell": 0, "cpus": [0], "memory_mb": 128, "page_kb": 2048}],
    "emulator_cpu": None,
    "taken_cpus": [0, 1],
    "pci_devices": ["0000:3b:00.0"],
    "mdevs": [],
}


def guest(name: str = "old", **changes: t.Any) -> dict[str, t.Any]:
    """Return a guest that has a core, pages and a card."""
    row = {"name": name, "fleet": "demo", "vcpus": 1, "memory_mb": 128, "disk_gb": 1, "power_state": "running"}
    return {**row, "placement": HELD, **changes}


def test_what_guests_hold_is_not_free() -> None:
    """Until they leave; pages that something else holds are nobody's."""
    pages = [{"size_kb": 2048, "total": 256, "free": 150}]
    cells = [cell(0, hugepages=pages, pinned_cpus=[0, 2]), cell(1)]
    used = {"address": "0000:af:00.0", **CARD, "numa_node": None, "in_use_by": "somebody"}
    held = {**node()["pci_devices"][0], "in_use_by": "old"}
    host = topology(numa_topology=cells, pci_devices=[held, used], instances=[guest()])
    free = host.free()
    assert free.taken == {0, 1, 2}
    assert dict(free.cells[0].free_pages) == {2048: 256 - 64 - (256 - 150 - 64)}
    assert free.devices == ()
    host.leave("old")
    assert host.free().taken == {2}
    assert dict(host.free().cells[0].free_pages) == {2048: 256 - (256 - 150 - 64)}
    assert [device.address for device in host.free().devices] == ["0000:3b:00.0"]
    host.come_back("old")
    assert host.free() == free
    host.leave("nobody")
    host.come_back("nobody")
    assert host.free() == free


def test_what_suits_an_instance_it_keeps() -> None:
    """What it has is compared with what it declares; what it gets in its place it has beside it until its next boot."""
    host = topology(instances=[guest(placement={**HELD, "taken_cpus": [0]})])
    for declared in ({"hugepages": "2MB", **DEDICATED}, {"hugepages": "2MB", "pci_devices": [CARD], **DEDICATED}):
        assert host.keep("old", wanted(vcpus=1, memory_mb=128, **declared))
    assert host.free().taken == {0}
    assert host.keep("old", wanted(vcpus=2, memory_mb=128, **DEDICATED))
    assert host.free().taken == {0, 1}
    assert not host.keep("old", wanted(vcpus=5, memory_mb=128, **DEDICATED))
    assert host.keep("old", wanted(mdevs=[MDEV]))
    assert not host.fits(wanted(mdevs=[MDEV]))
    assert host.keep("floats", wanted(vcpus=2, **DEDICATED))
    assert host.free().taken == {0, 2, 3}


def test_an_instance_that_asks_for_more_than_its_host_has() -> None:
    """It is told of, as with other things that it cannot grow into."""
    rows = [guest("a", vcpus=2, memory_mb=512, placement=None), guest("b", vcpus=2, memory_mb=512, placement=None)]
    result = plan([instance("a", vcpus=5, **DEDICATED), instance("b", **DEDICATED)], instances=rows)
    assert [(item["name"], item["action"]) for item in result["placements"]] == [("b", "keep")]
    assert result["unplaced"][0]["reason"] == (
        "hv1 has no room for a (flavor f: 5 vCPU, 512 MiB, 1 GiB) to grow into: NUMATopologyFilter: needs 5 free CPUs in"
        " one cell, most are 4 in cell 1"
    )
    # It floats, so that the plan says where it lies once it does not.
    assert result["by_host"]["hv1"][0]["placement"]["cells"] == [{"host_cell": 0, "cpus": [0, 1], "page_kb": None}]


def test_what_can_have_no_place_is_proven() -> None:
    """Where a host is too small for it even if it were empty; what is only in the way of others is not proven."""
    result = plan(
        [instance("a", vcpus=5, **DEDICATED), *(instance(f"b{number}", vcpus=3, **DEDICATED) for number in range(3))]
    )
    verdicts = {item["name"]: item for item in result["certificate"]["unplaced_proven"]}
    assert set(verdicts) == {"a", "b2"}
    assert "no host has the CPUs, pages or devices for it" in str(verdicts["a"])


def test_a_guest_that_comes_back_pushes_claims_aside() -> None:
    """What was planned where it was lies elsewhere again, at once or when there is room."""
    host = topology(numa_topology=[cell(0)], instances=[guest()])
    one, three = wanted(vcpus=1, memory_mb=100, **DEDICATED), wanted(vcpus=3, memory_mb=100, **DEDICATED)
    host.take(one)
    before = host.given(one)
    host.leave("old")
    host.take(three)
    host.come_back("old")
    host.give(three)
    assert host.given(one) == before
    host.leave("old")
    host.take(one)
    host.come_back("old")
    assert not host.free().taken - {0, 1, 2, 3}
    assert len({cpu for allocation in host.given(one) for cpu in allocation.cpus} | {0, 1}) == 4


def test_claims_are_laid_out_anew_where_that_makes_room() -> None:
    """What is planned is not made yet: a small one goes elsewhere so that a large one fits."""
    host = topology()
    small, large = wanted(vcpus=1, memory_mb=100, **DEDICATED), wanted(vcpus=4, memory_mb=100, **DEDICATED)
    host.take(small)
    assert host.given(small)[0].cells == (PlacedCell(0, ((0, 0),)),)
    host.take(large)
    host.take(small)
    assert host.fits(small)
    assert not host.fits(large)
    host.give(large)
    assert len(host.given(small)) == 2
    assert host.given(large) == ()
    by_product, by_address = wanted(pci_devices=[CARD]), wanted(pci_devices=[{"address": "0000:3b:00.0"}])
    host.take(by_product)
    host.take(by_address)
    assert [host.given(one)[0].pci for one in (by_product, by_address)] == [("0000:3b:00.1",), ("0000:3b:00.0",)]
    assert not host.fits(by_product)


def test_things_are_put_back_in_any_order() -> None:
    """What lay there once lies there again, also by way of arrangements that nobody looked for."""
    host = topology()
    demands = [
        wanted(vcpus=2, memory_mb=100, **DEDICATED, cpu_thread_policy="isolate"),
        wanted(vcpus=1, memory_mb=100, **DEDICATED),
        wanted(vcpus=3, memory_mb=100, **DEDICATED),
    ]
    for demand in demands:
        host.take(demand)
    for demand in demands:
        host.give(demand)
    for demand in reversed(demands):
        host.take(demand)
    assert all(len(host.given(demand)) == 1 for demand in demands)
    with pytest.raises(RuntimeError):
        host.take(demands[0])


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        ({"cpu_policy": "mixed"}, "Instance a: cpu_policy: 'mixed' is unknown; take one of shared, dedicated."),
        (
            {"specs": {"hw:cpu_policy": "mixed"}},
            "Instance a: flavor.extra_specs[hw:cpu_dedicated_mask]: it is missing, and policy mixed gives only some vCPUs",
        ),
        (
            {"specs": {"hw:pci_numa_affinity_policy": "near"}},
            "Instance a: flavor.extra_specs[hw:pci_numa_affinity_policy]: 'near' is not supported; it may be required or",
        ),
        ({"numa": {"nodes": "two"}}, "Instance a: numa.nodes: 'two' is not a whole number"),
        ({"numa": {"nodes": 3}}, "Instance a: numa.nodes: 2 vCPUs and 512 MiB of memory cannot be divided by 3"),
        ({"numa": {"cells": [{"vcpus": 1, "memory_mb": 1}]}}, "Instance a: numa.cells.vcpus: 1 is not a list"),
        ({"numa": 2}, "Instance a: numa: 2 is not a dictionary"),
        ({"hugepages": "huge"}, "Instance a: hugepages: 'huge' is no size of pages"),
        ({"pci_devices": [{"vendor_id": 8086}]}, "Instance a: pci_devices[0].product_id: None is not four hexadecimal"),
        ({"specs": {"pci_passthrough:alias": "gpu:1"}}, "nobody said what the alias means; run the list through"),
        ({"mdevs": MDEV}, "is not a list; write a list of UUIDs"),
        ({"cpu_thread_policy": "isolate"}, "Instance a: cpu_thread_policy: it is about CPUs of the instance's own"),
    ],
)
def test_wrong_declarations(declared: dict[str, t.Any], words: str) -> None:
    """One sentence that names the instance."""
    with pytest.raises(ValuesError) as caught:
        read_demand(instance(**declared), "Instance a")
    assert words in str(caught.value)


def test_nothing_wanted_and_text_for_numbers() -> None:
    """As the command line gives it; what floats demands nothing."""
    assert read_demand(instance(cpu_policy="shared", pci_devices=[], mdevs=[]), "Instance a") is None
    assert wanted(numa={"nodes": "2"}) == wanted(specs={"hw:numa_nodes": "2", "hw:pmu": "true"})
    cells = [{"vcpus": ["0"], "memory_mb": "256"}, {"vcpus": [1], "memory_mb": 256}]
    assert wanted(numa={"cells": cells}) == wanted(numa={"nodes": 2})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"numa_topology": [{"id": 0}]}, "hosts.hv1.numa_topology[0].memory_mb: None is not a whole number"),
        ({"numa_topology": [cell(0, siblings=2)]}, "hosts.hv1.numa_topology[0].siblings: 2 is not a list"),
        ({"numa_topology": [cell(0, cpus="0-3")]}, "hosts.hv1.numa_topology[0].cpus: '0-3' is not a list"),
        ({"instances": [guest(placement=1)]}, "hosts.hv1.instances.old.placement: 1 is not a dictionary"),
    ],
)
def test_wrong_facts(changes: dict[str, t.Any], words: str) -> None:
    """One sentence that names the host."""
    with pytest.raises(ScheduleError) as caught:
        plan([instance(**DEDICATED)], **changes)
    assert words in str(caught.value)


def test_facts_of_a_host_that_tells_less() -> None:
    """Where nothing is told of threads each CPU is a core, and what is pinned is taken."""
    bare = {"id": 0, "cpus": [0, 1, 2], "memory_mb": 100, "pinned_cpus": [1]}
    free = topology(numa_topology=[bare]).free()
    assert free.cells[0].cores == ((0,), (1,), (2,))
    assert free.cells[0].free_memory_mb == 100
    assert free.taken == {1}
