# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Single devices of a domain: SCSI controller, video card, random number generator and memory balloon."""

from __future__ import annotations

from .document import Element, add, as_int, attribute, drop, ensure, put, set_attributes, text_of

_RANDOM = "rng/backend[@model='random']"
_SCSI = "controller[@type='scsi'][@index='0']"


def read_scsi_model(devices: Element) -> str | None:
    """Return the model of the first SCSI controller."""
    return attribute(devices, _SCSI, "model")


def put_scsi_model(devices: Element, model: str | None) -> None:
    """Write the model of the first SCSI controller, or append it; another model needs another address."""
    if model is None or read_scsi_model(devices) == model:
        return
    controller = devices.find(_SCSI)
    if controller is None:
        controller = add(devices, "controller", type="scsi", index=0)
    drop(controller, "address")
    set_attributes(controller, model=model)


def put_video(devices: Element, model: str | None) -> None:
    """Write the first video card's model; what belongs to another model goes."""
    if model is None or attribute(devices, "video/model", "type") == model:
        return
    video = ensure(devices, "video")
    drop(video, "model", "address", "driver")
    add(video, "model", type=model)


def read_rng(devices: Element) -> str | None:
    """Return the first source of random numbers that is a device of the host."""
    return text_of(devices, _RANDOM)


def put_rng(devices: Element, source: str | None) -> None:
    """Write the first source of random numbers that is a device of the host, or append it."""
    if source is None:
        return
    backend = devices.find(_RANDOM)
    if backend is None:
        rng = add(devices, "rng", model="virtio")
        add(rng, "backend", source, model="random")
    else:
        backend.text = source


def read_balloon_stats(devices: Element) -> int | None:
    """Return every how many seconds the guest tells of its memory."""
    return as_int(attribute(devices, "memballoon/stats", "period"))


def put_balloon(devices: Element, model: str | None, stats_seconds: int | None) -> None:
    """Write the memory balloon; without one there are no statistics and no address."""
    if model is not None:
        put(devices, "memballoon", model=model)
    balloon = devices.find("memballoon")
    if model == "none":
        drop(balloon, "stats", "address", "alias", "driver")
    elif stats_seconds is not None:
        if balloon is None:
            # Only virtio has statistics.
            balloon = add(devices, "memballoon", model="virtio")
        set_attributes(ensure(balloon, "stats"), period=stats_seconds)
