# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Moves that die at any call: one copy counts at every moment, and the same run again finishes."""

from __future__ import annotations

import typing as t

import pytest

from .conftest import Hypervisor
from .killing import Runs
from .movers import Mover
from .subjects import FLAVOR, removed_after, said


@pytest.fixture(scope="module")
def runs() -> t.Iterator[Runs]:
    """Return what runs the modules."""
    with Runs("compute_instance", "compute_migration") as opened:
        yield opened


@pytest.fixture(scope="module")
def blank(shared_host: Hypervisor, lab: list[Hypervisor], runs: Runs) -> t.Iterator[Mover]:
    """Return an instance on an image that boots nothing, since its memory is too small for that, and is soon moved."""
    lab[1].clear()
    mover = Mover(shared_host, lab[1], "t-blank", runs, flavor={**FLAVOR, "memory_mb": 16}, image="guest", networks=[])
    with removed_after(mover):
        said(mover.attempt(power_state="stopped"))
        yield mover
    lab[1].clear()


def at_its_source(mover: Mover, state: str) -> None:
    """Have it where it began, in that state."""
    if mover.name not in mover.host.domains():
        mover.host, mover.other = mover.other, mover.host
        back = mover.move(mode="cold")
        assert not back.failed, back.message
        mover.host, mover.other = mover.other, mover.host
    if mover.state != state:
        mover.host.virsh("start" if state == "running" else "destroy", mover.name)


@pytest.mark.parametrize(("state", "mode"), [("shut off", "cold"), ("running", "cold"), ("running", "live")])
def test_killed_at_any_call(blank: Mover, state: str, mode: str) -> None:
    """There are never two guests of it, and never a moment from which the next run does not get there."""
    at_its_source(blank, state)
    before = blank.traces() - {f"{blank.name}.console.log"}
    deaths = []
    arguments = blank.arguments(mode=mode)
    for died in blank.runs.killed_everywhere("compute_migration", lambda: at_its_source(blank, state), **arguments):
        deaths.append(died)
        assert len(blank.running()) <= 1, died
        finished = blank.move(mode=mode)
        assert not finished.failed, f"{died}: {finished.message}"
        assert blank.traces() == set(), died
        assert blank.traces(blank.other) - {f"{blank.name}.console.log"} == before, died
        assert blank.other.state(blank.name) == state, died
        assert not blank.move(mode=mode).changed, died
    assert {"defineXMLFlags", "setMetadata", "undefineFlags", "delete"} <= set(deaths)
    assert ("migrate3" in deaths) == (mode == "live")
