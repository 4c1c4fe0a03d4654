# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Which of a series of older snapshots or backups go when a new one is declared. Pure."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._errors import SpecError
from .age import parse_age
from .names import check_name


@dataclass(frozen=True)
class Retention:
    """Those of the prefix go that no rule keeps."""

    prefix: str
    keep: int | None = None
    """How many are kept, with the one that is declared."""
    seconds: int | None = None
    """Younger ones are kept."""

    @classmethod
    def from_params(cls, params: t.Mapping[str, t.Any]) -> Retention:
        """Validate option ``retention``."""
        keep, age = params["keep"], params["older_than"]
        if keep is None and age is None:
            raise SpecError("retention", "it says neither keep nor older_than", "give one of them, or both")
        if keep is not None and keep < 1:
            raise SpecError("retention.keep", f"{keep} is too small", "the declared one counts, so 1 or more")
        prefix = check_name("retention.prefix", params["prefix"])
        return cls(prefix, keep, None if age is None else parse_age("retention.older_than", age))

    @classmethod
    def of(cls, option: str, name: str, params: t.Mapping[str, t.Any]) -> Retention:
        """Validate it beside the ``name`` that ``option`` holds, which must count as well."""
        retention = cls.from_params(params)
        if not name.startswith(retention.prefix):
            raise SpecError(
                "retention.prefix",
                f"{option} {name} does not begin with {retention.prefix}",
                "name it so, since it counts among those that are kept",
            )
        return retention

    def surplus(self, known: t.Iterable[tuple[str, float]], declared: str, now: float) -> list[str]:
        """Return which of the ``known``, each with when it was taken, oldest first, nothing keeps; never the declared one."""
        older = [(name, taken) for name, taken in known if name.startswith(self.prefix) and name != declared]
        if self.keep is not None:
            older = older[: max(0, len(older) + 1 - self.keep)]
        if self.seconds is not None:
            older = [(name, taken) for name, taken in older if taken < now - self.seconds]
        return [name for name, _taken in older]
