# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""A plan as the plain data that filters return."""

from __future__ import annotations

import typing as t
from collections.abc import Sequence
from dataclasses import asdict

from .explain import by_filter
from .extra_specs import is_for_scheduling
from .model import DIMENSIONS, Certificate, Migration, Plan, Score, Unplaced, Usage
from .problem import problem_text
from .topology.result import allocation_text

PLACEMENT_KEYS = frozenset(
    {
        *("host", "availability_zone", "max_server_per_host", "traits", "require", "scheduler_hints"),
        "image_properties",
    }
)
"""What of an instance only the scheduler reads: it is no part of what the host is told."""


def as_result(plan: Plan, instances: list[dict[str, t.Any]]) -> dict[str, t.Any]:
    """Return the plan with each host's own instances, as they were declared."""
    declared = {instance["name"]: instance for instance in instances}
    up = [usage.host.name for usage in plan.usage if usage.host.is_up]
    by_host: dict[str, list[dict[str, t.Any]]] = {name: [] for name in up}
    removed_by_host: dict[str, list[dict[str, t.Any]]] = {name: [] for name in up}
    for removal in plan.removed:
        removed_by_host[removal.host].append({"name": removal.name})
    for placement in plan.placements:
        instance = declared[placement.name]
        told = for_host(instance)
        if placement.allocation is not None:
            told["placement"] = allocation_text(placement.allocation)
        by_host[placement.host].append(told)
    return {
        "policy": plan.policy,
        "purge": plan.purge,
        "placements": [
            {
                "name": placement.name,
                "flavor": placement.flavor,
                "host": placement.host,
                "action": placement.action,
                "from": placement.origin,
                "why": placement.why,
                "score": _score(placement.score),
            }
            for placement in plan.placements
        ],
        "by_host": by_host,
        "migrations": [_migration(move) for move in plan.migrations],
        "violations": [asdict(violation) for violation in plan.violations],
        "unplaced": _all_unplaced(plan.unplaced),
        "certificate": _certificate(plan.certificate),
        "engine": {"name": plan.engine.name, "note": plan.engine.note},
        "problem": problem_text(plan),
        "removed": [{"name": removal.name, "host": removal.host} for removal in plan.removed],
        "removed_by_host": removed_by_host,
        "hosts": {usage.host.name: usage_row(usage) for usage in plan.usage},
    }


def for_host(instance: dict[str, t.Any]) -> dict[str, t.Any]:
    """Return what a host is told of an instance."""
    told = {key: value for key, value in instance.items() if key not in PLACEMENT_KEYS}
    specs = told["flavor"].get("extra_specs") or {}
    if any(is_for_scheduling(key) for key in specs):
        kept = {key: value for key, value in specs.items() if not is_for_scheduling(key)}
        told["flavor"] = {**told["flavor"], "extra_specs": kept}
    return told


def _score(score: Score | None) -> dict[str, t.Any] | None:
    if score is None:
        return None
    other = score.runner_up
    return {
        "terms": dict(score.terms),
        "total": score.total,
        "runner_up": None if other is None else {"host": other[0], "total": other[1]},
    }


def _migration(move: Migration) -> dict[str, t.Any]:
    amounts = {dimension.key: amount for dimension, amount in zip(DIMENSIONS, move.amounts)}
    return {
        "name": move.name,
        "from": move.origin,
        "to": move.host,
        "memory_mb": amounts["memory_mb"],
        "disk_gb": amounts["disk_gb"],
        "why": move.why,
    }


def _certificate(certificate: Certificate) -> dict[str, t.Any]:
    return {
        "hosts_used": certificate.hosts_used,
        "lower_bound": certificate.lower_bound,
        "proof": certificate.proof,
        "unplaced_proven": [asdict(verdict) for verdict in certificate.verdicts],
    }


def _all_unplaced(items: Sequence[Unplaced]) -> list[dict[str, t.Any]]:
    """Return the reasons; those that share them share the very list, of which a big fleet has many."""
    shared: dict[int, tuple[dict[str, int], list[dict[str, str]]]] = {}
    result = []
    for item in items:
        if id(item.refusals) not in shared:
            hosts = [
                {"host": refusal.host, "filter": refusal.filter, "message": refusal.message}
                for refusal in item.refusals
            ]
            shared[id(item.refusals)] = by_filter(item.refusals), hosts
        counts, hosts = shared[id(item.refusals)]
        result.append(
            {"name": item.name, "flavor": item.flavor, "reason": item.reason, "by_filter": counts, "hosts": hosts}
        )
    return result


def usage_row(usage: Usage) -> dict[str, t.Any]:
    """Return a host's figures."""
    host = usage.host
    result: dict[str, t.Any] = {"state": host.state, "reason": host.reason}
    if host.is_up:
        result["service_status"] = "enabled" if host.is_enabled else "disabled"
    for index, dimension in enumerate(DIMENSIONS):
        result[dimension.total_field] = host.total[index]
        result[dimension.used_field] = usage.used[index]
        result[f"{dimension.total_field}_limit"] = usage.capacity[index]
    return result
