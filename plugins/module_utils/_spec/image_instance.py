# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""An image's source that is a disk of an instance on the same hypervisor."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from .._errors import SpecError
from .names import check_name

QUIESCE = ("auto", "true", "false")
_OPTION = "source_instance"
_TARGET = re.compile(r"[a-z]{2,8}[0-9]{0,3}")
_NOT_TAKEN = ("checksum", "format")
"""Options that tell what is expected of an image, which nobody can know of a disk that is being used."""


@dataclass(frozen=True)
class InstanceSource:
    """A disk of an instance; ``disk`` None is the one it boots from."""

    name: str
    disk: str | None = None
    quiesce: str = "auto"
    fleet: str | None = None

    def __str__(self) -> str:
        """Return it as it is shown and recorded."""
        return f"{f'disk {self.disk}' if self.disk else 'root disk'} of instance {self.name}"

    @property
    def source_id(self) -> str:
        """Return what tells this source from another; how it is copied does not count."""
        return f"instance:{self.fleet or ''}/{self.name}/{self.disk or ''}"

    @staticmethod
    def from_params(params: t.Mapping[str, t.Any]) -> InstanceSource | None:
        """Check a module's parameters."""
        declared = params.get(_OPTION)
        if declared is None:
            return None
        for option in _NOT_TAKEN:
            if params.get(option) not in (None, "", "auto"):
                raise SpecError(option, f"it says nothing of a disk that {_OPTION} names", "leave it out")
        disk, quiesce = declared.get("disk") or None, declared.get("quiesce") or "auto"
        if disk and not _TARGET.fullmatch(disk):
            raise SpecError(f"{_OPTION}.disk", f"{disk!r} is no name of a disk", "give it as vda or sdb")
        if quiesce not in QUIESCE:
            raise SpecError(f"{_OPTION}.quiesce", f"{quiesce!r} is not accepted", "it is auto, true or false")
        return InstanceSource(
            check_name(f"{_OPTION}.name", declared["name"]), disk, quiesce, declared.get("fleet") or None
        )
