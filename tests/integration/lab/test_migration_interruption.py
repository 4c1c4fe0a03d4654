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


def died(mover: Mover, mode: str, since: str | None = None) -> t.Iterator[str]:
    """Move it again and again, killed one call later each time, from the call ``since`` on; give what it died at."""
    arguments = mover.arguments(mode=mode)
    at_its_source(mover, "running")
    calls = mover.runs.run("compute_migration", **arguments).calls
    for number in range(1 if since is None else calls.index(since) + 1, len(calls) + 1):
        at_its_source(mover, "running")
        ended = mover.runs.run("compute_migration", kill_before=number, **arguments)
        if ended.result is None:
            yield ended.calls[-1]


@pytest.mark.parametrize(("mode", "since"), [("cold", None), ("live", "migrate3")])
def test_killed_at_any_call(blank: Mover, mode: str, since: str | None) -> None:
    """There are never two guests of it, and never a moment from which the next run does not get there.

    What comes before a live move is what comes before a cold one.
    """
    at_its_source(blank, "running")
    before = blank.traces() - {f"{blank.name}.console.log"}
    deaths = []
    for call in died(blank, mode, since):
        deaths.append(call)
        assert len(blank.running()) <= 1, call
        finished = blank.move(mode=mode)
        assert not finished.failed, f"{call}: {finished.message}"
        assert blank.traces() == set(), call
        assert blank.traces(blank.other) - {f"{blank.name}.console.log"} == before, call
        assert blank.running() == [blank.other.name], call
    assert not blank.move(mode=mode).changed
    wanted = {"defineXMLFlags", "setMetadata", "destroy", "create"} if mode == "cold" else {"migrate3"}
    assert {*wanted, "undefineFlags", "delete"} <= set(deaths), deaths
