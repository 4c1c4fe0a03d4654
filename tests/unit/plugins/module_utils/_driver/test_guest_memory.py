# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of memory as the guest sees it, with answers as real agents give them."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._driver.connection import Connection
from ansible_collections.kilonova.compute.plugins.module_utils._driver.domain import NamedHandle
from ansible_collections.kilonova.compute.plugins.module_utils._driver.guest_memory import (
    Blocks,
    read_blocks,
    seen_memory_kib,
    use_blocks,
)
from ansible_collections.kilonova.compute.tests.unit.plugins.module_utils.scripted_guest import (
    AWAY,
    REFUSED,
    Fault,
    ScriptedGuest,
    domain_xml,
    let_agents_answer,
)

INFO = {"size": 134217728}
LISTED = [
    {"online": False, "can-offline": True, "phys-index": 32},
    {"online": True, "can-offline": True, "phys-index": 1},
    {"online": True, "can-offline": True, "phys-index": 0},
]


@pytest.fixture
def connection(monkeypatch: pytest.MonkeyPatch) -> t.Iterator[Connection]:
    """Return a connection, of which only the way it makes calls is used."""
    let_agents_answer(monkeypatch)
    with Connection("test:///default") as opened:
        yield opened


def test_blocks(connection: Connection) -> None:
    """Those in use and those that are not, in order."""
    guest = ScriptedGuest(guest_get_memory_block_info=[INFO], guest_get_memory_blocks=[LISTED])
    blocks = read_blocks(connection, guest)
    assert blocks == Blocks(131072, (0, 1), (32,))
    assert blocks is not None
    assert (blocks.online_kib, blocks.offline_kib) == (262144, 131072)


@pytest.mark.parametrize(
    "script",
    [
        {"XMLDesc": [domain_xml(None)]},
        {"XMLDesc": [domain_xml("disconnected")]},
        {"guest_ping": [AWAY]},
        {"guest_get_memory_block_info": [REFUSED], "guest_info": [{"supported_commands": []}]},
        {"guest_get_memory_block_info": [{}]},
        {"guest_get_memory_blocks": [None]},
        {"guest_get_memory_blocks": [[{"online": True}]]},
        {"guest_get_memory_blocks": [[{"online": True, "phys-index": "x"}]]},
    ],
)
def test_nobody_tells(connection: Connection, script: dict[str, t.Any]) -> None:
    """No agent, one that knows no blocks, or one that talks nonsense."""
    known = {"guest_get_memory_block_info": [INFO], "guest_get_memory_blocks": [LISTED]}
    assert read_blocks(connection, ScriptedGuest(**{**known, **script})) is None


def test_blocks_are_taken_into_use(connection: Connection) -> None:
    """By their numbers."""
    guest = ScriptedGuest(guest_set_memory_blocks=[[]])
    use_blocks(connection, guest, (32, 33))
    assert guest.asked("guest_set_memory_blocks") == [
        {"mem-blks": [{"phys-index": 32, "online": True}, {"phys-index": 33, "online": True}]}
    ]


def test_what_the_kernel_sees(connection: Connection) -> None:
    """As far as the balloon's driver tells."""
    told = NamedHandle("web", ScriptedGuest(memoryStats=[{"actual": 2, "available": 1}]))
    assert seen_memory_kib(connection, told) == 1
    silent = NamedHandle("web", ScriptedGuest(memoryStats=[{"actual": 2}]))
    assert seen_memory_kib(connection, silent) is None
    unable = NamedHandle("web", ScriptedGuest(memoryStats=[Fault("VIR_ERR_NO_SUPPORT")]))
    assert seen_memory_kib(connection, unable) is None
