# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Which storage pools of one host are another host's as well, found out by looking.

Names, paths and servers prove nothing. Two pools are one when a volume that was made through the one is seen through the other.
They are two when that is not so, and a volume that both have by one name was not changed at the same moment. Where neither is
proven nobody can say whose volume would be deleted, so that is refused.
"""

from __future__ import annotations

import contextlib
import secrets
import time
import typing as t

from ..._driver.storage import Pool, Volume
from ..._errors import ConflictError, DriverError, ExistsError
from .._instance.host import Host
from .._instance.places import Place
from ..lock import host_lock

PREFIX = "kilonova-shared-"
"""Of a volume that is there for a moment only."""
_BYTES = 4096
_WAIT_SECONDS = 90.0
"""How long a client of a file server may show what it remembers of a directory."""
_PAUSE_SECONDS = 1.0
_LOCK_SECONDS = 600.0
_LOOKS = 20


class SharedStorage:
    """What was found out about the pools of ``source``; each is asked about once."""

    def __init__(self, source: Host, target: Host) -> None:
        """Ask nothing yet."""
        self._source, self._target = source, target
        self._known: dict[str, str | None] = {}

    def place(self, pool: str, volumes: t.Iterable[str]) -> Place | None:
        """Return the destination's pool that the source's ``pool`` is; None where the destination has not these ``volumes``."""
        if pool not in self._known:
            self._known[pool] = self._find(pool, sorted(volumes))
        name = self._known[pool]
        return None if name is None else self._target.place(name)

    def _find(self, pool: str, volumes: t.Sequence[str]) -> str | None:
        here = self._source.place(pool)
        if not here.is_running or not here.info.holds_files:
            return None
        for name in dict.fromkeys((pool, self._target.home.name)):
            there = self._target.place(name)
            if not there.is_running or not there.info.holds_files:
                continue
            there.refresh()
            both = [volume for volume in volumes if volume in there.volumes]
            if both and _are_one(here, there, both):
                return name
        return None


def _are_one(here: Place, there: Place, both: t.Sequence[str]) -> bool:
    """Tell whether two pools are one; ``both`` are names of volumes that each has."""
    with host_lock(f"shared storage {here.pool.uuid}", _LOCK_SECONDS, f"storage pool {here.name}"):
        end = time.monotonic() + _WAIT_SECONDS
        while True:
            if _shows(here.pool, there.pool):
                there.read_again()
                return True
            if all(_differs(here.pool, there.pool, name) for name in both):
                return False
            if time.monotonic() > end:
                raise ConflictError(
                    f"It can't be told whether storage pool {there.name} of the destination is pool {here.name} of the source:"
                    f" both have {', '.join(both)}, alike to the moment of the last change, but a volume that is made in the"
                    " one is not seen in the other. See to it that both have the same storage, or remove what is a copy."
                )
            time.sleep(_PAUSE_SECONDS)


def _shows(here: Pool, there: Pool) -> bool:
    """Make a volume through the one, and tell whether it is seen through the other."""
    for name, volume in here.volumes().items():
        if name.startswith(PREFIX):
            # A run that was killed left it.
            volume.delete()
    name = f"{PREFIX}{secrets.token_hex(8)}"
    volume = here.create(name, _BYTES, "raw")
    try:
        there.refresh()
        return there.find(name) is not None
    finally:
        volume.delete()
        with contextlib.suppress(DriverError, ExistsError):
            there.refresh()


def _differs(here: Pool, there: Pool, name: str) -> bool:
    """Tell whether two volumes of one name were surely not changed last at the same moment, which one and the same would be."""
    one, other = here.find(name), there.find(name)
    if one is None or other is None:
        return True
    for _look in range(_LOOKS):
        before, theirs, after = _stamp(one), _stamp(other), _stamp(one)
        if before == after:
            return before != theirs
    # It changes all the time.
    return False


def _stamp(volume: Volume) -> tuple[t.Any, ...]:
    found = volume.reread().description
    return found.changed, found.modified, found.physical_bytes
