# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""Filters about how many instances a host has, and how many of them are just being built."""

from __future__ import annotations

import abc

from ..model import Demand, Host
from ..state import HostState
from .base import Filter

MAX_INSTANCES, MAX_IO_OPS = 50, 8
"""Nova's defaults, for those who choose the filters by name."""


class CountFilter(Filter):
    """A number of something on the host stays below a limit."""

    is_static = False
    option: str
    noun: str

    def __init__(self, most: int | None, keys: frozenset[str], is_alone: bool = True) -> None:
        """Take the common limit, and the keys that aggregates have.

        Where the filter that asks aggregates is there too and nobody chose both, each host is left to one of the two.
        """
        self._most, self._is_alone = most, is_alone
        self._has_own = self.option in keys

    @abc.abstractmethod
    def count(self, host: HostState) -> int:
        """Return the number."""

    def most(self, host: Host) -> int | None:
        """Return the host's limit, or None if it has none."""
        is_other = self._has_own and not self._is_alone and aggregate_limit(host, self.option) is not None
        return None if is_other else self._most

    def applies(self, demand: Demand) -> bool:
        """Tell whether there is a limit."""
        return self._most is not None

    def passes(self, host: HostState, demand: Demand) -> bool:
        """Tell whether one more stays within the limit."""
        most = self.most(host.host)
        return most is None or self.count(host) < most

    def message(self, host: HostState, demand: Demand) -> str:
        """Say how many there are and may be."""
        return f"has {self.count(host)} {self.noun}, and {self.option} is {self.most(host.host)}"


class _AggregateLimit(CountFilter, abc.ABC):
    """The smallest limit that the host's aggregates have, or else the common one."""

    def most(self, host: Host) -> int | None:
        """Return the host's limit, or None if it has none."""
        own = aggregate_limit(host, self.option) if self._has_own else None
        return (self._most if self._is_alone else None) if own is None else own

    def applies(self, demand: Demand) -> bool:
        """Tell whether there is a limit."""
        return self._has_own or (self._is_alone and self._most is not None)


class NumInstancesFilter(CountFilter):
    """At most so many instances."""

    name = "NumInstancesFilter"
    option = "max_instances_per_host"
    noun = "instances"

    def count(self, host: HostState) -> int:
        """Return how many there are, of all fleets and of none."""
        return host.instances


class IoOpsFilter(CountFilter):
    """At most so many instances that are being built at once."""

    name = "IoOpsFilter"
    option = "max_io_ops_per_host"
    noun = "instances being built"

    def count(self, host: HostState) -> int:
        """Return how many this plan builds there."""
        return host.starting


class AggregateNumInstancesFilter(_AggregateLimit, NumInstancesFilter):
    """At most so many instances, as the host's aggregates say."""

    name = "AggregateNumInstancesFilter"


class AggregateIoOpsFilter(_AggregateLimit, IoOpsFilter):
    """At most so many instances that are being built at once, as the host's aggregates say."""

    name = "AggregateIoOpsFilter"


def aggregate_limit(host: Host, key: str) -> int | None:
    """Return the smallest whole number that the host's aggregates give."""
    return host.least_said(key, int)
