# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of how near PCI devices are to an instance's NUMA cells under each of Nova's policies."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._errors import CapacityError
from ansible_collections.kilonova.compute.plugins.module_utils._plan.allocate import Demand, allocate, satisfies
from ansible_collections.kilonova.compute.plugins.module_utils._plan.devices import NoDevicesError, find_devices
from ansible_collections.kilonova.compute.plugins.module_utils._plan.topology import FreeDevice, Host, HostCell
from ansible_collections.kilonova.compute.plugins.module_utils._spec.hardware import PciRequest
from ansible_collections.kilonova.compute.plugins.module_utils._spec.placement import CellDemand, Placement

CARD = ("8086", "10fb")
CARDS = PciRequest("pci_devices[0]", *CARD)
CELLS = tuple(HostCell(cell, ((2 * cell, 2 * cell + 1),), 1024, socket=cell // 2) for cell in range(4))
HOST = Host(CELLS, devices=tuple(FreeDevice(f"0000:0{cell}:00.0", *CARD, cell=cell) for cell in (1, 3)))
NOWHERE = FreeDevice("0000:09:00.0", *CARD)
ONE = Placement((CellDemand((0, 1), 512),), dedicated=True)
TWO = Placement((CellDemand((0,), 512), CellDemand((1,), 512)), dedicated=True)


def found(policy: str | None, host: Host, *cells: int, count: int = 1) -> tuple[str, ...] | None:
    """Return what an instance in some cells gets."""
    try:
        return find_devices((replace(CARDS, count=count),), policy, host, frozenset(cells))
    except NoDevicesError:
        return None


@pytest.mark.parametrize(
    ("policy", "cells", "address"),
    [
        ("required", (1,), 1),
        ("required", (0,), None),
        ("required", (0, 3), 3),
        ("legacy", (0,), None),
        ("socket", (0,), 1),
        ("socket", (2,), 3),
        ("preferred", (0,), 1),
        ("preferred", (3,), 3),
        (None, (3,), 3),
        (None, (2,), 1),
        ("required", (), 1),
    ],
)
def test_policies(policy: str | None, cells: tuple[int, ...], address: int | None) -> None:
    """Each takes what Nova's would, the nearest first; what lies nowhere takes any."""
    assert found(policy, HOST, *cells) == (None if address is None else (f"0000:0{address}:00.0",))


def test_a_device_of_no_known_cell() -> None:
    """Only legacy and preferred take it, and after those that are near."""
    host = replace(HOST, devices=(NOWHERE, *HOST.devices))
    assert found("legacy", host, 0) == found("preferred", host, 0) == (NOWHERE.address,)
    assert found("legacy", host, 1) == ("0000:01:00.0",)
    assert found("legacy", host, 1, count=2) == ("0000:01:00.0", NOWHERE.address)
    assert found("required", host, 0) is found("required", host, 1, count=2) is None
    assert found("socket", host, 0, count=2) is None


def test_sockets_that_are_not_told() -> None:
    """Then only the very cells are near."""
    host = replace(HOST, cells=(*CELLS[:3], replace(CELLS[3], socket=None)))
    assert found("socket", host, 0) is None
    assert found("socket", host, 1) == ("0000:01:00.0",)


@pytest.mark.parametrize("placement", [ONE, TWO])
@pytest.mark.parametrize("policy", ["required", "legacy", "socket"])
def test_cells_are_chosen_by_what_is_near_them(placement: Placement, policy: str) -> None:
    """Whichever CPUs are taken: if there is a way, it is found, and what is given is near."""
    demand = Demand(placement, (replace(CARDS, count=2),), pci_affinity=policy)
    for count in range(5):
        for taken in itertools.combinations(range(8), count):
            host = replace(
                HOST, devices=(*HOST.devices, FreeDevice("0000:03:00.1", *CARD, cell=3)), taken=frozenset(taken)
            )
            fitting = [cell.id for cell in CELLS if len(set(cell.cpus) - set(taken)) >= len(placement.cells[0].vcpus)]
            ways = itertools.combinations(fitting, len(placement.cells))
            possible = any(found(policy, host, *way, count=2) for way in ways)
            if not possible:
                far = f"hw:pci_numa_affinity_policy: {policy}" if len(fitting) >= len(placement.cells) else ""
                with pytest.raises(CapacityError, match=far):
                    allocate("a", demand, host)
                continue
            given = allocate("a", demand, host)
            assert satisfies(given, demand, host)
            assert found(policy, host, *(cell.host_cell for cell in given.cells), count=2) == given.pci


def test_what_an_instance_has_must_be_near_enough() -> None:
    """An instance of which more is asked gets something else."""
    demand = Demand(ONE, (CARDS,))
    near = replace(HOST, taken=frozenset({2, 3, 6, 7}))
    given = allocate("a", demand, near)
    assert satisfies(given, demand, near)
    assert satisfies(given, replace(demand, pci_affinity="socket"), near)
    strict = replace(demand, pci_affinity="required")
    assert not satisfies(given, strict, near)
    assert allocate("a", strict, HOST, kept=given).cells[0].host_cell == 1
    with pytest.raises(
        CapacityError, match=r"^The PCI devices of instance a are not near enough to NUMA cells .*required"
    ):
        allocate("a", strict, near)
    with pytest.raises(CapacityError, match="of which 2 are free"):
        allocate("a", replace(strict, pci=(replace(CARDS, count=3),)), HOST)
