# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Where a plan wants an instance to lie on its host. It is a wish: the host's own word is the last one."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._errors import SpecError


@dataclass(frozen=True)
class WishedCell:
    """Where one NUMA cell of the guest shall lie; ``cpus`` are those of its vCPUs, in their order, or none."""

    host_cell: int
    cpus: tuple[int, ...] = ()
    page_kib: int | None = None
    """Size of its huge pages."""


@dataclass(frozen=True)
class Wish:
    """What of the host an instance shall have to itself."""

    cells: tuple[WishedCell, ...] = ()
    emulator_cpu: int | None = None
    pci: tuple[str, ...] = ()

    @classmethod
    def from_params(cls, params: t.Mapping[str, t.Any]) -> Wish:
        """Make it of option ``placement``, or raise :class:`SpecError`."""
        for index, cell in enumerate(params.get("cells") or ()):
            if cell["host_cell"] < 0:
                option = f"placement.cells[{index}].host_cell"
                raise SpecError(option, f"{cell['host_cell']} is no NUMA cell", "they are numbered from 0")
        return cls(
            tuple(
                WishedCell(cell["host_cell"], tuple(cell.get("cpus") or ()), cell.get("page_kb"))
                for cell in params.get("cells") or ()
            ),
            params.get("emulator_cpu"),
            tuple(address.lower() for address in params.get("pci_devices") or ()),
        )
