# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Argument specs of storage; documented in the modules."""

from __future__ import annotations

import typing as t

from ._options import pool_option
from ._spec.attachment import PLUGGABLE_BUSES
from ._spec.pool import POOL_TYPES
from ._spec.volume import VOLUME_FORMATS


def pool_options() -> dict[str, dict[str, t.Any]]:
    """Return what a user declares of one storage pool."""
    return {
        "name": {"type": "str", "required": True},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "type": {"type": "str", "choices": list(POOL_TYPES)},
        "path": {"type": "str"},
        "source": {"type": "dict", "options": _source_options()},
        "active": {"type": "bool", "default": True},
        "autostart": {"type": "bool", "default": True},
        "build": {"type": "bool", "default": False},
        "refresh": {"type": "bool", "default": False},
    }


def stored_volume_options() -> dict[str, dict[str, t.Any]]:
    """Return what a user declares of one volume by itself."""
    origin = {
        "type": "dict",
        "options": {"name": {"type": "str", "required": True}, "pool": {"type": "str"}},
    }
    return {
        "name": {"type": "str", "required": True},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        **pool_option(),
        "size": {"type": "str"},
        "format": {"type": "str", "choices": list(VOLUME_FORMATS)},
        "source": origin,
        "image": origin,
        "src": {"type": "path"},
        "dest": {"type": "path"},
        "encryption": {
            "type": "dict",
            "options": {"passphrase": {"type": "str", "required": True, "no_log": True}},
        },
        "attached_to": {"type": "str"},
        "bus": {"type": "str", "choices": list(PLUGGABLE_BUSES)},
        "serial": {"type": "str"},
        "wipe": {"type": "bool", "default": False},
    }


def _source_options() -> dict[str, dict[str, t.Any]]:
    return {
        "hosts": {
            "type": "list",
            "elements": "dict",
            "options": {"name": {"type": "str", "required": True}, "port": {"type": "int"}},
        },
        "dir": {"type": "str"},
        "devices": {"type": "list", "elements": "str"},
        "name": {"type": "str"},
        "format": {"type": "str"},
        "initiator": {"type": "str"},
        "auth": {
            "type": "dict",
            "options": {
                "username": {"type": "str", "required": True},
                "key": {"type": "str", "no_log": True},
                "secret_uuid": {"type": "str", "no_log": False},
                "secret_usage": {"type": "str", "no_log": False},
            },
        },
    }
