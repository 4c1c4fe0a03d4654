# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Bad input is one sentence with the culprit and the remedy, and nothing else ever comes out of it."""

from __future__ import annotations

import functools
import json
import typing as t

import pytest
from ansible_collections.kilonova.compute.plugins.plugin_utils._scheduler import require
from ansible_collections.kilonova.compute.plugins.plugin_utils._scheduler.answer import answer
from ansible_collections.kilonova.compute.plugins.plugin_utils._scheduler.errors import ScheduleError
from ansible_collections.kilonova.compute.plugins.plugin_utils._scheduler.intake.question import Question
from ansible_collections.kilonova.compute.plugins.plugin_utils._scheduler.operators import matches
from ansible_collections.kilonova.compute.tests.unit.plugins.plugin_utils._scheduler.asking import (
    instance,
    node,
    plan,
)
from hypothesis import given
from hypothesis import strategies as st

DEEP = functools.reduce(lambda inner, _level: ["not", inner], range(60), ["not", True])

INSTANCES = [
    ({"group": "a b", "group_policy": "affinity"}, "Instance web: group: 'a b' is not a valid name"),
    ({"group": "g"}, "Group g: no member says what it is for; give one of them group_policy"),
    (
        {"group": "g", "group_policy": "near"},
        "Group g: group_policy 'near' is unknown; take one of affinity, anti-affinity",
    ),
    ({"group_policy": "affinity"}, "Instance web: it has group_policy and no group"),
    ({"max_server_per_host": 2}, "Instance web: it has max_server_per_host and no group"),
    (
        {"group": "g", "group_policy": "affinity", "max_server_per_host": 2},
        "is for policy anti-affinity, and this one's is affinity",
    ),
    ({"group": "g", "group_policy": "anti-affinity", "max_server_per_host": 0}, "max_server_per_host: 0 is too small"),
    ({"availability_zone": ["east"]}, "availability_zone ['east'] is not the name of a zone"),
    ({"traits": {"need": []}}, "Instance web: traits: 'need' is unknown; take one of forbidden, required"),
    ({"traits": {"required": [1]}}, "traits.required: [1] is not a list of names"),
    ({"traits": {"required": ["A"], "forbidden": ["A"]}}, "A is both required and forbidden, so no host will do"),
    ({"extra_specs": {"trait:A": "wanted"}}, "[trait:A]: 'wanted' is neither required nor forbidden"),
    ({"extra_specs": {"trait:a-b": "required"}}, "'a-b' is not a trait; it has capitals"),
    ({"extra_specs": {"resources:VGPU": 1}}, "hypervisors report no VGPU"),
    ({"extra_specs": {"resources:VCPU": "x"}}, "[resources:VCPU]: 'x' is not a whole number"),
    ({"extra_specs": {"capabilities:": "1"}}, "nothing follows capabilities:"),
    ({"extra_specs": {"capabilities:vcpus": ">="}}, "nothing follows the operator >="),
    ({"extra_specs": {"ssd": "<or>"}}, "nothing follows the operator <or>"),
    ({"extra_specs": {"ssd": "== fast"}}, "'fast' is not a number, and == compares numbers; use s== for text"),
    ({"extra_specs": {"ssd": ["true"]}}, "flavor.extra_specs.ssd: ['true'] is not text"),
    ({"extra_specs": {"ssd": None}}, "flavor.extra_specs.ssd: None is not text"),
    ({"image_properties": {"hw_architecture": "vax"}}, "image_properties.hw_architecture: 'vax' is unknown"),
    ({"image_properties": {"img_hv_type": "vax"}}, "image_properties.img_hv_type: 'vax' is unknown"),
    (
        {"image_properties": {"hw_vm_mode": "vax"}},
        "image_properties.hw_vm_mode: 'vax' is unknown; take one of exe, hvm",
    ),
    (
        {"image_properties": {"img_hv_requested_version": "6"}},
        "'6' is no range of versions; write for example '>=6.0,<7.2'",
    ),
    ({"image_properties": {"hw_maxphysaddr_bits": "x"}}, "hw_maxphysaddr_bits: 'x' is not a whole number"),
    ({"image_properties": "x"}, "image_properties: 'x' is not a dictionary"),
    ({"require": "a ="}, "Instance web: require 'a =' is not JMESPath"),
    ({"require": 1}, "require 1 is not an expression"),
    ({"scheduler_hints": {"near": "a"}}, "scheduler_hints: 'near' is unknown; take one of build_near_host_ip"),
    ({"scheduler_hints": {"same_host": [1]}}, "scheduler_hints.same_host: [1] is not a list of names"),
    ({"scheduler_hints": {"cidr": "/24"}}, "cidr without build_near_host_ip says nothing"),
    ({"scheduler_hints": {"build_near_host_ip": "x"}}, "x/24 is not a network"),
    ({"scheduler_hints": {"build_near_host_ip": "192.0.2.1", "cidr": "/99"}}, "192.0.2.1/99 is not a network"),
    ({"scheduler_hints": {"query": "{"}}, "scheduler_hints.query: '{' is not JSON"),
    ({"scheduler_hints": {"query": {}}}, "scheduler_hints.query: {} is not an expression"),
    ({"scheduler_hints": {"query": ["~", 1]}}, "operator '~' is unknown; take one of ="),
    ({"scheduler_hints": {"query": DEEP}}, "nested more than 50 deep"),
    ({"volumes": [{"pool": "a", "size_gb": -1}]}, "volumes[0].size_gb: -1 is too small"),
]


@pytest.mark.parametrize(("wants", "words"), INSTANCES, ids=lambda value: value if isinstance(value, str) else "")
def test_wrong_instance(wants: dict[str, t.Any], words: str) -> None:
    """It is named, as is what would be right."""
    with pytest.raises(ScheduleError) as caught:
        plan([instance(**wants)], {"hv1": node()})
    message = str(caught.value)
    assert words in message
    assert "web" in message or "Group g" in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("second", "words"),
    [
        ({"group_policy": "anti-affinity"}, "Group g: group_policy is affinity for a and anti-affinity for b"),
        (
            {"availability_zone": "west"},
            "Group g: availability_zone is east for a and west for b; an affinity group is on one host",
        ),
        ({"host": "hv2"}, "Group g: host is hv1 for a and hv2 for b; an affinity group is on one host"),
    ],
)
def test_members_that_disagree(second: dict[str, t.Any], words: str) -> None:
    """Both are named."""
    first = instance("a", group="g", group_policy="affinity", availability_zone="east", host="hv1")
    with pytest.raises(ScheduleError, match=words):
        plan([first, instance("b", group="g", **second)], {"hv1": node(), "hv2": node()})


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"order": "random"}, "Order 'random' is unknown; take one of batch, declared"),
        ({"order": ["batch"]}, "is unknown; take one of batch, declared"),
        ({"policy": "best"}, "Policy 'best' is unknown; take one of nova, pack, spread"),
        ({"filters": ["RamFilter", "MetricsFilter"]}, "filters: 'MetricsFilter' is unknown; known are Aggregate"),
        ({"filters": {"RamFilter": 1}}, "filters: {'RamFilter': 1} is not a list of names"),
        ({"weights": {"speed": 1}}, "weights: 'speed' is unknown; known are cpu, disk"),
        ({"weights": {"cpu": "much"}}, "weights.cpu: 'much' is not a multiplier"),
        ({"weights": {"cpu": True}}, "weights.cpu: True is not a multiplier"),
        ({"weights": {"cpu": "1e99"}}, "weights.cpu: '1e99' is not a multiplier"),
        ({"weights": {"soft_affinity": -1}}, "weights.soft_affinity: it is below 0"),
        ({"weights": ["cpu"]}, "weights: ['cpu'] is not a dictionary"),
        ({"aggregates": {"a": {"k": []}}}, "aggregates.a.k: [] is not text"),
        ({"aggregates": ["a"]}, "aggregates: ['a'] is not a dictionary"),
        ({"max_instances_per_host": 0}, "max_instances_per_host: 0 is too small"),
        ({"max_io_ops_per_host": "x"}, "max_io_ops_per_host: 'x' is not a whole number"),
        ({"isolated_hosts": ["hv9"]}, "isolated_hosts: 'hv9' is not a hypervisor; take some of hv1"),
        ({"isolated_images": [1]}, "isolated_images: [1] is not a list of names"),
        ({"make_room_cost": -1}, "make_room_cost: -1 is too small"),
    ],
)
def test_wrong_option(options: dict[str, t.Any], words: str) -> None:
    """It is named with what would be right."""
    with pytest.raises(ScheduleError) as caught:
        plan([instance()], {"hv1": node()}, **options)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"aggregates": "x", "availability_zone": "a"}, None),
        ({"aggregates": [1]}, "hosts.hv1.aggregates: [1] is not a list of names"),
        ({"traits": [1]}, "hosts.hv1.traits: [1] is not a list of names"),
        ({"hypervisor_version": "x"}, "hosts.hv1.hypervisor_version: 'x' is not a whole number"),
        ({"virt_types": 1}, "hosts.hv1.virt_types: 1 is not a list of names"),
        ({"pci_devices": [1]}, "hosts.hv1.pci_devices[0]: 1 is not a dictionary"),
        ({"availability_zone": 5}, "hosts.hv1.availability_zone: 5 is not the name of a zone"),
        ({"storage_pools": []}, "hosts.hv1.storage_pools: [] is not a dictionary"),
        ({"storage_pools": {"a": 1}}, "hosts.hv1.storage_pools.a: 1 is not a dictionary"),
        ({"storage_pools": {"a": {"available_gb": "x"}}}, "hosts.hv1.storage_pools.a.available_gb: 'x' is not a whole"),
        (
            {"aggregates": ["a"], "availability_zone": "west"},
            "hosts.hv1: it is in two availability zones, west (itself) and east (aggregate a); a host is in one",
        ),
    ],
)
def test_wrong_facts(facts: dict[str, t.Any], words: str | None) -> None:
    """The host is named."""
    aggregates = {"a": {"availability_zone": "east"}}
    if words is None:
        plan([instance()], {"hv1": node(**facts)}, aggregates=aggregates)
        return
    with pytest.raises(ScheduleError) as caught:
        plan([instance()], {"hv1": node(**facts)}, aggregates=aggregates)
    assert words in str(caught.value)


def test_library_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only who writes expressions needs it."""
    monkeypatch.setattr(require, "HAS_JMESPATH", False)
    plan([instance()], {"hv1": node()})
    with pytest.raises(
        ScheduleError, match="Instance web: require needs the Python library jmespath on the controller"
    ):
        plan([instance(require="`true`")], {"hv1": node()})


def test_expression_that_fails_on_the_facts() -> None:
    """That is the host's message, and no traceback."""
    result = plan([instance(require="starts_with(memory_mb, 'x')")], {"hv1": node()})
    assert "is an error (" in result["unplaced"][0]["hosts"][0]["message"]


scalars = st.none() | st.booleans() | st.integers(-3, 10**18) | st.floats(allow_nan=False) | st.text(max_size=4)
junk = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
ASKING = {"img_hv_type": "qemu", "img_hv_requested_version": ">=7", "hw_maxphysaddr_bits": 46}
INSTANCE_KEYS = (
    *(
        "host",
        "availability_zone",
        "group",
        "group_policy",
        "max_server_per_host",
        "traits",
        "require",
        "scheduler_hints",
    ),
    *("image_properties", "networks", "volumes", "image", "uuid", "flavor"),
)
HOST_KEYS = (
    *("availability_zone", "aggregates", "traits", "storage_pools", "networks", "instances", "vcpus", "memory_mb"),
    *("state", "hypervisor_version", "virt_types", "cpu_info", "pci_devices", "disk_available_least", "host_ip"),
)
OPTION_KEYS = (
    *("order", "policy", "filters", "weights", "aggregates", "limits", "host_limits", "max_instances_per_host"),
    *("max_io_ops_per_host", "isolated_hosts", "isolated_images", "make_room_cost"),
)


@given(
    wants=st.dictionaries(st.sampled_from(INSTANCE_KEYS), junk, max_size=3),
    has=st.dictionaries(st.sampled_from(HOST_KEYS), junk, max_size=2),
    options=st.dictionaries(st.sampled_from(OPTION_KEYS), junk, max_size=1),
    kind=st.sampled_from([{}, {"policy": "nova"}, {"order": "declared"}, {"policy": "pack", "weights": {"pci": 2}}]),
)
def test_junk_is_refused_in_one_sentence_or_planned(
    wants: dict[str, t.Any], has: dict[str, t.Any], options: dict[str, t.Any], kind: dict[str, t.Any]
) -> None:
    """Never anything else, and what is planned is plain data."""
    web = {**instance(extra_specs={"capabilities:cpu_info:features": "<in> avx"}, image_properties=ASKING), **wants}
    hosts = {"hv1": node(**has), "hv2": node()}
    question = Question(fleet="demo", instances=[web], hosts=hosts, **{**kind, **options})
    try:
        outcome = json.dumps(answer(question))
    except ScheduleError as exc:
        outcome = str(exc)
    assert outcome[-1] in "}."


@given(value=st.text(max_size=6), requirement=st.text(max_size=12))
def test_operators_never_fail(value: str, requirement: str) -> None:
    """On whatever hosts report and flavors say."""
    assert matches(value, requirement) in (True, False)


@pytest.mark.parametrize(
    ("value", "requirement", "matched"),
    [
        ("4", "= 3", True),
        ("2", "= 3", False),
        ("4.0", "== 4", True),
        ("4", "!= 4", False),
        ("4", ">= 4", True),
        ("5", "<= 4", False),
        ("abc", "s== abc", True),
        ("abc", "s!= abc", False),
        ("abc", "s< abd", True),
        ("abc", "s<= abc", True),
        ("abd", "s> abc", True),
        ("abc", "s>= abd", False),
        ("avx avx2", "<in> avx2", True),
        ("avx avx2", "<all-in> avx2 vx", True),
        ("avx avx2", "<all-in> avx2 aes", False),
        ("b", "<or> a <or> b", True),
        ("<or>", "<or> a <or> b", False),
        ("a b", "a b", True),
        ("4", "4.0", False),
        ("x", "== 4", False),
        ("", "", True),
        ("", "==", False),
    ],
)
def test_operators(value: str, requirement: str, matched: bool) -> None:
    """As in Nova, of which the session in tests/nova asks the same."""
    assert matches(value, requirement) is matched
