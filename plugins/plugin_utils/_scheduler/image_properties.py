# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""Image properties that say where an image runs, checked and in their canonical form; others are left as they are."""

from __future__ import annotations

import operator
import re
import typing as t

from .._values import ValuesError, whole_number
from .intake.values import MOST, text_pairs
from .model import Pairs

ARCHITECTURE, HYPERVISOR, MODE = "hw_architecture", "img_hv_type", "hw_vm_mode"
VERSION, ADDRESS_BITS = "img_hv_requested_version", "hw_maxphysaddr_bits"

_ARCHITECTURES = frozenset(
    {
        *("aarch64", "alpha", "armv6", "armv7b", "armv7l", "cris", "i686", "ia64", "lm32", "m68k", "microblaze"),
        *("microblazeel", "mips", "mips64", "mips64el", "mipsel", "openrisc", "parisc", "parisc64", "ppc", "ppc64"),
        *("ppc64le", "ppcemb", "ppcle", "s390", "s390x", "sh4", "sh4eb", "sparc", "sparc64", "unicore32", "x86_64"),
        *("xtensa", "xtensaeb"),
    }
)
_HYPERVISORS = frozenset(
    {
        *("baremetal", "bhyve", "docker", "fake", "hyperv", "ironic", "kqemu", "kvm", "lxc", "lxd", "openvz"),
        *("parallels", "vz", "phyp", "qemu", "test", "uml", "vbox", "vmware", "xen", "zvm", "prsm"),
    }
)
_MODES = frozenset(("hvm", "xen", "uml", "exe"))
_CANONICAL: dict[str, tuple[frozenset[str], dict[str, str]]] = {
    ARCHITECTURE: (
        _ARCHITECTURES,
        {**dict.fromkeys(("i386", "i486", "i586", "x86_32", "x86_32p"), "i686"), "amd64": "x86_64"},
    ),
    HYPERVISOR: (_HYPERVISORS, {"xapi": "xen"}),
    MODE: (_MODES, {"pv": "xen", "hv": "hvm", "baremetal": "hvm"}),
}
_CONDITION = re.compile(r"\s*(<=|>=|<|>|!=|==)\s*([0-9]+(?:\.[0-9]+)*)\s*")
_COMPARISONS: dict[str, t.Callable[[t.Any, t.Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    ">": operator.gt,
    ">=": operator.ge,
    "!=": operator.ne,
}
_PART = 1000


def read_properties(value: t.Any, where: str) -> Pairs:
    """Return an image's properties, or raise :class:`ValuesError`."""
    return tuple((key, _checked(key, text, f"{where}.{key}")) for key, text in text_pairs(value, where))


def _checked(key: str, text: str, where: str) -> str:
    if key in _CANONICAL:
        known, aliases = _CANONICAL[key]
        canonical = aliases.get(text.lower(), text.lower())
        if canonical not in known:
            raise ValuesError(f"{where}: {text!r} is unknown; take one of {', '.join(sorted(known))}.")
        return canonical
    if key == VERSION and not all(_CONDITION.fullmatch(part) for part in text.split(",")):
        raise ValuesError(f"{where}: {text!r} is no range of versions; write for example '>=6.0,<7.2'.")
    if key == ADDRESS_BITS:
        return str(whole_number(text, where, 1, MOST))
    return text


def version_fits(version: int, requested: str) -> bool:
    """Tell whether a hypervisor's version, major * 1000000 + minor * 1000 + micro, is in a range that was checked."""
    found = _trimmed((version // _PART**2, version // _PART % _PART, version % _PART))
    for part in requested.split(","):
        condition = _CONDITION.fullmatch(part)
        if condition is None:
            raise ValueError(f"{part!r} was never checked")
        wanted = _trimmed(tuple(int(number) for number in condition[2].split(".")))
        if not _COMPARISONS[condition[1]](found, wanted):
            return False
    return True


def version_text(version: int) -> str:
    """Return a hypervisor's version as people write it."""
    return f"{version // _PART**2}.{version // _PART % _PART}.{version % _PART}"


def _trimmed(version: tuple[int, ...]) -> tuple[int, ...]:
    """Return a version without the zeros at its end, so that 7.0 is 7."""
    numbers = list(version)
    while numbers and not numbers[-1]:
        numbers.pop()
    return tuple(numbers)
