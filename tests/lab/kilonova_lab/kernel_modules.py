# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""The modules of an unpacked kernel: which ones, in which order, into an initial file system."""

from __future__ import annotations

import lzma
import os
import re
from pathlib import Path

from .archive import Archive
from .errors import LabError


def add_modules(archive: Archive, root: Path, names: list[str]) -> None:
    """Add modules and what they depend on, and the list ``modules/order`` of how they are to be loaded."""
    order = []
    for module in _load_order(root, names):
        order.append(f"{module.name.split('.')[0]}.ko")
        archive.add_file(f"modules/{order[-1]}", _module_bytes(module))
    archive.add_file("modules/order", ("\n".join(order) + "\n").encode())


def _load_order(root: Path, names: list[str]) -> list[Path]:
    """Return the modules and what they depend on, each after what it needs."""
    places = {_plain(path.name): path for top in ("lib", "usr/lib") for path in (root / top / "modules").rglob("*.ko*")}
    built_in = {
        _plain(line) for path in root.rglob("modules.builtin") for line in path.read_text(encoding="ascii").split()
    }
    order: list[Path] = []

    def visit(name: str) -> None:
        if name in built_in:
            return
        if name not in places:
            raise LabError(f"The kernel has no module {name}.")
        needs = re.search(rb"\0depends=([^\0]*)\0", _module_bytes(places[name]))
        for need in needs[1].decode().split(",") if needs else []:
            if need:
                visit(_plain(need))
        if places[name] not in order:
            order.append(places[name])

    for name in names:
        visit(_plain(name))
    return order


def _plain(name: str) -> str:
    return os.path.basename(name).split(".")[0].replace("-", "_")


def _module_bytes(path: Path) -> bytes:
    content = path.read_bytes()
    if path.suffix == ".xz":
        return lzma.decompress(content)
    if path.suffix != ".ko":
        raise LabError(f"The kernel module {path.name} is packed in a way that this Python cannot unpack.")
    return content
