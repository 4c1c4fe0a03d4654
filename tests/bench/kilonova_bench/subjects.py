# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""The subjects: each a program that is timed from its start to its end."""

from __future__ import annotations

import json
import resource
import subprocess
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from .environment import BENCH, WORK, Environment
from .errors import BenchError
from .fleet import IMAGE, Item


@dataclass(frozen=True)
class Outcome:
    """What a subject took and printed; ``cpu_seconds`` are its own, without the daemon's and the guests'."""

    seconds: float
    cpu_seconds: float
    output: str


@dataclass(frozen=True)
class Subject:
    """One contender: ``verify`` looks at the hypervisor and raises where the work was not done."""

    key: str
    title: str
    run: Callable[[], Outcome]
    verify: Callable[[Outcome], None]


def timed(environment: Environment, command: list[str], text: str | None = None) -> Outcome:
    """Run a program and time it; one that fails has no figure."""
    cpu, started = _children_cpu(), time.perf_counter()
    done = subprocess.run(
        command, input=text, env=environment.variables(), cwd=WORK, check=False, capture_output=True, text=True
    )
    seconds = time.perf_counter() - started
    if done.returncode:
        raise BenchError(f"{' '.join(command[:3])} failed ({done.returncode}):\n{done.stdout[-3000:]}{done.stderr}")
    return Outcome(seconds, _children_cpu() - cpu, done.stdout)


def _children_cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def playbook(environment: Environment, path: Path) -> Outcome:
    """Run a playbook."""
    return timed(environment, [str(environment.playbook_tool), "-i", "localhost,", str(path)])


def bare(environment: Environment, items: list[Item]) -> Outcome:
    """Run the bare loop."""
    command = [str(environment.python), str(BENCH / "payload" / "bare.py"), environment.hypervisor.uri]
    return timed(environment, command, json.dumps([asdict(item) for item in items]))


def module(environment: Environment, name: str, arguments: dict[str, Any], log: Path | None = None) -> Outcome:
    """Run one of our modules in a process of its own."""
    command = [str(environment.python), str(BENCH / "payload" / "module.py"), name, *([str(log)] if log else [])]
    return timed(environment, command, json.dumps(arguments))


def publish_image(environment: Environment) -> set[str]:
    """Put the base image in the pool and return the volumes that are there then."""
    uri = environment.hypervisor.uri
    module(environment, "compute_image", {"uri": uri, "name": IMAGE, "src": str(environment.image)})
    return environment.hypervisor.volumes()


def record(environment: Environment, arguments: dict[str, Any]) -> list[Item]:
    """Create the fleet with our module and return what it gave libvirt, so that all subjects give it the same."""
    log = WORK / "record.json"
    module(environment, "compute_fleet", arguments, log)
    texts = json.loads(log.read_text(encoding="utf-8"))["xml"]
    volumes = {str(ElementTree.fromstring(text).findtext("name")): text for text in texts["createXML"]}
    items = []
    for text in texts["defineXMLFlags"]:
        root = ElementTree.fromstring(text)
        source = root.find("devices/disk/source")
        volume = source.get("file", "").rpartition("/")[2] if source is not None else ""
        items.append(Item(str(root.findtext("name")), volume, volumes[volume], text))
    return sorted(items, key=lambda item: item.name)


def expect_no_change(outcome: Outcome) -> None:
    """Refuse the figure of a second run that changed anything."""
    changed = "changed=0" in outcome.output or '"changed": false' in outcome.output
    if not changed:
        raise BenchError(f"A second run changed something:\n{outcome.output[-3000:]}")
