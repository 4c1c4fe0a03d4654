# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""Facts and limits turned into hosts."""

from __future__ import annotations

import math
import typing as t
from fractions import Fraction

from ..._values import ValuesError, known_keys, mapping, mappings, whole_number
from ..model import DIMENSIONS, Aggregate, Amounts, Guest, Host, Limits, Pairs, Pool
from .age import Age, read_age
from .question import Question
from .values import MOST, amount_of, fraction_of, name_set, text_pairs, texts

_MIB_PER_GIB = 1024
_ZONE_KEY = "availability_zone"

LIMIT_DEFAULTS: dict[str, t.Any] = {
    "cpu_allocation_ratio": 4.0,
    "ram_allocation_ratio": 1.0,
    "disk_allocation_ratio": 1.0,
    "reserved_host_cpus": 0,
    "reserved_host_memory_mb": 512,
    "reserved_host_disk_mb": 0,
}


def read_hosts(question: Question, properties: t.Mapping[str, Pairs]) -> tuple[Host, ...]:
    """Return the hosts; ``properties`` are those of the images of the fleet's declared instances."""
    facts = mapping(question.hosts, "hosts")
    if not facts:
        raise ValuesError("hosts: there is no hypervisor to place instances on; give the facts of at least one.")
    common = mapping(question.limits or {}, "limits")
    special = mapping(question.host_limits or {}, "host_limits")
    known_keys(special, "host_limits", facts)
    limits = read_limits(common, "limits")
    aggregates = _aggregates(question.aggregates)
    age = read_age(question)
    hosts = []
    for name, node in facts.items():
        own = mapping(special.get(name) or {}, f"host_limits.{name}")
        its_limits = read_limits({**common, **own}, f"host_limits.{name}") if own else limits
        reader = _HostReader(name, mapping(node, f"hosts.{name}"), its_limits, age)
        hosts.append(reader.host(question.fleet, aggregates, properties))
    return tuple(hosts)


def read_limits(options: dict[str, t.Any], where: str) -> Limits:
    """Return limits from Nova's names; what is not given has Nova's default."""
    known_keys(options, where, LIMIT_DEFAULTS)
    merged = {**LIMIT_DEFAULTS, **options}
    ratios = tuple(
        _ratio(merged[f"{name}_allocation_ratio"], f"{where}.{name}_allocation_ratio")
        for name in ("cpu", "ram", "disk")
    )
    reserved = {
        key: whole_number(merged[key], f"{where}.{key}", 0, MOST)
        for key in LIMIT_DEFAULTS
        if key.startswith("reserved_")
    }
    # Rounded up to whole GiB, as Nova does when it reports to placement.
    disk_gb = -(-reserved["reserved_host_disk_mb"] // _MIB_PER_GIB)
    return Limits(ratios, (reserved["reserved_host_cpus"], reserved["reserved_host_memory_mb"], disk_gb))


def _ratio(value: t.Any, where: str) -> Fraction:
    ratio = fraction_of(value)
    if ratio is None or not 0 < ratio <= 1000:  # noqa: PLR2004 - far above any sensible overcommitment
        raise ValuesError(f"{where}: {value!r} is not an allocation ratio; write a number above 0 such as 1.5.")
    return ratio


def _aggregates(value: t.Any) -> dict[str, Aggregate]:
    declared = mapping({} if value is None else value, "aggregates")
    return {name: Aggregate(name, text_pairs(metadata, f"aggregates.{name}")) for name, metadata in declared.items()}


class _HostReader:
    """Reads one host's facts."""

    def __init__(self, name: str, node: dict[str, t.Any], limits: Limits, age: Age | None) -> None:
        self._name, self._node, self._limits, self._where = name, node, limits, f"hosts.{name}"
        self._age = age

    def host(self, fleet: str, aggregates: dict[str, Aggregate], properties: t.Mapping[str, Pairs]) -> Host:
        """Return the host."""
        name, node, where = self._name, self._node, self._where
        state = node.get("state", "up")
        if not isinstance(state, str) or state not in ("up", "down", "left_out"):
            raise ValuesError(f"{where}.state: {state!r} is unknown; it is up, down or left_out.")
        if state != "up":
            return self._unseen(self._reason(), is_left_out=state == "left_out")
        fault = None if self._age is None else self._age.fault(node.get("reported_at"), where)
        if fault is not None:
            return self._unseen(fault, is_stale=True)
        names = name_set(node.get("aggregates"), f"{where}.aggregates")
        own = tuple(aggregates.get(aggregate) or Aggregate(aggregate) for aggregate in names)
        return Host(
            name=name,
            is_up=True,
            is_enabled=node.get("service_status", "enabled") != "disabled",
            reason=str(node.get("disabled_reason") or ""),
            total=tuple(amount_of(node, dimension.total_field, where, math.floor) for dimension in DIMENSIONS),
            used=tuple(amount_of(node, dimension.used_field, where, math.ceil) for dimension in DIMENSIONS),
            limits=self._limits,
            guests=tuple(
                _guest(guest, f"{where}.instances", fleet, properties)
                for guest in mappings(node.get("instances") or [], f"{where}.instances")
            ),
            networks=self._networks(),
            zone=self._zone(own),
            aggregates=own,
            traits=frozenset(texts(node.get("traits") or [], f"{where}.traits")),
            pools=self._pools(),
            facts=self._facts(),
            metadata=_joined(own),
        )

    def _unseen(self, reason: str, *, is_left_out: bool = False, is_stale: bool = False) -> Host:
        """Return a host of which nothing is known."""
        nothing = (0,) * len(DIMENSIONS)
        return Host(
            *(self._name, False, False, reason, nothing, nothing, self._limits, ()),
            is_left_out=is_left_out,
            is_stale=is_stale,
        )

    def _facts(self) -> dict[str, t.Any]:
        """Return all facts, those that rules reckon with in their types."""
        facts, where = dict(self._node), self._where
        for key in ("hypervisor_version", "disk_available_least"):
            if facts.get(key) is not None:
                facts[key] = whole_number(facts[key], f"{where}.{key}", -MOST, MOST)
        if facts.get("virt_types") is not None:
            facts["virt_types"] = list(texts(facts["virt_types"], f"{where}.virt_types"))
        if facts.get("pci_devices") is not None:
            facts["pci_devices"] = mappings(facts["pci_devices"], f"{where}.pci_devices")
        return facts

    def _reason(self) -> str:
        # One line, since it becomes part of a sentence.
        return " ".join(str(self._node.get("reason") or "").split()).rstrip(".")

    def _networks(self) -> dict[str, bool] | None:
        found = self._named("networks")
        return None if found is None else {name: bool(network.get("active")) for name, network in found.items()}

    def _pools(self) -> dict[str, Pool] | None:
        found = self._named("storage_pools")
        if found is None:
            return None
        where = f"{self._where}.storage_pools"
        return {
            name: Pool(
                bool(pool.get("active")),
                amount_of(
                    {"available_gb": pool.get("available_gb") or 0}, "available_gb", f"{where}.{name}", math.floor
                ),
            )
            for name, pool in found.items()
        }

    def _named(self, key: str) -> dict[str, dict[str, t.Any]] | None:
        value = self._node.get(key)
        if value is None:
            return None
        where = f"{self._where}.{key}"
        return {name: mapping(item, f"{where}.{name}") for name, item in mapping(value, where).items()}

    def _zone(self, aggregates: tuple[Aggregate, ...]) -> str | None:
        """Return the zone that the host reports or, as in Nova, that one of its aggregates is."""
        own = self._node.get(_ZONE_KEY)
        if own is not None and (not isinstance(own, str) or not own):
            raise ValuesError(f"{self._where}.{_ZONE_KEY}: {own!r} is not the name of a zone; write text such as east.")
        zones = {} if own is None else {own: "itself"}
        for aggregate in aggregates:
            zone = dict(aggregate.metadata).get(_ZONE_KEY)
            if zone:
                zones.setdefault(zone, f"aggregate {aggregate.name}")
        if len(zones) > 1:
            sayings = " and ".join(f"{zone} ({source})" for zone, source in zones.items())
            raise ValuesError(f"{self._where}: it is in two availability zones, {sayings}; a host is in one.")
        return next(iter(zones), None)


def _joined(aggregates: tuple[Aggregate, ...]) -> dict[str, frozenset[str]]:
    """Return every value of each key; commas separate values, as in Nova."""
    joined: dict[str, frozenset[str]] = {}
    for aggregate in aggregates:
        for key, value in aggregate.metadata:
            joined[key] = joined.get(key, frozenset()) | {part.strip() for part in value.split(",")}
    return joined


def _guest(guest: dict[str, t.Any], where: str, fleet: str, properties: t.Mapping[str, Pairs]) -> Guest:
    name = guest.get("name")
    if not isinstance(name, str) or not name:
        raise ValuesError(f"{where}: an instance has no name; gather the facts with kilonova.compute.compute_facts.")
    owner = None if guest.get("fleet") is None else str(guest["fleet"])
    group = str(guest["group"]) if guest.get("group") else None
    return Guest(
        name=name,
        fleet=owner,
        amounts=_guest_amounts(guest, f"{where}.{name}"),
        image=str(guest["image"] or "") if owner is not None and "image" in guest else None,
        # Groups are the fleet's: those of another fleet that have the same name are other groups.
        group=group if group is None or owner == fleet else f"{owner or ''}/{group}",
        flavor=_text_or_none(guest.get("flavor")),
        uuid=_text_or_none(guest.get("uuid")),
        power_state=str(guest.get("power_state") or "running"),
        group_policy=_text_or_none(guest.get("group_policy")),
        properties=properties.get(name, ()) if owner == fleet else (),
        has_own_parts=bool(guest.get("placement")),
    )


def _guest_amounts(guest: dict[str, t.Any], where: str) -> Amounts:
    # Of what is not ours some figures may be unknown; the host's own figures count it all the same.
    known = {dimension.key: guest.get(dimension.key) or 0 for dimension in DIMENSIONS}
    return tuple(amount_of(known, key, where, math.ceil) for key in known)


def _text_or_none(value: t.Any) -> str | None:
    return None if value is None else str(value)
