# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""What an instance declares to have to itself, read as the hypervisor's modules read it."""

from __future__ import annotations

import typing as t

from ....module_utils._errors import SpecError
from ....module_utils._plan.allocate import Demand
from ....module_utils._spec.hardware import resources_of
from ..._values import ValuesError, mapping, mappings, whole_number

_MOST = 10**9
_ALIAS = "pci_passthrough:alias"
_POLICIES = {
    "cpu_policy": ("shared", "dedicated"),
    "cpu_thread_policy": ("prefer", "isolate", "require"),
    "emulator_threads_policy": ("share", "isolate"),
}


def read_demand(instance: t.Mapping[str, t.Any], where: str) -> Demand | None:
    """Return what a resolved instance wants to itself, None if nothing; ``where`` is what messages begin with."""
    flavor = instance["flavor"]
    if _ALIAS in (flavor.get("extra_specs") or {}):
        raise ValuesError(
            f"{where}: flavor.extra_specs[{_ALIAS}]: nobody said what the alias means; run the list through"
            " kilonova.compute.expand_fleet with pci_aliases."
        )
    options = {
        **{name: _choice(instance.get(name), f"{where}: {name}", choices) for name, choices in _POLICIES.items()},
        "hugepages": instance.get("hugepages"),
        "numa": _numa(instance.get("numa"), f"{where}: numa"),
        "pci_devices": _pci(instance.get("pci_devices"), f"{where}: pci_devices"),
        "mdevs": _texts(instance.get("mdevs"), f"{where}: mdevs"),
        "flavor": {"extra_specs": flavor.get("extra_specs") or {}},
    }
    try:
        own = resources_of(options, int(flavor["vcpus"]), int(flavor["memory_mb"]))
    except SpecError as exc:
        raise ValuesError(f"{where}: {exc.option}: {exc.problem}; {exc.remedy}.") from exc
    if not (own.placement.cells or own.pci or own.mdevs):
        return None
    return Demand(own.placement, own.pci or (), own.mdevs or (), own.pci_affinity if own.pci else None)


def _choice(value: t.Any, where: str, choices: tuple[str, ...]) -> str | None:
    if value is not None and value not in choices:
        raise ValuesError(f"{where}: {value!r} is unknown; take one of {', '.join(choices)}.")
    return value


def _numa(value: t.Any, where: str) -> dict[str, t.Any] | None:
    if value is None:
        return None
    numa = mapping(value, where)
    nodes, cells = numa.get("nodes"), numa.get("cells")
    return {
        "nodes": None if nodes is None else whole_number(nodes, f"{where}.nodes", 1, _MOST),
        "cells": (
            None if cells is None else [_cell(cell, f"{where}.cells") for cell in mappings(cells, f"{where}.cells")]
        ),
    }


def _cell(cell: dict[str, t.Any], where: str) -> dict[str, t.Any]:
    vcpus = cell.get("vcpus")
    if not isinstance(vcpus, list):
        raise ValuesError(f"{where}.vcpus: {vcpus!r} is not a list; write the numbers of the cell's vCPUs.")
    return {
        "vcpus": [whole_number(vcpu, f"{where}.vcpus", 0, _MOST) for vcpu in vcpus],
        "memory_mb": whole_number(cell.get("memory_mb"), f"{where}.memory_mb", 1, _MOST),
    }


def _pci(value: t.Any, where: str) -> list[dict[str, t.Any]] | None:
    if value is None:
        return None
    names = ("address", "vendor_id", "product_id")
    return [
        {
            **{name: None if device.get(name) is None else str(device[name]) for name in names},
            "count": None if device.get("count") is None else whole_number(device["count"], f"{where}.count", 1, _MOST),
        }
        for device in mappings(value, where)
    ]


def _texts(value: t.Any, where: str) -> list[str] | None:
    if value is not None and not isinstance(value, list):
        raise ValuesError(f"{where}: {value!r} is not a list; write a list of UUIDs.")
    return None if value is None else [str(one) for one in value]
