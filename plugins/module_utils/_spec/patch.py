# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""A patch of a definition, as a user declares it: what no option of this collection can say."""

from __future__ import annotations

import hashlib
import json
import re
import typing as t
from dataclasses import asdict, dataclass

from .._errors import SpecError

SET = "set"
ADD = "add"
REMOVE = "remove"
_ATTRIBUTE = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")


@dataclass(frozen=True)
class PatchSpec:
    """One change of what ``path`` (an XPath expression) selects. ``option`` is what it was declared as, for errors."""

    option: str
    path: str
    action: str
    attribute: str | None = None
    value: str | None = None
    xml: str | None = None

    @classmethod
    def from_params(cls, params: dict[str, t.Any], option: str) -> PatchSpec:
        """Make a patch of one item of option ``xml_patch``, or raise :class:`SpecError`."""
        patch = cls(option, params["path"], params["action"], params["attribute"], params["value"], params["xml"])
        if not patch.path.strip():
            raise SpecError(f"{option}.path", "it is empty", "write an XPath expression such as devices/disk")
        needed = {SET: "value", ADD: "xml", REMOVE: None}[patch.action]
        possible = {SET: ("attribute", "value"), ADD: ("xml",), REMOVE: ("attribute",)}[patch.action]
        if needed is not None and getattr(patch, needed) is None:
            raise SpecError(f"{option}.{needed}", "it is missing", f"action: {patch.action} needs it")
        for name in ("attribute", "value", "xml"):
            if getattr(patch, name) is not None and name not in possible:
                taken = " and ".join(possible)
                raise SpecError(f"{option}.{name}", f"action: {patch.action} has no use for it", f"it takes {taken}")
        if patch.attribute is not None and not _ATTRIBUTE.fullmatch(patch.attribute):
            raise SpecError(
                f"{option}.attribute", f"{patch.attribute!r} is no attribute's name", "write for example cache"
            )
        return patch

    def digest(self) -> str:
        """Return what stands for this patch in a record, wherever in the list it is."""
        declared = {name: value for name, value in asdict(self).items() if name != "option"}
        return hashlib.sha256(json.dumps(declared, sort_keys=True).encode()).hexdigest()


def patches_from_params(several: t.Sequence[dict[str, t.Any]], option: str = "xml_patch") -> tuple[PatchSpec, ...]:
    """Make patches of option ``xml_patch``."""
    return tuple(PatchSpec.from_params(params, f"{option}[{index}]") for index, params in enumerate(several))
