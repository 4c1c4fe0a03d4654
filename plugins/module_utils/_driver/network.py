# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Virtual networks of a host."""

from __future__ import annotations

from .._errors import UnsupportedError
from .connection import Connection


def network_states(connection: Connection) -> dict[str, bool]:
    """Return every network's name and whether it is active; nothing where the driver has no networks."""
    try:
        networks = connection.call("list networks", connection.raw.listAllNetworks, 0)
    except UnsupportedError:
        return {}
    return {
        network.name(): bool(connection.call(f"read the state of network {network.name()}", network.isActive))
        for network in networks
    }
