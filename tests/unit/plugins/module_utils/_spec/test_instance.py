# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests for what a user may declare of an instance."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._errors import SpecError
from ansible_collections.kilonova.compute.plugins.module_utils._spec.instance import stable_mac
from ansible_collections.kilonova.compute.tests.unit.plugins.module_utils.factories import FLAVOR, instance_spec
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": "a<b"}, ["name", "a<b"]),
        ({"name": "../x"}, ["name", "../x"]),
        ({"name": ""}, ["name"]),
        ({"image": "a/b"}, ["image", "a/b"]),
        ({"flavor": {**FLAVOR, "vcpus": 0}}, ["flavor.vcpus", "at least 1"]),
        ({"flavor": {**FLAVOR, "memory_mb": 0}}, ["flavor.memory_mb", "at least 1"]),
        ({"flavor": {**FLAVOR, "disk_gb": -1}}, ["flavor.disk_gb", "at least 0"]),
        ({"flavor": {**FLAVOR, "extra_specs": {"hw:numa_nodes": 2}}}, ["hw:numa_nodes", "not supported"]),
        ({"flavor": {**FLAVOR, "extra_specs": {"hw:cpu_sockets": 3}}}, ["3", "1 vCPUs"]),
        ({"flavor": {**FLAVOR, "extra_specs": {"hw:cpu_cores": "x"}}}, ["hw:cpu_cores", "whole number"]),
        ({"image": None, "flavor": {**FLAVOR, "disk_gb": 0}}, ["image", "nothing to boot from"]),
        ({"networks": [{}]}, ["networks[0]", "exactly one"]),
        ({"networks": [{"network": "a", "bridge": "b"}]}, ["networks[0]", "network and bridge", "exactly one"]),
        ({"networks": [{"user": True, "portgroup": "p"}]}, ["portgroup", "network"]),
        ({"networks": [{"user": True, "mac": "01:00:5e:00:00:01"}]}, ["networks[0].mac", "unicast"]),
        ({"networks": [{"user": True, "mac": "zz"}]}, ["networks[0].mac", "52:54:00"]),
        (
            {"networks": [{"user": True, "mac": "52:54:00:00:00:01"}, {"user": True, "mac": "52:54:00:00:00:01"}]},
            ["networks", "twice"],
        ),
        ({"graphics": {"port": 80}}, ["graphics.port", "80"]),
        ({"cpu": {"model": "Nehalem"}}, ["cpu", "custom"]),
        ({"cpu": {"mode": "custom"}}, ["cpu", "model"]),
        ({"cdroms": ["a/b.iso"]}, ["cdroms", "a/b.iso"]),
    ],
)
def test_bad_input_names_the_option(changes: dict[str, t.Any], words: list[str]) -> None:
    """Each mistake is refused with the option's name and what would be right."""
    with pytest.raises(SpecError) as caught:
        instance_spec(**changes)
    for word in words:
        assert word in str(caught.value)


def test_macs_are_stable_and_differ_by_place() -> None:
    """The same declaration has the same addresses; another NIC, name or fleet has others."""
    first = instance_spec(networks=[{"user": True}, {"user": True}])
    again = instance_spec(networks=[{"user": True}, {"user": True}])
    assert [nic.mac for nic in first.nics] == [nic.mac for nic in again.nics]
    others = {instance_spec(fleet="x", networks=[{"user": True}]).nics[0].mac, *(nic.mac for nic in first.nics)}
    assert len(others) == 3


@given(st.one_of(st.none(), st.text()), st.text(), st.integers(min_value=0, max_value=63))
def test_generated_macs_are_unicast_and_local(fleet: str | None, name: str, index: int) -> None:
    """A generated address never is a multicast one and never a vendor's."""
    mac = stable_mac(fleet, name, index)
    assert len(mac) == 17
    assert int(mac[:2], 16) & 0b11 == 0b10


def test_a_mac_is_taken_in_any_case() -> None:
    """Upper case is the same address."""
    assert instance_spec(networks=[{"user": True, "mac": "52:54:00:AB:CD:EF"}]).nics[0].mac == "52:54:00:ab:cd:ef"


def test_digest_ignores_the_power_state_and_nothing_else() -> None:
    """Starting and stopping is no other declaration, more memory is."""
    assert instance_spec().digest() == instance_spec(power_state="stopped").digest()
    assert instance_spec().digest() != instance_spec(flavor={**FLAVOR, "memory_mb": 129}).digest()
    assert instance_spec().digest() != instance_spec(metadata={"a": "b"}).digest()
