# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""The checker's rules about what instances have of a host to themselves: NUMA cells, CPUs, pages and devices.

It reads ``placement`` of the plan as what the host will do, and adds up what everybody has then.
"""

from __future__ import annotations

import typing as t
from collections import Counter
from dataclasses import dataclass

Data = t.Mapping[str, t.Any]
_KIB_PER_MIB = 1024


@dataclass(frozen=True)
class Wish:
    """What an instance declares."""

    cells: int
    own: tuple[int, ...]
    """How many CPUs of its own each cell has."""
    memory_mb: int
    """Of each cell."""
    is_dedicated: bool
    threads: str
    is_emulator_alone: bool
    pages: str | None
    devices: tuple[tuple[str, int], ...]
    """(product or address, how many)."""
    affinity: str | None
    """How near to its cells the devices have to be."""


def wish_of(instance: Data) -> Wish:
    """Return what an instance declares, in its own options or in its flavor's extra specs."""
    flavor = instance["flavor"]
    specs = flavor.get("extra_specs") or {}
    pages = instance.get("hugepages") or specs.get("hw:mem_page_size")
    policy = instance.get("cpu_policy") or specs.get("hw:cpu_policy")
    is_dedicated = policy in ("dedicated", "mixed")
    nodes = (instance.get("numa") or {}).get("nodes") or int(specs.get("hw:numa_nodes", 0))
    nodes = nodes or int(is_dedicated or pages is not None)
    devices = Counter[str]()
    for device in instance.get("pci_devices") or []:
        devices[device.get("address") or device["product_id"]] += device.get("count") or 1
    own = own_vcpus(specs["hw:cpu_dedicated_mask"], flavor["vcpus"]) if policy == "mixed" else range(flavor["vcpus"])
    share = flavor["vcpus"] // max(1, nodes)
    return Wish(
        nodes,
        tuple(sum(vcpu // share == node for vcpu in own) if is_dedicated else 0 for node in range(nodes)),
        flavor["memory_mb"] // max(1, nodes),
        is_dedicated,
        instance.get("cpu_thread_policy") or specs.get("hw:cpu_thread_policy") or "prefer",
        "isolate" in (instance.get("emulator_threads_policy"), specs.get("hw:emulator_threads_policy")),
        pages,
        tuple(sorted(devices.items())),
        specs.get("hw:pci_numa_affinity_policy"),
    )


def own_vcpus(mask: str, vcpus: int) -> set[int]:
    """Return the vCPUs that a mask such as 1-2 names, or all but those that one such as ^0 does."""
    first, _dash, last = mask.strip("^").partition("-")
    named = set(range(int(first), int(last or first) + 1))
    return set(range(vcpus)) - named if mask.startswith("^") else named


def wishes_nothing(wish: Wish) -> bool:
    """Tell whether it floats over the host."""
    return not wish.cells and not wish.devices


def row_of(instance: Data, placement: Data, host: Data) -> dict[str, t.Any]:
    """Return the placement as facts will tell it once the host did so."""
    wish = wish_of(instance)
    own = {cpu for cell in placement["cells"] for cpu in cell["cpus"]}
    own |= set() if placement["emulator_cpu"] is None else {placement["emulator_cpu"]}
    cores = [core for cell in host["numa_topology"] for core in cell["siblings"]]
    idle = {cpu for core in cores if own.intersection(core) for cpu in core} if wish.threads == "isolate" else set()
    return {
        "cells": [{**cell, "memory_mb": wish.memory_mb} for cell in placement["cells"]],
        "emulator_cpu": placement["emulator_cpu"],
        "taken_cpus": sorted(own | idle),
        "pci_devices": placement["pci_devices"],
        "mdevs": [],
    }


def topology_violations(host: Data, staying: t.Sequence[Data], arriving: t.Mapping[str, Data]) -> t.Iterator[str]:
    """Give what is wrong on one host: ``arriving`` are instances by name, as the host is told of them."""
    rows = [guest["placement"] for guest in staying if guest.get("placement")]
    for name, instance in arriving.items():
        wish, placement = wish_of(instance), instance.get("placement")
        if wishes_nothing(wish):
            continue
        if placement is None:
            yield f"{name} is told of no place, and wants {wish}"
            continue
        row = row_of(instance, placement, host)
        yield from (f"{name} {what}" for what in _badly_placed(wish, row, host, rows))
        rows.append(row)
    yield from _twice(rows, host, bool(arriving))
    yield from _memory(rows, host) if arriving else ()


def _badly_placed(wish: Wish, row: Data, host: Data, others: t.Sequence[Data]) -> t.Iterator[str]:
    cells = {cell["id"]: cell for cell in host["numa_topology"]}
    taken = {cpu for other in others for cpu in other["taken_cpus"]}
    if len(row["cells"]) != wish.cells or len({cell["host_cell"] for cell in row["cells"]}) != wish.cells:
        yield f"lies in {row['cells']}, wants {wish.cells} different cells"
        return
    if (row["emulator_cpu"] is not None) != (wish.is_emulator_alone and wish.is_dedicated):
        yield f"has the emulator at {row['emulator_cpu']}"
    for number, placed in enumerate(row["cells"]):
        cell = cells[placed["host_cell"]]
        if len(placed["cpus"]) != wish.own[number]:
            yield f"has the CPUs {placed['cpus']} for {wish.own[number]} vCPUs"
        emulator = [row["emulator_cpu"]] if number == 0 and row["emulator_cpu"] is not None else []
        yield from _threads(wish, [*placed["cpus"], *emulator], cell, taken)
        yield from _pages(wish, placed, cell)
    yield from _devices(wish, row, host)


def _threads(wish: Wish, own: list[int], cell: Data, taken: set[int]) -> t.Iterator[str]:
    core_of = {cpu: core for core in cell["siblings"] for cpu in core}
    if len(set(own)) != len(own) or not set(own) <= set(core_of) or taken.intersection(own):
        yield f"has {own} of cell {cell['id']} with {sorted(core_of)}, of which {sorted(taken)} are taken"
        return
    for cpu in own:
        others = set(core_of[cpu]) - {cpu}
        if wish.threads == "isolate" and others & (taken | set(own)):
            yield f"is not alone on the core of CPU {cpu}"
        if wish.threads == "require" and not others:
            yield f"has CPU {cpu}, which has no sibling"


def _pages(wish: Wish, placed: Data, cell: Data) -> t.Iterator[str]:
    size = placed["page_kb"]
    if size is None:
        if wish.pages not in (None, "small", "any"):
            yield f"has ordinary pages for {wish.pages}"
        return
    if wish.pages not in ("large", "any", f"{size // _KIB_PER_MIB}MB"):
        yield f"has pages of {size} KiB for {wish.pages}"
    if size not in [pages["size_kb"] for pages in cell["hugepages"]] or wish.memory_mb * _KIB_PER_MIB % size:
        yield f"has {wish.memory_mb} MiB in pages of {size} KiB"


def _devices(wish: Wish, row: Data, host: Data) -> t.Iterator[str]:
    products = {device["address"]: device["product_id"] for device in host["pci_devices"]}
    left = list(row["pci_devices"])
    for what, count in sorted(wish.devices, key=lambda item: item[0] not in products):
        found = [address for address in left if what in (address, products.get(address))][:count]
        left = [address for address in left if address not in found]
        if len(found) != count:
            yield f"has {row['pci_devices']} for {count} of {what}"
    if left:
        yield f"has {left}, which it did not ask for"
    if row["cells"] and wish.affinity not in (None, "preferred"):
        near = _near(str(wish.affinity), {cell["host_cell"] for cell in row["cells"]}, host)
        nodes = {device["address"]: device["numa_node"] for device in host["pci_devices"]}
        far = [address for address in row["pci_devices"] if nodes[address] not in near]
        if far:
            yield f"has {far}, which are not near enough ({wish.affinity})"


def _near(affinity: str, own: set[int], host: Data) -> set[int | None]:
    """Return the cells whose devices are near enough; None stands for devices of no known cell."""
    if affinity == "legacy":
        return {*own, None}
    sockets = {cell["id"]: cell["socket"] for cell in host["numa_topology"]}
    if affinity == "socket" and None not in sockets.values():
        return {cell for cell, socket in sockets.items() if socket in {sockets[one] for one in own}}
    return {*own}


def _twice(rows: t.Sequence[Data], host: Data, has_arrivals: bool) -> t.Iterator[str]:
    devices = Counter(address for row in rows for address in row["pci_devices"])
    used_by_others = {
        device["address"]
        for device in host["pci_devices"]
        if device["in_use_by"] is not None
        and not any(
            device["address"] in (guest.get("placement") or {}).get("pci_devices", ()) for guest in host["instances"]
        )
    }
    twice = [address for address, count in devices.items() if count > 1 or address in used_by_others]
    if twice and has_arrivals:
        yield f"devices {twice} are given twice"


def _memory(rows: t.Sequence[Data], host: Data) -> t.Iterator[str]:
    for cell in host["numa_topology"]:
        parts = [part for row in rows for part in row["cells"] if part["host_cell"] == cell["id"]]
        huge_mb = sum(pages["size_kb"] * pages["total"] for pages in cell["hugepages"]) // _KIB_PER_MIB
        ordinary = sum(part["memory_mb"] for part in parts if part["page_kb"] is None)
        if ordinary > cell["memory_mb"] - huge_mb:
            yield f"cell {cell['id']} has {ordinary} MiB promised of {cell['memory_mb'] - huge_mb}"
        for pages in cell["hugepages"]:
            size = pages["size_kb"]
            running = sum(
                part["memory_mb"] * _KIB_PER_MIB // size
                for guest in host["instances"]
                if guest.get("placement") and guest["power_state"] == "running"
                for part in guest["placement"]["cells"]
                if (part["host_cell"], part["page_kb"]) == (cell["id"], size)
            )
            elsewhere = max(0, pages["total"] - pages["free"] - running)
            given = sum(part["memory_mb"] * _KIB_PER_MIB // size for part in parts if part["page_kb"] == size)
            if given > pages["total"] - elsewhere:
                yield f"cell {cell['id']} has {given} pages of {size} KiB promised of {pages['total'] - elsewhere}"
