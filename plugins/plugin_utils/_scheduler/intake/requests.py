# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""Resolved instances turned into requests."""

from __future__ import annotations

import ipaddress
import json
import typing as t
from collections import Counter
from dataclasses import replace

from ..._values import ValuesError, check_name, known_keys, mapping, mappings, whole_number
from ..extra_specs import check_extra_specs, resource_amounts, traits_of
from ..filters.aggregates import FLAVOR_KEY
from ..image_properties import read_properties
from ..json_query import check_query
from ..model import DIMENSIONS, Amounts, Demand, Hints, Pairs, Request, Rules, ServerGroup
from ..require import check_expression
from ..topology.demands import read_demand
from .groups import read_groups
from .values import MOST, name_set, text_pairs, texts

_HINTS = ("same_host", "different_host", "build_near_host_ip", "cidr", "query")


def read_requests(instances: t.Any, hosts: t.Collection[str], rules: Rules, is_batch: bool) -> tuple[Request, ...]:
    """Return a request for each instance, in declared order; each may be declared once."""
    declared = mappings(instances, "instances")
    groups = read_groups(declared)
    requests: dict[str, Request] = {}
    uuids: dict[str, str] = {}
    for instance in declared:
        request = _Reader(instance, rules).request(hosts, groups)
        if request.name in requests:
            raise ValuesError(f"instances: {request.name} is declared twice; names are unique in a fleet.")
        requests[request.name] = request
        if instance.get("uuid"):
            uuids[request.name] = str(instance["uuid"])
    return _marked(tuple(requests.values()), uuids, is_batch)


def _marked(requests: tuple[Request, ...], uuids: t.Mapping[str, str], is_batch: bool) -> tuple[Request, ...]:
    """Let those that hints of others ask for be told apart.

    In a batch it is open which of two comes first: that one stays away from the other is then the wish of both.
    """
    apart: dict[str, set[str]] = {}
    if is_batch:
        for request in requests:
            for wanted in request.demand.hints.different_host:
                apart.setdefault(wanted, set()).add(request.name)
    sought = {name for request in requests for hints in (request.demand.hints,) for name in _sought(hints)}
    sought |= {name for names in apart.values() for name in names}
    if not sought:
        return requests
    marked = []
    for request in requests:
        own = [name for name in (request.name, uuids.get(request.name)) if name is not None]
        others = {name for known in own for name in apart.get(known, ())} - set(own)
        hints = request.demand.hints
        hints = replace(hints, different_host=tuple(sorted({*hints.different_host, *others}))) if others else hints
        marks = tuple(sorted(name for name in own if name in sought))
        marked.append(replace(request, demand=replace(request.demand, hints=hints, marks=marks)))
    return tuple(marked)


def _sought(hints: Hints) -> tuple[str, ...]:
    return (*hints.same_host, *hints.different_host)


class _Reader:
    """Reads one instance."""

    def __init__(self, instance: dict[str, t.Any], rules: Rules) -> None:
        self._instance, self._rules = instance, rules
        self._name = check_name(instance.get("name"), "instances.name")
        self._where = f"Instance {self._name}"

    def request(self, hosts: t.Collection[str], groups: t.Mapping[str, ServerGroup]) -> Request:
        """Return the request."""
        instance, where = self._instance, self._where
        flavor = instance.get("flavor")
        if not isinstance(flavor, dict):
            raise ValuesError(
                f"{where}: its flavor {flavor!r} is not a dictionary; run the list through kilonova.compute.expand_fleet first."
            )
        host = instance.get("host")
        if host is not None and (not isinstance(host, str) or host not in hosts):
            raise ValuesError(
                f"{where}: its host {host!r} is not a hypervisor; take one of {', '.join(sorted(hosts))}."
            )
        specs = text_pairs(flavor.get("extra_specs"), f"{where}: flavor.extra_specs")
        check_extra_specs(specs, f"{where}: flavor.extra_specs")
        properties = read_properties(instance.get("image_properties"), f"{where}: image_properties")
        required, forbidden = self._traits(specs, properties)
        volumes = mappings(instance.get("volumes") or [], f"{where}: volumes")
        image, flavor_name = str(instance.get("image") or ""), str(flavor.get("name", "custom"))
        demand = Demand(
            self._amounts(flavor, specs, volumes),
            host,
            networks=self._networks(),
            group=groups[instance["group"]] if instance.get("group") else None,
            zone=self._zone(),
            pools=self._pools(volumes),
            required_traits=required,
            forbidden_traits=forbidden,
            require=check_expression(instance.get("require"), where),
            hints=self._hints(),
            flavor=flavor_name if FLAVOR_KEY in self._rules.aggregate_keys else "",
            extra_specs=specs,
            image=image if self._rules.isolated_images else "",
            properties=properties,
            topology=read_demand(instance, where),
        )
        return Request(self._name, flavor_name, demand, image)

    def _amounts(self, flavor: dict[str, t.Any], specs: Pairs, volumes: t.Sequence[dict[str, t.Any]]) -> Amounts:
        """Return what it takes: its flavor, and the volumes that are made in the pool of its root disk."""
        least = {"disk_gb": 0}
        amounts = {}
        for dimension in DIMENSIONS:
            key = dimension.key
            if key not in flavor:
                raise ValuesError(f"{self._where}: its flavor has no {key}; give vcpus, memory_mb and disk_gb.")
            amounts[key] = whole_number(flavor[key], f"{self._where}: flavor.{key}", least.get(key, 1), MOST)
        amounts.update(resource_amounts(specs, f"{self._where}: flavor.extra_specs"))
        for index, volume in enumerate(volumes):
            if volume.get("size_gb") is not None and not volume.get("pool"):
                amounts["disk_gb"] += self._size_gb(volume, index)
        return tuple(amounts.values())

    def _pools(self, volumes: t.Sequence[dict[str, t.Any]]) -> tuple[tuple[str, int], ...]:
        """Return what it puts in each pool that it names; of a volume that is there already, nothing."""
        pools: Counter[str] = Counter()
        for index, volume in enumerate(volumes):
            if volume.get("pool"):
                pools[str(volume["pool"])] += 0 if volume.get("size_gb") is None else self._size_gb(volume, index)
        return tuple(sorted(pools.items()))

    def _size_gb(self, volume: dict[str, t.Any], index: int) -> int:
        return whole_number(volume["size_gb"], f"{self._where}: volumes[{index}].size_gb", 1, MOST)

    def _networks(self) -> tuple[str, ...]:
        nics = mappings(self._instance.get("networks") or [], f"{self._where}: networks")
        return tuple(sorted({str(nic["network"]) for nic in nics if nic.get("network")}))

    def _zone(self) -> str | None:
        zone = self._instance.get("availability_zone")
        if zone is not None and (not isinstance(zone, str) or not zone):
            raise ValuesError(
                f"{self._where}: availability_zone {zone!r} is not the name of a zone; write text such as east."
            )
        return zone

    def _traits(self, specs: Pairs, properties: Pairs) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return what the host must and must not have, of the instance, its flavor and its image together."""
        where = f"{self._where}: traits"
        traits = mapping(self._instance.get("traits") or {}, where)
        known_keys(traits, where, ("required", "forbidden"))
        required, forbidden = (set(name_set(traits.get(key), f"{where}.{key}")) for key in ("required", "forbidden"))
        for pairs, source in (
            (specs, f"{self._where}: flavor.extra_specs"),
            (properties, f"{self._where}: image_properties"),
        ):
            more_required, more_forbidden = traits_of(pairs, source)
            required |= more_required
            forbidden |= more_forbidden
        both = sorted(required & forbidden)
        if both:
            raise ValuesError(
                f"{where}: {both[0]} is both required and forbidden, so no host will do; drop one of the two."
            )
        return tuple(sorted(required)), tuple(sorted(forbidden))

    def _hints(self) -> Hints:
        where = f"{self._where}: scheduler_hints"
        hints = mapping(self._instance.get("scheduler_hints") or {}, where)
        known_keys(hints, where, _HINTS)
        near = hints.get("build_near_host_ip")
        if near is None and hints.get("cidr") is not None:
            raise ValuesError(f"{where}: cidr without build_near_host_ip says nothing; give both.")
        return Hints(
            same_host=tuple(dict.fromkeys(texts(hints.get("same_host") or [], f"{where}.same_host"))),
            different_host=tuple(dict.fromkeys(texts(hints.get("different_host") or [], f"{where}.different_host"))),
            near=None if near is None else _network(str(near), str(hints.get("cidr") or "/24"), where),
            query=_query(hints.get("query"), f"{where}.query"),
        )


def _network(address: str, prefix: str, where: str) -> str:
    try:
        return str(ipaddress.ip_network(f"{address}/{prefix.lstrip('/')}", strict=False))
    except ValueError as exc:
        raise ValuesError(
            f"{where}: {address}{prefix} is not a network; write build_near_host_ip: 192.0.2.1 and cidr: /24."
        ) from exc


def _query(value: t.Any, where: str) -> str | None:
    if value is None:
        return None
    query = value
    if isinstance(value, str):
        try:
            query = json.loads(value)
        except ValueError as exc:
            raise ValuesError(
                f'{where}: {value!r} is not JSON ({exc}); write for example \'[">=", "$free_ram_mb", 1024]\'.'
            ) from exc
    check_query(query, where)
    return json.dumps(query)
