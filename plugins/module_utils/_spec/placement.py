# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""How an instance wants to lie on its host: NUMA cells, dedicated CPUs and pages, in Nova's terms."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, replace

from .._errors import SpecError
from .extra_specs import id_set

SMALL = "small"
LARGE = "large"
ANY = "any"
_MIXED = "mixed"
_MASK = "flavor.extra_specs[hw:cpu_dedicated_mask]"
_KIB_PER_UNIT = {"": 1, "k": 1, "m": 1024, "g": 1024**2}
_SIZE = re.compile(r"([1-9][0-9]{0,11})\s*([kmg]?)(?:i?b)?", re.IGNORECASE)


@dataclass(frozen=True)
class CellDemand:
    """One NUMA cell of the guest."""

    vcpus: tuple[int, ...]
    memory_mb: int
    floating: tuple[int, ...] = ()
    """Those of the vCPUs that get no CPU of their own, though others of the guest do (policy mixed)."""

    @property
    def own(self) -> tuple[int, ...]:
        """Return the vCPUs that get a CPU of their own where any does."""
        return tuple(vcpu for vcpu in self.vcpus if vcpu not in self.floating)


@dataclass(frozen=True)
class Placement:
    """What is asked of the host's cells; without ``cells`` the guest floats over all of them."""

    cells: tuple[CellDemand, ...] = ()
    dedicated: bool = False
    """Each vCPU gets a CPU of its own, but for those of the cells that float."""
    thread_policy: str = "prefer"
    """prefer, isolate or require: what a dedicated vCPU makes of a core's threads."""
    isolate_emulator: bool = False
    """The emulator's threads get a host CPU of their own."""
    pages: str | int | None = None
    """small, large, any or KiB."""
    is_shared: bool = False
    """It is said that no vCPU has a CPU of its own."""

    @classmethod
    def from_options(cls, options: t.Mapping[str, t.Any], vcpus: int, memory_mb: int) -> Placement:
        """Make it of options, or raise :class:`SpecError`."""
        floating = _floating(options, vcpus)
        dedicated = options.get("cpu_policy") in ("dedicated", _MIXED)
        for option in ("cpu_thread_policy", "emulator_threads_policy"):
            if options.get(option) not in (None, "share") and not dedicated:
                raise SpecError(option, "it is about CPUs of the instance's own", "give it with cpu_policy: dedicated")
        pages = _pages(options.get("hugepages"))
        cells = _cells(options.get("numa") or {}, vcpus, memory_mb)
        if not cells and (dedicated or pages is not None):
            # As in Nova: what lies somewhere lies in one cell, unless it is said otherwise.
            cells = (CellDemand(tuple(range(vcpus)), memory_mb),)
        return cls(
            cells=tuple(
                replace(cell, floating=tuple(vcpu for vcpu in cell.vcpus if vcpu in floating)) for cell in cells
            ),
            dedicated=dedicated,
            thread_policy=options.get("cpu_thread_policy") or "prefer",
            isolate_emulator=options.get("emulator_threads_policy") == "isolate",
            pages=pages,
            is_shared=options.get("cpu_policy") == "shared",
        )


FLOATING = Placement()
"""Nothing is asked."""


def _floating(options: t.Mapping[str, t.Any], vcpus: int) -> frozenset[int]:
    """Return the vCPUs without a CPU of their own under policy mixed: those that Nova's mask leaves out."""
    mask, is_mixed = options.get("cpu_dedicated_mask"), options.get("cpu_policy") == _MIXED
    if mask is None and is_mixed:
        raise SpecError(
            _MASK, "it is missing, and policy mixed gives only some vCPUs a CPU of their own", "write for example ^0-1"
        )
    if mask is None:
        return frozenset()
    if not is_mixed:
        raise SpecError(_MASK, "it is about policy mixed", "give it with hw:cpu_policy: mixed, or leave it out")
    everything = frozenset(range(vcpus))
    text = str(mask).strip()
    own = frozenset(id_set(f"0-{vcpus - 1},{text}" if text.startswith("^") else text, _MASK))
    if not own or not own < everything:
        remedy = f"name some of 0 to {vcpus - 1}, and not all"
        raise SpecError(_MASK, f"{text!r} is not a part of the flavor's {vcpus} vCPUs", remedy)
    return everything - own


def _pages(text: t.Any) -> str | int | None:
    if text is None:
        return None
    if text in (SMALL, LARGE, ANY):
        return str(text)
    match = _SIZE.fullmatch(str(text).strip())
    if match is None:
        raise SpecError("hugepages", f"{text!r} is no size of pages", "it may be small, large, any, or for example 2MB")
    return int(match[1]) * _KIB_PER_UNIT[match[2].lower()]


def _cells(numa: t.Mapping[str, t.Any], vcpus: int, memory_mb: int) -> tuple[CellDemand, ...]:
    nodes, declared = numa.get("nodes"), numa.get("cells")
    if declared is not None:
        if nodes is not None and nodes != len(declared):
            raise SpecError("numa.nodes", f"{nodes} are not the {len(declared)} of numa.cells", "give one of the two")
        return _explicit(declared, vcpus, memory_mb)
    if nodes is None:
        return ()
    if nodes < 1:
        raise SpecError("numa.nodes", f"{nodes} is too small", "it must be at least 1")
    if vcpus % nodes or memory_mb % nodes:
        raise SpecError(
            "numa.nodes",
            f"{vcpus} vCPUs and {memory_mb} MiB of memory cannot be divided by {nodes}",
            "say with numa.cells which cell has what",
        )
    share = vcpus // nodes
    return tuple(
        CellDemand(tuple(range(node * share, (node + 1) * share)), memory_mb // nodes) for node in range(nodes)
    )


def _explicit(declared: t.Sequence[t.Mapping[str, t.Any]], vcpus: int, memory_mb: int) -> tuple[CellDemand, ...]:
    cells = tuple(CellDemand(tuple(sorted(cell["vcpus"])), cell["memory_mb"]) for cell in declared)
    placed = sorted(vcpu for cell in cells for vcpu in cell.vcpus)
    if placed != list(range(vcpus)):
        raise SpecError("numa.cells", f"they hold the vCPUs {placed}", f"each of 0 to {vcpus - 1} must be in one cell")
    for index, cell in enumerate(cells):
        if cell.memory_mb < 1:
            raise SpecError(f"numa.cells[{index}].memory_mb", f"{cell.memory_mb} is too small", "it must be at least 1")
    total = sum(cell.memory_mb for cell in cells)
    if total != memory_mb:
        raise SpecError(
            "numa.cells", f"they have {total} MiB of memory, the flavor has {memory_mb}", "these must be equal"
        )
    return cells
