# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""Facts, limits and resolved instances turned into the scheduler's nouns. All bad input dies here."""

from __future__ import annotations

import math
import typing as t
from dataclasses import dataclass
from fractions import Fraction

from .._values import ValuesError, check_name, known_keys, mapping, mappings, whole_number
from .errors import ScheduleError
from .model import DIMENSIONS, Amounts, Demand, Guest, Host, Limits, Problem, Request

_MIB_PER_GIB = 1024
_MOST = 10**15

LIMIT_DEFAULTS: dict[str, t.Any] = {
    "cpu_allocation_ratio": 4.0,
    "ram_allocation_ratio": 1.0,
    "disk_allocation_ratio": 1.0,
    "reserved_host_cpus": 0,
    "reserved_host_memory_mb": 512,
    "reserved_host_disk_mb": 0,
}


@dataclass(frozen=True)
class Question:
    """What a caller passes in, as plain data."""

    fleet: str
    instances: t.Any
    hosts: t.Any
    policy: str = "spread"
    limits: t.Any = None
    host_limits: t.Any = None
    assume_down_hosts_empty: bool = False
    purge: bool = False
    prefix: str = ""


def read_problem(question: Question) -> Problem:
    """Return the problem, or raise :class:`ScheduleError`."""
    try:
        return Problem(
            fleet=check_name(question.fleet, "fleet"),
            hosts=_hosts(question),
            requests=_requests(question),
            policy=question.policy,
            assume_down_hosts_empty=question.assume_down_hosts_empty,
            purge=question.purge,
            prefix=question.prefix,
        )
    except ValuesError as exc:
        raise ScheduleError(str(exc)) from exc


def read_limits(options: dict[str, t.Any], where: str) -> Limits:
    """Return limits from Nova's names; what is not given has Nova's default."""
    known_keys(options, where, LIMIT_DEFAULTS)
    merged = {**LIMIT_DEFAULTS, **options}
    ratios = tuple(
        _ratio(merged[f"{name}_allocation_ratio"], f"{where}.{name}_allocation_ratio")
        for name in ("cpu", "ram", "disk")
    )
    reserved = {
        key: whole_number(merged[key], f"{where}.{key}", 0, _MOST)
        for key in LIMIT_DEFAULTS
        if key.startswith("reserved_")
    }
    # Rounded up to whole GiB, as Nova does when it reports to placement.
    disk_gb = -(-reserved["reserved_host_disk_mb"] // _MIB_PER_GIB)
    return Limits(ratios, (reserved["reserved_host_cpus"], reserved["reserved_host_memory_mb"], disk_gb))


def _ratio(value: t.Any, where: str) -> Fraction:
    try:
        # By way of its text, so that 0.29 is 29/100 and not the nearest binary fraction.
        ratio = Fraction(str(value).strip())
    except (ValueError, ZeroDivisionError):
        ratio = Fraction(0)
    if isinstance(value, bool) or not 0 < ratio <= 1000:  # noqa: PLR2004 - far above any sensible overcommitment
        raise ValuesError(f"{where}: {value!r} is not an allocation ratio; write a number above 0 such as 1.5.")
    return ratio


def _hosts(question: Question) -> tuple[Host, ...]:
    facts = mapping(question.hosts, "hosts")
    if not facts:
        raise ValuesError("hosts: there is no hypervisor to place instances on; give the facts of at least one.")
    common = mapping(question.limits or {}, "limits")
    special = mapping(question.host_limits or {}, "host_limits")
    known_keys(special, "host_limits", facts)
    hosts = []
    for name, node in facts.items():
        own = mapping(special.get(name) or {}, f"host_limits.{name}")
        read_limits(common, "limits")
        hosts.append(_host(name, mapping(node, f"hosts.{name}"), read_limits({**common, **own}, f"host_limits.{name}")))
    return tuple(hosts)


def _host(name: str, node: dict[str, t.Any], limits: Limits) -> Host:
    state = node.get("state", "up")
    if state not in ("up", "down", "left_out"):
        raise ValuesError(f"hosts.{name}.state: {state!r} is unknown; it is up, down or left_out.")
    if state != "up":
        nothing = (0,) * len(DIMENSIONS)
        is_left_out = state == "left_out"
        return Host(name, False, False, _reason(node), nothing, nothing, limits, (), is_left_out=is_left_out)
    return Host(
        name=name,
        is_up=True,
        is_enabled=node.get("service_status", "enabled") != "disabled",
        reason=str(node.get("disabled_reason") or ""),
        total=tuple(_amount(node, dimension.total_field, f"hosts.{name}", math.floor) for dimension in DIMENSIONS),
        used=tuple(_amount(node, dimension.used_field, f"hosts.{name}", math.ceil) for dimension in DIMENSIONS),
        limits=limits,
        guests=tuple(
            _guest(guest, f"hosts.{name}.instances")
            for guest in mappings(node.get("instances") or [], f"hosts.{name}.instances")
        ),
        networks=_networks(node.get("networks"), f"hosts.{name}.networks"),
    )


def _networks(networks: t.Any, where: str) -> dict[str, bool] | None:
    if networks is None:
        return None
    found = mapping(networks, where)
    return {name: bool(mapping(network, f"{where}.{name}").get("active")) for name, network in found.items()}


def _reason(node: dict[str, t.Any]) -> str:
    # One line, since it becomes part of a sentence.
    return " ".join(str(node.get("reason") or "").split()).rstrip(".")


def _amount(facts: dict[str, t.Any], key: str, where: str, rounded: t.Callable[[float], int]) -> int:
    value = facts.get(key)
    if value is None:
        raise ValuesError(f"{where}: the facts lack {key}; gather them with kilonova.compute.compute_facts.")
    if isinstance(value, float) and math.isfinite(value):
        value = rounded(value)
    return max(0, whole_number(value, f"{where}.{key}", -_MOST, _MOST))


def _guest(guest: dict[str, t.Any], where: str) -> Guest:
    name = guest.get("name")
    if not isinstance(name, str) or not name:
        raise ValuesError(f"{where}: an instance has no name; gather the facts with kilonova.compute.compute_facts.")
    fleet = guest.get("fleet")
    # Of what is not ours some figures may be unknown; the host's own figures count it all the same.
    known = {dimension.key: guest.get(dimension.key) or 0 for dimension in DIMENSIONS}
    amounts = tuple(_amount(known, key, f"{where}.{name}", math.ceil) for key in known)
    image = str(guest["image"] or "") if fleet is not None and "image" in guest else None
    return Guest(name, None if fleet is None else str(fleet), amounts, image)


def _requests(question: Question) -> tuple[Request, ...]:
    requests: dict[str, Request] = {}
    for instance in mappings(question.instances, "instances"):
        request = _request(instance, mapping(question.hosts, "hosts"))
        if request.name in requests:
            raise ValuesError(f"instances: {request.name} is declared twice; names are unique in a fleet.")
        requests[request.name] = request
    return tuple(requests.values())


def _request(instance: dict[str, t.Any], hosts: dict[str, t.Any]) -> Request:
    name = check_name(instance.get("name"), "instances.name")
    flavor = instance.get("flavor")
    if not isinstance(flavor, dict):
        raise ValuesError(
            f"Instance {name}: its flavor {flavor!r} is not a dictionary; run the list through kilonova.compute.expand_fleet first."
        )
    host = instance.get("host")
    if host is not None and host not in hosts:
        raise ValuesError(
            f"Instance {name}: its host {host!r} is not a hypervisor; take one of {', '.join(sorted(hosts))}."
        )
    nics = mappings(instance.get("networks") or [], f"Instance {name}: networks")
    networks = tuple(sorted({str(nic["network"]) for nic in nics if nic.get("network")}))
    volumes = mappings(instance.get("volumes") or [], f"Instance {name}: volumes")
    demand = Demand(_demand(flavor, volumes, name), host, networks=networks)
    return Request(name, str(flavor.get("name", "custom")), demand, str(instance.get("image") or ""))


def _demand(flavor: dict[str, t.Any], volumes: t.Sequence[dict[str, t.Any]], name: str) -> Amounts:
    """Return what an instance takes: its flavor, and the volumes that are made in the pool of its root disk."""
    least = {"disk_gb": 0}
    amounts = {}
    for dimension in DIMENSIONS:
        key = dimension.key
        if key not in flavor:
            raise ValuesError(f"Instance {name}: its flavor has no {key}; give vcpus, memory_mb and disk_gb.")
        amounts[key] = whole_number(flavor[key], f"Instance {name}: flavor.{key}", least.get(key, 1), _MOST)
    for index, volume in enumerate(volumes):
        if volume.get("size_gb") is not None and not volume.get("pool"):
            amounts["disk_gb"] += whole_number(
                volume["size_gb"], f"Instance {name}: volumes[{index}].size_gb", 1, _MOST
            )
    return tuple(amounts.values())
