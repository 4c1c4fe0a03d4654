# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""What a filter is: it removes the hosts that cannot take a request, and says why in units.

A new rule is a new class beside this one, listed in ``known_filters``; whatever it reads of a request is a field of
``Demand``.
"""

from __future__ import annotations

import abc
from collections.abc import Sequence

from ..model import Demand
from ..state import HostState


class Filter(abc.ABC):
    """One rule about one host.

    A static one must not read the demand's ``amounts``, ``group`` or ``marks``: its answer is asked once for all
    demands that differ in nothing else (see :class:`Masks`), and would be wrong for the others. A rule that needs one
    of these is not static.
    """

    name: str
    is_static = True
    """Whether claims on the host leave its answer as it is."""

    def applies(self, demand: Demand) -> bool:  # pylint: disable=unused-argument # there are rules for all
        """Tell whether the request says anything that the rule is about: of what does not apply nothing is told."""
        return True

    @abc.abstractmethod
    def passes(self, host: HostState, demand: Demand) -> bool:
        """Tell whether the host may take the request: yes where the rule does not apply."""

    @abc.abstractmethod
    def message(self, host: HostState, demand: Demand) -> str:
        """Say why the host was removed; only asked after ``passes`` said no."""


def first_refusal(filters: Sequence[Filter], host: HostState, demand: Demand) -> Filter | None:
    """Return the first filter that removes the host, or None."""
    for rule in filters:
        if not rule.passes(host, demand):
            return rule
    return None


def refused_in_turn(
    host: HostState, demands: Sequence[Demand], rules: Sequence[Sequence[Filter]]
) -> tuple[Filter, str] | None:
    """Return the first of the rules for some demand that removes the host, with its message; None if it takes all.

    Those that stay together are asked about one after the other, each beside those before it. The host is left as it was.
    """
    placed: list[Demand] = []
    found: tuple[Filter, str] | None = None
    for demand, its_rules in zip(demands, rules):
        rule = first_refusal(its_rules, host, demand)
        if rule is not None:
            found = rule, rule.message(host, demand)
            break
        host.place(demand)
        placed.append(demand)
    for demand in reversed(placed):
        host.displace(demand)
    return found
