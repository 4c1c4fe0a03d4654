# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of what is done about memory that differs, in the definition and in a guest with modules plugged in."""

from __future__ import annotations

import typing as t
from dataclasses import replace

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._errors import SpecError
from ansible_collections.kilonova.compute.plugins.module_utils._plan.existing import Existing, OwnDisk
from ansible_collections.kilonova.compute.plugins.module_utils._plan.instance import Manner, Outlook, plan_present
from ansible_collections.kilonova.compute.plugins.module_utils._plan.plan import Plan
from ansible_collections.kilonova.compute.plugins.module_utils._service._instance.platforms import Platform
from ansible_collections.kilonova.compute.plugins.module_utils._spec.instance import InstanceSpec
from ansible_collections.kilonova.compute.plugins.module_utils._spec.machine import Cpu, Machine
from ansible_collections.kilonova.compute.plugins.module_utils._spec.tuning import NumaCell
from ansible_collections.kilonova.compute.tests.unit.plugins.module_utils.factories import (
    FLAVOR,
    Q35,
    instance_spec,
    machine_of,
)

MIB = 1024
HOST = replace(Q35, host_memory_mb=64 * 1024)
VDA = OwnDisk("vda", "default", "web-1-vda.qcow2", "/pool/web-1-vda.qcow2", capacity_bytes=1024**3)
TWO_CELLS = Cpu(cells=(NumaCell(0, 512 * MIB, (0, 1)), NumaCell(1, 512 * MIB, (2, 3))))


def declared(memory_mb: int, most_mb: int | None = 4096, **changes: t.Any) -> InstanceSpec:
    """Return a declaration of so much memory."""
    return instance_spec(flavor={**FLAVOR, "memory_mb": memory_mb}, max_memory_mb=most_mb, **changes)


def defined(spec: InstanceSpec, existing: Machine | None = None, platform: Platform = HOST) -> Machine:
    """Return the machine as it is once it is defined."""
    return replace(machine_of(spec, platform, existing), uuid="u")


def plugged(machine: Machine, *modules_mb: int, balloon_mb: int = 0) -> Machine:
    """Return the running guest of ``machine`` with modules, of which the balloon keeps some."""
    modules = tuple(size * MIB for size in modules_mb)
    memory = machine.memory_kib + sum(modules)
    return replace(machine, memory_kib=memory, memory_modules_kib=modules, current_memory_kib=memory - balloon_mb * MIB)


def outlook(spec: InstanceSpec, machine: Machine, guest: Machine, cycle: bool = False, **changes: t.Any) -> Outlook:
    """Return what is done about an instance that is there, whose guest was told of the last change."""
    told = replace(guest, record=machine.record)
    existing = replace(Existing(machine, "running", True, disks=(VDA,), live=told), **changes)
    return plan_present(spec, defined(spec, machine), existing, Manner(allow_power_cycle=cycle))


def done(result: Outlook) -> list[tuple[str, str]]:
    """Return the paths of all changes with their effects."""
    return [(change.path, change.effect) for change in result.plan.changes]


def test_more_than_there_is_gets_plugged_in() -> None:
    """The guest first; then its definition, with the larger memory and no module."""
    spec = declared(1000)
    machine = defined(declared(512))
    result = outlook(spec, machine, machine)
    assert done(result) == [("memory_mb", "live")]
    assert result.waiting == ()
    assert [action.verb for action in result.plan.actions] == ["set_memory", "update"]
    made = defined(spec, machine)
    assert (made.memory_kib, made.memory_modules_kib) == (1000 * MIB, ())


@pytest.mark.parametrize("balloon_mb", [24, 0])
def test_a_second_run_plans_nothing_with_modules(balloon_mb: int) -> None:
    """Neither when the balloon keeps what the modules have too much, nor while it still inflates."""
    spec, first = declared(1000), defined(declared(512))
    machine = defined(spec, first)
    guest = plugged(first, 256, 256, balloon_mb=balloon_mb)
    assert outlook(spec, machine, guest) == outlook(spec, machine, machine)
    assert not outlook(spec, machine, guest).plan.changed


@pytest.mark.parametrize("unused_mb", [0, 256])
def test_less_waits_once_some_was_plugged_in(unused_mb: int) -> None:
    """A guest that boots by itself may let its modules lie, and what the balloon keeps would come out of the rest."""
    first = defined(declared(512))
    machine, spec = defined(declared(1000), first), declared(600)
    guest = plugged(first, 256, 256, balloon_mb=24)
    result = outlook(spec, machine, guest, unused_memory_kib=unused_mb * MIB)
    assert done(result) == [("memory_mb", "next_boot")]
    assert result.waiting == ("memory_mb",)
    assert [action.verb for action in result.plan.actions] == ["update"]
    cycled = outlook(spec, machine, guest, cycle=True)
    assert done(cycled) == [("memory_mb", "power_cycle")]
    assert cycled.waiting == ()
    again = outlook(spec, defined(spec, machine), guest, unused_memory_kib=unused_mb * MIB)
    assert not again.plan.changed
    assert again.waiting == ("memory_mb",)


def test_less_by_no_more_than_a_module_has_too_much_does_not_wait() -> None:
    """A run that was interrupted before the balloon was told looks the same."""
    first = defined(declared(512))
    for memory_mb, effect in ((1000, "live"), (897, "live"), (896, "next_boot")):
        result = outlook(declared(memory_mb), first, plugged(first, 256, 256))
        assert done(result) == [("memory_mb", effect)]


def test_what_lies_unused_is_taken_into_use() -> None:
    """The guest booted by itself and has not seen to its modules; or the run that plugged them in was interrupted."""
    spec, first = declared(768), defined(declared(512))
    guest = plugged(first, 256)
    for machine in (defined(spec, first), first):
        result = outlook(spec, machine, guest, unused_memory_kib=256 * MIB)
        assert done(result) == [("memory_mb", "live")]
        assert (result.plan.changes[0].before, result.plan.changes[0].after) == (512, 768)
        assert result.plan.actions[0].verb == "set_memory"
    bare = replace(guest, balloon="none")
    assert done(outlook(spec, defined(spec, first), bare, unused_memory_kib=256 * MIB)) == [("memory_mb", "live")]


@pytest.mark.parametrize(
    ("change", "state"),
    [
        ({"max_memory_kib": None, "memory_slots": None}, "running"),
        ({"memory_slots": 0}, "running"),
        ({"balloon": "none"}, "running"),
        ({}, "paused"),
    ],
)
def test_what_can_not_be_plugged_in_waits(change: dict[str, t.Any], state: str) -> None:
    """No slots, none left, no balloon to keep the rest of a block, or a guest that stands still."""
    power_state = "paused" if state == "paused" else "running"
    spec, machine = declared(1000, power_state=power_state), defined(declared(512))
    result = outlook(spec, machine, replace(machine, **change), state=state)
    assert ("memory_mb", "next_boot") in done(result)
    assert "memory_mb" in result.waiting
    if state == "running":
        cycled = outlook(spec, machine, replace(machine, **change), cycle=True)
        assert ("memory_mb", "power_cycle") in done(cycled)
        assert cycled.waiting == ()


def test_a_guest_that_goes_on_gets_its_memory_then() -> None:
    """It is resumed first."""
    spec, first = declared(1000), defined(declared(512))
    result = outlook(spec, defined(spec, first), first, state="paused")
    assert [action.verb for action in result.plan.actions] == ["resume", "set_memory"]


def test_whole_blocks_need_no_balloon() -> None:
    """The guest has exactly what is declared."""
    spec = declared(1024, balloon=False)
    machine = defined(declared(512, balloon=False))
    assert done(outlook(spec, machine, machine)) == [("memory_mb", "live")]


def test_another_maximum_waits_unless_it_is_less() -> None:
    """The room is made when the machine boots; too much of it hurts nobody."""
    machine = defined(declared(512))
    guest = plugged(machine, 128)
    machine = defined(declared(640), machine)
    more, less = outlook(declared(640, 8192), machine, guest), outlook(declared(640, 2048), machine, guest)
    assert done(more) == done(less) == [("max_memory_mb", "next_boot")]
    assert (more.waiting, less.waiting) == (("max_memory_mb",), ())
    again = outlook(declared(640, 8192), defined(declared(640, 8192), machine), guest)
    assert again == (Plan("instance web-1"), ("max_memory_mb",))


def test_headroom_by_balloon_stays_that() -> None:
    """An instance that was made before boots with the most and is not changed into one with slots."""
    spec = declared(1024)
    machine = replace(defined(spec), memory_kib=4096 * MIB, max_memory_kib=None, memory_slots=None, cpu=Cpu(cells=()))
    assert not outlook(spec, machine, machine).plan.changed
    assert done(outlook(declared(2048), machine, machine)) == [("memory_mb", "live")]


def test_saved_memory_keeps_its_modules() -> None:
    """What the guest goes on with is known once it runs."""
    spec, machine = declared(1000, power_state="suspended"), defined(declared(512))
    result = outlook(spec, machine, machine, live=None, active=False, saved=True, state="shutoff")
    assert done(result) == [("memory_mb", "next_boot")]
    assert result.waiting == ("memory_mb",)


def test_cells_of_somebody_else_decide_how_much_memory_there_is() -> None:
    """Libvirt would go by them, whatever else is said."""
    machine = replace(
        defined(declared(1024, None)), cpu=TWO_CELLS, max_memory_kib=None, memory_slots=None, memory_kib=1024 * MIB
    )
    assert not outlook(declared(1024, None), machine, machine).plan.changed
    assert done(outlook(declared(768, None), machine, machine)) == [("memory_mb", "live")]
    for spec, option in ((declared(2048, None), "flavor.memory_mb"), (declared(1024, 2048), "max_memory_mb")):
        with pytest.raises(SpecError, match="declare 1024") as caught:
            outlook(spec, machine, machine)
        assert caught.value.option == option


def test_modules_of_the_definition_are_no_less_than_the_memory() -> None:
    """A cell needs some."""
    machine = defined(declared(1024))
    machine = replace(machine, memory_kib=5120 * MIB, memory_modules_kib=(4096 * MIB,))
    with pytest.raises(SpecError, match=r"flavor\.memory_mb"):
        outlook(declared(2048), machine, machine)
