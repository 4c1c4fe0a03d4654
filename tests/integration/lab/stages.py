# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Every state that hosts go through while something runs, as virsh tells it of each domain that comes or goes."""

from __future__ import annotations

import contextlib
import re
import subprocess
import typing as t
from pathlib import Path

from .conftest import Hypervisor, wait_until

_LINE = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+)\S*: event 'lifecycle' for domain '([^']+)': (\w+)")
_MARK = "t-mark-"
_XML = "<domain type='qemu'><name>{}</name><memory>1024</memory><os><type>hvm</type></os></domain>"

Stage = dict[str, frozenset[str]]
"""The names of the domains that are defined, by host."""


class Stages:
    """What was seen; complete when the block ends."""

    def __init__(self, first: Stage) -> None:
        """Begin with what is there."""
        self.seen = [first]
        self.arrivals: list[tuple[str, str]] = []
        """(name, host): who came where, in order."""

    def read(self, events: t.Iterable[tuple[str, str, str, str]]) -> None:
        """Go through events, each with its time, host, domain and kind."""
        for _time, host, name, kind in sorted(events):
            now = self.seen[-1]
            if name.startswith(_MARK) or kind not in ("Defined", "Undefined"):
                continue
            there = now[host] | {name} if kind == "Defined" else now[host] - {name}
            if there != now[host]:
                self.seen.append({**now, host: there})
                if kind == "Defined":
                    self.arrivals.append((name, host))


@contextlib.contextmanager
def watched(hosts: t.Sequence[Hypervisor], directory: Path) -> t.Iterator[Stages]:
    """Watch hosts as long as the block lasts."""
    stages = Stages({host.name: frozenset(host.domains()) for host in hosts})
    with contextlib.ExitStack() as stack:
        logs = [(host, directory / f"{host.name}.events") for host in hosts]
        for host, log in logs:
            line = ["virsh", "-c", host.uri, "event", "--event", "lifecycle", "--loop", "--timestamp"]
            process = subprocess.Popen(line, stdout=stack.enter_context(log.open("w")), stderr=subprocess.DEVNULL)
            stack.callback(process.wait)
            stack.callback(process.terminate)
            _await(host, log, "begin")
        yield stages
        for host, log in logs:
            _await(host, log, "end")
        stages.read(event for host, log in logs for event in _events(host, log))


def _events(host: Hypervisor, log: Path) -> t.Iterator[tuple[str, str, str, str]]:
    for time, name, kind in _LINE.findall(log.read_text(encoding="utf-8")):
        yield time, host.name, name, kind


def _await(host: Hypervisor, log: Path, which: str) -> None:
    """Wait until something that happens now is seen, as is then all that happened before."""
    name = f"{_MARK}{which}"

    def is_seen() -> bool:
        host.feed(_XML.format(name), "define")
        host.virsh("undefine", name)
        return f"'{name}': Undefined" in log.read_text(encoding="utf-8")

    wait_until(is_seen, f"events of {host.name}")
