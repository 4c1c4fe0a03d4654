# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Options of modules that wait for a guest; documented in ``doc_fragments/_wait.py``."""

from __future__ import annotations

import typing as t

from ._spec.waiting import CONDITIONS, FAMILIES, SOURCES


def wait_options() -> dict[str, dict[str, t.Any]]:
    """Return what is waited for, how long, and which of a guest's addresses counts."""
    return {
        "wait_for": {"type": "list", "elements": "str", "choices": list(CONDITIONS), "default": []},
        "wait_timeout": {"type": "int", "default": 300},
        "wait_port": {"type": "int", "default": 22},
        "wait_address": {
            "type": "dict",
            "apply_defaults": True,
            "options": {
                "nic": {"type": "str"},
                "cidr": {"type": "str"},
                "family": {"type": "str", "choices": list(FAMILIES), "default": "any"},
                "sources": {
                    "type": "list",
                    "elements": "str",
                    "choices": list(SOURCES),
                    "default": list(SOURCES),
                },
            },
        },
    }
