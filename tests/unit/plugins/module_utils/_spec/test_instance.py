# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests for what a user may declare of an instance."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._errors import SpecError
from ansible_collections.kilonova.compute.plugins.module_utils._spec.nic import stable_mac
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
        ({"flavor": {**FLAVOR, "extra_specs": {"hw:nothing": 2}}}, ["hw:nothing", "not supported"]),
        ({"flavor": {**FLAVOR, "extra_specs": {"hw:numa_nodes": 2}}}, ["numa.nodes", "divided by 2"]),
        ({"flavor": {**FLAVOR, "extra_specs": {"hw:cpu_sockets": 3}}}, ["3", "1 vCPUs"]),
        ({"flavor": {**FLAVOR, "extra_specs": {"hw:cpu_cores": "x"}}}, ["hw:cpu_cores", "whole number"]),
        ({"uuid": "web-1"}, ["uuid", "web-1"]),
        ({"max_vcpus": 0}, ["max_vcpus", "at least 1"]),
        ({"max_memory_mb": 100}, ["max_memory_mb", "at least 128"]),
        ({"max_vcpus": 2, "flavor": {**FLAVOR, "extra_specs": {"hw:cpu_sockets": 1}}}, ["max_vcpus", "topology"]),
        ({"max_vcpus": 2, "cpu_policy": "dedicated"}, ["max_vcpus", "CPUs", "leave"]),
        ({"max_memory_mb": 256, "hugepages": "small"}, ["max_memory_mb", "pages", "leave"]),
        ({"flavor": None, "cpu_policy": "dedicated"}, ["cpu_policy", "needs flavor"]),
        ({"flavor": None, "cpu": {"topology": {"cores": 1}}}, ["cpu.topology", "needs flavor"]),
        ({"flavor": None, "numa": {"nodes": 1}}, ["numa", "needs flavor"]),
        ({"flavor": None, "hugepages": "2MB"}, ["hugepages", "needs flavor"]),
        ({"disk_limits": {"total_bytes_sec_max": 5}}, ["disk_limits.total_bytes_sec", "missing"]),
        ({"networks": [{"user": True, "model": "e1000", "queues": 2}]}, ["networks[0].queues", "model: virtio"]),
        ({"volumes": [{"name": "a/b"}]}, ["volumes[0].name", "a/b"]),
        ({"volumes": [{"size_gb": 1}]}, ["volumes[0]", "neither name nor serial", "serial such as data"]),
        ({"volumes": [{"serial": "a b"}]}, ["volumes[0].serial", "a b"]),
        ({"volumes": [{"name": "a", "size_gb": 0}]}, ["volumes[0].size_gb", "at least 1"]),
        ({"volumes": [{"name": "a"}, {"name": "a", "serial": "b"}]}, ["volumes", "name a twice"]),
        ({"volumes": [{"name": "a"}, {"name": "b", "serial": "a"}]}, ["volumes", "serial a twice"]),
        ({"volumes": [{"name": "a", "serial": "x" * 21}]}, ["volumes[0].serial", "1 to 20"]),
        (
            {"volumes": [{"name": "a", "size_gb": 1, "format": "qcow2", "shareable": True}]},
            ["volumes[0].format", "format: raw"],
        ),
        ({"networks": [{}]}, ["networks[0]", "exactly one"]),
        ({"networks": [{"network": "a", "bridge": "b"}]}, ["networks[0]", "network and bridge", "exactly one"]),
        ({"networks": [{"user": True, "portgroup": "p"}]}, ["portgroup", "network"]),
        ({"networks": [{"user": True, "mac": "01:00:5e:00:00:01"}]}, ["networks[0].mac", "unicast"]),
        ({"networks": [{"network": "a", "fixed_ip": "x"}]}, ["networks[0].fixed_ip", "no IP address"]),
        ({"networks": [{"network": "a", "fixed_ip": "2001:db8::7"}]}, ["networks[0].fixed_ip", "network_config"]),
        ({"networks": [{"network": "a", "fixed_ip": "224.0.0.1"}]}, ["networks[0].fixed_ip", "nobody"]),
        ({"networks": [{"user": True, "fixed_ip": "192.0.2.7"}]}, ["networks[0].fixed_ip", "user-mode"]),
        (
            {"networks": [{"network": "a", "fixed_ip": "192.0.2.7"}, {"network": "a", "fixed_ip": "192.0.2.7"}]},
            ["networks[1].fixed_ip", "twice"],
        ),
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


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"flavor": None}, ["flavor", "missing"]),
        ({"image": None, "flavor": {**FLAVOR, "disk_gb": 0}}, ["image", "nothing to boot from"]),
        ({"power_state": "suspended"}, ["power_state", "declare running first"]),
    ],
)
def test_what_cannot_be_new_is_refused(changes: dict[str, t.Any], words: list[str]) -> None:
    """What an instance that is there may leave out, a new one needs."""
    with pytest.raises(SpecError) as caught:
        instance_spec(**changes).completed()
    for word in words:
        assert word in str(caught.value)


def test_what_is_not_declared_has_a_default_only_when_it_is_new() -> None:
    """Of an instance that is there nothing is touched that is not declared."""
    spec = instance_spec()
    assert (spec.power_state, spec.nics, spec.metadata, spec.hardware.rng, spec.graphics.type) == (None,) * 5
    new = spec.completed()
    assert (new.power_state, new.nics, new.metadata, new.hardware.rng) == ("running", (), (), True)
    assert (new.graphics.type, new.graphics.listen) == ("vnc", "127.0.0.1")
    assert new.completed() == new


def test_a_volume_without_a_name_is_the_instances_own() -> None:
    """So that several instances can be declared in the same words."""
    specs = [instance_spec(name=name, volumes=[{"serial": "data", "size_gb": 1}]) for name in ("web-1", "web-2")]
    assert [[(volume.name, volume.serial) for volume in spec.volumes or ()] for spec in specs] == [
        [("web-1-data", "data")],
        [("web-2-data", "data")],
    ]


def test_macs_are_stable_and_differ_by_place() -> None:
    """The same declaration has the same addresses; another NIC, name or fleet has others."""
    first = instance_spec(networks=[{"user": True}, {"user": True}])
    again = instance_spec(networks=[{"user": True}, {"user": True}])
    assert first.nics is not None
    assert first.nics == again.nics
    elsewhere = instance_spec(fleet="x", networks=[{"user": True}]).nics
    assert elsewhere is not None
    others = {elsewhere[0].mac, *(nic.mac for nic in first.nics)}
    assert len(others) == 3


@given(st.one_of(st.none(), st.text()), st.text(), st.integers(min_value=0, max_value=63))
def test_generated_macs_are_unicast_and_local(fleet: str | None, name: str, index: int) -> None:
    """A generated address never is a multicast one and never a vendor's."""
    mac = stable_mac(fleet, name, index)
    assert len(mac) == 17
    assert int(mac[:2], 16) & 0b11 == 0b10


def test_a_mac_is_taken_in_any_case() -> None:
    """Upper case is the same address."""
    nics = instance_spec(networks=[{"user": True, "mac": "52:54:00:AB:CD:EF"}]).nics
    assert [nic.mac for nic in nics or ()] == ["52:54:00:ab:cd:ef"]


def test_digest_ignores_the_power_state_and_nothing_else() -> None:
    """Starting and stopping is no other declaration, more memory is."""
    assert instance_spec().digest() == instance_spec(power_state="stopped").digest()
    assert instance_spec().digest() != instance_spec(flavor={**FLAVOR, "memory_mb": 129}).digest()
    assert instance_spec().digest() != instance_spec(metadata={"a": "b"}).digest()
