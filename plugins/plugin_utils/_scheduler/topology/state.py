# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""What of a host's cells and devices is free while a plan is being made, and who the plan gives what."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

from ....module_utils._plan.allocate import Demand, NoCellsError, find_cells, satisfies
from ....module_utils._plan.devices import NoDevicesError, find_devices
from ....module_utils._plan.topology import Allocation, Host, HostCell, PlacedCell, taken_cpus
from .facts import CellFacts, Held, HeldCell, HostFacts, Pages

_KIB_PER_MIB = 1024
_REMEMBERED = 4096

Claims = tuple[tuple[Demand, Allocation], ...]


class HostTopology:
    """The cells and devices of one host; nothing is ever given twice.

    Of what runs nothing is touched. What this plan gives is not made yet, so that it may lie otherwise at any time:
    where something finds no room beside it, all of it is laid out anew.
    """

    def __init__(self, facts: HostFacts) -> None:
        """Begin with what guests hold."""
        self._facts = facts
        self._held = dict(facts.held or {})
        self._changes: dict[str, tuple[Demand, Allocation]] = {}
        self._claims: Claims = ()
        self._is_torn = False
        self._arrangements: dict[frozenset[str], dict[frozenset[tuple[Demand, int]], Claims]] = {}
        self._found: dict[Demand, Claims | None] = {}
        self._base: Host | None = None

    def fits(self, demand: Demand) -> bool:
        """Tell whether there is a way to have it here, beside all that is claimed."""
        return self._with(demand) is not None

    def fits_alone(self, demand: Demand) -> bool:
        """Tell whether there would be a way if nothing were claimed."""
        return _add(self._host(), (), demand) is not None

    def take(self, demand: Demand) -> None:
        """Claim what ``fits`` has found, or what was there before."""
        claims = self._with(demand) or self._as_before(self._wanted(demand))
        if claims is None:
            raise RuntimeError("what is claimed of a host's cells and devices does not fit there")
        self._change(claims)

    def give(self, demand: Demand) -> None:
        """Give back what ``take`` claimed."""
        index = max(index for index, (known, _allocation) in enumerate(self._claims) if known == demand)
        self._change(self._claims[:index] + self._claims[index + 1 :])
        if self._is_torn:
            self._settle()

    def leave(self, name: str) -> None:
        """Count what a guest holds as free."""
        if self._held.pop(name, None) is not None:
            self._forget()

    def come_back(self, name: str) -> None:
        """Count what a guest held before it left as held again."""
        held = (self._facts.held or {}).get(name)
        if held is not None:
            self._held[name] = held
            self._forget()
            self._settle()

    def keep(self, name: str, demand: Demand) -> bool:
        """Keep a guest that asks for this, and tell whether that is possible.

        What it holds it keeps as long as that is what it asks for. Otherwise it gets something else at its next boot,
        and until then has both.
        """
        own = _without(_host(self._facts, [held for one, held in self._held.items() if one != name]), self._changed())
        held = self._held.get(name)
        if held is not None and satisfies(_allocation(held, demand), demand, own):
            return True
        found = _add(own, self._claims, demand)
        if found is None:
            return False
        self._changes[name] = found[-1]
        self._forget()
        return True

    def instead(self, name: str) -> Allocation | None:
        """Return what a guest gets at its next boot instead of what it holds; None if nothing."""
        return self._changes[name][1] if name in self._changes else None

    def given(self, demand: Demand) -> tuple[Allocation, ...]:
        """Return what was claimed for requests of this demand."""
        return tuple(allocation for known, allocation in self._claims if known == demand)

    def free(self) -> Host:
        """Return what is free now."""
        return _without(self._host(), self._claims)

    @property
    def _known(self) -> dict[frozenset[tuple[Demand, int]], Claims]:
        """Return the arrangements that were found beside the guests that are here now."""
        return self._arrangements.setdefault(frozenset(self._held), {})

    def _with(self, demand: Demand) -> Claims | None:
        if demand not in self._found:
            self._found[demand] = self._laid_out(demand)
        return self._found[demand]

    def _laid_out(self, demand: Demand) -> Claims | None:
        """Return all claims with one more: beside the others, as they lay once, or all of them anew."""
        return _add(self._host(), self._claims, demand) or self._anew(self._wanted(demand))

    def _anew(self, wanted: Counter[Demand]) -> Claims | None:
        known = self._known.get(frozenset(wanted.items()))
        return known or _anew(self._host(), sorted(wanted.elements(), key=_hardness))

    def _as_before(self, wanted: Counter[Demand]) -> Claims | None:
        """Return claims as they were part of what lay there once.

        Who puts things back one by one comes by arrangements that nobody has looked for.
        """
        for claims in self._known.values():
            if not wanted - Counter(known for known, _allocation in claims):
                return _some(claims, wanted)
        return None

    def _wanted(self, *more: Demand) -> Counter[Demand]:
        return Counter([*(known for known, _allocation in self._claims), *more])

    def _change(self, claims: Claims) -> None:
        self._claims = claims
        self._found.clear()
        if len(self._known) < _REMEMBERED and not self._is_torn:
            self._known[frozenset(self._wanted().items())] = claims

    def _settle(self) -> None:
        """Lay the claims out beside a guest that has come back; that may have to wait until some are given back."""
        self._is_torn = not _stand(self._host(), self._claims)
        if self._is_torn:
            claims = self._anew(self._wanted()) or self._as_before(self._wanted())
            if claims is not None:
                self._is_torn = False
                self._change(claims)

    def _changed(self) -> Claims:
        return tuple(self._changes.values())

    def _forget(self) -> None:
        self._base = None
        self._found.clear()

    def _host(self) -> Host:
        """Return what no guest holds."""
        if self._base is None:
            self._base = _without(_host(self._facts, list(self._held.values())), self._changed())
        return self._base


def _add(base: Host, claims: Claims, demand: Demand) -> Claims | None:
    """Return the claims with one more, None if it does not fit beside them."""
    free = _without(base, claims)
    try:
        cells, emulator_cpu = find_cells(demand, free)
        pci = find_devices(demand.pci, demand.pci_affinity, free, frozenset(cell.host_cell for cell in cells))
    except (NoCellsError, NoDevicesError):
        return None
    if not set(demand.mdevs) <= set(free.mdevs):
        return None
    return (*claims, (demand, Allocation(cells, emulator_cpu, pci, demand.mdevs)))


def _anew(base: Host, demands: Iterable[Demand]) -> Claims | None:
    claims: Claims = ()
    for demand in demands:
        more = _add(base, claims, demand)
        if more is None:
            return None
        claims = more
    return claims


def _stand(base: Host, claims: Claims) -> bool:
    """Tell whether claims are still free, one beside the other."""
    return all(
        satisfies(allocation, demand, _without(base, claims[:index]))
        for index, (demand, allocation) in enumerate(claims)
    )


def _some(claims: Claims, wanted: Counter[Demand]) -> Claims:
    """Return as many claims as are wanted."""
    left = Counter(wanted)
    chosen = []
    for demand, allocation in claims:
        if left[demand] > 0:
            left[demand] -= 1
            chosen.append((demand, allocation))
    return tuple(chosen)


def _hardness(demand: Demand) -> tuple[object, ...]:
    """Order demands: those that ask for an address, then those of the most and the largest cells first."""
    cells = demand.placement.cells
    return (
        -sum(request.address is not None for request in demand.pci),
        demand.pci_affinity in (None, "preferred"),
        -len(cells),
        -max((len(cell.own) for cell in cells), default=0),
        -max((cell.memory_mb for cell in cells), default=0),
        repr(demand),
    )


def _host(facts: HostFacts, held: Sequence[Held]) -> Host:
    known = {cpu for one in (facts.held or {}).values() for cpu in one.taken}
    taken = {cpu for one in held for cpu in one.taken}
    # What is pinned and said to be nobody's stays taken.
    taken.update(cpu for cell in facts.cells for cpu in cell.pinned if cpu not in known)
    own = {name for one in (facts.held or {}).values() for name in (*one.pci, *one.mdevs)}
    used = {name for one in held for name in (*one.pci, *one.mdevs)} | (facts.used - own)
    return Host(
        cells=tuple(_cell(cell, facts, held) for cell in facts.cells),
        taken=frozenset(taken),
        devices=tuple(device for device in facts.devices if device.address not in used),
        mdevs=tuple(uuid for uuid in facts.mdevs if uuid not in used),
        small_page_kib=facts.small_page_kib,
    )


def _cell(cell: CellFacts, facts: HostFacts, held: Sequence[Held]) -> HostCell:
    here = [part for one in held for part in one.cells if part.host_cell == cell.id]
    running = [
        part
        for one in (facts.held or {}).values()
        for part in one.cells
        if one.is_running and part.host_cell == cell.id
    ]
    memory_mb = cell.memory_mb - sum(part.memory_mb for part in here if part.page_kib is None)

    def left(pages: Pages) -> int:
        # What something else than guests holds can be promised to nobody.
        elsewhere = max(0, pages.total - pages.free - _count(running, pages.size_kib))
        return max(0, pages.total - elsewhere - _count(here, pages.size_kib))

    return HostCell(
        cell.id,
        cell.cores,
        max(0, memory_mb),
        tuple((pages.size_kib, left(pages)) for pages in cell.pages),
        cell.socket,
    )


def _count(parts: Iterable[HeldCell], size_kib: int) -> int:
    return sum(-(-part.memory_mb * _KIB_PER_MIB // size_kib) for part in parts if part.page_kib == size_kib)


def _without(base: Host, claims: Claims) -> Host:
    """Return a host without what is claimed of it."""
    if not claims:
        return base
    taken, memory, pages = set(base.taken), Counter[int](), Counter[tuple[int, int]]()
    for demand, allocation in claims:
        is_lonely = demand.placement.thread_policy == "isolate"
        own = allocation.cpus
        taken |= taken_cpus(base.cells, () if is_lonely else own, own if is_lonely else ())
        for placed, wanted in zip(allocation.cells, demand.placement.cells):
            if placed.page_kib is None:
                memory[placed.host_cell] += wanted.memory_mb
            else:
                pages[placed.host_cell, placed.page_kib] += -(-wanted.memory_mb * _KIB_PER_MIB // placed.page_kib)
    devices = {name for _demand, allocation in claims for name in (*allocation.pci, *allocation.mdevs)}
    return replace(
        base,
        cells=tuple(
            replace(
                cell,
                free_memory_mb=cell.free_memory_mb - memory[cell.id],
                free_pages=tuple((size, free - pages[cell.id, size]) for size, free in cell.free_pages),
            )
            for cell in base.cells
        ),
        taken=frozenset(taken),
        devices=tuple(device for device in base.devices if device.address not in devices),
        mdevs=tuple(uuid for uuid in base.mdevs if uuid not in devices),
    )


def _allocation(held: Held, demand: Demand) -> Allocation:
    """Return what a guest holds, as far as it is about what is asked for."""
    cells = tuple(
        PlacedCell(part.host_cell, tuple(zip(wanted.own, part.cpus)), part.page_kib)
        for part, wanted in zip(held.cells, demand.placement.cells)
    )
    lies = bool(demand.placement.cells) and len(held.cells) == len(demand.placement.cells)
    return Allocation(
        cells if lies else (),
        held.emulator_cpu if lies else None,
        held.pci if demand.pci else (),
        held.mdevs if demand.mdevs else (),
    )
