# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of how memory is given to a running guest, which takes it into use or does not."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._driver.connection import Connection
from ansible_collections.kilonova.compute.plugins.module_utils._driver.guests import GuestReading
from ansible_collections.kilonova.compute.plugins.module_utils._errors import DriverError
from ansible_collections.kilonova.compute.plugins.module_utils._service._instance import live_memory
from ansible_collections.kilonova.compute.plugins.module_utils._service._instance.live_memory import set_memory
from ansible_collections.kilonova.compute.plugins.module_utils._spec.machine import Machine
from ansible_collections.kilonova.compute.tests.unit.plugins.module_utils.scripted_guest import (
    AWAY,
    ScriptedGuest,
    let_agents_answer,
)

MIB = 1024
INFO = [{"size": 128 * MIB * 1024}]


@pytest.fixture
def connection(monkeypatch: pytest.MonkeyPatch) -> t.Iterator[Connection]:
    """Return a connection, of which only the way it makes calls is used; nothing is waited for."""
    let_agents_answer(monkeypatch)
    monkeypatch.setattr(live_memory, "_POLL_SECONDS", 0.0)
    monkeypatch.setattr(live_memory, "_TAKE_SECONDS", 0.05)
    with Connection("test:///default") as opened:
        yield opened


def xml(current_mb: int, *modules_mb: int, balloon: str = "virtio", channel: bool = True) -> str:
    """Return a running guest's XML: one that booted with 512 MiB."""
    modules = "".join(
        f"<memory model='dimm'><target><size unit='MiB'>{size}</size><node>0</node></target></memory>"
        for size in modules_mb
    )
    agent = "<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0' state='connected'/></channel>"
    return (
        "<domain type='qemu'><name>web</name><maxMemory slots='16' unit='MiB'>2176</maxMemory>"
        f"<memory unit='MiB'>{512 + sum(modules_mb)}</memory><currentMemory unit='MiB'>{current_mb}</currentMemory>"
        "<vcpu>1</vcpu><features><acpi/></features><cpu><numa><cell id='0' cpus='0' memory='524288'/></numa></cpu>"
        f"<devices>{modules}{agent if channel else ''}<memballoon model='{balloon}'/></devices></domain>"
    )


def blocks(online: int, offline: int = 0) -> list[dict[str, t.Any]]:
    """Return so many blocks of memory."""
    return [{"online": number < online, "phys-index": number} for number in range(online + offline)]


def guest_of(text: str, **script: t.Any) -> ScriptedGuest:
    """Return a guest that takes any change."""
    calls: dict[str, t.Any] = {"setMemoryFlags": [0], "attachDeviceFlags": [0], "memoryStats": [{}]}
    agent = {"guest_get_memory_block_info": INFO, "guest_set_memory_blocks": [[]]}
    return ScriptedGuest(XMLDesc=[text], **{**calls, **agent, **script})


def given(connection: Connection, guest: ScriptedGuest, wanted_mb: int) -> str | None:
    """Have the guest given memory."""
    reading = GuestReading("web", "u", "running", False, "", handle=guest)
    return set_memory(connection, reading, Machine("qemu", "web", current_memory_kib=wanted_mb * MIB))


def balloon(guest: ScriptedGuest) -> list[int]:
    """Return the MiB that the balloon was told to leave, one after the other."""
    return [size // MIB for size, _flags in guest.asked("setMemoryFlags")]


def test_what_there_is_needs_no_module(connection: Connection) -> None:
    """The balloon alone gives and takes, and nobody is asked."""
    guest = guest_of(xml(512))
    assert given(connection, guest, 300) is None
    assert [name for name, _arguments in guest.calls] == ["XMLDesc", "setMemoryFlags"]
    assert balloon(guest) == [300]


def test_the_agent_takes_what_is_plugged_in_into_use(connection: Connection) -> None:
    """Then the balloon keeps what the block has too much."""
    answers = [blocks(4), blocks(4, 1), blocks(5)]
    guest = guest_of(xml(512), guest_get_memory_blocks=answers)
    assert given(connection, guest, 600) is None
    assert '<size unit="KiB">131072</size>' in guest.asked("attachDeviceFlags")[0][0]
    assert guest.asked("guest_set_memory_blocks") == [{"mem-blks": [{"phys-index": 4, "online": True}]}]
    assert balloon(guest) == [600]


def test_the_balloon_gives_all_it_has_first(connection: Connection) -> None:
    """What was taken earlier comes back at once, whatever becomes of the module."""
    guest = guest_of(xml(256), guest_get_memory_blocks=[blocks(4)])
    assert given(connection, guest, 640) is not None
    assert balloon(guest) == [512]


def test_what_lies_unused_is_not_taken_from_the_rest(connection: Connection) -> None:
    """The guest would have less than before; so it is said instead."""
    guest = guest_of(xml(512), guest_get_memory_blocks=[blocks(4, 1)])
    note = given(connection, guest, 600)
    assert note is not None
    assert "600 MiB" in note
    assert balloon(guest) == []


@pytest.mark.parametrize(
    ("stats", "is_taken"),
    [
        ([{"available": 400 * MIB}, {"available": 400 * MIB}, {"available": 520 * MIB}], True),
        ([{"available": 400 * MIB}], False),
        ([{"available": 400 * MIB}, {}], False),
        ([{}], False),
    ],
)
def test_without_an_agent_the_kernel_may_take_it_by_itself(
    connection: Connection, stats: list[dict[str, int]], is_taken: bool
) -> None:
    """The balloon's statistics tell."""
    guest = guest_of(xml(512, channel=False), memoryStats=stats)
    assert (given(connection, guest, 600) is None) == is_taken
    assert balloon(guest) == ([600] if is_taken else [])


def test_what_the_balloon_gives_back_is_not_taken_for_the_module(connection: Connection) -> None:
    """The kernel sees more of both."""
    stats = [{"available": 150 * MIB}, {"available": 406 * MIB}]
    guest = guest_of(xml(256, channel=False), memoryStats=stats)
    assert given(connection, guest, 600) is not None
    assert balloon(guest) == [512]


def test_an_agent_that_is_away_for_a_moment(connection: Connection) -> None:
    """It is asked again."""
    guest = guest_of(xml(512), guest_ping=[AWAY, AWAY, {}], guest_get_memory_blocks=[blocks(5)])
    assert given(connection, guest, 640) is None
    assert balloon(guest) == [640]


@pytest.mark.parametrize(
    ("script", "taken"),
    [
        ({"guest_get_memory_blocks": [blocks(4, 2), blocks(6)]}, [700]),
        ({"guest_get_memory_blocks": [blocks(4, 2)]}, []),
        ({"guest_ping": [AWAY]}, [700]),
    ],
)
def test_less_of_a_guest_with_modules(connection: Connection, script: dict[str, t.Any], taken: list[int]) -> None:
    """What is known to lie unused is taken into use before the balloon takes any; where nobody tells, it does."""
    guest = guest_of(xml(768, 256), **script)
    assert (given(connection, guest, 700) is None) == bool(taken)
    assert balloon(guest) == taken


def test_without_a_balloon(connection: Connection) -> None:
    """Whole blocks, and no call that would fail."""
    guest = guest_of(xml(512, balloon="none"), guest_get_memory_blocks=[blocks(5)])
    assert given(connection, guest, 640) is None
    assert balloon(guest) == []


def test_a_guest_that_changed_meanwhile(connection: Connection) -> None:
    """Nothing is plugged in that does not fit any more."""
    guest = guest_of(xml(512))
    with pytest.raises(DriverError, match="changed meanwhile"):
        given(connection, guest, 4096)
    assert guest.asked("attachDeviceFlags") == []
