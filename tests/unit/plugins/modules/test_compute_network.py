# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests that compute_network's options and their documentation say the same."""

from __future__ import annotations

import typing as t

import yaml
from ansible_collections.kilonova.compute.plugins.module_utils._options_network import network_options
from ansible_collections.kilonova.compute.plugins.modules import compute_network


def plain(options: dict[str, t.Any]) -> dict[str, t.Any]:
    """Return options as both sides have them, without words."""
    kept = {}
    for name, option in options.items():
        kept[name] = {
            key: option[key] for key in ("type", "elements", "choices", "default", "required") if key in option
        }
        parts = option.get("options") or option.get("suboptions")
        if parts:
            kept[name]["options"] = plain(parts)
    return kept


def test_documented_as_they_are() -> None:
    """Names, types, choices, defaults, and what is required."""
    documented = yaml.safe_load(compute_network.DOCUMENTATION)["options"]
    assert plain(documented) == plain(network_options())
