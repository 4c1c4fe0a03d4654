# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Benchmark ``noop``: a second run over instances that are defined and off, where nothing is to be done."""

from __future__ import annotations

import json
import typing as t
from dataclasses import asdict

from . import fleet
from .create import Report
from .environment import WORK, Environment
from .figures import Figure, Round, interleave, ratio, times_of, whole, without_startup
from .subjects import Subject, expect_no_change, module, playbook, publish_image, record


def noop(environment: Environment, rounds: int, size: int, looped: int) -> Report:
    """Time our second run and community.libvirt's, and count the libvirt calls of ours.

    The loop grows with its items, each a module of its own; so it is timed over ``looped`` of them and scaled up.
    """
    looped = min(looped, size)
    environment.hypervisor.clear(set())
    publish_image(environment)
    arguments = fleet.options(environment, size, "stopped")
    items = record(environment, arguments)
    calls = {count: _calls(environment, count) for count in (size // 2, size)}
    idle = fleet.write_playbook(environment, "idle", fleet.idle_tasks())
    ours = fleet.write_playbook(environment, "noop-ours", fleet.our_tasks(arguments))
    theirs = fleet.write_playbook(
        environment, "noop-community", fleet.community_define_tasks(environment, items[:looped])
    )
    subjects = [
        Subject("idle", "playbook whose one task does nothing", lambda: playbook(environment, idle), expect_no_change),
        Subject("ours", "playbook with one compute_fleet task", lambda: playbook(environment, ours), expect_no_change),
        Subject(
            "module",
            "compute_fleet alone",
            lambda: module(environment, "compute_fleet", arguments),
            expect_no_change,
        ),
        Subject(
            "community",
            f"playbook with community.libvirt.virt: define, loop of {looped}",
            lambda: playbook(environment, theirs),
            expect_no_change,
        ),
    ]
    found = interleave(subjects, rounds, lambda: None)
    title = f"noop: second run over {size} instances that are defined and off"
    details = {"looped": looped, "rounds": [asdict(taken) for taken in found], **_counted(calls, size)}
    return Report(title, times_of(subjects, found), _ratios(found, size, looped), details)


def _ratios(found: list[Round], size: int, looped: int) -> list[Figure]:
    def scaled(seconds: dict[str, float]) -> float:
        return without_startup("community")(seconds) * size / looped

    return [
        ratio(
            f"community.libvirt for {size} / ours, whole playbooks",
            found,
            lambda seconds: seconds["idle"] + scaled(seconds),
            whole("ours"),
        ),
        ratio("the same without Ansible's start-up", found, scaled, without_startup("ours")),
    ]


def _counted(calls: dict[int, dict[str, int]], size: int) -> dict[str, t.Any]:
    half = calls[size // 2]
    return {
        "calls": calls[size],
        "calls_per_further_instance": (sum(calls[size].values()) - sum(half.values())) / (size - size // 2),
        "calls_that_grow": sorted(name for name, count in calls[size].items() if count != half.get(name)),
    }


def _calls(environment: Environment, size: int) -> dict[str, int]:
    """Return the libvirt calls, by name, of a second run that declares ``size`` instances and finds as many.

    The domains of all are read whatever is declared, so the smaller fleet is looked at alone.
    """
    hypervisor = environment.hypervisor
    beyond = set(fleet.names(size))
    hidden = {name: hypervisor.virsh("dumpxml", "--inactive", name) for name in hypervisor.domains() - beyond}
    hypervisor.virsh(commands=[f"undefine {name}" for name in sorted(hidden)])
    log = WORK / "calls.json"
    expect_no_change(module(environment, "compute_fleet", fleet.options(environment, size, "stopped"), log))
    for name, text in hidden.items():
        path = WORK / f"{name}.xml"
        path.write_text(text, encoding="utf-8")
        hypervisor.virsh("define", str(path))
        path.unlink()
    found: dict[str, int] = json.loads(log.read_text(encoding="utf-8"))["calls"]
    return dict(sorted(found.items()))
