# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Directories of the host that a domain shares."""

from __future__ import annotations

from .._spec.machine import Filesystem
from .document import Element, XmlError, add, attribute, put, set_flag

_KIND = "mount"


def read_filesystems(devices: Element) -> tuple[Filesystem, ...]:
    """Return the shared directories; file systems of other kinds are not told."""
    return tuple(_read(element) for element in devices.iterfind("filesystem") if _kind(element) == _KIND)


def put_filesystems(devices: Element, filesystems: tuple[Filesystem, ...]) -> None:
    """Write shared directories, each found by its tag or appended."""
    present = {attribute(element, "target", "dir"): element for element in devices.iterfind("filesystem")}
    for filesystem in filesystems:
        element = present.get(filesystem.target)
        if element is None:
            element = add(devices, "filesystem", type=_KIND, accessmode="passthrough")
        elif _kind(element) != _KIND:
            raise XmlError(f"File system {filesystem.target} is of type {_kind(element)}: only {_KIND} is known.")
        put(element, "driver", type=filesystem.driver)
        put(element, "source", dir=filesystem.source)
        put(element, "target", dir=filesystem.target)
        set_flag(element, "readonly", filesystem.readonly)


def _read(element: Element) -> Filesystem:
    return Filesystem(
        target=attribute(element, "target", "dir") or "",
        source=attribute(element, "source", "dir"),
        driver=attribute(element, "driver", "type"),
        readonly=element.find("readonly") is not None,
    )


def _kind(element: Element) -> str:
    return element.get("type", _KIND)
