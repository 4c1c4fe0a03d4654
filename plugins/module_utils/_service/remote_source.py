# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""How QEMU gets to volumes that are neither files nor devices of the hypervisor, by what libvirt knows of their pool."""

from __future__ import annotations

from .._driver.storage import Pool
from .._spec.remote import RemoteSource
from .._xml.pool import read_layout


def remote_source(pool: Pool) -> RemoteSource | None:
    """Return how QEMU gets to the volumes of a pool, where that is not by a path of the hypervisor."""
    layout = read_layout(pool.xml())
    return RemoteSource(layout.hosts or (), layout.auth) if layout.type == "rbd" else None
