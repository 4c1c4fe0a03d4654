# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Argument specs of security groups, and of what guards a NIC; documented in the modules."""

from __future__ import annotations

import typing as t

from ._spec.security_group import EGRESS_DEFAULTS
from ._spec.security_rule import ANY, DIRECTIONS, ETHERTYPES, INGRESS


def security_nic_options() -> dict[str, dict[str, t.Any]]:
    """Return more suboptions of ``networks``."""
    return {
        "security_groups": {"type": "list", "elements": "str"},
        "port_security": {"type": "bool"},
    }


def security_group_options() -> dict[str, dict[str, t.Any]]:
    """Return what a user declares of one security group."""
    return {
        "name": {"type": "str", "required": True},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "description": {"type": "str"},
        "egress_default": {"type": "str", "choices": list(EGRESS_DEFAULTS)},
        "rules": {"type": "list", "elements": "dict", "options": _rule_options()},
        "members": {"type": "dict"},
    }


def _rule_options() -> dict[str, dict[str, t.Any]]:
    return {
        "direction": {"type": "str", "choices": list(DIRECTIONS), "default": INGRESS},
        "ethertype": {"type": "str", "choices": list(ETHERTYPES)},
        "protocol": {"type": "str", "default": ANY},
        "port_range_min": {"type": "int"},
        "port_range_max": {"type": "int"},
        "icmp_type": {"type": "int"},
        "icmp_code": {"type": "int"},
        "remote_cidr": {"type": "str"},
        "remote_group": {"type": "str"},
        "description": {"type": "str"},
    }
