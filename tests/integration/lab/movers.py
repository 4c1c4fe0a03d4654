# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""An instance that is moved between two hypervisors, and looked at with virsh at both."""

from __future__ import annotations

import hashlib
import subprocess
import typing as t
from pathlib import Path

from .conftest import Hypervisor, Result
from .killing import Runs
from .subjects import LIMITS, SWITCHED_OFF, Subject

MIGRATE_URI = "tcp://127.0.0.1"
"""Where both hosts of a rootless lab are, whose names are one."""


class Mover(Subject):
    """An instance; ``host`` is where it is taken to be now, ``other`` where it goes."""

    def __init__(self, host: Hypervisor, other: Hypervisor, name: str, runs: Runs, **declared: t.Any) -> None:
        """Begin with a declaration; nothing is made yet."""
        super().__init__(host, name, **declared)
        self.other = other
        self.runs = runs

    def module(self, module: str, check: bool = False, **options: t.Any) -> Result:
        """Run a module in a process that takes no time to start."""
        result = self.runs.run(module, check=check, **options).result
        assert result is not None
        return result

    def attempt(self, check: bool = False, **changes: t.Any) -> Result:
        """Run compute_instance so."""
        declared = {"uri": self.host.uri, "name": self.name, **self.declared, **changes}
        return self.module("compute_instance", check, **declared)

    def arguments(self, **options: t.Any) -> dict[str, t.Any]:
        """Return what compute_migration is told."""
        destination = {"uri": self.other.uri, "migrate_uri": MIGRATE_URI, **options.pop("destination", {})}
        known = {"name": self.name, "uri": self.host.uri, "limits": LIMITS, **SWITCHED_OFF}
        return {**known, "destination": destination, **options}

    def move(self, check: bool = False, **options: t.Any) -> Result:
        """Run compute_migration."""
        return self.module("compute_migration", check, **self.arguments(**options))

    def moved(self, **options: t.Any) -> dict[str, t.Any]:
        """Move it; check mode foretells that and changes nothing, and a second run does nothing."""
        before = self.traces(), self.other.domains(), self.other.volumes()
        foretold = self.move(check=True, **options)
        assert not foretold.failed, foretold.message
        assert (self.traces(), self.other.domains(), self.other.volumes()) == before
        done = self.move(**options)
        assert not done.failed, done.message
        for key in ("changed", "actions", "changes", "diff"):
            assert foretold.data[key] == done.data[key]
        assert done.changed
        again = self.move(**options)
        assert not again.failed, again.message
        assert (again.changed, again.data["actions"]) == (False, [])
        assert self.traces() == set()
        self.host, self.other = self.other, self.host
        return dict(done.data["migration"])

    def traces(self, host: Hypervisor | None = None) -> set[str]:
        """Return what a host has of it, the source if none is named: its domain and volumes."""
        place = host or self.host
        volumes = {volume for volume in place.volumes() if volume.startswith((f"{self.name}-", f"{self.name}."))}
        return volumes | (place.domains() & {self.name})

    def running(self) -> list[str]:
        """Return the names of the hosts that have a guest of it with CPUs that go."""
        return [
            host.name for host in (self.host, self.other) if host.virsh("domstate", self.name, check=False) == "running"
        ]

    def sums(self) -> dict[str, str]:
        """Return the checksums of the disks of an instance that is off, as qemu-img reads them with all below."""
        return {target: _content(Path(path)) for target, path in self.disks("--inactive").items()}

    def remove(self) -> None:
        """Remove it from both."""
        for host in (self.host, self.other):
            self.host = host
            super().remove()


def _content(path: Path) -> str:
    line = ["qemu-img", "convert", "-U", "-O", "raw", str(path), f"{path}.raw"]
    subprocess.run(line, check=True, capture_output=True)
    copy = Path(f"{path}.raw")
    found = hashlib.sha256(copy.read_bytes()).hexdigest()
    copy.unlink()
    return found
