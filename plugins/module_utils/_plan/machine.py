# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Compare two machines field by field: only what the desired one sets is looked at."""

from __future__ import annotations

import typing as t
from dataclasses import Field, fields, is_dataclass, replace

from .._spec.machine import DEVICE_KEYS, Cpu, Machine, Nic
from .._spec.tuning import IoTune, NumaCell, excluded
from .memory import has_one_cell, most_memory_kib
from .plan import NEXT_BOOT, Change

_KIB_PER_MIB = 1024
_NOT_COMPARED = frozenset({"name", "uuid", "record", "memory_modules_kib"})
_MEMORY = frozenset({"memory_kib", "current_memory_kib", "max_memory_kib", "memory_slots"})
_WORDS = {"vcpus": "max_vcpus", "current_vcpus": "vcpus"}
"""What a user calls a field of the machine."""
_BY_SILENCE = frozenset({(Nic, "queues", 1)})
"""What libvirt leaves out of a definition when it is told."""


def differences(desired: Machine, actual: Machine) -> tuple[Change, ...]:
    """Return what would have to change in ``actual``'s persistent definition to be as ``desired``."""
    found: list[Change] = list(_memory(desired, actual))
    desired = _without_implied_cell(desired, actual)
    for field in fields(Machine):
        wanted, present = getattr(desired, field.name), getattr(actual, field.name)
        if field.name in _NOT_COMPARED or field.name in _MEMORY:
            continue
        if field.name in DEVICE_KEYS:
            found += _devices(field.name, wanted, present)
        else:
            found += _field(_WORDS.get(field.name, field.name), field, desired, actual)
    return tuple(found)


def _memory(desired: Machine, actual: Machine) -> t.Iterator[Change]:
    """Give what a user calls memory_mb and max_memory_mb, be there slots for modules or a balloon alone."""
    pairs = (
        ("max_memory_mb", most_memory_kib(desired), most_memory_kib(actual)),
        ("memory_mb", desired.current_memory_kib, actual.current_memory_kib),
    )
    for path, wanted, present in pairs:
        if wanted is not None and wanted != present:
            yield Change(path, _mib(present), _mib(wanted), NEXT_BOOT)


def _without_implied_cell(desired: Machine, actual: Machine) -> Machine:
    """Return ``desired`` without the cell that comes and goes with slots for memory, and says nothing of its own."""
    cpu = desired.cpu
    if cpu is None or cpu.cells is None or not _is_implied(desired, cpu.cells, actual):
        return desired
    cpu = replace(cpu, cells=None)
    return replace(desired, cpu=None if cpu == Cpu() else cpu)


def _is_implied(desired: Machine, wanted: tuple[NumaCell, ...], actual: Machine) -> bool:
    present = actual.cpu.cells or () if actual.cpu else ()
    if not wanted:
        return desired.max_memory_kib == 0 and has_one_cell(actual)
    if not present:
        return bool(desired.max_memory_kib) and has_one_cell(desired)
    return has_one_cell(desired) and has_one_cell(actual) and wanted[0].access in (None, present[0].access)


Item = t.TypeVar("Item")


def merged(wanted: Item, present: Item | None) -> Item:
    """Return ``present`` with all that ``wanted`` sets."""
    if present is None:
        return wanted
    found: dict[str, t.Any] = {}
    for field in fields(wanted):  # type: ignore[arg-type]
        value, before = getattr(wanted, field.name), getattr(present, field.name)
        if is_dataclass(value) and not isinstance(value, type):
            found[field.name] = merged(value, before)
        elif value not in (None, ()):
            if value and isinstance(wanted, IoTune):
                found.update(dict.fromkeys(excluded(field.name), 0))
            found[field.name] = value
    return replace(present, **found)  # type: ignore[type-var]


def overlaid(desired: Machine, patched: Machine) -> Machine:
    """Return ``desired`` with the values that ``patched`` has for all that it sets; a device that is gone there goes."""
    found: dict[str, t.Any] = {}
    for field in fields(Machine):
        wanted = getattr(desired, field.name)
        if field.name in DEVICE_KEYS:
            key = DEVICE_KEYS[field.name]
            there = {getattr(device, key): device for device in getattr(patched, field.name)}
            kept = ((device, there.get(getattr(device, key))) for device in wanted)
            found[field.name] = tuple(_taken(device, other) for device, other in kept if other is not None)
        elif field.name == "max_memory_kib" and not wanted:
            # 0 takes the slots away, and reads as none.
            continue
        elif field.name not in _NOT_COMPARED:
            found[field.name] = _taken(wanted, getattr(patched, field.name))
    return replace(desired, **found)


def _taken(wanted: t.Any, patched: t.Any) -> t.Any:
    """Return what ``patched`` has of that which ``wanted`` sets."""
    if wanted in (None, ()) or (wanted == "" and patched is None):
        return wanted
    if is_dataclass(wanted) and not isinstance(wanted, type) and type(patched) is type(wanted):
        pairs = ((field.name, getattr(wanted, field.name), getattr(patched, field.name)) for field in fields(wanted))
        return replace(wanted, **{name: _taken(value, other) for name, value, other in pairs})
    return patched


def whole(desired: Machine, definition: Machine) -> Machine:
    """Return ``desired`` with all that its devices are by ``definition``, as they are to be plugged in."""
    found: dict[str, t.Any] = {}
    for name, key in DEVICE_KEYS.items():
        there = {getattr(device, key): device for device in getattr(definition, name)}
        found[name] = tuple(merged(device, there.get(getattr(device, key))) for device in getattr(desired, name))
    return replace(desired, **found)


def _devices(name: str, wanted: t.Iterable[t.Any], present: t.Iterable[t.Any]) -> list[Change]:
    key = DEVICE_KEYS[name]
    there = {getattr(device, key): device for device in present}
    found: list[Change] = []
    for device in wanted:
        identity = getattr(device, key)
        path = f"{name}[{identity}]"
        if identity in there:
            found += _values(path, device, there[identity])
        else:
            found.append(Change(path, None, _plain(device), NEXT_BOOT))
    return found


def _values(path: str, wanted: t.Any, present: t.Any) -> list[Change]:
    if wanted in (None, present) or (present is None and _is_nothing(wanted)):
        return []
    if is_dataclass(wanted) and not isinstance(wanted, type):
        if present is None:
            plain = _plain(wanted)
            return [Change(path, None, plain, NEXT_BOOT)] if plain else []
        return [change for field in fields(wanted) for change in _field(f"{path}.{field.name}", field, wanted, present)]
    return [Change(path, _plain(present), _plain(wanted), NEXT_BOOT)]


def _field(path: str, field: Field[t.Any], wanted: t.Any, present: t.Any) -> list[Change]:
    value = getattr(wanted, field.name)
    there = getattr(present, field.name)
    # Empty is "not set" where it is the default, and "none of them" where that is None.
    if value == () == field.default or (there is None and (type(wanted), field.name, value) in _BY_SILENCE):
        return []
    return _values(path, value, there)


def _is_nothing(wanted: t.Any) -> bool:
    """Tell whether what is wanted is that nothing is there: an empty drive, or a disk without an I/O thread."""
    return wanted in ("", ()) or (wanted == 0 and not isinstance(wanted, bool))


def _plain(value: t.Any) -> t.Any:
    if is_dataclass(value) and not isinstance(value, type):
        pairs = ((field.name, _plain(getattr(value, field.name))) for field in fields(value))
        return {name: plain for name, plain in pairs if plain not in (None, [], {})}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value


def _mib(kib: int | None) -> int | None:
    return None if kib is None else kib // _KIB_PER_MIB
