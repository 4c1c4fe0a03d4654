# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""A flavor's extra specs, as far as they tell where an instance may go. Those that begin with hw: are about its build."""

from __future__ import annotations

import re
import typing as t

from .._values import ValuesError, whole_number
from .intake.values import MOST
from .model import Pairs
from .operators import check_requirement

CAPABILITIES = "capabilities"
AGGREGATE = "aggregate_instance_extra_specs"
_RESOURCES, _TRAIT = "resources:", "trait:"
_SCHEDULING_SCOPES = frozenset({CAPABILITIES, AGGREGATE, "resources", "trait", "pci_passthrough", "accel"})
_RESOURCE_CLASSES = {"VCPU": "vcpus", "MEMORY_MB": "memory_mb", "DISK_GB": "disk_gb"}
_TRAIT_NAME = re.compile(r"[A-Z0-9_]+")


def is_for_scheduling(key: str) -> bool:
    """Tell whether a key only says where an instance may go, so that its host need not hear of it."""
    scope, colon, _rest = key.partition(":")
    return not colon or scope in _SCHEDULING_SCOPES


def check_extra_specs(specs: Pairs, where: str) -> None:
    """Refuse a requirement that could never be compared."""
    for key, requirement in specs:
        scope, colon, rest = key.partition(":")
        if not colon or scope in (CAPABILITIES, AGGREGATE):
            if colon and not rest:
                raise ValuesError(f"{where}[{key}]: nothing follows {scope}:; write for example {scope}:key.")
            check_requirement(requirement, f"{where}[{key}]")


def resource_amounts(specs: Pairs, where: str) -> dict[str, int]:
    """Return what is asked of the host in place of the flavor's own figures, as Nova's ``resources:CLASS``."""
    amounts = {}
    for key, value in specs:
        if not key.startswith(_RESOURCES):
            continue
        name = key.removeprefix(_RESOURCES)
        if name not in _RESOURCE_CLASSES:
            raise ValuesError(
                f"{where}[{key}]: hypervisors report no {name}; of resources: there are {', '.join(_RESOURCE_CLASSES)}."
            )
        amounts[_RESOURCE_CLASSES[name]] = whole_number(value, f"{where}[{key}]", 0, MOST)
    return amounts


def traits_of(pairs: Pairs, where: str) -> tuple[frozenset[str], frozenset[str]]:
    """Return the traits that extra specs or image properties require, and those that they forbid."""
    found: dict[str, set[str]] = {"required": set(), "forbidden": set()}
    for key, value in pairs:
        if not key.startswith(_TRAIT):
            continue
        if value not in found:
            raise ValuesError(f"{where}[{key}]: {value!r} is neither required nor forbidden; write one of the two.")
        found[value].add(check_trait(key.removeprefix(_TRAIT), f"{where}[{key}]"))
    return frozenset(found["required"]), frozenset(found["forbidden"])


def check_trait(name: t.Any, where: str) -> str:
    """Return the name of a trait."""
    if not isinstance(name, str) or not _TRAIT_NAME.fullmatch(name):
        raise ValuesError(f"{where}: {name!r} is not a trait; it has capitals, digits and underscores, as CUSTOM_SSD.")
    return name
