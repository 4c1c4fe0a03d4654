# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Benchmark ``create``: a fleet of running instances on one hypervisor that has nothing but the base image."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from . import fleet
from .environment import Environment
from .errors import BenchError
from .figures import Figure, interleave, ratio, times_of, whole, without_startup
from .fleet import Item
from .subjects import Outcome, Subject, bare, module, playbook, publish_image, record


@dataclass(frozen=True)
class Report:
    """What a benchmark found."""

    title: str
    times: list[Figure]
    ratios: list[Figure]
    details: dict[str, Any]


class _Check:
    """Looks at the hypervisor from outside."""

    def __init__(self, environment: Environment, kept: set[str], items: list[Item]) -> None:
        self._hypervisor = environment.hypervisor
        self._kept = kept
        self._items = items
        self._backing = {self._hypervisor.backing(items[0].volume)}

    def all_run(self, unused_outcome: Outcome) -> None:
        """Refuse a figure unless every instance runs on its own disk over the base image."""
        wanted = {item.name for item in self._items}
        running = self._hypervisor.domains("--state-running")
        if running != wanted:
            raise BenchError(f"{len(running & wanted)} of {len(wanted)} run, {len(running - wanted)} others.")
        missing = {item.volume for item in self._items} - self._hypervisor.volumes()
        if missing:
            raise BenchError(f"Volumes are missing: {', '.join(sorted(missing))}.")
        found = {self._hypervisor.backing(item.volume) for item in self._items}
        if found != self._backing or "" in found:
            raise BenchError(f"Disks do not lie over the base image but over {found}.")

    def nothing_there(self, unused_outcome: Outcome) -> None:
        """Refuse a figure of the empty playbook if it left anything."""
        if self._hypervisor.domains():
            raise BenchError("The playbook that does nothing made domains.")

    def reset(self) -> None:
        """Bring back the state that every subject starts from."""
        self._hypervisor.clear(self._kept)


def create(environment: Environment, rounds: int, size: int) -> Report:
    """Time our fleet, the bare loop and community.libvirt's loops."""
    environment.hypervisor.clear(set())
    kept = publish_image(environment)
    arguments = fleet.options(environment, size, "running")
    items = record(environment, arguments)
    check = _Check(environment, kept, items)
    idle = fleet.write_playbook(environment, "idle", fleet.idle_tasks())
    ours = fleet.write_playbook(environment, "create-ours", fleet.our_tasks(arguments))
    theirs = fleet.write_playbook(environment, "create-community", fleet.community_create_tasks(environment, items))
    subjects = [
        Subject(
            "idle", "playbook whose one task does nothing", lambda: playbook(environment, idle), check.nothing_there
        ),
        Subject("bare", "bare libvirt-python loop", lambda: bare(environment, items), check.all_run),
        Subject("ours", "playbook with one compute_fleet task", lambda: playbook(environment, ours), check.all_run),
        Subject(
            "module", "compute_fleet alone", lambda: module(environment, "compute_fleet", arguments), check.all_run
        ),
        Subject(
            "community", "playbook with community.libvirt's loops", lambda: playbook(environment, theirs), check.all_run
        ),
    ]
    found = interleave(subjects, rounds, check.reset)
    ratios = [
        ratio("ours without Ansible's start-up / bare", found, without_startup("ours"), whole("bare")),
        ratio("compute_fleet alone / bare", found, whole("module"), whole("bare")),
        ratio("ours, whole playbook / bare", found, whole("ours"), whole("bare")),
        ratio(
            "community.libvirt without Ansible's start-up / bare", found, without_startup("community"), whole("bare")
        ),
        ratio("community.libvirt / ours, whole playbooks", found, whole("community"), whole("ours")),
    ]
    title = f"create: {size} instances made and started on one hypervisor"
    return Report(title, times_of(subjects, found), ratios, {"rounds": [asdict(taken) for taken in found]})
