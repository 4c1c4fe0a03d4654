# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests that the role fleet declares what its modules and filters take."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
import yaml
from ansible_collections.kilonova.compute.plugins.module_utils._options import (
    flavor_option,
    instance_options,
    lifecycle_options,
)

ROLE = Path(__file__).resolve().parents[3] / "roles" / "fleet"
COMPARED = ("type", "elements", "choices", "default")
ENTRY_POINTS = ("main", "destroy")


def read(path: str) -> dict[str, t.Any]:
    """Return one of the role's files."""
    content: dict[str, t.Any] = yaml.safe_load((ROLE / path).read_text(encoding="utf-8"))
    return content


def options(entry_point: str) -> dict[str, t.Any]:
    """Return the options of an entry point."""
    found: dict[str, t.Any] = read("meta/argument_specs.yml")["argument_specs"][entry_point]["options"]
    return found


def shape(spec: dict[str, t.Any]) -> dict[str, t.Any]:
    """Return what of an argument spec decides on the values that are accepted."""
    kept = {key: spec[key] for key in COMPARED if key in spec}
    if "options" in spec:
        kept["options"] = {name: shape(option) for name, option in spec["options"].items()}
    return kept


def test_instances_take_what_the_module_takes() -> None:
    """What the scheduler needs comes on top; a flavor is also a name."""
    declared = dict(options("main")["fleet_instances"]["options"])
    for name in ("count", "host", "flavor"):
        del declared[name]
    wanted = {name: option for name, option in instance_options().items() if name != "flavor"}
    assert {name: shape(option) for name, option in declared.items()} == {
        name: shape(option) for name, option in wanted.items()
    }


def test_flavors_take_what_the_module_takes() -> None:
    """In the list a flavor needs a name."""
    declared, wanted = options("main")["fleet_flavors"], flavor_option()
    del wanted["options"]["name"]["default"]
    assert {name: shape(option) for name, option in declared["options"].items()} == {
        name: shape(option) for name, option in wanted["options"].items()
    }
    assert declared["options"]["name"]["required"] is True


@pytest.mark.parametrize("variable", ["fleet_limits", "fleet_host_limits"])
def test_limits_are_the_modules_own(variable: str) -> None:
    """They have no defaults here: what is not given is decided where the limits of both variables meet."""
    wanted = lifecycle_options()["limits"]["options"]
    declared = options("main")[variable]["options"]
    assert {name: option["type"] for name, option in declared.items()} == {
        name: option["type"] for name, option in wanted.items()
    }
    assert not any("default" in option for option in declared.values())


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
def test_defaults_are_the_documented_ones(entry_point: str) -> None:
    """What ansible-doc shows is what happens."""
    defaults = read("defaults/main.yml")
    for name, option in options(entry_point).items():
        assert ("default" in option) != option.get("required", False), name
        assert option.get("default") == defaults.get(name), name


def test_every_default_is_declared() -> None:
    """No variable is left out of the argument specs."""
    declared = {name for entry_point in ENTRY_POINTS for name in options(entry_point)}
    assert set(read("defaults/main.yml")) | {"fleet_name"} == declared
