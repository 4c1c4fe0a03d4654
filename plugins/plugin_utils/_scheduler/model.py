# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""The scheduler's nouns. All amounts are whole numbers, one for each of ``DIMENSIONS``."""

from __future__ import annotations

import typing as t
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from ...module_utils._plan.allocate import Demand as TopologyDemand
from ...module_utils._plan.topology import Allocation

Amounts = tuple[int, ...]
Number = t.TypeVar("Number", int, float)
Pairs = tuple[tuple[str, str], ...]
"""Keys and values, ordered by key: a dictionary that can be hashed."""


@dataclass(frozen=True)
class Dimension:
    """Something countable that hosts have and instances take."""

    key: str
    """A flavor's name for it."""
    unit: str
    total_field: str
    """Where a compute_node reports how much there is."""
    used_field: str


DIMENSIONS = (
    Dimension("vcpus", "vCPU", "vcpus", "vcpus_used"),
    Dimension("memory_mb", "MiB", "memory_mb", "memory_mb_used"),
    Dimension("disk_gb", "GiB", "local_gb", "local_gb_used"),
)


def amounts_text(amounts: Amounts) -> str:
    """Return amounts as people write them."""
    return ", ".join(f"{amount} {dimension.unit}" for amount, dimension in zip(amounts, DIMENSIONS))


@dataclass(frozen=True)
class Limits:
    """How much of a host may be promised: ``(total - reserved) * ratio``, as Nova's placement counts."""

    ratios: tuple[Fraction, ...]
    reserved: Amounts

    def capacity(self, total: Amounts) -> Amounts:
        """Return the most that may be used of a host's ``total``."""
        parts = zip(total, self.reserved, self.ratios)
        return tuple(
            max(0, (amount - reserved) * ratio.numerator // ratio.denominator) for amount, reserved, ratio in parts
        )


@dataclass(frozen=True)
class Guest:
    """A virtual machine that is on a host already, ours or not."""

    name: str
    fleet: str | None
    amounts: Amounts
    image: str | None = None
    """What it was made from: nothing if empty, unknown if None."""
    group: str | None = None
    """The server group it was made in."""
    flavor: str | None = None
    uuid: str | None = None
    power_state: str = "running"
    group_policy: str | None = None
    properties: Pairs = ()
    """Its image's properties, where it is declared: facts don't tell."""
    has_own_parts: bool = False
    """Whether it has some of the host's CPUs, pages or devices to itself."""

    @property
    def names(self) -> tuple[str, ...]:
        """Return all that hints may call it."""
        return (self.name,) if self.uuid is None else tuple(sorted((self.name, self.uuid)))


@dataclass(frozen=True)
class Aggregate:
    """A named set of hosts, and what it says of them."""

    name: str
    metadata: Pairs = ()


@dataclass(frozen=True)
class Pool:
    """A storage pool of a host."""

    is_active: bool
    available_gb: int


@dataclass(frozen=True)
class Host:
    """A hypervisor; ``used`` counts all of its ``guests``."""

    name: str
    is_up: bool
    is_enabled: bool
    reason: str
    """Why it is down, left out or disabled."""
    total: Amounts
    used: Amounts
    limits: Limits
    guests: tuple[Guest, ...]
    networks: Mapping[str, bool] | None = None
    """Whether each of its networks is active; None if it does not tell."""
    is_left_out: bool = False
    """Whether nobody looked at it, so that it is neither up nor down."""
    is_stale: bool = False
    """Whether somebody looked at it too long ago, which tells as little."""
    zone: str | None = None
    """Its availability zone; a host without one is in Nova's default zone."""
    aggregates: tuple[Aggregate, ...] = ()
    traits: frozenset[str] = frozenset()
    pools: Mapping[str, Pool] | None = None
    """Its storage pools; None if it does not tell."""
    facts: Mapping[str, t.Any] = field(default_factory=dict, repr=False)
    """Its whole compute_node, for rules that users write themselves, and for its NUMA cells and devices."""
    metadata: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """What all its aggregates say: of each key every value, as Nova joins them."""

    @property
    def state(self) -> str:
        """Return up, down, left_out or stale."""
        if self.is_up:
            return "up"
        return "left_out" if self.is_left_out else "stale" if self.is_stale else "down"

    @property
    def condition(self) -> str:
        """Return what keeps it from being used, as the rest of a sentence about it."""
        if self.is_left_out:
            return f"is left out of this run ({self.reason})" if self.reason else "is left out of this run"
        if self.is_stale:
            return f"has stale facts: {self.reason}"
        condition = "disabled" if self.is_up else "down"
        return f"is {condition}: {self.reason}" if self.reason else f"is {condition}"

    def least_said(self, key: str, read: Callable[[str], Number]) -> Number | None:
        """Return the smallest number that its aggregates give; none if any of them gives something else, as in Nova."""
        values = [value for aggregate in self.aggregates for name, value in aggregate.metadata if name == key]
        try:
            return min(map(read, values), default=None)
        except ValueError:
            return None


@dataclass(frozen=True)
class ServerGroup:
    """Instances that stay together or apart, as Nova's server groups do."""

    name: str
    policy: str
    """affinity, anti-affinity, soft-affinity or soft-anti-affinity."""
    most_per_host: int = 1
    """Nova's max_server_per_host, of anti-affinity."""


@dataclass(frozen=True)
class Hints:
    """Nova's scheduler hints. Instances are named by name or UUID."""

    same_host: tuple[str, ...] = ()
    """On a host that has at least one of these."""
    different_host: tuple[str, ...] = ()
    """On a host that has none of these."""
    near: str | None = None
    """A network as ``address/prefix``, in which the host has to be."""
    query: str | None = None
    """The expression of JsonFilter, as JSON text."""


@dataclass(frozen=True)
class Demand:
    """All that filters and weighers may read of a request: requests of equal demand are interchangeable."""

    amounts: Amounts
    host: str | None = None
    """The only host it may go to."""
    taken_on: tuple[tuple[str, str], ...] = ()
    """(host, holder): where something that is not this instance has its name."""
    networks: tuple[str, ...] = ()
    """The host's networks that it is plugged into."""
    group: ServerGroup | None = None
    zone: str | None = None
    """The availability zone it has to be in."""
    pools: tuple[tuple[str, int], ...] = ()
    """(pool, GiB) of what it puts in pools that it names; what only has to exist takes 0 GiB."""
    required_traits: tuple[str, ...] = ()
    forbidden_traits: tuple[str, ...] = ()
    require: str | None = None
    """An expression over the host's facts that has to be true."""
    hints: Hints = Hints()
    marks: tuple[str, ...] = ()
    """The names by which hints of other instances ask for this one: such a request is like no other."""
    flavor: str = ""
    """The flavor's name, where some aggregate takes only certain flavors."""
    extra_specs: Pairs = ()
    """The flavor's extra specs."""
    image: str = ""
    """The image's name, where some images are isolated."""
    properties: Pairs = ()
    """The image's properties."""
    topology: TopologyDemand | None = None
    """What it wants of its host to itself: NUMA cells, CPUs, pages and devices."""


@dataclass(frozen=True)
class Request:
    """One declared instance."""

    name: str
    flavor: str
    demand: Demand
    image: str = ""
    """What it is made from; nothing if empty."""

    def describe(self) -> str:
        """Return the name with what it asks for."""
        return f"{self.name} (flavor {self.flavor}: {amounts_text(self.demand.amounts)})"


@dataclass(frozen=True)
class Rules:
    """What users choose among filters and weighers, and what those need to know."""

    filters: tuple[str, ...] | None = None
    """The names of the filters to use; None for all."""
    weights: tuple[tuple[str, Fraction], ...] = ()
    """(weigher, multiplier), ordered by name: what differs from the policy's own."""
    max_instances_per_host: int | None = None
    max_io_ops_per_host: int | None = None
    isolated_hosts: frozenset[str] = frozenset()
    isolated_images: frozenset[str] = frozenset()
    restrict_isolated_hosts: bool = True
    """Whether isolated hosts take isolated images only."""
    aggregate_keys: frozenset[str] = frozenset()
    """All keys that aggregates of hosts say something about."""


@dataclass(frozen=True)
class Problem:
    """Everything that a plan depends on."""

    fleet: str
    hosts: tuple[Host, ...]
    requests: tuple[Request, ...]
    policy: str = "spread"
    assume_down_hosts_empty: bool = False
    purge: bool = False
    """Whether instances no longer declared are about to go, so that their room is free."""
    prefix: str = ""
    """What the caller's options begin with, where a message names one."""
    order: str = "batch"
    """batch (all as one) or declared (one after the other, as Nova)."""
    rules: Rules = Rules()
    fix_violations: bool = False
    """Whether running instances that break their own rules may be moved."""
    make_room: bool = False
    """Whether running instances may be moved so that new ones fit."""
    engine: str = "search"
    """search, or exact where that is possible."""
    make_room_cost: int | None = None
    """How many MiB of running instances may be moved for each new one that is placed; None for any number."""


@dataclass(frozen=True)
class Score:
    """Why a host and not the next best one; more is better."""

    terms: tuple[tuple[str, float], ...]
    total: float
    runner_up: tuple[str, float] | None = None
    """Another host that could take the instance once the plan has been carried out, and its total."""


@dataclass(frozen=True)
class Migration:
    """A move of something that runs already."""

    name: str
    origin: str
    host: str
    amounts: Amounts
    why: str


@dataclass(frozen=True)
class Violation:
    """A rule of its own that an instance breaks where it is."""

    name: str
    host: str
    filter: str
    message: str


@dataclass(frozen=True)
class Verdict:
    """Whether it is proven that an instance can have no place, and how or why not."""

    name: str
    is_proven: bool
    message: str


@dataclass(frozen=True)
class Certificate:
    """How good the plan is, and how good any plan could be."""

    hosts_used: int
    lower_bound: int
    """No arrangement of what has a place uses fewer hosts."""
    proof: str
    """What the bound follows from."""
    verdicts: tuple[Verdict, ...] = ()


@dataclass(frozen=True)
class Placement:
    """Where an instance goes, or stays."""

    name: str
    flavor: str
    host: str
    action: str
    """keep, create or migrate."""
    why: str
    origin: str | None = None
    """The host that it is moved from."""
    score: Score | None = None
    """Of what was chosen among hosts."""
    allocation: Allocation | None = None
    """What it gets of the host to itself."""


@dataclass(frozen=True)
class Refusal:
    """Why one host does not take one instance."""

    host: str
    filter: str
    message: str
    shortage: int = 0
    """How much more room the host would need."""


@dataclass(frozen=True)
class Unplaced:
    """An instance without a place, with the reason of every host."""

    name: str
    flavor: str
    reason: str
    refusals: tuple[Refusal, ...]


@dataclass(frozen=True)
class Removal:
    """An instance of the fleet that is no longer declared."""

    name: str
    host: str


@dataclass(frozen=True)
class Usage:
    """A host as it is once the plan has been carried out."""

    host: Host
    used: Amounts
    capacity: Amounts


@dataclass(frozen=True)
class Engine:
    """What planned, and what is to be said of it."""

    name: str
    note: str = ""
    are_placed_best: bool = False
    """Whether it is proven that nothing places more."""
    are_hosts_best: bool = False
    """Whether it is proven that nothing places as much on fewer hosts."""


@dataclass(frozen=True)
class Plan:
    """The answer: placements and unplaced in declared order, the rest by name."""

    policy: str
    purge: bool
    placements: tuple[Placement, ...]
    unplaced: tuple[Unplaced, ...]
    removed: tuple[Removal, ...]
    usage: tuple[Usage, ...]
    migrations: tuple[Migration, ...] = ()
    violations: tuple[Violation, ...] = ()
    certificate: Certificate = Certificate(0, 0, "")
    engine: Engine = Engine("search")
