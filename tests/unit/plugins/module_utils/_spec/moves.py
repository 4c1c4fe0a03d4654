# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""What the module of moves gives for options that are left out."""

from __future__ import annotations

import typing as t

LIMITS = {
    "cpu_allocation_ratio": 4.0,
    "ram_allocation_ratio": 1.0,
    "disk_allocation_ratio": 1.0,
    "reserved_host_cpus": 0,
    "reserved_host_memory_mb": 512,
    "reserved_host_disk_mb": 0,
}
LEFT_OUT: dict[str, t.Any] = {
    "fleet": None,
    "mode": None,
    "bandwidth_mb": None,
    "auto_converge": True,
    "compression": False,
    "parallel_connections": None,
    "timeout": 3600,
    "on_timeout": "abort",
    "post_copy": False,
    "transport": "direct",
    "peer_to_peer": False,
    "force": False,
    "shutdown_timeout": 60,
    "limits": LIMITS,
}
