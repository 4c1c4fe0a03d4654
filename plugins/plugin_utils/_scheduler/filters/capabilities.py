# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""Filters about what a host can do."""

from __future__ import annotations

import functools
import json

from ..extra_specs import CAPABILITIES
from ..image_properties import ADDRESS_BITS, ARCHITECTURE, HYPERVISOR, MODE, VERSION, version_fits, version_text
from ..json_query import query_holds
from ..model import Demand, Pairs
from ..nova.view import attribute, has_attribute, supported_instances
from ..operators import matches
from ..require import result_of
from ..state import HostState
from .base import Filter

_LONGEST = 80


class ComputeCapabilitiesFilter(Filter):
    """The host has what the flavor's ``capabilities:`` say, and what extra specs without a scope say of its attributes."""

    name = "ComputeCapabilitiesFilter"
    # Free memory and the like may be asked for.
    is_static = False

    def applies(self, demand: Demand) -> bool:
        """Tell whether there is such an extra spec."""
        return bool(_capabilities(demand.extra_specs))

    def passes(self, host: HostState, demand: Demand) -> bool:
        """Tell whether the host meets all of them."""
        return self._unmet(host, demand) is None

    def message(self, host: HostState, demand: Demand) -> str:
        """Say what the host has and what is wanted."""
        unmet = self._unmet(host, demand)
        if unmet is None:
            return "meets all extra specs"
        path, requirement = unmet
        value = attribute(host, path)
        there = "does not tell" if value is None else f"has {_shortened(str(value))} as"
        return f"{there} {':'.join(path)}, and wanted is {requirement}"

    def _unmet(self, host: HostState, demand: Demand) -> tuple[tuple[str, ...], str] | None:
        for path, requirement, is_scoped in _capabilities(demand.extra_specs):
            if not is_scoped and not has_attribute(host, path[0]):
                continue
            value = attribute(host, path)
            if value is None or not matches(str(value), requirement):
                return path, requirement
        return None


@functools.lru_cache(maxsize=1024)
def _capabilities(specs: Pairs) -> tuple[tuple[tuple[str, ...], str, bool], ...]:
    """Return (path, requirement, whether it has the scope)."""
    found: list[tuple[tuple[str, ...], str, bool]] = []
    for key, requirement in specs:
        scope, *path = key.split(":")
        if key == "hw:maxphysaddr_bits":
            found.append((("cpu_info", "maxphysaddr", "bits"), f">= {requirement}", True))
        elif not path:
            found.append(((scope,), requirement, False))
        elif scope == CAPABILITIES:
            found.append((tuple(path), requirement, True))
    return tuple(found)


class ImagePropertiesFilter(Filter):
    """The host runs guests of the image's architecture, hypervisor and mode."""

    name = "ImagePropertiesFilter"

    def applies(self, demand: Demand) -> bool:
        """Tell whether the image asks for one of them."""
        return any(key in (ARCHITECTURE, HYPERVISOR, MODE) for key, _value in demand.properties)

    def passes(self, host: HostState, demand: Demand) -> bool:
        """Tell whether some kind of guest there has all that the image asks for."""
        return self._obstacle(host, demand) is None

    def message(self, host: HostState, demand: Demand) -> str:
        """Say what the host runs and what the image asks for."""
        return self._obstacle(host, demand) or "runs the image"

    def _obstacle(self, host: HostState, demand: Demand) -> str | None:
        properties = dict(demand.properties)
        wanted = [properties[key] for key in (ARCHITECTURE, HYPERVISOR, MODE) if key in properties]
        if not wanted:
            return None
        kinds = supported_instances(host)
        if not any(set(wanted) <= set(kind) for kind in kinds):
            there = ", ".join("/".join(kind) for kind in kinds) or "nothing that it tells of"
            return f"runs {there}, and the image asks for {' and '.join(wanted)}"
        version = host.host.facts.get("hypervisor_version")
        if version and VERSION in properties and not version_fits(version, properties[VERSION]):
            return f"has hypervisor version {version_text(version)}, and the image asks for {properties[VERSION]}"
        bits = attribute(host, ("cpu_info", "maxphysaddr", "bits"))
        if isinstance(bits, int) and ADDRESS_BITS in properties and bits < int(properties[ADDRESS_BITS]):
            return f"has {bits} bits of physical addresses, and the image asks for {properties[ADDRESS_BITS]}"
        return None


class TraitsFilter(Filter):
    """The host has the traits that are required, and none that are forbidden."""

    name = "TraitsFilter"

    def applies(self, demand: Demand) -> bool:
        """Tell whether there are such traits."""
        return bool(demand.required_traits or demand.forbidden_traits)

    def passes(self, host: HostState, demand: Demand) -> bool:
        """Tell whether all required ones are there, and no forbidden one."""
        traits = host.host.traits
        return traits.issuperset(demand.required_traits) and traits.isdisjoint(demand.forbidden_traits)

    def message(self, host: HostState, demand: Demand) -> str:
        """Name those that are missing and those that are in the way."""
        traits = host.host.traits
        missing = [name for name in demand.required_traits if name not in traits]
        present = [name for name in demand.forbidden_traits if name in traits]
        parts = [f"lacks {', '.join(missing)}"] if missing else []
        return " and ".join([*parts, *([f"has {', '.join(present)}, which is forbidden"] if present else [])])


class RequireFilter(Filter):
    """The expression that the instance requires is true of the host's facts."""

    name = "RequireFilter"

    def applies(self, demand: Demand) -> bool:
        """Tell whether the instance has one."""
        return demand.require is not None

    def passes(self, host: HostState, demand: Demand) -> bool:
        """Tell whether it yields true: another value, such as a number, does not do."""
        return demand.require is None or self._result(host, demand.require) == "true"

    def message(self, host: HostState, demand: Demand) -> str:
        """Say what it yields."""
        return f"require {demand.require} is {self._result(host, demand.require or '')}, not true"

    @staticmethod
    def _result(host: HostState, expression: str) -> str:
        try:
            result = result_of(expression, host.host.facts)
        except ValueError as exc:
            return f"an error ({_shortened(' '.join(str(exc).split()))})"
        return _shortened(json.dumps(result))


class JsonFilter(Filter):
    """The expression of the hint ``query`` is true of the host."""

    name = "JsonFilter"
    # Free memory and the like may be asked for.
    is_static = False

    def applies(self, demand: Demand) -> bool:
        """Tell whether there is such a hint."""
        return demand.hints.query is not None

    def passes(self, host: HostState, demand: Demand) -> bool:
        """Tell whether it holds; an empty one does."""
        query = demand.hints.query
        return query is None or query_holds(json.loads(query), lambda path: attribute(host, path.split(".")))

    def message(self, host: HostState, demand: Demand) -> str:
        """Repeat the expression."""
        return f"does not meet the query {demand.hints.query}"


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
