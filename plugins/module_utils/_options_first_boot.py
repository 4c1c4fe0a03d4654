# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The options of a first boot; their documentation stands in ``doc_fragments/_first_boot.py``.

All documents are ``no_log``, since any of them may hold a secret: see ``_module`` for what that does to a result.
"""

from __future__ import annotations

import typing as t


def first_boot_options() -> dict[str, dict[str, t.Any]]:
    """Return what a guest is told when it first boots; validated in ``_spec/first_boot.py``."""
    return {
        "user_data": {"type": "raw", "no_log": True},
        "meta_data": {"type": "dict", "no_log": True},
        "network_config": {"type": "dict", "no_log": True},
        "ssh_keys": {"type": "list", "elements": "str", "no_log": False},
        "password": {"type": "str", "no_log": True},
        "hostname": {"type": "str"},
    }
