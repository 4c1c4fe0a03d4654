# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of fitting instances into a host: properties for any host, and each reason for which one does not fit."""

from __future__ import annotations

import itertools
import typing as t
from dataclasses import replace

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._errors import CapacityError
from ansible_collections.kilonova.compute.plugins.module_utils._plan.allocate import (
    Demand,
    allocate,
    satisfies,
    wished,
)
from ansible_collections.kilonova.compute.plugins.module_utils._plan.topology import (
    Allocation,
    FreeDevice,
    Host,
    HostCell,
    PlacedCell,
    taken_cpus,
)
from ansible_collections.kilonova.compute.plugins.module_utils._spec.hardware import PciRequest
from ansible_collections.kilonova.compute.plugins.module_utils._spec.placement import CellDemand, Placement
from ansible_collections.kilonova.compute.plugins.module_utils._spec.wish import Wish, WishedCell
from hypothesis import given
from hypothesis import strategies as st

UUID = "4b20d080-1b54-4048-85b3-a6a62d165c01"
CARD = ("8086", "10fb")
HOST = Host(
    cells=(
        HostCell(0, ((0, 4), (1, 5)), 1024, ((2048, 256), (1048576, 1))),
        HostCell(1, ((2, 6), (3, 7)), 2048, ((2048, 512),)),
    ),
    devices=(
        FreeDevice("0000:3b:00.0", *CARD, cell=0),
        FreeDevice("0000:af:00.0", *CARD, cell=1),
        FreeDevice("0000:af:00.1", *CARD, cell=1),
        FreeDevice("0000:00:1f.0", "8086", "a323"),
    ),
    mdevs=(UUID,),
)
TWO = Placement((CellDemand((0, 1), 512),), dedicated=True)


def _pci(**fields: t.Any) -> PciRequest:
    return PciRequest("pci_devices[0]", **fields)


def test_nothing_wanted_is_nothing_given() -> None:
    """An ordinary instance floats."""
    assert allocate("a", Demand(Placement()), HOST) == Allocation()


@pytest.mark.parametrize(
    ("placement", "taken", "expected"),
    [
        (TWO, (), Allocation((PlacedCell(0, ((0, 0), (1, 4))),))),
        (TWO, (0,), Allocation((PlacedCell(0, ((0, 1), (1, 5))),))),
        (TWO, (0, 1), Allocation((PlacedCell(0, ((0, 4), (1, 5))),))),
        (TWO, (0, 1, 4), Allocation((PlacedCell(1, ((0, 2), (1, 6))),))),
        (replace(TWO, thread_policy="isolate"), (), Allocation((PlacedCell(0, ((0, 0), (1, 1))),))),
        (replace(TWO, thread_policy="isolate"), (5,), Allocation((PlacedCell(1, ((0, 2), (1, 3))),))),
        (replace(TWO, thread_policy="require"), (0,), Allocation((PlacedCell(0, ((0, 1), (1, 5))),))),
        (replace(TWO, isolate_emulator=True), (), Allocation((PlacedCell(0, ((0, 0), (1, 4))),), 1)),
        (replace(TWO, pages="large"), (), Allocation((PlacedCell(0, ((0, 0), (1, 4)), 2048),))),
        (replace(TWO, pages="small"), (), Allocation((PlacedCell(0, ((0, 0), (1, 4))),))),
        (replace(TWO, pages=4), (), Allocation((PlacedCell(0, ((0, 0), (1, 4))),))),
        (Placement((CellDemand((0,), 1024),), pages="any"), (), Allocation((PlacedCell(0, (), 1048576),))),
        (Placement((CellDemand((0,), 1024),), pages=2048), (), Allocation((PlacedCell(1, (), 2048),))),
        (Placement((CellDemand((0,), 2048),), pages="any"), (), Allocation((PlacedCell(1),))),
        (
            Placement((CellDemand((0,), 1500), CellDemand((1,), 600))),
            (),
            Allocation((PlacedCell(1), PlacedCell(0))),
        ),
    ],
)
def test_gives_what_is_wanted(placement: Placement, taken: tuple[int, ...], expected: Allocation) -> None:
    """The lowest cell that fits, full cores first."""
    assert allocate("a", Demand(placement), replace(HOST, taken=frozenset(taken))) == expected


def test_devices_draw_an_instance_to_their_cell() -> None:
    """Two of the cards are at cell 1; more than that come from elsewhere."""
    given_two = allocate("a", Demand(TWO, (_pci(vendor_id="8086", product_id="10fb", count=2),)), HOST)
    assert given_two.cells[0].host_cell == 1
    assert given_two.pci == ("0000:af:00.0", "0000:af:00.1")
    three = allocate("a", Demand(TWO, (_pci(vendor_id="8086", product_id="10fb", count=3),)), HOST)
    assert three.pci == ("0000:af:00.0", "0000:af:00.1", "0000:3b:00.0")


def test_an_address_is_not_given_to_another_request() -> None:
    """Whatever the order in which they are asked for."""
    requests = (
        _pci(vendor_id="8086", product_id="10fb", count=2),
        _pci(address="0000:3b:00.0"),
    )
    allocation = allocate("a", Demand(Placement(), requests, (UUID,)), HOST)
    assert allocation == Allocation(pci=("0000:af:00.0", "0000:af:00.1", "0000:3b:00.0"), mdevs=(UUID,))


@pytest.mark.parametrize(
    ("demand", "taken", "message"),
    [
        (
            Demand(Placement((CellDemand((0, 1, 2, 3, 4), 1),), dedicated=True)),
            (0,),
            "NUMA cell 0 of instance a fits nowhere on this host: cell 0 has 3 of 5 free CPUs; cell 1 has 4 of 5 free"
            " CPUs.",
        ),
        (Demand(replace(TWO, thread_policy="isolate")), (0, 2), "cell 0 has 1 of 2 idle cores; cell 1 has 1 of 2 idle"),
        (
            Demand(replace(TWO, thread_policy="require")),
            (0, 1, 2, 3),
            "cell 0 has 0 of 2 free CPUs with a free sibling",
        ),
        (Demand(Placement((CellDemand((0,), 4096),))), (), "cell 0 has 1024 of 4096 MiB of memory; cell 1 has 2048 of"),
        (
            Demand(Placement((CellDemand((0,), 2048),), pages="large")),
            (),
            "cell 0 has too few pages (large) for 2048 MiB, free huge pages: 256 of 2048 KiB, 1 of 1048576 KiB",
        ),
        (
            Demand(Placement((CellDemand((0,), 2048),), pages=16384)),
            (),
            "too few pages (16384 KiB) for 2048 MiB, free huge pages: ",
        ),
        (
            Demand(Placement((CellDemand((0,), 3),), pages="large")),
            (),
            "too few pages (large) for 3 MiB",
        ),
        (
            Demand(Placement(tuple(CellDemand((number,), 1) for number in range(3)))),
            (),
            "Instance a needs 3 NUMA cells and this host has 2.",
        ),
        (
            Demand(Placement((CellDemand((0,), 1500), CellDemand((1,), 1500)))),
            (),
            "The 2 NUMA cells of instance a fit into cells of this host one by one, but not together: each needs",
        ),
        (
            Demand(Placement(), (_pci(vendor_id="8086", product_id="10fb", count=4),)),
            (),
            "Instance a needs the PCI devices 4 of 8086:10fb (pci_devices[0]), of which 3 are free on this host.",
        ),
        (
            Demand(Placement(), (_pci(address="0000:00:00.0"),)),
            (),
            "needs the PCI devices 0000:00:00.0 (pci_devices[0])",
        ),
        (
            Demand(Placement(), mdevs=(UUID.replace("4", "5"),)),
            (),
            "which is not free on this host.",
        ),
    ],
)
def test_says_what_is_short(demand: Demand, taken: tuple[int, ...], message: str) -> None:
    """For each cell of the host, or of the devices."""
    with pytest.raises(CapacityError) as caught:
        allocate("a", demand, replace(HOST, taken=frozenset(taken)))
    assert message in str(caught.value)


KEPT = Allocation((PlacedCell(1, ((0, 3), (1, 6))),))
ISOLATED = replace(TWO, thread_policy="isolate", isolate_emulator=True)


@pytest.mark.parametrize(
    ("kept", "demand", "host", "stays"),
    [
        (KEPT, Demand(TWO), HOST, True),
        (KEPT, Demand(TWO), replace(HOST, taken=frozenset({6})), False),
        (KEPT, Demand(TWO), replace(HOST, taken=frozenset({7})), True),
        (KEPT, Demand(replace(TWO, thread_policy="isolate")), HOST, True),
        (KEPT, Demand(replace(TWO, thread_policy="isolate")), replace(HOST, taken=frozenset({7})), False),
        (KEPT, Demand(replace(TWO, thread_policy="require")), HOST, True),
        (KEPT, Demand(replace(TWO, thread_policy="require")), replace(HOST, taken=frozenset({7})), False),
        (KEPT, Demand(replace(TWO, dedicated=False)), HOST, False),
        (KEPT, Demand(Placement((CellDemand((0, 1, 2), 512),), dedicated=True)), HOST, False),
        (KEPT, Demand(Placement((CellDemand((0, 1), 4096),), dedicated=True)), HOST, False),
        (KEPT, Demand(replace(TWO, pages="small")), HOST, True),
        (KEPT, Demand(replace(TWO, pages="large")), HOST, False),
        (KEPT, Demand(replace(TWO, isolate_emulator=True)), HOST, False),
        (replace(KEPT, emulator_cpu=2), Demand(replace(TWO, isolate_emulator=True)), HOST, True),
        (replace(KEPT, emulator_cpu=3), Demand(replace(TWO, isolate_emulator=True)), HOST, False),
        (replace(KEPT, emulator_cpu=0), Demand(replace(TWO, isolate_emulator=True)), HOST, False),
        (replace(KEPT, emulator_cpu=7), Demand(ISOLATED), HOST, False),
        (KEPT, Demand(TWO), replace(HOST, cells=HOST.cells[:1]), False),
        (KEPT, Demand(TWO, mdevs=(UUID,)), HOST, False),
        (replace(KEPT, mdevs=(UUID,)), Demand(TWO, mdevs=(UUID,)), HOST, True),
        (replace(KEPT, mdevs=(UUID,)), Demand(TWO, mdevs=(UUID,)), replace(HOST, mdevs=()), False),
        (replace(KEPT, pci=("0000:3b:00.0",)), Demand(TWO, (_pci(vendor_id="8086", product_id="10fb"),)), HOST, True),
        (replace(KEPT, pci=("0000:00:1f.0",)), Demand(TWO, (_pci(vendor_id="8086", product_id="10fb"),)), HOST, False),
        (replace(KEPT, pci=("0000:3b:00.7",)), Demand(TWO, (_pci(address="0000:3b:00.7"),)), HOST, False),
        (Allocation((PlacedCell(1, (), 2048),)), Demand(Placement((CellDemand((0,), 512),), pages="any")), HOST, True),
        (Allocation((PlacedCell(1, (), 2048),)), Demand(Placement((CellDemand((0,), 512),), pages=2048)), HOST, True),
        (Allocation((PlacedCell(1, (), 2048),)), Demand(Placement((CellDemand((0,), 512),))), HOST, False),
        (Allocation((PlacedCell(1, (), 2048),)), Demand(Placement((CellDemand((0,), 2048),), pages=2048)), HOST, False),
    ],
)
def test_an_instance_keeps_what_it_has_while_it_suits(
    kept: Allocation, demand: Demand, host: Host, stays: bool
) -> None:
    """However else it would be placed today; nothing is kept that is not asked for, or that others have."""
    assert satisfies(kept, demand, host) is stays
    if stays:
        assert allocate("a", demand, host, kept) == kept


def test_a_wish_is_followed_while_it_suits() -> None:
    """It comes after what the instance has, and before what the host would choose."""
    wish = wished(Wish((WishedCell(1, (7, 2)),), pci=("0000:af:00.0",)), Demand(TWO))
    assert wish.cells == (PlacedCell(1, ((0, 7), (1, 2))),)
    wish = replace(wish, pci=())
    assert allocate("a", Demand(TWO), HOST, None, wish) == wish
    assert allocate("a", Demand(TWO), HOST, KEPT, wish) == KEPT
    for unfit in (
        Wish((WishedCell(1, (7,)),)),
        Wish((WishedCell(1, (7, 7)),)),
        Wish((WishedCell(1, (7, 4)),)),
        Wish((WishedCell(9, (7, 2)),)),
        Wish((WishedCell(1, (7, 2), 2048),)),
        Wish((WishedCell(1, (7, 2)),), 3),
        Wish((WishedCell(1, (7, 2)),), pci=("0000:af:00.0",)),
        Wish(),
    ):
        assert allocate("a", Demand(TWO), HOST, None, wished(unfit, Demand(TWO))).cells[0].host_cell == 0
    assert allocate("a", Demand(TWO), replace(HOST, taken=frozenset({2})), None, wish).cells[0].host_cell == 0
    cards = Demand(Placement(), (_pci(vendor_id="8086", product_id="10fb", count=2),))
    twice = wished(Wish(pci=("0000:af:00.0", "0000:af:00.0")), cards)
    assert allocate("a", cards, HOST, None, twice).pci == ("0000:3b:00.0", "0000:af:00.0")


def test_a_lonely_thread_takes_its_whole_core() -> None:
    """That an instance wants the core to itself cannot be seen from its pins."""
    assert taken_cpus(HOST.cells, (0,)) == {0}
    assert taken_cpus(HOST.cells, (), (5,)) == {1, 5}
    assert taken_cpus(HOST.cells, (3,), (9,)) == {3, 9}


@st.composite
def hosts(draw: st.DrawFn) -> Host:
    """Draw a host of up to three cells with cores of one, two or uneven numbers of threads."""
    numbers = itertools.count()
    cells = []
    for number in range(draw(st.integers(1, 3))):
        widths = draw(st.lists(st.integers(1, 2), min_size=1, max_size=3))
        cores = tuple(tuple(next(numbers) for _thread in range(width)) for width in widths)
        pages = tuple((size, draw(st.integers(0, 3))) for size in (2048, 4096))
        cells.append(HostCell(number, cores, draw(st.integers(0, 12)), pages))
    every = sorted(cpu for cell in cells for cpu in cell.cpus)
    devices = tuple(
        FreeDevice(f"0000:00:{index:02x}.0", "8086", draw(st.sampled_from(("0001", "0002"))), draw(st.integers(0, 2)))
        for index in range(draw(st.integers(0, 3)))
    )
    return Host(tuple(cells), frozenset(draw(st.sets(st.sampled_from(every)))), devices)


@st.composite
def demands(draw: st.DrawFn) -> Demand:
    """Draw what an instance of up to three small cells may want."""
    numbers = itertools.count()
    cells = tuple(
        CellDemand(tuple(next(numbers) for _vcpu in range(draw(st.integers(1, 2)))), draw(st.integers(1, 12)))
        for _cell in range(draw(st.integers(1, 3)))
    )
    placement = Placement(
        cells,
        draw(st.booleans()),
        draw(st.sampled_from(("prefer", "isolate", "require"))),
        draw(st.booleans()),
        draw(st.sampled_from((None, "small", "large", "any", 4, 2048))),
    )
    pci = tuple(
        PciRequest(
            f"pci_devices[{index}]", "8086", draw(st.sampled_from(("0001", "0002"))), count=draw(st.integers(1, 2))
        )
        for index in range(draw(st.integers(0, 1)))
    )
    return Demand(placement, pci)


def _try(demand: Demand, host: Host) -> Allocation | None:
    try:
        return allocate("a", demand, host)
    except CapacityError:
        return None


def _works(chosen: tuple[int, ...], cell: HostCell, policy: str, taken: frozenset[int]) -> bool:
    """Say by the policies' own words whether these CPUs may be taken."""
    core_of = {cpu: core for core in cell.cores for cpu in core}
    if taken.intersection(chosen):
        return False
    if policy == "isolate":
        return all(taken.isdisjoint(core_of[cpu]) and len(set(chosen) & set(core_of[cpu])) == 1 for cpu in chosen)
    return policy == "prefer" or all(len(set(core_of[cpu]) - taken) > 1 for cpu in chosen)


def _holds(wanted: CellDemand, cell: HostCell, pages: str | int | None) -> bool:
    ordinary = pages in (None, "small", "any", 4) and wanted.memory_mb <= cell.free_memory_mb
    return ordinary or any(
        pages in ("large", "any", size)
        and wanted.memory_mb * 1024 % size == 0
        and wanted.memory_mb * 1024 <= size * free
        for size, free in cell.free_pages
    )


def _exists(demand: Demand, host: Host) -> bool:
    """Try every way to place cells and every set of CPUs."""
    placement = demand.placement
    for request in demand.pci:
        same = [device for device in host.devices if device.product_id == request.product_id]
        if len(same) < request.count:
            return False
    for order in itertools.permutations(host.cells, len(placement.cells)):
        ways = []
        for index, (wanted, cell) in enumerate(zip(placement.cells, order, strict=True)):
            count = len(wanted.vcpus) + (placement.isolate_emulator and index == 0)
            fits = not placement.dedicated or any(
                _works(chosen, cell, placement.thread_policy, host.taken)
                for chosen in itertools.combinations(cell.cpus, count)
            )
            ways.append(fits and _holds(wanted, cell, placement.pages))
        if all(ways):
            return True
    return False


@given(demands(), hosts())
def test_finds_a_way_whenever_there_is_one(demand: Demand, host: Host) -> None:
    """Exactly when trying everything finds one."""
    assert (_try(demand, host) is not None) == _exists(demand, host)


@given(demands(), hosts())
def test_gives_nothing_twice_and_nothing_of_others(demand: Demand, host: Host) -> None:
    """No CPU and no device is given twice or is another's, each vCPU has one CPU of its own cell, and it is kept."""
    allocation = _try(demand, host)
    if allocation is None:
        return
    placement = demand.placement
    given_cpus = [cpu for cell in allocation.cells for _vcpu, cpu in cell.pins]
    given_cpus += [] if allocation.emulator_cpu is None else [allocation.emulator_cpu]
    assert len(set(given_cpus)) == len(given_cpus)
    assert not host.taken.intersection(given_cpus)
    assert len({cell.host_cell for cell in allocation.cells}) == len(placement.cells)
    cells = {cell.id: cell for cell in host.cells}
    for placed, wanted in zip(allocation.cells, placement.cells, strict=True):
        assert {cpu for _vcpu, cpu in placed.pins} <= set(cells[placed.host_cell].cpus)
        assert [vcpu for vcpu, _cpu in placed.pins] == (list(wanted.vcpus) if placement.dedicated else [])
    assert len(set(allocation.pci)) == len(allocation.pci) == sum(request.count for request in demand.pci)
    assert satisfies(allocation, demand, host)
    assert allocate("a", demand, host, allocation) == allocation


@given(demands(), hosts(), st.randoms(use_true_random=False))
def test_the_order_of_the_host_means_nothing(demand: Demand, host: Host, random: t.Any) -> None:
    """Cells, cores, siblings, pages and devices in any order give the same answer."""

    def shuffled(items: t.Iterable[t.Any]) -> tuple[t.Any, ...]:
        listed = list(items)
        random.shuffle(listed)
        return tuple(listed)

    cells = shuffled(
        replace(cell, cores=shuffled(map(shuffled, cell.cores)), free_pages=shuffled(cell.free_pages))
        for cell in host.cells
    )
    assert _try(demand, replace(host, cells=cells, devices=shuffled(host.devices))) == _try(demand, host)


def test_who_has_threads_keeps_them_when_a_sibling_goes() -> None:
    """Policy require leaves the odd sibling to others, and does not give way to them."""
    demand = Demand(Placement((CellDemand((0,), 512),), dedicated=True, thread_policy="require"))
    given = allocate("a", demand, HOST)
    assert given.cells == (PlacedCell(0, ((0, 0),)),)
    crowded = replace(HOST, taken=frozenset({4}))
    assert satisfies(given, demand, crowded)
    assert allocate("a", demand, crowded, kept=given) == given
    assert allocate("b", demand, crowded).cells == (PlacedCell(0, ((0, 1),)),)
    assert not satisfies(given, demand, replace(HOST, cells=(HostCell(0, ((0,), (4,)), 1024),)))
