# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Single devices of a domain: SCSI controller, video card, random number generator and memory balloon."""

from __future__ import annotations

from .document import Element, add, as_int, attribute, drop, ensure, put, set_attributes, set_text, text_of

_RANDOM = "rng/backend[@model='random']"
_ROOT_PORT = "controller[@type='pci'][@model='pcie-root-port']"
_SCSI = "controller[@type='scsi'][@index='0']"


def read_scsi(devices: Element, name: str) -> str | None:
    """Return an attribute of the first SCSI controller, or of its driver."""
    return attribute(devices, _SCSI if name == "model" else f"{_SCSI}/driver", name)


def put_scsi(devices: Element, model: str | None, queues: int | None, iothread: int | None) -> None:
    """Write the first SCSI controller, or append it; another model needs another address."""
    if (model, queues, iothread) == (None, None, None):
        return
    controller = devices.find(_SCSI)
    if controller is None:
        controller = add(devices, "controller", type="scsi", index=0)
    if model is not None and controller.get("model") != model:
        drop(controller, "address")
        set_attributes(controller, model=model)
    put(controller, "driver", queues=queues, iothread=iothread)


def read_pcie_ports(devices: Element) -> int | None:
    """Return how many PCI Express root ports there are; None where there is none, as on other kinds of machines."""
    return len(devices.findall(_ROOT_PORT)) or None


def put_pcie_ports(devices: Element, count: int | None) -> None:
    """Append PCI Express root ports until there are ``count``; none is taken away."""
    numbers = [as_int(controller.get("index")) or 0 for controller in devices.iterfind("controller[@type='pci']")]
    # Number 0 is the root itself, which libvirt makes.
    free = max(numbers, default=0) + 1
    for number in range((count or 0) - len(devices.findall(_ROOT_PORT))):
        add(devices, "controller", type="pci", index=free + number, model="pcie-root-port")


def put_video(devices: Element, model: str | None, vram_kib: int | None, heads: int | None) -> None:
    """Write the first video card; what belongs to another model goes."""
    if model is not None and attribute(devices, "video/model", "type") != model:
        video = ensure(devices, "video")
        drop(video, "model", "address", "driver")
        add(video, "model", type=model)
    card = devices.find("video/model")
    if card is not None:
        set_attributes(card, vram=vram_kib, heads=heads)


def read_rng(devices: Element) -> str | None:
    """Return the first source of random numbers that is a device of the host."""
    return text_of(devices, _RANDOM)


def read_rng_rate(devices: Element, name: str) -> int | None:
    """Return the ``bytes`` or the ``period`` that limit the first such source."""
    return as_int(attribute(devices, f"{_RANDOM}/../rate", name))


def put_rng(devices: Element, source: str | None, rate_bytes: int | None, period_ms: int | None) -> None:
    """Write the first source of random numbers that is a device of the host, or append it."""
    backend = devices.find(_RANDOM)
    if backend is None and source is not None:
        backend = add(add(devices, "rng", model="virtio"), "backend", model="random")
    if backend is None:
        return
    set_text(backend, source)
    put(backend.getparent(), "rate", bytes=rate_bytes, period=period_ms)


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
