# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests that the role fleet declares what its modules and filters take."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
import yaml
from ansible_collections.kilonova.compute.plugins.module_utils import _options
from ansible_collections.kilonova.compute.plugins.module_utils._options import (
    flavor_option,
    instance_options,
    lifecycle_options,
)
from ansible_collections.kilonova.compute.plugins.modules import compute_image
from ansible_collections.kilonova.compute.plugins.plugin_utils import _fleet
from ansible_collections.kilonova.compute.plugins.plugin_utils._scheduler.result import PLACEMENT_KEYS

ROLE = Path(__file__).resolve().parents[3] / "roles" / "fleet"
COMPARED = ("type", "elements", "choices", "default", "no_log")
ENTRY_POINTS = ("main", "destroy", "drain", "undrain", "rebalance", "evacuate")
# Not resolved: the folder above ansible_collections, also where the collection is a link.
COLLECTIONS = Path(_options.__file__).parents[5]
INVENTORY = "[compute]\nhv1\nhv2\n[compute:vars]\nansible_connection=local\ncompute_uri=test:///nosuch\n"


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
    # That an option is no secret is only said to keep Ansible from taking its name for that of one.
    kept = {key: spec[key] for key in COMPARED if key in spec and (key, spec[key]) != ("no_log", False)}
    if "options" in spec:
        kept["options"] = {name: shape(option) for name, option in spec["options"].items()}
    return kept


def test_instances_take_what_the_module_takes() -> None:
    """What the scheduler needs comes on top, what it plans is not declared; a flavor is also a name."""
    declared = dict(options("main")["fleet_instances"]["options"])
    for name in ("count", "flavor", *(PLACEMENT_KEYS - {"image_properties"})):
        del declared[name]
    wanted = {name: option for name, option in instance_options().items() if name not in ("flavor", "placement")}
    assert {name: shape(option) for name, option in declared.items()} == {
        name: shape(option) for name, option in wanted.items()
    }


@pytest.mark.parametrize("entry_point", ["main", "destroy"])
def test_images_take_what_the_module_takes(entry_point: str) -> None:
    """But what is the same for all of them, and what there is on one hypervisor only; properties are the scheduler's."""
    wanted = set(yaml.safe_load(compute_image.DOCUMENTATION)["options"])
    wanted -= {"state", "pool", "source_instance", "cache_max_size", "cache_keep"}
    assert set(options(entry_point)["fleet_images"]["options"]) == set(_fleet.IMAGE_KEYS) == wanted | {"properties"}
    tasks: t.Any = read("tasks/image.yml")
    given = tasks[0]["kilonova.compute.compute_image"]
    assert set(given) - {"uri", "pool", "cache_max_size", "cache_keep"} == wanted


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
        # Moves need no fleet, but may be told of one.
        is_optional = name == "fleet_name" and not option.get("required")
        assert is_optional or ("default" in option) != option.get("required", False), name
        assert option.get("default") == defaults.get(name), name


def test_every_default_is_declared() -> None:
    """No variable is left out of the argument specs."""
    declared = {name for entry_point in ENTRY_POINTS for name in options(entry_point)}
    assert set(read("defaults/main.yml")) | {"fleet_name"} == declared


def play(directory: Path, playbook: str, *arguments: str, **variables: t.Any) -> str:
    """Return what a playbook of the collection prints when it fails on two hypervisors that nobody can reach."""
    inventory = directory / "inventory.ini"
    inventory.write_text(f"{INVENTORY}ansible_python_interpreter={sys.executable}\n", encoding="utf-8")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "ansible.cli.playbook",
            "-i",
            str(inventory),
            playbook,
            "-e",
            json.dumps(variables),
            *arguments,
        ],
        cwd=directory,
        env={
            # Whoever runs the tests has settings of their own.
            **{name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")},
            "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
            "ANSIBLE_HOME": str(directory / "home"),
            "ANSIBLE_REMOTE_TMP": str(directory / "tmp"),
            "ANSIBLE_NOCOLOR": "1",
            "PYTHONPATH": os.pathsep.join(sys.path),
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode != 0
    assert "PLAY RECAP" in done.stdout, done.stderr
    return done.stdout


@pytest.mark.parametrize("playbook", ["kilonova.compute.deploy", "kilonova.compute.destroy"])
def test_forgotten_name(tmp_path: Path, playbook: str) -> None:
    """It is asked for before anything else."""
    printed = play(tmp_path, playbook, fleet_instances=[])
    assert '"fleet_name is missing: write it in your fleet file' in printed
    assert printed.count("TASK [") == 1


def test_wrong_declaration_ends_the_run_everywhere(tmp_path: Path) -> None:
    """The sentence stands alone, in the role's words, and no hypervisor is asked for anything."""
    printed = play(
        tmp_path, "kilonova.compute.deploy", fleet_name="shop", fleet_instances=[{"name": "a", "flavor": "f"}]
    )
    assert '"msg": "fleet_instances[0] (a): flavor \'f\' is unknown; declare it in fleet_flavors first."' in printed
    assert "Ask the hypervisor" not in printed


def test_impossible_plan_ends_the_run_everywhere(tmp_path: Path) -> None:
    """What the scheduler cannot work with is said in one sentence, and nothing follows."""
    flavor = {"vcpus": 1, "memory_mb": 1, "disk_gb": 1}
    instances = [{"name": "a", "flavor": flavor, "host": "hv9"}]
    printed = play(tmp_path, "kilonova.compute.deploy", fleet_name="shop", fleet_instances=instances)
    assert '"msg": "Instance a: its host \'hv9\' is not a hypervisor; take one of hv1, hv2."' in printed
    assert "Have the images" not in printed


def test_no_hypervisor_answers(tmp_path: Path) -> None:
    """That is the whole error; one left out by --limit is not called down."""
    instances = [{"name": "a", "flavor": {"vcpus": 1, "memory_mb": 1, "disk_gb": 1}}]
    printed = play(tmp_path, "kilonova.compute.deploy", "--limit", "hv1", fleet_name="shop", fleet_instances=instances)
    assert '"msg": "No hypervisor can be used:\\nhv1 is down: ' in printed
    assert "\\nhv2 is left out of this run (--limit)\\nNothing was deployed." in printed
