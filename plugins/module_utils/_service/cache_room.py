# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Room for one more image among those of a pool, which may take so much together and no more.

Whether there can be room is looked at before anything is fetched. It is made when the image is here and known to be good,
so that nothing goes for the sake of one that is never published.
"""

from __future__ import annotations

import contextlib
import time
import typing as t

from .._plan.image_cache import CacheState, no_room, plan_room, total_size
from .._plan.plan import Action, Plan
from .._spec.image import ImageSpec
from .._spec.image_cache import CacheSpec
from .._spec.image_record import work_volume_name
from .image_cache import cache_state, carry_out
from .image_store import ImageStore
from .image_survey import Survey, take_survey
from .lock import image_cache_lock

_ANYTHING = 1
"""No image takes less."""


class CacheRoom:
    """The room for the image that ``spec`` declares."""

    def __init__(self, store: ImageStore, spec: ImageSpec, leaving: t.Iterable[str]) -> None:
        """Count all volumes but those that are ``leaving`` once the image is published."""
        self._store = store
        self._timeout = spec.timeout
        keep = spec.cache_keep | {spec.name}
        self._limits = CacheSpec(pool=spec.pool, max_size=spec.cache_max_size, keep=keep)
        self._without = frozenset({*leaving, work_volume_name(spec.name)})
        self._seen: tuple[Survey, CacheState] | None = None

    @property
    def is_limited(self) -> bool:
        """Tell whether there is a limit at all."""
        return self._limits.max_size is not None

    def foresee(self, needed: int = _ANYTHING) -> tuple[Action, ...]:
        """Return what would go for an image of so many bytes, or refuse it; nothing changes."""
        if not self.is_limited:
            return ()
        self._seen = self._seen or self._look()
        return self._plan(self._seen[1], needed).actions

    def announced(self, needed: int) -> None:
        """Refuse an image of so many bytes if there can be no room for it."""
        self.foresee(needed)

    @contextlib.contextmanager
    def made(self, needed: int, volume: str) -> t.Iterator[tuple[Action, ...]]:
        """Have room while an image of so many bytes comes into the ``volume``, or is there; give what was done for it."""
        if not self.is_limited:
            yield ()
            return
        pool = self._store.pool
        with image_cache_lock(pool.uuid, pool.name, self._timeout):
            survey, state = self._look({volume})
            plan = self._plan(state, needed)
            outcome = carry_out(self._store, survey, state, plan, int(time.time()))
            if outcome.skipped and total_size(outcome.left) + needed > (self._limits.max_size or 0):
                raise no_room(self._limits, state, outcome.left, needed)
            yield outcome.plan.actions

    def _look(self, besides: t.Collection[str] = ()) -> tuple[Survey, CacheState]:
        survey = take_survey(self._store, thorough=True)
        return survey, cache_state(self._store, survey, self._without.union(besides))

    def _plan(self, state: CacheState, needed: int) -> Plan:
        return plan_room(self._limits, state, needed, int(time.time()))
