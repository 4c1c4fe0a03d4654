# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""What users choose among filters and weighers."""

from __future__ import annotations

import typing as t
from fractions import Fraction

from ..._values import ValuesError, mapping, whole_number
from ..filters import FILTER_NAMES
from ..model import Host, Rules
from ..weighers import WEIGHER_NAMES
from .question import Question
from .values import MOST, fraction_of, known_hosts, name_set

_MOST_MULTIPLIER = 10**12
_NEVER_NEGATIVE = frozenset({"pci", "soft_affinity", "soft_anti_affinity"})


def read_rules(question: Question, hosts: t.Sequence[Host]) -> Rules:
    """Return the choices."""
    names = {host.name for host in hosts}
    return Rules(
        filters=_filters(question.filters),
        weights=_weights(question.weights),
        max_instances_per_host=_count(question.max_instances_per_host, "max_instances_per_host"),
        max_io_ops_per_host=_count(question.max_io_ops_per_host, "max_io_ops_per_host"),
        isolated_hosts=frozenset(known_hosts(question.isolated_hosts, "isolated_hosts", names)),
        isolated_images=frozenset(name_set(question.isolated_images, "isolated_images")),
        restrict_isolated_hosts=question.restrict_isolated_hosts_to_isolated_images,
        aggregate_keys=frozenset(key for host in hosts for key in host.metadata),
    )


def _filters(value: t.Any) -> tuple[str, ...] | None:
    if value is None:
        return None
    names = name_set(value, "filters")
    for name in names:
        if name not in FILTER_NAMES:
            raise ValuesError(f"filters: {name!r} is unknown; known are {', '.join(sorted(FILTER_NAMES))}.")
    return names


def _weights(value: t.Any) -> tuple[tuple[str, Fraction], ...]:
    weights = mapping({} if value is None else value, "weights")
    for name in sorted(weights):
        if name not in WEIGHER_NAMES:
            raise ValuesError(f"weights: {name!r} is unknown; known are {', '.join(sorted(WEIGHER_NAMES))}.")
    multipliers = tuple((name, _multiplier(weights[name], f"weights.{name}")) for name in sorted(weights))
    for name, multiplier in multipliers:
        if name in _NEVER_NEGATIVE and multiplier < 0:
            raise ValuesError(
                f"weights.{name}: it is below 0, which would turn its meaning round; write 0 to ignore it."
            )
    return multipliers


def _multiplier(value: t.Any, where: str) -> Fraction:
    multiplier = fraction_of(value)
    if multiplier is None or abs(multiplier) > _MOST_MULTIPLIER:
        raise ValuesError(f"{where}: {value!r} is not a multiplier; write a number such as 1.0 or -1.0.")
    return multiplier


def _count(value: t.Any, where: str) -> int | None:
    return None if value is None else whole_number(value, where, 1, MOST)
