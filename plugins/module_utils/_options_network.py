# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Argument specs of virtual networks; documented in the module."""

from __future__ import annotations

import typing as t

from ._spec.network import ACTIVE, STATES
from ._spec.network_layout import MACVTAP_MODES, MODES

_TEXT = {"type": "str"}
_NEEDED = {"type": "str", "required": True}
_NUMBER = {"type": "int"}
_SWITCH = {"type": "bool"}


def network_options() -> dict[str, dict[str, t.Any]]:
    """Return what a user declares of one virtual network."""
    return {
        "name": _NEEDED,
        "state": {"type": "str", "choices": list(STATES), "default": ACTIVE},
        "autostart": _SWITCH,
        "mode": {"type": "str", "choices": list(MODES)},
        "macvtap_mode": {"type": "str", "choices": list(MACVTAP_MODES)},
        "bridge": _TEXT,
        "openvswitch": _SWITCH,
        "devices": {"type": "list", "elements": "str"},
        "nat_ports": {
            "type": "dict",
            "options": {"start": {"type": "int", "required": True}, "end": {"type": "int", "required": True}},
        },
        "nat_ipv6": _SWITCH,
        "domain": _TEXT,
        "domain_local_only": _SWITCH,
        "mtu": _NUMBER,
        "port_isolation": _SWITCH,
        "vlan": _vlan_option(),
        "portgroups": _several(_portgroup_options()),
        "ips": _several(_ip_options()),
        "routes": _several({"address": _NEEDED, "gateway": _NEEDED, "metric": _NUMBER}),
        "dns": {"type": "dict", "options": _dns_options()},
        "allow_restart": {"type": "bool", "default": False},
    }


def _several(options: dict[str, dict[str, t.Any]]) -> dict[str, t.Any]:
    return {"type": "list", "elements": "dict", "options": options}


def _vlan_option() -> dict[str, t.Any]:
    return {
        "type": "dict",
        "options": {"tags": {"type": "list", "elements": "int"}, "trunk": _SWITCH, "native": _NUMBER},
    }


def _portgroup_options() -> dict[str, dict[str, t.Any]]:
    rate = {"type": "dict", "options": dict.fromkeys(("average", "peak", "burst"), _NUMBER)}
    return {
        "name": _NEEDED,
        "default": {"type": "bool", "default": False},
        "vlan": _vlan_option(),
        "inbound": rate,
        "outbound": rate,
    }


def _ip_options() -> dict[str, dict[str, t.Any]]:
    return {
        "address": _NEEDED,
        "dhcp_ranges": _several({"start": _NEEDED, "end": _NEEDED}),
        "dhcp_hosts": _several({"ip": _NEEDED, "mac": _TEXT, "id": _TEXT, "name": _TEXT}),
    }


def _dns_options() -> dict[str, dict[str, t.Any]]:
    return {
        "enabled": _SWITCH,
        "forwarders": _several({"address": _TEXT, "domain": _TEXT}),
        "hosts": _several({"ip": _NEEDED, "hostnames": {"type": "list", "elements": "str", "required": True}}),
        "txt": _several({"name": _NEEDED, "value": _NEEDED}),
        "srv": _several(
            {
                "service": _NEEDED,
                "protocol": _NEEDED,
                "domain": _TEXT,
                "target": _TEXT,
                "port": _NUMBER,
                "priority": _NUMBER,
                "weight": _NUMBER,
            }
        ),
    }
