# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""Facts, limits and resolved instances turned into the scheduler's nouns. All bad input dies here."""

from __future__ import annotations

import typing as t
from dataclasses import fields

from ..._values import ValuesError, boolean, check_name, mapping, mappings, whole_number
from ..errors import ScheduleError
from ..image_properties import read_properties
from ..model import Pairs, Problem
from .hosts import read_hosts
from .question import Question
from .requests import read_requests
from .rules import read_rules
from .values import MOST

_BOOLEANS = tuple(field.name for field in fields(Question) if isinstance(field.default, bool))
ORDERS = ("batch", "declared")
ENGINES = ("search", "exact")


def read_problem(question: Question) -> Problem:
    """Return the problem, or raise :class:`ScheduleError`."""
    try:
        return _problem(question)
    except ValuesError as exc:
        raise ScheduleError(str(exc)) from exc


def _problem(question: Question) -> Problem:
    fleet = check_name(question.fleet, "fleet")
    for option in _BOOLEANS:
        boolean(getattr(question, option), option)
    if not isinstance(question.order, str) or question.order not in ORDERS:
        raise ValuesError(f"Order {question.order!r} is unknown; take one of {', '.join(ORDERS)}.")
    _check_engine(question)
    hosts = read_hosts(question, _declared_properties(question.instances))
    names = {host.name for host in hosts}
    rules = read_rules(question, hosts)
    cost = question.make_room_cost
    return Problem(
        fleet=fleet,
        hosts=hosts,
        requests=read_requests(question.instances, names, rules, question.order == "batch"),
        policy=question.policy,
        assume_down_hosts_empty=question.assume_down_hosts_empty,
        purge=question.purge,
        prefix=question.prefix,
        order=question.order,
        rules=rules,
        fix_violations=question.fix_violations,
        make_room=question.make_room,
        engine=question.engine,
        make_room_cost=None if cost is None else whole_number(cost, "make_room_cost", 0, MOST),
    )


def _check_engine(question: Question) -> None:
    if not isinstance(question.engine, str) or question.engine not in ENGINES:
        raise ValuesError(f"Engine {question.engine!r} is unknown; take one of {', '.join(ENGINES)}.")
    if question.engine != "exact":
        return
    for option, value in (("order", "declared"), ("policy", "nova")):
        if getattr(question, option) == value:
            raise ValuesError(
                f"engine: exact plans a batch as a whole, which {question.prefix}{option}: {value} says not to do;"
                " leave one of the two out."
            )


def _declared_properties(instances: t.Any) -> dict[str, Pairs]:
    """Return the properties of the images of declared instances, by the instances' names."""
    found = {}
    for instance in mappings(instances, "instances"):
        properties = instance.get("image_properties")
        if properties and isinstance(instance.get("name"), str):
            where = f"Instance {instance['name']}: image_properties"
            found[instance["name"]] = read_properties(mapping(properties, where), where)
    return found
