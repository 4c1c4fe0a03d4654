# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Benchmark ``migration``: a guest that runs is moved with its disks, by us and by ``virsh migrate`` with the same flags."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from . import fleet
from .create import Report
from .environment import WORK, Environment, run
from .errors import BenchError
from .figures import interleave, ratio, times_of, whole
from .hypervisor import Hypervisor
from .subjects import Outcome, Subject, module, publish_image, timed

_NAME = "mover"
_FLAGS = ("--live", "--copy-storage-inc", "--persistent", "--auto-converge")
_MIGRATE_URI = "tcp://127.0.0.1"
_MEMORY_MB = 256


def migration(environment: Environment, rounds: int, size_mib: int) -> Report:
    """Time both; each moves the same guest from the first hypervisor to the second, and it is moved back in between."""
    road = _Road(environment)
    road.make(size_mib)
    subjects = [
        Subject("virsh", "virsh migrate, the destination being prepared", road.by_virsh, road.verify),
        Subject("module", "compute_migration alone, which prepares and tidies up", road.by_module, road.verify),
    ]
    found = interleave(subjects, rounds, road.reset)
    details: dict[str, Any] = {"rounds": [asdict(taken) for taken in found], "moves": road.moves}
    title = f"migration: a guest of {_MEMORY_MB} MiB with {size_mib} MiB on its disk, live from host to host"
    return Report(
        title,
        times_of(subjects, found),
        [ratio("compute_migration alone / virsh migrate", found, whole("module"), whole("virsh"))],
        details,
    )


class _Road:
    """Two hypervisors, and the guest that goes back and forth."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._here, self._there = environment.hypervisor, environment.other
        self.moves: list[dict[str, Any]] = []

    def make(self, size_mib: int) -> None:
        """Make the guest with data on its second disk."""
        for hypervisor in (self._here, self._there):
            hypervisor.clear(set())
        publish_image(self._environment)
        options = fleet.options(self._environment, 1, "stopped")
        instance = {**options["instances"][0], "name": _NAME, "volumes": [{"serial": "data", "size_gb": 2}]}
        instance["flavor"] = {**instance["flavor"], "memory_mb": _MEMORY_MB}
        module(self._environment, "compute_fleet", {**options, "instances": [instance]})
        write = f"write -P 90 0 {size_mib}M"
        run(["qemu-io", "-f", "qcow2", "-c", write, self._here.path(f"{_NAME}-data")])
        self._here.virsh("start", _NAME)
        # The first move brings the image along, which the next find.
        self._move(self._here, self._there)
        self.reset()

    def _move(self, source: Hypervisor, target: Hypervisor) -> Outcome:
        destination = {"uri": target.uri, "migrate_uri": _MIGRATE_URI}
        limits = {"reserved_host_memory_mb": 0, "ram_allocation_ratio": 10.0, "disk_allocation_ratio": 10.0}
        arguments = {
            "uri": source.uri,
            "name": _NAME,
            "fleet": fleet.FLEET,
            "destination": destination,
            "limits": limits,
        }
        return module(self._environment, "compute_migration", arguments)

    def by_module(self) -> Outcome:
        """Move it as a task does."""
        outcome = self._move(self._here, self._there)
        self.moves.append(json.loads(outcome.output.splitlines()[-1])["migration"])
        return outcome

    def by_virsh(self) -> Outcome:
        """Move it with the destination's volumes and definitions ready; only the move is timed."""
        texts = []
        here, there = self._here.pool_path(), self._there.pool_path()
        for volume in self._volumes():
            text = self._here.virsh("vol-dumpxml", volume, "default").replace(here, there)
            self._there.virsh("vol-create", "default", str(_written("volume.xml", text)))
        for kind in ("--migratable", "--inactive"):
            text = self._here.virsh("dumpxml", kind, "--security-info", _NAME).replace(here, there)
            texts.append(str(_written(f"domain{kind}.xml", text)))
        words = ["--xml", texts[0], "--persistent-xml", texts[1], _NAME, self._there.uri, _MIGRATE_URI]
        outcome = timed(self._environment, ["virsh", "-q", "-c", self._here.uri, "migrate", *_FLAGS, *words])
        self._here.virsh("undefine", _NAME)
        for volume in self._volumes():
            self._here.virsh("vol-delete", volume, "default")
        return outcome

    def _volumes(self) -> list[str]:
        return sorted(name for name in self._here.volumes() if name.startswith(f"{_NAME}-"))

    def verify(self, _outcome: Outcome) -> None:
        """Refuse the figure of a move that did not get there."""
        if _NAME not in self._there.domains("--state-running") or _NAME in self._here.domains():
            raise BenchError(f"{_NAME} is not at the second hypervisor alone.")

    def reset(self) -> None:
        """Have it at the first hypervisor."""
        if _NAME not in self._here.domains():
            self._move(self._there, self._here)


def _written(name: str, text: str) -> Path:
    path = WORK / name
    path.write_text(text, encoding="utf-8")
    return path
