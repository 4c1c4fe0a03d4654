# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""Server groups as the fleet's instances declare them, each on its members."""

from __future__ import annotations

import typing as t

from ....module_utils._spec.server_group import GROUP_POLICIES
from ..._values import ValuesError, check_name, whole_number
from ..model import ServerGroup
from .values import MOST

_POLICY, _MOST_PER_HOST = "group_policy", "max_server_per_host"


def read_groups(instances: t.Sequence[dict[str, t.Any]]) -> dict[str, ServerGroup]:
    """Return the groups by name; what one member says holds for all."""
    members: dict[str, list[dict[str, t.Any]]] = {}
    for instance in instances:
        where = f"Instance {instance.get('name')}"
        if instance.get("group") not in (None, ""):
            members.setdefault(check_name(instance["group"], f"{where}: group"), []).append(instance)
        else:
            for key in (_POLICY, _MOST_PER_HOST):
                if instance.get(key) is not None:
                    raise ValuesError(f"{where}: it has {key} and no group; name its group, or leave {key} out.")
    return {name: _group(name, found) for name, found in members.items()}


def _group(name: str, members: t.Sequence[dict[str, t.Any]]) -> ServerGroup:
    policy = _agreed(name, members, _POLICY)
    if policy is None:
        raise ValuesError(
            f"Group {name}: no member says what it is for; give one of them {_POLICY}: {' or '.join(GROUP_POLICIES)}."
        )
    if policy not in GROUP_POLICIES:
        raise ValuesError(f"Group {name}: {_POLICY} {policy!r} is unknown; take one of {', '.join(GROUP_POLICIES)}.")
    most = _agreed(name, members, _MOST_PER_HOST)
    if most is not None and policy != "anti-affinity":
        raise ValuesError(f"Group {name}: {_MOST_PER_HOST} is for policy anti-affinity, and this one's is {policy}.")
    if policy == "affinity":
        _agreed(name, members, "availability_zone", "an affinity group is on one host, which is in one zone")
        _agreed(name, members, "host", "an affinity group is on one host")
    number = 1 if most is None else whole_number(most, f"Group {name}: {_MOST_PER_HOST}", 1, MOST)
    return ServerGroup(name, policy, number)


def _agreed(
    name: str, members: t.Sequence[dict[str, t.Any]], key: str, why: str = "all members of a group have the same"
) -> t.Any:
    """Return the one value that members give, or None."""
    first: dict[str, t.Any] | None = None
    for member in members:
        if member.get(key) is None:
            continue
        if first is None:
            first = member
        elif first[key] != member[key]:
            raise ValuesError(
                f"Group {name}: {key} is {first[key]} for {first.get('name')} and {member[key]} for {member.get('name')}; {why}."
            )
    return None if first is None else first[key]
