# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests that the argument specs of hardware say what their documentation says."""

from __future__ import annotations

import typing as t

import pytest
import yaml
from ansible_collections.kilonova.compute.plugins.doc_fragments._hardware import ModuleDocFragment as Hardware
from ansible_collections.kilonova.compute.plugins.doc_fragments._instance import ModuleDocFragment as Instance
from ansible_collections.kilonova.compute.plugins.module_utils._options_hardware import (
    hardware_cpu_options,
    hardware_nic_options,
    hardware_options,
)


def _of_spec(options: dict[str, t.Any]) -> dict[str, t.Any]:
    return {
        name: {
            key: _of_spec(value) if key == "options" else [str(one) for one in value] if key == "choices" else value
            for key, value in option.items()
        }
        for name, option in options.items()
    }


def _of_documentation(options: dict[str, t.Any]) -> dict[str, t.Any]:
    return {
        name: {
            "options" if key == "suboptions" else key: (
                _of_documentation(value)
                if key == "suboptions"
                else [str(one) for one in value] if key == "choices" else value
            )
            for key, value in option.items()
            if key != "description"
        }
        for name, option in options.items()
    }


def test_options_and_documentation_agree() -> None:
    """Names, types, choices and what is required; nothing has a default."""
    documented = yaml.safe_load(Hardware.DOCUMENTATION)["options"]
    assert _of_spec(hardware_options()) == _of_documentation(documented)
    assert all("default" not in option for option in hardware_options().values())


@pytest.mark.parametrize("option", ["cpu", "networks"])
def test_more_suboptions_are_documented(option: str) -> None:
    """Those that stand in the fragment of the instance."""
    documented = yaml.safe_load(Instance.DOCUMENTATION)["options"][option]["suboptions"]
    suboptions = {"cpu": hardware_cpu_options(), "networks": hardware_nic_options()}[option]
    assert _of_spec(suboptions) == _of_documentation({name: documented[name] for name in suboptions})
