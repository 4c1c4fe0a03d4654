# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests that the options of waiting and their documentation say the same."""

from __future__ import annotations

import typing as t

import yaml
from ansible_collections.kilonova.compute.plugins.doc_fragments._wait import ModuleDocFragment
from ansible_collections.kilonova.compute.plugins.module_utils._options_wait import wait_options


def plain(options: dict[str, t.Any]) -> dict[str, t.Any]:
    """Return options as both sides have them, without words and without how defaults come about."""
    kept = {}
    for name, option in options.items():
        kept[name] = {key: option[key] for key in ("type", "elements", "choices", "default") if key in option}
        if option["type"] == "dict":
            kept[name]["options"] = plain(option.get("options") or option["suboptions"])
    return kept


def test_documented_as_they_are() -> None:
    """Names, types, choices and defaults."""
    documented = yaml.safe_load(ModuleDocFragment.DOCUMENTATION)["options"]
    assert plain(documented) == plain(wait_options())
