# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests for the expand_fleet filter."""

from __future__ import annotations

import typing as t

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.kilonova.compute.plugins.filter.expand_fleet import FilterModule, expand_fleet

TINY = {"name": "tiny", "vcpus": 1, "memory_mb": 128, "disk_gb": 1}
RESOLVED_TINY = {**TINY, "extra_specs": {}}
IMAGES = [{"name": "cirros", "url": "http://images.test/cirros.img"}]


def names(instances: list[dict[str, t.Any]]) -> list[str]:
    """Return the names in their order."""
    return [item["name"] for item in expand_fleet(instances, [TINY], IMAGES)]


def test_count_numbers_the_names() -> None:
    """With a count they end in numbers from 1, also when it is 1; without one the name is used as it is."""
    declared: list[dict[str, t.Any]] = [
        {"name": "web", "count": 3, "flavor": "tiny"},
        {"name": "db", "flavor": "tiny"},
        {"name": "app", "count": 1, "flavor": "tiny"},
        {"name": "idle", "count": 0, "flavor": "tiny"},
        {"name": "cli", "count": "2", "flavor": "tiny"},
    ]
    assert names(declared) == ["web-1", "web-2", "web-3", "db", "app-1", "cli-1", "cli-2"]


def test_flavor_is_filled_in_and_the_rest_is_kept() -> None:
    """What only the host reads is not looked at."""
    declared = [{"name": "web", "count": 1, "flavor": "tiny", "image": "cirros", "host": "hv1", "metadata": {"a": "b"}}]
    assert expand_fleet(declared, [TINY], IMAGES) == [
        {"name": "web-1", "flavor": RESOLVED_TINY, "image": "cirros", "host": "hv1", "metadata": {"a": "b"}}
    ]
    assert declared[0]["flavor"] == "tiny"


def test_what_an_image_asks_of_its_host_goes_along() -> None:
    """Its properties are the scheduler's to read."""
    images = [{**IMAGES[0], "properties": {"hw_architecture": "x86_64"}}]
    declared = [{"name": "web", "flavor": "tiny", "image": "cirros"}, {"name": "app", "flavor": "tiny"}]
    web, app = expand_fleet(declared, [TINY], images)
    assert web["image_properties"] == {"hw_architecture": "x86_64"}
    assert "image_properties" not in app


def test_members_of_a_group_share_its_policy() -> None:
    """One has to say it; what two say differently is for the scheduler to refuse."""
    declared = [
        {"name": "a", "flavor": "tiny", "group": "g"},
        {"name": "b", "flavor": "tiny", "group": "g", "group_policy": "affinity"},
        {"name": "c", "flavor": "tiny", "group": "g", "group_policy": "anti-affinity"},
        {"name": "d", "flavor": "tiny", "group": "other"},
    ]
    policies = [item.get("group_policy") for item in expand_fleet(declared, [TINY])]
    assert policies == ["affinity", "affinity", "anti-affinity", None]


def test_flavor_in_place() -> None:
    """A flavor may be given with the instance; its numbers may come as text."""
    declared = [{"name": "web", "flavor": {"vcpus": "2", "memory_mb": 256.0, "disk_gb": 0, "extra_specs": {"a": "b"}}}]
    assert expand_fleet(declared)[0]["flavor"] == {
        "name": "custom",
        "vcpus": 2,
        "memory_mb": 256,
        "disk_gb": 0,
        "extra_specs": {"a": "b"},
    }


@pytest.mark.parametrize("name", ["a" * 63, "0", "web.example.org", "Web_1-x"])
def test_good_names(name: str) -> None:
    """These are all right."""
    assert names([{"name": name, "flavor": "tiny"}]) == [name]


@pytest.mark.parametrize(
    "name", ["", "a" * 64, "-a", ".a", "a b", "a/b", "../a", "a<b", "a&b", "a\n", "ä", "{{ a }}", 7, None]
)
def test_bad_names(name: t.Any) -> None:
    """Nothing with a meaning in XML, paths or shells gets through."""
    with pytest.raises(AnsibleFilterError, match=r"instances\[0\].name: .* is not a valid name; a name begins with"):
        expand_fleet([{"name": name, "flavor": "tiny"}], [TINY])


@pytest.mark.parametrize(
    ("instance", "message"),
    [
        ({"flavor": "tiny"}, r"instances\[0\]: there is no name"),
        ({"name": "web"}, r"instances\[0\] \(web\): there is no flavor; take one of tiny"),
        ({"name": "web", "flavor": "huge"}, r"instances\[0\] \(web\): flavor 'huge' is unknown; take one of tiny"),
        ({"name": "web", "flavor": 3}, r"flavor 3 is unknown"),
        ({"name": "web", "flavor": "tiny", "image": "arch"}, r"\(web\): image 'arch' is unknown; take one of cirros"),
        ({"name": "web", "flavor": "tiny", "count": -1}, r"\(web\).count: -1 is too small; it must be at least 0"),
        (
            {"name": "web", "flavor": "tiny", "count": 10**9},
            r"\(web\).count: .* is too large; it must be at most 10000",
        ),
        ({"name": "web", "flavor": "tiny", "count": "many"}, r"\(web\).count: 'many' is not a whole number"),
        ({"name": "web", "flavor": "tiny", "count": True}, r"\(web\).count: True is not a whole number"),
        ({"name": "w" * 62, "flavor": "tiny", "count": 1}, r"name with count: 'w{62}-1' is not a valid name"),
        ({"name": "web", "flavor": {"vcpus": 1}}, r"\(web\).flavor: there is no memory_mb"),
        ({"name": "web", "flavor": {**TINY, "ram": 1}}, r"\(web\).flavor: 'ram' is unknown; take one of disk_gb"),
        (
            {"name": "web", "flavor": "tiny", "count": 2, "networks": [{"mac": "52:54:00:00:00:01"}]},
            "2 instances cannot share one MAC address",
        ),
        (
            {
                "name": "web",
                "flavor": "tiny",
                "count": 2,
                "network_config": {"version": 2, "ethernets": {"nic0": {"addresses": ["192.0.2.10/24"]}}},
            },
            r"\(web\): 2 instances cannot share the addresses of one network_config",
        ),
        (
            {"name": "web", "flavor": "tiny", "count": 2, "uuid": "4b20d080-1b54-4048-85b3-a6a62d165c01"},
            "2 instances cannot share one uuid",
        ),
        (
            {"name": "web", "flavor": "tiny", "count": 2, "volumes": [{"name": "data", "size_gb": 1}]},
            r"\(web\): 2 instances cannot share volume data; give it a serial",
        ),
        (7, r"instances\[0\]: 7 is not a dictionary"),
    ],
)
def test_wrong_instances(instance: t.Any, message: str) -> None:
    """One sentence that points at the place and says what would be right."""
    with pytest.raises(AnsibleFilterError, match=message):
        expand_fleet([instance], [TINY], IMAGES)


@pytest.mark.parametrize(
    ("flavors", "images", "message"),
    [
        ([{**TINY, "memory_mb": 0}], [], r"flavors\[0\] \(tiny\).memory_mb: 0 is too small"),
        ([{**TINY, "vcpus": "x"}], [], r"flavors\[0\] \(tiny\).vcpus: 'x' is not a whole number"),
        ([{**TINY, "disk_gb": -1}], [], r"disk_gb: -1 is too small; it must be at least 0"),
        ([TINY, TINY], [], "flavors: tiny is declared twice"),
        ([{**TINY, "extra_specs": "x"}], [], r"extra_specs: 'x' is not a dictionary"),
        ("tiny", [], "flavors: 'tiny' is not a list"),
        ([], [{"name": "a"}], r"images\[0\] \(a\): give exactly one of url, src and source_host"),
        ([], [{"name": "a", "url": "u", "src": "s"}], "give exactly one of url, src and source_host"),
        ([], [{"name": "a", "src": "s"}, {"name": "a", "src": "s"}], "images: a is declared twice"),
        (
            [],
            [{"name": "a", "source_instance": {"name": "web"}}],
            r"\(a\): an image can be made of an instance only where",
        ),
        ([], [{"name": "a", "path": "s"}], r"images\[0\] \(a\): 'path' is unknown"),
        ([], [{"name": "a/b", "src": "s"}], r"images\[0\].name: 'a/b' is not a valid name"),
    ],
)
def test_wrong_flavors_and_images(flavors: t.Any, images: t.Any, message: str) -> None:
    """They are checked even if nothing uses them."""
    with pytest.raises(AnsibleFilterError, match=message):
        expand_fleet([], flavors, images)


def test_two_ways_to_one_name() -> None:
    """A name that a count makes is taken like any other."""
    with pytest.raises(
        AnsibleFilterError, match=r"instances\[1\] \(web-2\): the name web-2 is taken by instances\[0\] \(web\)"
    ):
        names([{"name": "web", "count": 2, "flavor": "tiny"}, {"name": "web-2", "flavor": "tiny"}])


def test_nothing_declared_yet() -> None:
    """Without flavors the remedy is to declare one."""
    with pytest.raises(AnsibleFilterError, match="flavor 'tiny' is unknown; declare it in flavors first"):
        expand_fleet([{"name": "web", "flavor": "tiny"}])


@pytest.mark.parametrize(
    ("instances", "flavors", "images", "message"),
    [
        ([{}], [], [], r"fleet_instances\[0\]: there is no name"),
        ([{"name": "web", "flavor": "tiny"}], [], [], "declare it in fleet_flavors first"),
        ([{"name": "web", "flavor": TINY, "image": "x"}], [], [], "declare it in fleet_images first"),
        ([], [{"name": "tiny"}], [], r"fleet_flavors\[0\] \(tiny\): there is no vcpus"),
        ([], [], [{"name": "a"}], r"fleet_images\[0\] \(a\): give exactly one"),
        ([{"name": b"x"}], [], [], r"fleet_instances\[0\].name is of type bytes"),
    ],
)
def test_prefix(instances: t.Any, flavors: t.Any, images: t.Any, message: str) -> None:
    """A caller with variables for the options has these named."""
    with pytest.raises(AnsibleFilterError, match=message):
        expand_fleet(instances, flavors, images, prefix="fleet_")


def test_filters() -> None:
    """The filter is exported under its name."""
    assert FilterModule().filters() == {"expand_fleet": expand_fleet}
