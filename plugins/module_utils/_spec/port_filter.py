# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What guards a NIC: security groups and port security, and the name of the network filter that stands for both."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from .._errors import SpecError

PREFIX = "kilonova-nic"
GROUP_PREFIX = "kilonova-group."
_CLEAN, _OPEN = "clean", "open"
_GROUP = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")
_LONGEST_NAME = 200
"""libvirt keeps a filter in a file of its name."""


@dataclass(frozen=True)
class PortFilter:
    """The guards of one NIC; ``groups`` are sorted."""

    groups: tuple[str, ...] = ()
    port_security: bool = False

    @property
    def name(self) -> str:
        """Return the name of the NIC's filter; none is needed where nothing guards it."""
        if not self.groups and not self.port_security:
            return ""
        return ".".join((PREFIX, _CLEAN if self.port_security else _OPEN, *self.groups))

    def in_words(self, address: str | None = None) -> str:
        """Return the guards as a user knows them; the ``address`` is what port security was told of."""
        groups = f"security groups {', '.join(self.groups)}" if self.groups else "no security groups"
        guard = f"port security for {address}" if address else "port security"
        return f"{groups}; {guard if self.port_security else 'no port security'}"


def read_port_filter(name: str | None) -> PortFilter | None:
    """Return what the filter ``name`` of a NIC stands for; None for a filter of somebody else's."""
    if not name:
        return PortFilter()
    prefix, _dot, rest = name.partition(".")
    kind, *groups = rest.split(".")
    if prefix != PREFIX or kind not in (_CLEAN, _OPEN):
        return None
    return PortFilter(tuple(groups), kind == _CLEAN)


def guards_in_words(name: str | None, address: str | None = None) -> str | None:
    """Return in words what guards a NIC with the filter ``name``; None where nothing is said of a filter."""
    if name is None:
        return None
    found = read_port_filter(name)
    return f"filter {name}" if found is None else found.in_words(address)


def check_group_name(option: str, value: object) -> str:
    """Return ``value`` if a security group can have that name, which must do as part of its filters' names."""
    if isinstance(value, str) and _GROUP.fullmatch(value):
        return value
    raise SpecError(
        option,
        f"{value!r} is not a valid name of a security group",
        "use 1 to 63 of the characters A-Z a-z 0-9 _ - and begin with a letter or a digit",
    )


def read_group_names(option: str, names: t.Sequence[t.Any] | None) -> tuple[str, ...] | None:
    """Validate the security groups of one NIC."""
    if names is None:
        return None
    groups = tuple(sorted({check_group_name(option, name) for name in names}))
    if len(PortFilter(groups, True).name) > _LONGEST_NAME:
        raise SpecError(
            option, "the names of so many groups are too long together", "put their rules into fewer groups"
        )
    return groups
