# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""What stands in the way of a plan, short enough for an error message."""

from __future__ import annotations

from .filters import SplitBrainFilter
from .model import Plan, Unplaced

_SHOWN = 3


def problem_text(plan: Plan) -> str:
    """Return how many instances have no place and why; nothing if all have one."""
    if not plan.unplaced:
        return ""
    conditions = [f"{usage.host.name} {usage.host.condition}" for usage in plan.usage if not usage.host.is_up]
    if len(conditions) == len(plan.usage):
        return "\n".join(["No hypervisor can be used:", *conditions])
    reasons = [item.reason for item in plan.unplaced[:_SHOWN]]
    more = len(plan.unplaced) - len(reasons)
    if more:
        reasons.append(f"and {more} more, shown above")
    return "\n".join([f"{_verdict(plan)}:", *reasons, *conditions])


def _verdict(plan: Plan) -> str:
    of = f"of {len(plan.unplaced) + len(plan.placements)} instances"
    unseen = sum(_is_unseen(item) for item in plan.unplaced)
    parts = [(unseen, "can't be seen"), (len(plan.unplaced) - unseen, "can't be placed")]
    return " and ".join(f"{count} {of} {verdict}" for count, verdict in parts if count)


def _is_unseen(item: Unplaced) -> bool:
    return any(refusal.filter == SplitBrainFilter.name for refusal in item.refusals)
