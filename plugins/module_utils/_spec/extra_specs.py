# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Nova's extra specs of a flavor as this collection's own options: the same values, one level apart.

An option that the instance declares wins over what its flavor says; see ``Hardware.from_params``.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import fields

from .._errors import SpecError
from .tuning import IoTune

_CHOICES: dict[str, tuple[str, tuple[str, ...]]] = {
    "hw:cpu_policy": ("cpu_policy", ("shared", "dedicated", "mixed")),
    "hw:pci_numa_affinity_policy": ("pci_numa_affinity_policy", ("required", "preferred", "legacy", "socket")),
    "hw:cpu_thread_policy": ("cpu_thread_policy", ("prefer", "isolate", "require")),
    "hw:emulator_threads_policy": ("emulator_threads_policy", ("share", "isolate")),
    "hw:watchdog_action": ("watchdog", ("disabled", "reset", "poweroff", "pause", "none")),
    "hw:tpm_model": ("tpm.model", ("tpm-tis", "tpm-crb")),
    "hw:tpm_version": ("tpm.version", ("1.2", "2.0")),
}
_NUMBERS = {
    "hw:cpu_sockets": "cpu.topology.sockets",
    "hw:cpu_cores": "cpu.topology.cores",
    "hw:cpu_threads": "cpu.topology.threads",
    "hw:numa_nodes": "numa.nodes",
    "hw:serial_port_count": "serial_ports",
    "hw_rng:rate_bytes": "rng_rate.bytes",
    "hw_rng:rate_period": "rng_rate.period_ms",
    "quota:cpu_shares": "cpu_limits.shares",
    "quota:cpu_period": "cpu_limits.period",
    "quota:cpu_quota": "cpu_limits.quota",
    **{f"quota:disk_{field.name}": f"disk_limits.{field.name}" for field in fields(IoTune)},
    **{
        f"quota:vif_{direction}_{part}": f"nic_limits.{direction}.{part}"
        for direction in ("inbound", "outbound")
        for part in ("average", "peak", "burst")
    },
}
_FLAGS = {"hw:pmu": "cpu.pmu", "hw:vif_multiqueue_enabled": "nic_multiqueue", "hw_rng:allowed": "rng_allowed"}
_PAGES = "hw:mem_page_size"
_TEXTS = {_PAGES: "hugepages", "hw:cpu_dedicated_mask": "cpu_dedicated_mask"}
_PLACEMENT = frozenset(
    {
        *("hw:cpu_policy", "hw:cpu_thread_policy", "hw:emulator_threads_policy", "hw:numa_nodes"),
        *("hw:pci_numa_affinity_policy", *_TEXTS),
    }
)
_SECURE_BOOT = "os:secure_boot"
_SECURE = {"required": True, "disabled": False, "optional": None}
_CELL = re.compile(r"hw:numa_(cpus|mem)\.([0-9]+)")
_TRUE = frozenset({"true", "yes", "on", "1", "y", "t"})
_FALSE = frozenset({"false", "no", "off", "0", "n", "f"})
SUPPORTED = tuple(sorted((*_CHOICES, *_NUMBERS, *_FLAGS, *_TEXTS, _SECURE_BOOT, "hw:numa_cpus.N", "hw:numa_mem.N")))
"""All keys that are understood."""


def options_of(specs: t.Mapping[str, t.Any], option: str = "flavor.extra_specs") -> dict[str, t.Any]:
    """Return the options, as a tree, that a flavor's extra specs stand for, or raise :class:`SpecError`."""
    tree: dict[str, t.Any] = {}
    cells: dict[int, dict[str, t.Any]] = {}
    for key in sorted(specs):
        where = f"{option}[{key}]"
        cell = _CELL.fullmatch(key)
        if cell:
            name, value = _cell_part(cell[1], str(specs[key]).strip(), where)
            cells.setdefault(int(cell[2]), {})[name] = value
        else:
            _graft(tree, *_understood(key, str(specs[key]).strip(), option, where))
    if cells:
        _add_cells(tree, cells, option)
    return tree


def is_about_placement(key: str) -> bool:
    """Tell whether a key is about NUMA cells, CPUs or pages of the host."""
    return key in _PLACEMENT or _CELL.fullmatch(key) is not None


def id_set(text: str, option: str) -> list[int]:
    """Return the numbers of a set such as ``0-3,^2,8``."""
    found: set[int] = set()
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\^?)([0-9]+)(?:-([0-9]+))?\s*", part)
        if match is None or (match[3] and int(match[3]) < int(match[2])):
            raise SpecError(option, f"{text!r} is no set of numbers", "write for example 0-3,^2,8")
        numbers = set(range(int(match[2]), int(match[3] or match[2]) + 1))
        found = found - numbers if match[1] else found | numbers
    return sorted(found)


def _understood(key: str, text: str, option: str, where: str) -> tuple[str, t.Any]:
    """Return the path of the option that ``key`` stands for, and its value."""
    if key in _CHOICES:
        path, choices = _CHOICES[key]
        if text not in choices:
            raise SpecError(where, f"{text!r} is not supported", f"it may be {' or '.join(choices)}")
        return path, text
    if key in _NUMBERS:
        return _NUMBERS[key], _number(text, where)
    if key in _FLAGS:
        return _FLAGS[key], _flag(text, where)
    if key in _TEXTS:
        return _TEXTS[key], text
    if key == _SECURE_BOOT:
        if text not in _SECURE:
            raise SpecError(where, f"{text!r} is not supported", f"it may be {' or '.join(_SECURE)}")
        return "secure_boot", _SECURE[text]
    raise SpecError(option, f"{key!r} is not supported", f"supported are {', '.join(SUPPORTED)}")


def _cell_part(kind: str, text: str, where: str) -> tuple[str, t.Any]:
    return ("vcpus", id_set(text, where)) if kind == "cpus" else ("memory_mb", _number(text, where))


def _add_cells(tree: dict[str, t.Any], cells: dict[int, dict[str, t.Any]], option: str) -> None:
    nodes = tree.get("numa", {}).pop("nodes", None)
    if nodes != len(cells) or sorted(cells) != list(range(len(cells))):
        raise SpecError(
            option,
            f"hw:numa_nodes is {nodes} and hw:numa_cpus.N or hw:numa_mem.N are there for {sorted(cells)}",
            "give both for each N from 0 to hw:numa_nodes - 1, or neither",
        )
    for number, cell in cells.items():
        for part, name in (("vcpus", "cpus"), ("memory_mb", "mem")):
            if part not in cell:
                raise SpecError(f"{option}[hw:numa_{name}.{number}]", "it is missing", "each node needs both")
    tree["numa"]["cells"] = [cells[number] for number in sorted(cells)]


def _graft(tree: dict[str, t.Any], path: str, value: t.Any) -> None:
    *parents, last = path.split(".")
    for parent in parents:
        tree = tree.setdefault(parent, {})
    tree[last] = value


def _number(text: str, where: str) -> int:
    if re.fullmatch(r"-?[0-9]{1,18}", text) is None:
        raise SpecError(where, f"{text!r} is not a whole number", "write for example '2'")
    return int(text)


def _flag(text: str, where: str) -> bool:
    if text.lower() not in _TRUE | _FALSE:
        raise SpecError(where, f"{text!r} is neither true nor false", "write 'true' or 'false'")
    return text.lower() in _TRUE
