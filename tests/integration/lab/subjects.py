# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""One instance of a test: declared again and again with more or less, looked at with virsh, and removed behind our back."""

from __future__ import annotations

import contextlib
import hashlib
import re
import typing as t
from pathlib import Path
from xml.etree import ElementTree

from .conftest import FORGET, Hypervisor, Result, run_module, wait_until

FLAVOR: dict[str, t.Any] = {"name": "tiny", "vcpus": 1, "memory_mb": 64, "disk_gb": 1}
BOOTING: dict[str, t.Any] = {"image": "guest", "flavor": {**FLAVOR, "memory_mb": 128}, "networks": [{"user": True}]}
"""What the test guest needs to boot and to be reached."""
LIMITS: dict[str, t.Any] = {
    "reserved_host_memory_mb": 0,
    "cpu_allocation_ratio": 100.0,
    "ram_allocation_ratio": 10.0,
    "disk_allocation_ratio": 10.0,
}
SWITCHED_OFF: dict[str, t.Any] = {"force": True, "shutdown_timeout": 0}
"""For a guest that has nothing to boot, and so never hears that it shall power off."""


class Subject:
    """An instance with its declaration. Without an image it has a blank disk, and so it runs from the first moment."""

    def __init__(self, host: Hypervisor, name: str, **declared: t.Any) -> None:
        """Begin with a small declaration; nothing is made yet."""
        self.host = host
        self.name = name
        self.declared: dict[str, t.Any] = {
            "flavor": FLAVOR,
            "virt_type": "qemu",
            "graphics": {"type": "none"},
            "limits": LIMITS,
            **declared,
        }

    def attempt(self, check: bool = False, **changes: t.Any) -> Result:
        """Run the module with the declaration and ``changes``, which are not kept."""
        declared = {"uri": self.host.uri, "name": self.name, **self.declared, **changes}
        return run_module("compute_instance", check=check, diff=True, **declared)

    def run(self, check: bool = False, **changes: t.Any) -> dict[str, t.Any]:
        """Return what a run says of the instance, which must not fail."""
        return said(self.attempt(check, **changes))

    def declare(self, **changes: t.Any) -> dict[str, t.Any]:
        """Change the declaration for good and run it; check mode must foretell that, and a second run do nothing."""
        self.declared.update(changes)
        foretold = self.run(check=True)
        done = self.run()
        for key in ("changed", "changes", "actions"):
            assert foretold[key] == done[key]
        again = self.run()
        assert (again["changed"], again["changes"], again["actions"]) == (False, [], [])
        assert again["restart_required"] == done["restart_required"]
        return done

    def absent(self, check: bool = False, **options: t.Any) -> Result:
        """Declare that it shall not be there, with nothing but its name and ``options``."""
        return run_module("compute_instance", check=check, uri=self.host.uri, name=self.name, state="absent", **options)

    @property
    def state(self) -> str:
        """Return virsh's word for what it does."""
        return self.host.state(self.name)

    @property
    def number(self) -> str:
        """Return what tells one QEMU process from the next."""
        return self.host.virsh("domid", self.name)

    def xml(self, *arguments: str) -> str:
        """Return its definition, or how it runs, as text."""
        return self.host.virsh("dumpxml", *arguments, self.name)

    def tree(self, *arguments: str) -> ElementTree.Element:
        """Return the same to be searched."""
        return ElementTree.fromstring(self.xml(*arguments))

    def macs(self, *arguments: str) -> list[str]:
        """Return the MAC addresses of its NICs, in order."""
        listed = self.host.virsh("domiflist", self.name, *arguments)
        return re.findall(r"(?:[0-9a-f]{2}:){5}[0-9a-f]{2}", listed)

    def disks(self, *arguments: str) -> dict[str, str]:
        """Return its disks and drives: target and where it lies."""
        listed = self.host.virsh("domblklist", self.name, *arguments)
        return dict(line.split(maxsplit=1) for line in listed.splitlines() if line.strip())

    def inside(self, script: str) -> str:
        """Return what a shell in the guest prints."""
        return self.host.inside(self.name, script).strip()

    def boots(self) -> int:
        """Return how often its guest booted, as the guest itself counts on its disk."""
        return int(self.inside("cat /www/boots"))

    def wait_for_boot(self, times: int = 1) -> None:
        """Wait until its guest booted that often since its console began."""
        ready = f"kilonova-guest ready: {self.name}"
        wait_until(lambda: self.host.console(self.name).count(ready) >= times, f"boot {times} of {self.name}")

    def remove(self) -> None:
        """Remove it and what is named after it without the collection."""
        if self.name in self.host.domains():
            self.host.virsh("destroy", self.name, check=False)
            self.host.virsh("undefine", self.name, *FORGET)
        for volume in self.host.volumes():
            if volume.startswith((f"{self.name}-", f"{self.name}.")):
                self.host.virsh("vol-delete", volume, "default")


@contextlib.contextmanager
def removed_after(subject: Subject) -> t.Iterator[Subject]:
    """Give the subject, and remove it at the end."""
    try:
        yield subject
    finally:
        subject.remove()


def said(result: Result) -> dict[str, t.Any]:
    """Return what a result that must not have failed says of the instance."""
    assert not result.failed, result.message
    return t.cast("dict[str, t.Any]", result.data["instance"])


def effects(instance: dict[str, t.Any]) -> dict[str, str]:
    """Return the paths that changed, each with the effect."""
    return {change["path"]: change["effect"] for change in instance["changes"]}


def digest(path: Path) -> str:
    """Return what tells a file's content from any other."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
