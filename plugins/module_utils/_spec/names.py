# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The one rule for names that users give: safe as a volume, a host name, a file and in XML; and how UUIDs are written."""

from __future__ import annotations

import re
import typing as t

from .._errors import SpecError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_UNIT = re.compile(r"unit(:[0-9]{1,5}){3}")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


NO_CLOUD = "ds=nocloud"
"""What a machine's serial number begins with that says where cloud-init looks."""


def named_serial(name: str) -> str:
    """Return the serial number that tells cloud-init an instance's host name."""
    return f"{NO_CLOUD};h={name}"


def console_log_name(name: str) -> str:
    """Return the name of an instance's console log in its pool."""
    return f"{name}.console.log"


def is_console_log(name: str, path: str) -> bool:
    """Tell whether a console's log is the one we write, and not one that somebody gave a domain before it was adopted."""
    return path.rpartition("/")[2] == console_log_name(name)


def is_one_word(text: str) -> bool:
    """Tell whether a text holds neither white space nor control characters."""
    return not any(character.isspace() or not character.isprintable() for character in text)


def check_name(option: str, value: object) -> str:
    """Return ``value`` if it is a good name for ``option``."""
    if isinstance(value, str) and _NAME.fullmatch(value):
        return value
    raise SpecError(
        option,
        f"{value!r} is not a valid name",
        "use 1 to 63 of the characters A-Z a-z 0-9 . _ - and begin with a letter or a digit",
    )


def check_names(option: str, values: t.Iterable[object]) -> frozenset[str]:
    """Return a list's values if they are good names."""
    return frozenset(check_name(f"{option}[{index}]", value) for index, value in enumerate(values))


def check_volume_name(option: str, value: object) -> str:
    """Return ``value`` if it is a good name for a volume: one of ours, or what libvirt calls a unit of an iSCSI server."""
    return value if isinstance(value, str) and _UNIT.fullmatch(value) else check_name(option, value)


def check_uuid(option: str, value: str, remedy: str) -> str:
    """Return ``value`` as libvirt writes it if it is a UUID."""
    uuid = value.lower()
    if not _UUID.fullmatch(uuid):
        raise SpecError(option, f"{value!r} is no UUID", remedy)
    return uuid
