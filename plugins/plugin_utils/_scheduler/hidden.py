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

    def __bool__(self) -> bool:
        """Tell whether there are any."""
        return bool(self.down or self.left_out)

    def conditions(self, joint: str, which: str = "") -> str:
        """Return who is down and who is left out; ``which`` makes it clauses."""
        parts = []
        for names, condition in ((self.down, "down"), (self.left_out, "left out of this run")):
            if names:
                parts.append(f"{', '.join(names)}{which} {'is' if len(names) == 1 else 'are'} {condition}")
        return joint.join(parts)

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
        return ", and ".join(steps)


def find_hidden(hosts: Sequence[Host], assume_down_hosts_empty: bool) -> Hidden:
    """Return the hosts that may hide instances; of those that are down the user may know better."""
    down = () if assume_down_hosts_empty else (host.name for host in hosts if not host.is_up and not host.is_left_out)
    return Hidden(tuple(down), tuple(host.name for host in hosts if host.is_left_out))
