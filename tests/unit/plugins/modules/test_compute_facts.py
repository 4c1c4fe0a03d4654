# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of compute_facts as Ansible runs it, on libvirt's test driver, and with what it needs missing."""

from __future__ import annotations

import datetime
import json
import os
import subprocess
import sys
import typing as t

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.kilonova.compute.plugins.modules import compute_facts

URI = "test:///default"
KEYS = """
hypervisor_hostname host_uuid uri hypervisor_type hypervisor_version libvirt_version arch state service_status
disabled_reason reported_at availability_zone aggregates traits cpu_info vcpus vcpus_used memory_mb memory_mb_used
free_ram_mb local_gb local_gb_used free_disk_gb disk_available_least running_vms virt_types machine_types firmware
numa_topology pci_devices mdevs storage_pools networks instances image_cache
"""


def run(capsys: pytest.CaptureFixture[str], **arguments: t.Any) -> dict[str, t.Any]:
    """Run the module and return what it prints."""
    with patch_module_args({"uri": URI, "pool": "default-pool", **arguments}), pytest.raises(SystemExit):
        compute_facts.main()
    result: dict[str, t.Any] = json.loads(capsys.readouterr().out)
    return result


def test_the_shape(capsys: pytest.CaptureFixture[str]) -> None:
    """Exactly what facts, inventory and scheduler have agreed on, and nothing but facts."""
    result = run(capsys)
    assert set(result) - {"invocation"} == {"ansible_facts"}
    node = result["ansible_facts"]["compute_node"]
    assert set(node) == set(KEYS.split())
    assert node["uri"] == URI
    assert node["cpu_info"] == {
        "model": None,
        "vendor": None,
        "features": [],
        "topology": {"sockets": 0, "cores": 0, "threads": 0, "cells": 2},
    }
    cell = node["numa_topology"][0]
    assert (cell["id"], cell["cpus"], cell["memory_mb"], cell["pinned_cpus"]) == (0, list(range(8)), 2048, [])
    assert cell["hugepages"][0] == {"size_kb": 2048, "total": 0, "free": None}
    assert node["storage_pools"]["default-pool"]["active"] is True
    assert node["networks"]["default"]["forward_mode"] == "nat"
    assert [row["name"] for row in node["instances"]] == ["test"]
    assert (node["vcpus"], node["vcpus_used"], node["running_vms"]) == (3, 2, 1)
    assert node["free_ram_mb"] == node["memory_mb"] - node["memory_mb_used"] < 0
    assert (node["local_gb"], node["local_gb_used"], node["free_disk_gb"]) == (100, 0, 100)


def test_the_time_is_utc(capsys: pytest.CaptureFixture[str]) -> None:
    """And just now."""
    reported = run(capsys)["ansible_facts"]["compute_node"]["reported_at"]
    age = datetime.datetime.now(datetime.timezone.utc) - datetime.datetime.strptime(reported, "%Y-%m-%dT%H:%M:%S%z")
    assert datetime.timedelta(0) <= age < datetime.timedelta(minutes=5)


def test_check_mode_is_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    """The module only reads."""
    first, second = (run(capsys, _ansible_check_mode=check) for check in (False, True))
    for result in (first, second):
        result["ansible_facts"]["compute_node"].pop("reported_at")
    assert first["ansible_facts"] == second["ansible_facts"]


def test_what_the_user_says(capsys: pytest.CaptureFixture[str]) -> None:
    """Zone, aggregates and traits come back."""
    node = run(capsys, availability_zone="east", aggregates=["a", "b", "a"], traits=["CUSTOM_SSD"])["ansible_facts"]
    assert node["compute_node"]["availability_zone"] == "east"
    assert node["compute_node"]["aggregates"] == ["a", "b"]
    assert node["compute_node"]["traits"] == ["CUSTOM_SSD", "HW_ARCH_I686"]


def test_a_host_that_takes_nothing_new(capsys: pytest.CaptureFixture[str]) -> None:
    """The status comes back with its reason in one line; without one word the host is enabled."""
    node = run(capsys)["ansible_facts"]["compute_node"]
    assert (node["service_status"], node["disabled_reason"]) == ("enabled", None)
    declared = {"service_status": "disabled", "disabled_reason": "new disks\n on Friday"}
    node = run(capsys, **declared)["ansible_facts"]["compute_node"]
    assert (node["service_status"], node["disabled_reason"]) == ("disabled", "new disks on Friday")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ({"service_status": "disabled"}, "INVALID_OPTION", "Option disabled_reason: a disabled host needs a reason"),
        ({"service_status": "disabled", "disabled_reason": " "}, "INVALID_OPTION", "needs a reason"),
        ({"disabled_reason": "new disks"}, "INVALID_OPTION", "Option disabled_reason: the host is enabled"),
        ({"pool": "nowhere"}, "NOT_FOUND", "Option pool: there is no storage pool named nowhere"),
        ({"traits": ["ssd"]}, "INVALID_OPTION", "Option traits: 'ssd' is not a trait"),
        ({"uri": "nonsense:///"}, "CONNECTION_FAILED", "Cannot connect to the hypervisor at nonsense:///"),
        ({"uri": "test:///nonexistent"}, "CONNECTION_FAILED", "check option uri"),
    ],
)
def test_one_clear_sentence(
    capsys: pytest.CaptureFixture[str], arguments: dict[str, t.Any], code: str, words: str
) -> None:
    """What is wrong and where, with a code for machines."""
    result = run(capsys, **arguments)
    assert result["failed"] is True
    assert result["error_code"] == code
    assert words in result["msg"]
    assert "\n" not in result["msg"]


_WITHOUT = """
import sys
for name in sys.argv[1].split(","):
    sys.modules[name] = None
from ansible.module_utils.testing import patch_module_args
from ansible_collections.kilonova.compute.plugins.modules import compute_facts
with patch_module_args({"uri": "test:///default", "pool": "default-pool"}):
    compute_facts.main()
"""


@pytest.mark.parametrize(("library", "package"), [("libvirt", "python3-libvirt"), ("lxml", "python3-lxml")])
def test_a_missing_library(library: str, package: str) -> None:
    """It is named, with the package that has it, and the exit code is not zero."""
    # The process finds the collection where this one did.
    collections = compute_facts.__file__.split("/ansible_collections/", maxsplit=1)[0]
    done = subprocess.run(
        [sys.executable, "-c", _WITHOUT, library],
        env={**os.environ, "PYTHONPATH": collections},
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    result = json.loads(done.stdout)
    assert done.returncode != 0
    assert result["error_code"] == "MISSING_LIBRARY"
    assert library in result["msg"]
    assert package in result["msg"]
