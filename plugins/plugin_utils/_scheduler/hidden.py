# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""Hosts that could not be looked at, and may run what is nowhere to be seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .model import Host


@dataclass(frozen=True)
class Hidden:
    """Names of hosts, in order."""

    down: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    stale: tuple[str, ...] = ()
    """Those whose facts are too old."""

    def __bool__(self) -> bool:
        """Tell whether there are any."""
        return bool(self.down or self.left_out or self.stale)

    def conditions(self, joint: str, which: str = "") -> str:
        """Return who is down, who is left out and whose facts are stale; ``which`` makes it clauses."""
        known = (
            (self.down, ("is", "are"), "down"),
            (self.left_out, ("is", "are"), "left out of this run"),
            (self.stale, ("has", "have"), "stale facts"),
        )
        return joint.join(
            f"{', '.join(names)}{which} {verbs[len(names) > 1]} {condition}"
            for names, verbs, condition in known
            if names
        )

    def remedy(self, prefix: str) -> str:
        """Return what the user can do; ``prefix`` is what the names of options begin with."""
        steps = []
        if self.down:
            it = "it" if len(self.down) == 1 else "them"
            steps.append(
                f"bring {it} back, or say {prefix}assume_down_hosts_empty: true if nothing can be running there"
            )
        if self.left_out:
            steps.append(f"include {', '.join(self.left_out)} in the run")
        if self.stale:
            steps.append(f"gather the facts of {', '.join(self.stale)} anew")
        return ", and ".join(steps)


def find_hidden(hosts: Sequence[Host], assume_down_hosts_empty: bool) -> Hidden:
    """Return the hosts that may hide instances; of those that are down the user may know better."""
    down, left_out, stale = (
        tuple(host.name for host in hosts if host.state == state) for state in ("down", "left_out", "stale")
    )
    return Hidden(() if assume_down_hosts_empty else down, left_out, stale)
