# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Numbers as libvirt's documents about the host write them; what cannot be read counts as nothing."""

from __future__ import annotations

import re
import typing as t

from .document import Element, XmlError, as_int

_KIB_PER_UNIT = {"KiB": 1, "k": 1, "MiB": 1024, "GiB": 1024**2, "TiB": 1024**3}
_PCI = re.compile(r"([0-9a-f]{4,8}):([0-9a-f]{2}):([0-9a-f]{2})\.([0-7])")


def kib_of(element: Element, amount: str | None = None) -> int:
    """Return the KiB that an element with a unit holds, in its text or in ``amount``; 0 where there is none."""
    if element is None:
        return 0
    text = element.text if amount is None else amount
    number = as_int((text or "").strip())
    return (number or 0) * _KIB_PER_UNIT.get(element.get("unit", "KiB"), 0)


def parse_id_set(text: str) -> tuple[int, ...]:
    """Return the numbers of a set such as ``0-3,^2,8``, in order."""
    found: set[int] = set()
    for part in text.split(","):
        first, _dash, last = part.strip().lstrip("^").partition("-")
        start = as_int(first)
        end = start if not last else as_int(last)
        if start is None or end is None:
            continue
        numbers = range(start, end + 1)
        if part.strip().startswith("^"):
            found.difference_update(numbers)
        else:
            found.update(numbers)
    return tuple(sorted(found))


def format_id_set(numbers: t.Iterable[int]) -> str:
    """Return numbers as libvirt writes a set of them: ``0-3,8``."""
    runs: list[list[int]] = []
    for number in sorted(set(numbers)):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ",".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)


def pci_address(domain: str | None, bus: str | None, slot: str | None, function: str | None) -> str:
    """Return a PCI address as the kernel writes it, such as 0000:3b:00.1; parts may be decimal or hexadecimal."""
    parts = [_any_int(part) for part in (domain, bus, slot, function)]
    return f"{parts[0]:04x}:{parts[1]:02x}:{parts[2]:02x}.{parts[3]:x}"


def pci_parts(address: str) -> dict[str, str]:
    """Return the attributes of a PCI address, as libvirt writes them."""
    found = _PCI.fullmatch(address.lower())
    if found is None:
        raise XmlError(f"{address!r} is not a PCI address such as 0000:3b:00.1.")
    return {name: f"0x{digits}" for name, digits in zip(("domain", "bus", "slot", "function"), found.groups())}


def _any_int(text: str | None) -> int:
    try:
        return int(text or "0", 0)
    except ValueError:
        return 0
