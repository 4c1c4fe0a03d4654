# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Argument specs that modules compose; their documentation stands in ``doc_fragments/_connection.py``."""

from __future__ import annotations

import typing as t

from ansible.module_utils.basic import env_fallback

DEFAULT_URI = "qemu:///system"


def connection_options() -> dict[str, dict[str, t.Any]]:
    """Return how to reach a hypervisor: every module takes these."""
    return {
        "uri": {"type": "str", "default": DEFAULT_URI, "fallback": (env_fallback, ["LIBVIRT_DEFAULT_URI"])},
    }
