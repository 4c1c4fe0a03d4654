# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Memory as the guest sees it: in blocks, of which those that were plugged in may lie unused, and as a whole."""

from __future__ import annotations

import typing as t

from .._errors import DriverError, MissingLibraryError
from . import agent
from .capabilities import supported
from .connection import Connection
from .domain import Domain

_ANSWER_SECONDS = 10
_KIB = 1024


class Blocks(t.NamedTuple):
    """How large each is, and the numbers of those in use and of those that are not."""

    size_kib: int
    online: tuple[int, ...]
    offline: tuple[int, ...]

    @property
    def online_kib(self) -> int:
        """Return how much memory is in use; a block that begins or ends in a gap counts whole."""
        return self.size_kib * len(self.online)

    @property
    def offline_kib(self) -> int:
        """Return how much memory lies unused."""
        return self.size_kib * len(self.offline)


def read_blocks(connection: Connection, handle: t.Any) -> Blocks | None:
    """Return the guest's blocks of memory as its agent knows them; None where no agent tells."""
    try:
        agent.ping(connection, handle)
        info = agent.command(connection, handle, "guest-get-memory-block-info", patience=_ANSWER_SECONDS)
        listed = agent.command(connection, handle, "guest-get-memory-blocks", patience=_ANSWER_SECONDS)
        states = sorted((int(block["phys-index"]), bool(block["online"])) for block in listed)
        size_kib = int(info["size"]) // _KIB
    except (DriverError, MissingLibraryError, KeyError, TypeError, ValueError):
        # No agent, one that knows no blocks, as on Windows, or an answer that makes no sense.
        return None
    online = tuple(number for number, is_online in states if is_online)
    return Blocks(size_kib, online, tuple(number for number, is_online in states if not is_online))


def use_blocks(connection: Connection, handle: t.Any, numbers: t.Iterable[int]) -> None:
    """Ask the guest to take blocks into use; whether it did is seen by reading them again."""
    wanted = [{"phys-index": number, "online": True} for number in numbers]
    agent.command(connection, handle, "guest-set-memory-blocks", {"mem-blks": wanted}, patience=_ANSWER_SECONDS)


def seen_memory_kib(connection: Connection, domain: Domain) -> int | None:
    """Return how much memory the guest's kernel has, as its balloon driver last said; None where it does not."""
    stats = supported(connection, f"read the memory statistics of {domain.name}", domain.handle.memoryStats)
    return None if stats is None else stats.get("available")
