# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""A node of libvirt's test driver that one test has for itself: test:///default is one for all that are connected to it."""

from __future__ import annotations

from pathlib import Path

_POOL = "<pool type='{0}'><name>{1}</name><source><name>{1}</name></source><target><path>/{1}</path></target></pool>"


def own_node(directory: Path, *volume_groups: str) -> str:
    """Return the URI of a node with a pool of files, default-pool, and one of LVM for each of the groups."""
    pools = _POOL.format("dir", "default-pool"), *(_POOL.format("logical", name) for name in volume_groups)
    path = directory / "node.xml"
    path.write_text(f"<node>{''.join(pools)}</node>", encoding="utf-8")
    return f"test://{path}"
