# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Decide which images of a pool go: what is declared and seen in, a :class:`Plan` out. Pure.

Only an image that nothing lies on can go, that can be fetched again, and that is not to be kept. Those that were unused for
too long go first, then the longest unused ones until the rest is small enough.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

from .._errors import CapacityError, ConflictError
from .._spec.image_cache import CacheSpec
from .._spec.instant import written
from .._spec.size import format_size
from .plan import Action, Change, Plan

NOTE_UNUSED = "note_unused"
NOTE_USED = "note_used"
UNPUBLISH = "unpublish_image"
REMOVE = "remove_volume"
NOW = "(now)"


@dataclass(frozen=True)
class CachedImage:
    """The data of images as it is stored once, whatever the number of their names."""

    volume: str
    names: tuple[str, ...] = ()
    """None for data that no image is published with: it is left over, or what lies on it is older than the image."""
    size: int = 0
    """Bytes that it takes in the pool."""
    users: tuple[str, ...] = ()
    """In words."""
    unused_since: int | None = None
    """As it is noted, in seconds since 1970; None where nothing is."""
    fetched_at: str = ""
    can_return: bool = True
    """It came from somewhere, and so can be fetched again."""
    is_worked_on: bool = False
    """Another run writes it, or seems to."""

    @property
    def is_leftover(self) -> bool:
        """Tell whether nobody will miss it."""
        return not self.names and not self.users and not self.is_worked_on


@dataclass(frozen=True)
class CacheState:
    """The images of a pool."""

    images: tuple[CachedImage, ...] = ()
    stray_notes: tuple[str, ...] = ()
    """Notes on data that is not there."""
    blind_spots: tuple[str, ...] = ()
    """In words what can't be looked into, and so may lie on anything."""


def plan_cache(spec: CacheSpec, state: CacheState, now: int) -> Plan:
    """Return what makes the images of the pool be as declared, or raise what keeps that from being decided."""
    going = choose(spec, state, now)
    if going and state.blind_spots:
        raise ConflictError(
            f"No image of pool {spec.pool} is removed, since it can't be told whether one is in use by"
            f" {'; '.join(state.blind_spots)}. Start or define the pools they are in, or remove what is not needed.",
            {"unreadable": list(state.blind_spots)},
        )
    return _plan(spec, state, going)


def plan_room(spec: CacheSpec, state: CacheState, needed: int, now: int) -> Plan:
    """Return what makes room for so many bytes more, or raise what takes all of it; ``spec`` has a ``max_size``."""
    limit = spec.max_size or 0
    wanted = replace(spec, unused_for=None, max_size=max(0, limit - needed))
    going = [] if state.blind_spots else choose(wanted, state, now)
    stays = [image for image in state.images if image not in going]
    if total_size(stays) + needed > limit:
        raise no_room(spec, state, stays, needed)
    return _plan(spec, state, going)


def no_room(spec: CacheSpec, state: CacheState, stays: t.Sequence[CachedImage], needed: int) -> CapacityError:
    """Return the error for images that stay, and leave no room for so many bytes more."""
    reasons = [_reason(spec, state, image) for image in stays if image.size]
    taken = f"{total_size(stays)} bytes are taken by {', '.join(reasons)}" if reasons else "nothing is taken"
    return CapacityError(
        f"Option cache_max_size: all images of pool {spec.pool} may take {format_size(spec.max_size or 0)}, of which {taken},"
        f" and the image needs up to {needed} bytes; raise it, or remove what is not needed. Nothing was published.",
        {"option": "cache_max_size", "size_bytes": total_size(stays), "needed_bytes": needed},
    )


def _reason(spec: CacheSpec, state: CacheState, image: CachedImage) -> str:
    """Say which image stays, and why."""
    why = f"in use by {', '.join(image.users)}"
    if not image.users and state.blind_spots:
        why = f"perhaps in use by {'; '.join(state.blind_spots)}"
    elif not image.users and spec.keep.intersection(image.names):
        why = "to be kept"
    elif not image.users:
        why = "just worked on" if image.is_worked_on or image.can_return else "nowhere else to be had"
    return f"{', '.join(image.names) or image.volume} ({why})"


def _plan(spec: CacheSpec, state: CacheState, going: t.Sequence[CachedImage]) -> Plan:
    stays = [image for image in state.images if image not in going]
    actions = [
        *(_note(image, state) for image in stays),
        *(Action(REMOVE, note) for note in state.stray_notes),
        *(action for image in going for action in _removal(image)),
    ]
    return Plan(f"images of pool {spec.pool}", tuple(action for action in actions if action))


def choose(spec: CacheSpec, state: CacheState, now: int) -> list[CachedImage]:
    """Return what goes, in the order in which it does: leftovers, what is too old, and what is too much."""
    going = [image for image in state.images if image.is_leftover]
    unused = sorted(
        (image for image in state.images if _may_go(spec, image)),
        key=lambda image: (_since(image, now), image.fetched_at, image.volume),
    )
    if spec.unused_for is not None:
        going += [image for image in unused if now - _since(image, now) >= spec.unused_for]
    if spec.max_size is not None:
        size = total_size(state.images) - total_size(going)
        for image in unused:
            if size > spec.max_size and image not in going:
                going.append(image)
                size -= image.size
    return going


def total_size(images: t.Iterable[CachedImage]) -> int:
    """Return how many bytes images take in their pool."""
    return sum(image.size for image in images)


def _may_go(spec: CacheSpec, image: CachedImage) -> bool:
    is_kept = bool(spec.keep.intersection(image.names))
    return bool(image.names) and not image.users and image.can_return and not is_kept


def _since(image: CachedImage, now: int) -> int:
    """Return since when an image is known to be unused; a clock that is ahead makes nothing older."""
    return now if image.unused_since is None else min(image.unused_since, now)


def _note(image: CachedImage, state: CacheState) -> Action | None:
    """Return what keeps the note right of an image that stays."""
    path = f"image_cache.{image.volume}.unused_since"
    if image.unused_since is None and image.names and not image.users and not state.blind_spots:
        return Action(NOTE_UNUSED, image.volume, (Change(path, None, NOW),))
    if image.unused_since is not None and image.users:
        return Action(NOTE_USED, image.volume, (Change(path, written(image.unused_since), None),))
    return None


def _removal(image: CachedImage) -> t.Iterator[Action]:
    for name in image.names:
        yield Action(UNPUBLISH, name, (Change(f"image_cache.{name}.volume", image.volume, None),))
    yield Action(REMOVE, image.volume, (Change(f"image_cache.{image.volume}.size_bytes", image.size, None),))
