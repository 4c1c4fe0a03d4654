# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of the list of all that stands against a move."""

from __future__ import annotations

import typing as t
from dataclasses import replace

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._errors import ConflictError
from ansible_collections.kilonova.compute.plugins.module_utils._plan.existing import Existing
from ansible_collections.kilonova.compute.plugins.module_utils._plan.migration_obstacles import (
    Baulk,
    Offering,
    obstacles,
    refuse,
)
from ansible_collections.kilonova.compute.plugins.module_utils._spec.lifecycle import Limits
from ansible_collections.kilonova.compute.plugins.module_utils._spec.machine import Machine, Nic, OsBoot
from ansible_collections.kilonova.compute.plugins.module_utils._spec.migration import (
    COLD,
    LIVE,
    Destination,
    LiveOptions,
    MigrationSpec,
    MovingTraits,
)
from ansible_collections.kilonova.compute.plugins.module_utils._spec.record import (
    Begun,
    InstanceRecord,
    OwnedDisk,
    Rescue,
    SeedRecord,
)

MAC = "52:54:00:00:00:01"
RECORD = InstanceRecord(disks=(OwnedDisk("vda", "p", "web-vda"),), seed=SeedRecord("vdz", "p", "web-seed", "d"))
SPEC = MigrationSpec("web", None, Destination("b"), None, LiveOptions(), Limits(4.0, 1.0, 1.0, 0, 512, 0))
MACHINE = Machine(
    type="kvm",
    name="web",
    uuid="u",
    record=RECORD,
    os=OsBoot(arch="x86_64", machine="pc-q35-7.2"),
    nics=(Nic(MAC, source="lan", filter="kilonova-nic.clean.web"),),
)
RUNS = Existing(MACHINE, "running", True)
BAULK = Baulk(MovingTraits(), RUNS, MACHINE)
OFFER = Offering(
    "b",
    virt_types=("kvm", "qemu"),
    machines=("q35", "pc-q35-7.2"),
    networks={"lan": True},
    filters=frozenset(),
    groups=frozenset({"web"}),
)


def record(**changes: t.Any) -> Baulk:
    """Return an instance whose record says something else."""
    machine = replace(MACHINE, record=replace(RECORD, **changes))
    return replace(BAULK, existing=replace(RUNS, machine=machine))


def nic(**changes: t.Any) -> Baulk:
    """Return an instance with another NIC."""
    return replace(BAULK, machine=replace(MACHINE, nics=(replace(MACHINE.nics[0], **changes),)))


@pytest.mark.parametrize("mode", [LIVE, COLD])
def test_nothing_stands_against_it(mode: str) -> None:
    """An ordinary instance moves, also onto what an interrupted move of it left."""
    assert obstacles(SPEC, mode, BAULK, OFFER) == ()
    half = replace(OFFER, names=frozenset({"web"}), is_half=True, uuids={"u": "web"}, macs={MAC: "web"})
    assert obstacles(SPEC, mode, BAULK, half) == ()
    refuse(SPEC, ())


@pytest.mark.parametrize(
    ("mode", "baulk", "words"),
    [
        (COLD, replace(BAULK, existing=replace(RUNS, active=False, saved=True, state="shutoff")), "memory is saved"),
        (LIVE, replace(BAULK, existing=replace(RUNS, state="crashed")), "it is crashed"),
        (LIVE, replace(BAULK, existing=replace(RUNS, active=False, state="shutoff")), "can't be moved live"),
        (COLD, replace(BAULK, existing=replace(RUNS, state="paused")), "it is paused"),
        (LIVE, record(begun=Begun("rebuild")), "action rebuild of it was interrupted"),
        (LIVE, record(rescue=Rescue("vda", "i", "d")), "it is rescued"),
        (LIVE, replace(BAULK, snapshots=2), "2 snapshots"),
        (LIVE, replace(BAULK, checkpoints=1), "1 checkpoints"),
        (LIVE, replace(BAULK, traits=MovingTraits(host_devices=("PCI device 0000:3b:00.1",))), "0000:3b:00.1"),
        (LIVE, replace(BAULK, traits=MovingTraits(shares=("home",))), "directory home"),
        (LIVE, replace(BAULK, traits=MovingTraits(pinned=True)), "bound to CPUs"),
        (LIVE, replace(BAULK, traits=MovingTraits(tpm=True)), "a TPM"),
        (LIVE, replace(BAULK, traits=MovingTraits(firmware_state=True)), "UEFI firmware"),
        (LIVE, replace(BAULK, traits=MovingTraits(sealed=True)), "encrypted by the processor"),
        (LIVE, replace(BAULK, traits=MovingTraits(foreign_disks=("vdb",))), "disk vdb lies on no plain file"),
        (LIVE, replace(BAULK, loose_disks=("disk vdb lies on /x",)), "disk vdb lies on /x"),
        (LIVE, nic(source="dmz"), "no network dmz; there are: lan"),
        (LIVE, nic(filter="mine"), "no network filter mine"),
        (LIVE, nic(filter="kilonova-nic.open.db.web"), "no security group db;"),
    ],
)
def test_of_the_instance(mode: str, baulk: Baulk, words: str) -> None:
    """Each is told, alone, and with what to do where something can be done."""
    (found,) = obstacles(SPEC, mode, baulk, OFFER)
    assert words in found


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"names": frozenset({"web"})}, "another domain web"),
        ({"uuids": {"u": "other"}}, "domain other of the destination has the same UUID"),
        ({"volumes": frozenset({"web-vda", "web-seed", "x"})}, "has web-vda, web-seed already"),
        ({"virt_types": ("qemu",)}, "no kvm guests of x86_64; there are: qemu"),
        ({"machines": ("q35",)}, "does not know machine type pc-q35-7.2"),
        ({"cpu": "it lacks avx512f"}, "avx512f"),
        ({"macs": {MAC: "other"}}, f"domain other of the destination has a NIC with the address {MAC}"),
        ({"networks": {"lan": False}}, "network lan of the destination is not active"),
        ({"filters": None}, "no network filters"),
        ({"groups": frozenset()}, "no security group web"),
        ({"holds_files": False}, "holds no files"),
        ({"room": "no room"}, "no room"),
    ],
)
def test_of_the_destination(changes: dict[str, t.Any], words: str) -> None:
    """The same."""
    (found,) = obstacles(SPEC, LIVE, BAULK, replace(OFFER, **changes))
    assert words in found


def test_all_at_once() -> None:
    """One sentence has them all, and the result has them as a list."""
    offer = replace(OFFER, room="no room", networks={}, cpu="it lacks avx512f")
    found = obstacles(SPEC, LIVE, replace(BAULK, snapshots=1), offer)
    assert len(found) == 4
    with pytest.raises(ConflictError) as caught:
        refuse(SPEC, found)
    assert caught.value.details == {"obstacles": list(found)}
    assert all(words in caught.value.message for words in found)
    assert obstacles(SPEC, COLD, BAULK, replace(OFFER, cpu="it lacks avx512f")) == ()
