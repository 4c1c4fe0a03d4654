# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""compute_migration with many instances: all are foreseen together, and one that fails does not stop the others."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

import pytest

from .conftest import Hypervisor, Result
from .killing import Runs
from .movers import MIGRATE_URI
from .subjects import FLAVOR, LIMITS, SWITCHED_OFF
from .test_image_progress import STATUS_FILES, Play, local

NAMES = ("t-one", "t-two", "t-three")
"""Two of them run, and boot nothing, since their memory is too small for that."""


@pytest.fixture(scope="module")
def runs() -> t.Iterator[Runs]:
    """Return what runs the modules."""
    with Runs("compute_fleet", "compute_migration") as opened:
        yield opened


class Party:
    """Instances that move together between two hosts."""

    def __init__(self, here: Hypervisor, there: Hypervisor, runs: Runs) -> None:
        """Make them."""
        self.here, self.there, self._runs = here, there, runs
        flavor = {**FLAVOR, "memory_mb": 16}
        known = {"image": "guest", "flavor": flavor, "networks": [], "graphics": {"type": "none"}}
        states = ("running", "running", "stopped")
        instances = [{"name": name, "power_state": state, **known} for name, state in zip(NAMES, states)]
        options: dict[str, t.Any] = {"uri": here.uri, "limits": LIMITS, "virt_type": "qemu"}
        assert runs.run("compute_fleet", fleet="party", instances=instances, **options).done.changed

    def moved(self, check: bool = False, moves: t.Sequence[dict[str, t.Any]] = (), **options: t.Any) -> Result:
        """Run the module."""
        result = self._runs.run(
            "compute_migration",
            check=check,
            uri=self.here.uri,
            fleet="party",
            migrations=list(moves) or [{"name": name, "to": "there", "why": "it is told"} for name in NAMES],
            destinations={"there": {"uri": self.there.uri, "migrate_uri": MIGRATE_URI}},
            **{"limits": LIMITS, **SWITCHED_OFF, **options},
        ).result
        assert result is not None
        return result

    def places(self) -> list[set[str]]:
        """Return which of them each host has."""
        return [host.domains() & set(NAMES) for host in (self.here, self.there)]

    def states(self, host: Hypervisor) -> list[str]:
        """Return what they do there."""
        return [host.state(name) for name in NAMES]

    def turn(self) -> None:
        """Let the next moves go back."""
        self.here, self.there = self.there, self.here


@pytest.fixture(scope="module")
def party(shared_host: Hypervisor, lab: list[Hypervisor], runs: Runs) -> t.Iterator[Party]:
    """Return three instances at the first host."""
    lab[1].clear()
    party = Party(shared_host, lab[1], runs)
    yield party
    for host in (shared_host, lab[1]):
        host.clear_domains()
    lab[1].clear()


@pytest.mark.parametrize("concurrency", [1, 3])
def test_all_at_once(party: Party, concurrency: int) -> None:
    """Check mode foretells it and changes nothing; each has its result; a second run does nothing."""
    foretold = party.moved(check=True, concurrency=concurrency)
    assert not foretold.failed, foretold.message
    assert party.places() == [set(NAMES), set()]
    done = party.moved(concurrency=concurrency)
    assert not done.failed, done.message
    assert party.places() == [set(), set(NAMES)]
    assert party.states(party.there) == ["running", "running", "shut off"]
    assert not {volume for volume in party.here.volumes() if volume.startswith("t-")}
    assert [one["changes"] for one in foretold.data["migrations"]] == [
        one["changes"] for one in done.data["migrations"]
    ]
    assert foretold.data["diff"] == done.data["diff"]
    entries = done.data["migrations"]
    assert [(one["name"], one["to"], one["mode"]) for one in entries] == list(
        zip(NAMES, ["there"] * 3, ["live", "live", "cold"])
    )
    assert all(one["changed"] and one["total_ms"] > 0 and "failed" not in one for one in entries)
    assert sum("fetch_image" in step for one in foretold.data["migrations"] for step in one["actions"]) <= 1
    again = party.moved()
    assert not again.failed, again.message
    assert (again.changed, [one["actions"] for one in again.data["migrations"]]) == (False, [[], [], []])
    party.turn()


def test_nothing_is_begun_while_one_can_not(party: Party) -> None:
    """What stands against each is told, what is moved before it included."""
    room = len(NAMES) - 1
    tight = {**LIMITS, "cpu_allocation_ratio": float(room) / vcpus(party.there)}
    for check in (True, False):
        refused = party.moved(check, limits=tight)
        assert (refused.data["error_code"], refused.changed) == ("BATCH_FAILED", False)
        assert "1 of 3 moves failed. t-three: Instance t-three can't be moved to" in refused.message
        listed = refused.data["migrations"][2]["obstacles"]
        assert len(listed) == 1
        assert "vCPUs" in listed[0]
    missing = party.moved(moves=[{"name": "t-one", "to": "there"}, {"name": "t-none", "to": "there"}])
    assert [one.get("error_code") for one in missing.data["migrations"]] == [None, "NOT_FOUND"]
    assert party.places() == [set(NAMES), set()]


def test_one_that_fails_amid_the_others(party: Party) -> None:
    """The others are moved, and the task fails with its name; the next run moves it."""
    here = party.here
    # It can't be powered off softly, having nothing to boot, and force is not given.
    moves = [{"name": name, "to": "there"} for name in NAMES]
    moves[0]["mode"] = "cold"
    failed = party.moved(moves=moves, force=False, shutdown_timeout=1)
    assert "1 of 3 moves failed. t-one: " in failed.message
    assert failed.changed
    assert [bool(one.get("failed")) for one in failed.data["migrations"]] == [True, False, False]
    assert party.places() == [{"t-one"}, {"t-two", "t-three"}]
    assert here.state("t-one") == "running"
    done = party.moved(moves=moves)
    assert not done.failed, done.message
    assert [one["changed"] for one in done.data["migrations"]] == [True, False, False]
    assert party.places() == [set(), set(NAMES)]
    party.turn()


def vcpus(host: Hypervisor) -> int:
    """Return how many CPUs a host has."""
    line = next(line for line in host.virsh("nodeinfo").splitlines() if line.startswith("CPU(s)"))
    return int(line.split()[-1])


def test_progress_is_shown(party: Party, tmp_path: Path) -> None:
    """Who runs ansible-playbook sees how far each of those is that go on at once."""
    options = {
        "uri": party.here.uri,
        "fleet": "party",
        "migrations": [{"name": name, "to": "there"} for name in NAMES],
        "destinations": {"there": {"uri": party.there.uri, "migrate_uri": MIGRATE_URI}},
        "concurrency": 2,
        "bandwidth_mb": 1,
        "limits": LIMITS,
        **SWITCHED_OFF,
    }
    play = Play(tmp_path, {"hypervisor": local()}, {"name": "Move", "kilonova.compute.compute_migration": options})
    for name in NAMES[:2]:
        play.wait_for(f"hypervisor: {name}: moving ")
    printed = play.end()
    assert "changed=1" in printed, printed
    # A small guest may be there before its second line is due.
    assert re.search(r"t-\w+: (moving|copying) \d+ of \d+ MiB \(\d+ %\)", printed), printed
    assert party.places() == [set(), set(NAMES)]
    assert not [path for path in STATUS_FILES.glob("*.progress") if "t-one" in path.read_text()]
