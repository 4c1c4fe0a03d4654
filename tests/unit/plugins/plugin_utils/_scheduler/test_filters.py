# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Every filter lets the right host pass, and of the wrong one says what is there and what is wanted."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.kilonova.compute.tests.unit.plugins.plugin_utils._scheduler.asking import (
    guest,
    instance,
    messages,
    node,
    places,
    plan,
)

SSD = {"aggregates": {"fast": {"ssd": "true", "tier": "gold, silver"}}}
POOLS = {"slow": {"active": True, "available_gb": 10}, "off": {"active": False, "available_gb": 10}}


class Case(t.NamedTuple):
    """One host and one instance."""

    wants: dict[str, t.Any]
    """Of the instance."""
    has: dict[str, t.Any]
    """Of the host."""
    options: dict[str, t.Any]
    says: str | None
    """None if the host passes."""


def zone(wanted: str, has: dict[str, t.Any], says: str | None, **options: t.Any) -> Case:
    """Return a case of AvailabilityZoneFilter."""
    return Case({"availability_zone": wanted}, has, options, says and f"AvailabilityZoneFilter: {says}")


def specs(extra_specs: dict[str, t.Any], has: dict[str, t.Any], says: str | None, **options: t.Any) -> Case:
    """Return a case of a filter that reads extra specs."""
    return Case({"extra_specs": extra_specs}, has, options, says)


def image(properties: dict[str, t.Any], has: dict[str, t.Any], says: str | None) -> Case:
    """Return a case of ImagePropertiesFilter."""
    return Case({"image_properties": properties}, has, {}, says and f"ImagePropertiesFilter: {says}")


def hint(hints: dict[str, t.Any], has: dict[str, t.Any], says: str | None) -> Case:
    """Return a case of a filter that reads a hint."""
    return Case({"scheduler_hints": hints}, has, {}, says)


IN_EAST = {"aggregates": {"a": {"availability_zone": "east"}}}
ZONES = [
    zone("east", {"availability_zone": "east"}, None),
    zone("east", {"aggregates": ["a"]}, None, **IN_EAST),
    zone("nova", {}, None),
    zone("east", {}, "is in zone nova, and declared is east"),
    zone("west", {"aggregates": ["a"]}, "is in zone east, and declared is west", **IN_EAST),
]
CAPABILITIES = [
    specs({"capabilities:hypervisor_version": ">= 7000000"}, {}, None),
    specs({"capabilities:cpu_info:features": "<in> avx"}, {}, None),
    specs({"capabilities:cpu_info:topology:cores": "4"}, {"cpu_info": '{"topology": {"cores": 4}}'}, None),
    specs({"capabilities:free_ram_mb": "= 3584"}, {}, None),
    specs({"other:hypervisor_type": "LXC"}, {}, None),
    specs(
        {"capabilities:cpu_info:features": "<in> avx2"},
        {},
        "ComputeCapabilitiesFilter: has ['aes', 'avx'] as cpu_info:features, and wanted is <in> avx2",
    ),
    specs({"capabilities:no:such": "1"}, {}, "ComputeCapabilitiesFilter: does not tell no:such, and wanted is 1"),
    specs({"capabilities:arch:of": "1"}, {}, "ComputeCapabilitiesFilter: does not tell arch:of, and wanted is 1"),
    specs(
        {"capabilities:hypervisor_type": "s== LXC"},
        {},
        "ComputeCapabilitiesFilter: has QEMU as hypervisor_type, and wanted is s== LXC",
    ),
    specs(
        {"hw:maxphysaddr_bits": "46"},
        {"cpu_info": {"maxphysaddr": {"bits": 40}}},
        "ComputeCapabilitiesFilter: has 40 as cpu_info:maxphysaddr:bits, and wanted is >= 46",
    ),
    specs(
        {"hypervisor_type": "LXC"},
        {"aggregates": ["a"]},
        "ComputeCapabilitiesFilter: has QEMU as hypervisor_type, and wanted is LXC",
        aggregates={"a": {"hypervisor_type": "LXC"}},
    ),
]
AGGREGATES = [
    specs({"aggregate_instance_extra_specs:ssd": "true"}, {"aggregates": ["fast"]}, None, **SSD),
    specs({"ssd": True}, {"aggregates": ["fast"]}, None, **SSD),
    specs({"aggregate_instance_extra_specs:tier": "<or> bronze <or> silver"}, {"aggregates": ["fast"]}, None, **SSD),
    specs(
        {"ssd": "true"},
        {},
        "AggregateInstanceExtraSpecsFilter: is in no aggregate that says what ssd is, and wanted is true",
        **SSD,
    ),
    specs(
        {"tier": "bronze"},
        {"aggregates": ["fast"]},
        "AggregateInstanceExtraSpecsFilter: is in aggregates whose tier is gold or silver, and wanted is bronze",
        **SSD,
    ),
    Case(
        {"image_properties": {"os_distro": "debian"}},
        {"aggregates": ["a"]},
        {"aggregates": {"a": {"os_distro": "debian,ubuntu"}}},
        None,
    ),
    Case(
        {"image_properties": {"os_type": "linux"}},
        {"aggregates": ["a"]},
        {"aggregates": {"a": {"os_distro": "debian"}}},
        None,
    ),
    Case(
        {"image_properties": {"os_distro": "fedora"}},
        {"aggregates": ["a"]},
        {"aggregates": {"a": {"os_distro": "debian"}}},
        "AggregateImagePropertiesIsolation: is in aggregates that take images whose os_distro is debian, and the image's is fedora",
    ),
    Case({}, {"aggregates": ["a"]}, {"aggregates": {"a": {"filter_tenant_id2": "other, demo"}}}, None),
    Case(
        {},
        {"aggregates": ["a"]},
        {"aggregates": {"a": {"filter_tenant_id": "other"}}},
        "AggregateMultiTenancyIsolation: is in aggregates for fleet other, and this is fleet demo",
    ),
    Case({}, {"aggregates": ["a"]}, {"aggregates": {"a": {"instance_type": "tiny, small"}}}, None),
    Case(
        {},
        {"aggregates": ["a"]},
        {"aggregates": {"a": {"instance_type": "tiny,big"}}},
        "AggregateTypeAffinityFilter: is in aggregates that take flavor big or tiny, and this is small",
    ),
]
IMAGES = [
    image({"hw_architecture": "amd64", "img_hv_type": "QEMU", "hw_vm_mode": "hv"}, {}, None),
    image({"hw_architecture": "i386"}, {}, None),
    image({"img_hv_type": "qemu", "img_hv_requested_version": ">=7.2,<8"}, {}, None),
    image({"img_hv_type": "qemu", "img_hv_requested_version": "==7.2.22"}, {}, None),
    image({"img_hv_requested_version": ">=9", "os_distro": "debian"}, {}, None),
    image({"img_hv_type": "qemu", "hw_maxphysaddr_bits": 46}, {}, None),
    image({"img_hv_type": "kvm"}, {}, "runs x86_64/qemu/hvm, i686/qemu/hvm, and the image asks for kvm"),
    image(
        {"hw_architecture": "aarch64", "img_hv_type": "qemu"},
        {"virt_types": []},
        "runs nothing that it tells of, and the image asks for aarch64 and qemu",
    ),
    image(
        {"img_hv_type": "qemu", "img_hv_requested_version": ">=8"},
        {},
        "has hypervisor version 7.2.22, and the image asks for >=8",
    ),
    image(
        {"img_hv_type": "qemu", "hw_maxphysaddr_bits": 46},
        {"cpu_info": {"maxphysaddr": {"bits": 40}}},
        "has 40 bits of physical addresses, and the image asks for 46",
    ),
]
TRAITS = [
    Case({"traits": {"required": ["CUSTOM_A"], "forbidden": ["CUSTOM_B"]}}, {"traits": ["CUSTOM_A"]}, {}, None),
    specs({"trait:CUSTOM_A": "required"}, {"traits": ["CUSTOM_A"]}, None),
    specs({"trait:CUSTOM_A": "required"}, {}, "TraitsFilter: lacks CUSTOM_A"),
    Case(
        {"image_properties": {"trait:CUSTOM_A": "forbidden"}},
        {"traits": ["CUSTOM_A"]},
        {},
        "TraitsFilter: has CUSTOM_A, which is forbidden",
    ),
    Case(
        {"traits": {"required": ["CUSTOM_B", "CUSTOM_C"]}, "extra_specs": {"trait:CUSTOM_A": "forbidden"}},
        {"traits": ["CUSTOM_A", "CUSTOM_C"]},
        {},
        "TraitsFilter: lacks CUSTOM_B and has CUSTOM_A, which is forbidden",
    ),
]
EXPRESSIONS = [
    Case({"require": "memory_mb > `1000` && contains(virt_types, 'qemu')"}, {}, {}, None),
    Case({"require": "memory_mb > `9999`"}, {}, {}, "RequireFilter: require memory_mb > `9999` is false, not true"),
    Case({"require": "memory_mb"}, {}, {}, "RequireFilter: require memory_mb is 4096, not true"),
    Case({"require": "no.such.thing"}, {}, {}, "RequireFilter: require no.such.thing is null, not true"),
    hint({"query": ["and", [">=", "$free_ram_mb", 3584], ["=", "$cpu_info.topology.cores", 4]]}, {}, None),
    hint({"query": '["in", "$host", "hv0", "hv1"]'}, {}, None),
    hint({"query": ["not", ["=", "$host", "hv1"], ["=", "$host", "hv2"]]}, {}, None),
    hint({"query": []}, {}, None),
    hint({"query": [">", "$free_ram_mb", 3584]}, {}, 'JsonFilter: does not meet the query [">", "$free_ram_mb", 3584]'),
    hint({"query": [">", "$arch", 1]}, {}, 'JsonFilter: does not meet the query [">", "$arch", 1]'),
    hint({"query": ["=", "$no_such", 1]}, {}, 'JsonFilter: does not meet the query ["=", "$no_such", 1]'),
]
COMPANY = [
    hint({"same_host": ["old", "gone"]}, {"instances": [guest("old")]}, None),
    hint({"same_host": "5f"}, {"instances": [guest("old", uuid="5f")]}, None),
    hint({"same_host": ["a", "b"]}, {"instances": [guest("old")]}, "SameHostFilter: has none of a, b"),
    hint({"different_host": ["a"]}, {"instances": [guest("old")]}, None),
    hint(
        {"different_host": ["a", "old"]},
        {"instances": [guest("old")]},
        "DifferentHostFilter: has old, from which it must stay away",
    ),
    hint({"build_near_host_ip": "192.0.2.9"}, {"host_ip": "192.0.2.77"}, None),
    hint({"build_near_host_ip": "2001:db8::1", "cidr": "/64"}, {"host_ip": "2001:db8::77"}, None),
    hint(
        {"build_near_host_ip": "192.0.2.9", "cidr": "/28"},
        {"host_ip": "192.0.2.77"},
        "SimpleCIDRAffinityFilter: has address 192.0.2.77, and asked for is one in 192.0.2.0/28",
    ),
    hint(
        {"build_near_host_ip": "192.0.2.9"},
        {},
        "SimpleCIDRAffinityFilter: does not tell its address (host_ip), and asked for is one in 192.0.2.0/24",
    ),
]
ISOLATED = {"isolated_hosts": ["hv1"], "isolated_images": ["secret"]}
COUNTS = [
    Case({}, {"instances": [guest("a")]}, {"max_instances_per_host": 2}, None),
    Case(
        {},
        {"instances": [guest("a"), guest("b")]},
        {"max_instances_per_host": 2},
        "NumInstancesFilter: has 2 instances, and max_instances_per_host is 2",
    ),
    Case(
        {},
        {"instances": [guest("a")], "aggregates": ["x", "y"]},
        {"aggregates": {"x": {"max_instances_per_host": "3"}, "y": {"max_instances_per_host": 1}}},
        "AggregateNumInstancesFilter: has 1 instances, and max_instances_per_host is 1",
    ),
    Case(
        {},
        {"instances": [guest("a")], "aggregates": ["x"]},
        {"aggregates": {"x": {"max_instances_per_host": "3"}}, "max_instances_per_host": 1},
        None,
    ),
    Case(
        {},
        {"instances": [guest("a")], "aggregates": ["x", "y"]},
        {
            "aggregates": {"x": {"max_instances_per_host": "3"}, "y": {"max_instances_per_host": "many"}},
            "max_instances_per_host": 1,
        },
        "NumInstancesFilter: has 1 instances, and max_instances_per_host is 1",
    ),
    Case(
        {},
        {"instances": [guest("a")], "aggregates": ["x"]},
        {
            "aggregates": {"x": {"max_instances_per_host": "3"}},
            "max_instances_per_host": 1,
            "filters": ["NumInstancesFilter", "AggregateNumInstancesFilter"],
        },
        "NumInstancesFilter: has 1 instances, and max_instances_per_host is 1",
    ),
    Case(
        {},
        {"instances": [guest(f"g{number}") for number in range(50)]},
        {"filters": ["AggregateNumInstancesFilter"]},
        "AggregateNumInstancesFilter: has 50 instances, and max_instances_per_host is 50",
    ),
    Case({"image": "secret"}, {}, ISOLATED, None),
    Case({"image": "other"}, {}, ISOLATED, "IsolatedHostsFilter: takes isolated images only (secret)"),
    Case({"image": "other"}, {}, {**ISOLATED, "restrict_isolated_hosts_to_isolated_images": False}, None),
    Case(
        {"image": "secret"},
        {},
        {"isolated_images": ["secret"]},
        "IsolatedHostsFilter: is not isolated, and image secret is",
    ),
    Case({}, {}, {"isolated_hosts": ["hv1"]}, "IsolatedHostsFilter: takes isolated images only (none is declared)"),
]
VOLUMES = [
    Case(
        {"volumes": [{"pool": "slow", "size_gb": 4}, {"pool": "slow", "size_gb": 6}]},
        {"storage_pools": POOLS},
        {},
        None,
    ),
    Case({"volumes": [{"pool": "slow", "name": "there"}]}, {}, {}, None),
    Case(
        {"volumes": [{"pool": "slow", "size_gb": 4}, {"pool": "slow", "size_gb": 7}, {"pool": "gone", "name": "x"}]},
        {"storage_pools": POOLS},
        {},
        "PoolFilter: has no storage pool gone (there are: off, slow) and needs 11 GiB in storage pool slow, 10 GiB free",
    ),
    Case(
        {"volumes": [{"pool": "off", "name": "x"}]},
        {"storage_pools": POOLS},
        {},
        "PoolFilter: has storage pool off, which is not active",
    ),
    Case(
        {"volumes": [{"pool": "a", "name": "x"}]},
        {"storage_pools": {}},
        {},
        "PoolFilter: has no storage pool a (there are: none)",
    ),
]
CASES = [*ZONES, *CAPABILITIES, *AGGREGATES, *IMAGES, *TRAITS, *EXPRESSIONS, *COMPANY, *COUNTS, *VOLUMES]


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case.says or "passes")[:60])
@pytest.mark.parametrize("order", ["batch", "declared"])
def test_filter(case: Case, order: str) -> None:
    """In the units of the user, whatever the order."""
    result = plan([instance(**case.wants)], {"hv1": node(**case.has)}, order=order, **case.options)
    if case.says is None:
        assert places(result) == {"web": "hv1"}
    else:
        assert messages(result) == [case.says]
        assert case.says.split(": ", 1)[1] in result["unplaced"][0]["reason"]


@pytest.mark.parametrize("order", ["batch", "declared"])
def test_groups(order: str) -> None:
    """Members that are there count, those of another fleet's group of the same name do not."""
    there = [guest("old", fleet="demo", group="g"), guest("strange", fleet="other", group="g")]
    apart: dict[str, t.Any] = {"group": "g", "group_policy": "anti-affinity"}
    hosts = {"hv1": node(instances=there[:1]), "hv2": node(instances=there[1:])}
    result = plan([instance("a", **apart), instance("b", group="g")], hosts, order=order)
    assert places(result) == {"a": "hv2"}
    assert messages(result) == [
        "ServerGroupAntiAffinityFilter: has 1 of anti-affinity group g and may have 1",
        "ServerGroupAntiAffinityFilter: has 1 of anti-affinity group g and may have 1",
    ]
    two = plan(
        [instance("a", max_server_per_host=2, **apart), instance("b", group="g")], {"hv1": hosts["hv1"]}, order=order
    )
    assert places(two) == {"a": "hv1"}
    together = plan(
        [instance("a", group="g", group_policy="affinity")], {"hv1": hosts["hv1"], "hv2": node()}, order=order
    )
    assert places(together) == {"a": "hv1"}
    full = {"hv1": node(instances=there[:1], vcpus=0), "hv2": node()}
    refused = plan([instance("a", group="g", group_policy="affinity")], full, order=order)
    assert (
        messages(refused)[1] == "ServerGroupAffinityFilter: has none of affinity group g, whose 1 members are elsewhere"
    )


@pytest.mark.parametrize("policy", ["spread", "pack", "nova"])
@pytest.mark.parametrize("order", ["batch", "declared"])
def test_affinity_group_stays_together(policy: str, order: str) -> None:
    """Wherever the first one went."""
    fleet = [instance(f"i{number}", group="g", group_policy="affinity") for number in range(4)]
    result = plan(fleet, {f"hv{number}": node() for number in range(1, 5)}, policy=policy, order=order)
    assert len(set(places(result).values())) == 1
    assert len(places(result)) == len(fleet)


@pytest.mark.parametrize("policy", ["spread", "pack", "nova"])
def test_soft_groups_outweigh_room(policy: str) -> None:
    """Where nothing else is asked for."""
    hosts = {f"hv{number}": node() for number in range(1, 4)}
    together = [instance(f"i{number}", group="g", group_policy="soft-affinity") for number in range(3)]
    weights = {"soft_affinity": 10, "soft_anti_affinity": 10}
    assert len(set(places(plan(together, hosts, policy=policy, weights=weights)).values())) == 1
    apart = [instance(f"i{number}", group="g", group_policy="soft-anti-affinity") for number in range(3)]
    assert set(places(plan(apart, hosts, policy=policy, weights=weights)).values()) == set(hosts)


def test_io_ops_count_what_the_plan_starts() -> None:
    """Here nothing else is being built."""
    fleet = [instance(f"i{number}") for number in range(5)]
    result = plan(fleet, {"hv1": node(), "hv2": node()}, max_io_ops_per_host=2)
    assert sorted(places(result).values()) == ["hv1", "hv1", "hv2", "hv2"]
    assert messages(result)[0] == "IoOpsFilter: has 2 instances being built, and max_io_ops_per_host is 2"
    own = {"hv1": node(aggregates=["a"])}
    result = plan(fleet, own, aggregates={"a": {"max_io_ops_per_host": 1}}, max_io_ops_per_host=2)
    assert messages(result) == ["AggregateIoOpsFilter: has 1 instances being built, and max_io_ops_per_host is 1"]


def test_hints_between_declared_instances() -> None:
    """In a batch the order does not matter, and staying apart is mutual; in declared order it is as in Nova."""
    hosts = {f"hv{number}": node() for number in range(1, 4)}
    near = instance("a", scheduler_hints={"same_host": ["b"]})
    result = places(plan([near, instance("b")], hosts))
    assert result["a"] == result["b"]
    big = instance("b")
    big["flavor"]["memory_mb"] = 1024
    for fleet in (
        [instance("a", scheduler_hints={"different_host": ["b"]}), big],
        [big, instance("a", scheduler_hints={"different_host": ["b"]})],
    ):
        result = places(plan(fleet, hosts, policy="pack"))
        assert result["a"] != result["b"]
    result = plan([near, instance("b")], hosts, order="declared")
    assert places(result) == {"b": "hv1"}
    assert messages(result)[0] == "SameHostFilter: had none of b yet when it was asked; declare it after them"
    assert messages(result)[1] == "SameHostFilter: has none of b"


def test_pool_claims_accumulate() -> None:
    """Two volumes of 6 GiB do not fit into 10 GiB, though each does."""
    fleet = [instance(f"i{number}", volumes=[{"pool": "slow", "size_gb": 6}]) for number in range(2)]
    result = plan(fleet, {"hv1": node(storage_pools=POOLS)})
    assert list(places(result)) == ["i0"]
    assert messages(result) == ["PoolFilter: needs 6 GiB in storage pool slow, 4 GiB free"]


def test_chosen_filters() -> None:
    """What was not chosen is not asked, except for what keeps data safe and what Nova's placement sees to."""
    web = instance(extra_specs={"ssd": "true"}, availability_zone="east")
    assert messages(plan([web], {"hv1": node()}))[0].startswith("AvailabilityZoneFilter")
    here = node(availability_zone="east")
    assert messages(plan([web], {"hv1": here}))[0].startswith("AggregateInstanceExtraSpecsFilter")
    assert places(plan([web], {"hv1": here}, filters=["ImagePropertiesFilter"])) == {"web": "hv1"}
    assert places(plan([web], {"hv1": here}, filters=["AllHostsFilter"])) == {"web": "hv1"}
    assert messages(plan([web], {"hv1": node()}, filters=[]))[0].startswith("AvailabilityZoneFilter")


def test_declared_host_is_checked() -> None:
    """Nova skips all filters there."""
    result = plan(
        [instance(host="hv1", traits={"required": ["CUSTOM_A"]})], {"hv1": node(), "hv2": node(traits=["CUSTOM_A"])}
    )
    assert messages(result) == ["TraitsFilter: lacks CUSTOM_A", "HostFilter: is not the declared host hv1"]


def test_amounts_that_extra_specs_override() -> None:
    """As Nova's placement is asked for them."""
    web = instance(extra_specs={"resources:VCPU": "3", "resources:DISK_GB": 0, "resources:MEMORY_MB": "512"})
    used = plan([web], {"hv1": node()})["hosts"]["hv1"]
    assert (used["vcpus_used"], used["memory_mb_used"], used["local_gb_used"]) == (3, 512, 0)


def test_what_only_the_scheduler_reads_stays_here() -> None:
    """The host would refuse to know it."""
    web = instance(
        extra_specs={
            "hw:cpu_policy": "shared",
            "ssd": "true",
            "capabilities:arch": "x86_64",
            "trait:CUSTOM_A": "required",
        },
        group="g",
        group_policy="affinity",
        availability_zone="nova",
        traits={},
        require="`true`",
        scheduler_hints={},
        image_properties={"os_distro": "debian"},
    )
    hosts = {"hv1": node(aggregates=["fast"], traits=["CUSTOM_A"])}
    told = plan([web], hosts, **SSD)["by_host"]["hv1"][0]
    assert told["flavor"]["extra_specs"] == {"hw:cpu_policy": "shared"}
    assert {key: value for key, value in told.items() if key != "flavor"} == {
        "name": "web",
        "group": "g",
        "group_policy": "affinity",
    }
