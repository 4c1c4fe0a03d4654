# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Compare a declared volume with what is there. Pure."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._errors import ConflictError, NotFoundError, SpecError
from .._spec.size import format_size
from .._spec.volume import StoredVolumeSpec
from .attachment import AttachmentState, plan_attachment
from .plan import Action, Change, Plan
from .volume_secret import SecretState, secret_of_existing, secret_of_new, secret_of_removed

DISCARD = "discard_unfinished_volume"
CREATE = "create_volume"
FILL = "fill_volume"
GROW = "grow_volume"
WIPE = "wipe_volume"
DELETE = "delete_volume"
DOWNLOAD = "download_volume"
_BLOCK_ROUNDING = 64 * 1024**2
"""Volumes that are devices are rounded up, to LVM's extents for one."""


@dataclass(frozen=True)
class VolumeState:
    """A volume as it is; ``capacity`` None is a volume that is not there."""

    capacity: int | None = None
    format: str | None = None
    unfinished: bool = False
    """A run was killed while it was filled."""
    in_files: bool = True
    rounded: bool = False
    """Its pool makes volumes larger than they are asked for."""
    has_copy: bool = False
    """The declared copy of it is there."""
    users: tuple[str, ...] = ()
    """Who lies on it, as far as that matters."""
    guests: tuple[str, ...] = ()
    """Those of them that are running instances which see it grow."""
    encrypted: bool = False
    secret: SecretState | None = None
    attachment: AttachmentState | None = None
    """Where it is attached, where that is declared."""

    @property
    def exists(self) -> bool:
        """Tell whether there is such a volume, be it half filled."""
        return self.capacity is not None

    @property
    def new_format(self) -> str:
        """Return the format of a volume whose format is not declared."""
        return "qcow2" if self.in_files else "raw"


@dataclass(frozen=True)
class Content:
    """What a new volume is to hold."""

    size: int
    format: str


def plan_volume(spec: StoredVolumeSpec, state: VolumeState, content: Content | None = None) -> Plan:
    """Return what is to be done, or raise what stands against it; ``content`` is that of a volume to be made."""
    resource = f"volume {spec.name} in pool {spec.pool}"
    if not spec.present:
        return Plan(resource, tuple(_removal(spec, state)))
    is_whole = state.exists and not state.unfinished
    actions = tuple(_improvement(spec, state) if is_whole else _creation(spec, state, content))
    if spec.dest and not state.has_copy:
        actions += (Action(DOWNLOAD, spec.dest, (Change("volume.dest", None, spec.dest),)),)
    if state.attachment:
        actions += tuple(plan_attachment(spec, state.attachment))
    return Plan(resource, actions)


def _removal(spec: StoredVolumeSpec, state: VolumeState) -> t.Iterator[Action]:
    if state.exists:
        _refuse_users(spec, state, "removed")
        if spec.wipe:
            yield Action(WIPE, spec.name)
        yield Action(DELETE, spec.name, (Change("volume.size", format_size(state.capacity or 0), None),))
    elif state.unfinished:
        yield Action(DISCARD, spec.name)
    yield from secret_of_removed(spec, state.secret)


def _improvement(spec: StoredVolumeSpec, state: VolumeState) -> t.Iterator[Action]:
    yield from secret_of_existing(spec, state.encrypted, state.secret, (*state.users, *state.guests))
    yield from _growth(spec, state)


def _growth(spec: StoredVolumeSpec, state: VolumeState) -> t.Iterator[Action]:
    if spec.format and state.format and spec.format != state.format:
        raise SpecError(
            "format",
            f"volume {spec.name} holds {state.format}",
            f"declare {state.format}, or make another volume with this one as its source",
        )
    capacity = state.capacity or 0
    if spec.size is None or spec.size == capacity:
        return
    if spec.size < capacity:
        if state.rounded and capacity - spec.size < _BLOCK_ROUNDING:
            return
        raise SpecError(
            "size",
            f"volume {spec.name} has {format_size(capacity)}, and it would lose data if it got smaller",
            f"declare at least {format_size(capacity)}, or leave size out",
        )
    _refuse_users(spec, state, "grown here")
    if state.encrypted and state.secret is None and spec.encryption is None and not state.guests:
        raise SpecError(
            "encryption",
            f"the passphrase of volume {spec.name} is not on this host any more",
            "declare it to have it set again",
        )
    yield Action(GROW, spec.name, (Change("volume.size", format_size(capacity), format_size(spec.size)),))


def _creation(spec: StoredVolumeSpec, state: VolumeState, content: Content | None) -> t.Iterator[Action]:
    size = spec.size if content is None else max(spec.size or 0, content.size)
    if size is None:
        raise NotFoundError(
            f"Option size: there is no volume {spec.name} in pool {spec.pool}; declare size, source, image or src to have"
            " it made.",
            {"option": "size"},
        )
    volume_format = format_of_new(spec, state, content)
    _refuse_impossible(spec, state, content, volume_format)
    if state.unfinished:
        _refuse_users(spec, state, "finished")
        yield Action(DISCARD, spec.name)
    yield from secret_of_new(spec, state.secret)
    changes = [Change("volume.size", None, format_size(size)), Change("volume.format", None, volume_format)]
    if content:
        yield Action(FILL, spec.name, (*changes, Change("volume.content", None, spec.content)))
    else:
        yield Action(CREATE, spec.name, tuple(changes))


def format_of_new(spec: StoredVolumeSpec, state: VolumeState, content: Content | None) -> str:
    """Return the format that a volume is made in."""
    if spec.format:
        return spec.format
    return content.format if content and (state.in_files or spec.src) else state.new_format


def _refuse_impossible(spec: StoredVolumeSpec, state: VolumeState, content: Content | None, volume_format: str) -> None:
    if volume_format == "qcow2" and not state.in_files:
        remedy = "declare raw, or another pool"
        raise SpecError("format", f"the volumes of pool {spec.pool} are no files, and hold no qcow2", remedy)
    if content and spec.src and content.format != volume_format:
        raise SpecError(
            "format",
            f"{spec.src} is {content.format}, and is not converted",
            f"declare {content.format}, or convert it",
        )
    if content and spec.size is not None and spec.size < content.size:
        raise SpecError(
            "size",
            f"{spec.content} has {format_size(content.size)}, and would lose data in a smaller volume",
            f"declare at least {format_size(content.size)}, or leave size out",
        )


def _refuse_users(spec: StoredVolumeSpec, state: VolumeState, verb: str) -> None:
    if state.users:
        raise ConflictError(
            f"Volume {spec.name} of pool {spec.pool} can't be {verb}: it is used by {', '.join(state.users)};"
            f" {_remedy(spec, state)}.",
            {"users": list(state.users)},
        )


def _remedy(spec: StoredVolumeSpec, state: VolumeState) -> str:
    if not spec.present:
        return "detach it there first"
    if state.unfinished:
        return "and only half of it may be there, so detach it first"
    return "declare the size among the volumes of its instance, whose guest then sees it, or detach it first"
