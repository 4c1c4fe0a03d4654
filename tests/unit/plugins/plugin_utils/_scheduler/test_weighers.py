# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Who is best, and who comes first; that it is as in Nova is what the session in tests/nova proves."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.kilonova.compute.tests.unit.plugins.plugin_utils._scheduler.asking import (
    guest,
    instance,
    node,
    places,
    plan,
)
from hypothesis import given
from hypothesis import strategies as st

NO_RESERVE = {"reserved_host_memory_mb": 0}


def chosen(
    hosts: dict[str, t.Any], policy: str = "nova", wants: dict[str, t.Any] | None = None, **options: t.Any
) -> str:
    """Return the host that one instance goes to."""
    web = instance(**(wants or {}))
    return places(plan([web], hosts, policy=policy, order="declared", limits=NO_RESERVE, **options))["web"]


def test_nova_weighs_amounts_and_ours_fractions() -> None:
    """A big host that is half full is best for Nova, a small one that is empty for us."""
    hosts = {"big": node(memory_mb=100_000, memory_mb_used=50_000), "small": node(memory_mb=10_000)}
    assert chosen(hosts) == "big"
    assert chosen(hosts, "spread") == "small"
    assert chosen(hosts, "pack") == "big"


def test_first_by_name_among_equals() -> None:
    """Where 10 comes after 9, whatever the order of the hosts is."""
    for policy in ("nova", "spread", "pack"):
        assert chosen({"hv10": node(), "hv9": node()}, policy) == "hv9"


@pytest.mark.parametrize(
    ("better", "weights"),
    [
        ({"memory_mb": 8192}, {}),
        ({"vcpus": 8}, {}),
        ({"local_gb": 80}, {}),
        ({"disk_available_least": 30, "local_gb": 80}, {"disk": -1}),
        ({"hypervisor_version": 8_000_000}, {}),
        ({"memory_mb": 2048}, {"ram": -1}),
        ({"instances": [guest("a")]}, {"num_instances": 1}),
        ({"pci_devices": []}, {}),
        ({"memory_mb": 8192, "hypervisor_version": 6_000_000}, {"hypervisor_version": 0}),
        ({"vcpus": 8, "memory_mb": 2048}, {"cpu": 2.5}),
    ],
)
def test_what_nova_likes(better: dict[str, t.Any], weights: dict[str, t.Any]) -> None:
    """Each weigher alone makes the second host the best."""
    aside = [{"address": "0000:00:01.0", "driver": "vfio-pci"}, {"address": "0000:00:02.0", "driver": "e1000e"}]
    hosts = {"hv1": node(pci_devices=aside), "hv2": node(**{"pci_devices": aside, **better})}
    assert chosen(hosts, weights=weights) == "hv2"


def test_aggregates_override_multipliers() -> None:
    """The smallest of theirs wins; if one is no number, none of them does."""
    hosts = {"hv1": node(memory_mb=8192, aggregates=["a", "b"]), "hv2": node()}
    assert chosen(hosts) == "hv1"
    assert (
        chosen(hosts, aggregates={"a": {"ram_weight_multiplier": "-1"}, "b": {"ram_weight_multiplier": "3"}}) == "hv2"
    )
    assert (
        chosen(hosts, aggregates={"a": {"ram_weight_multiplier": "-1"}, "b": {"ram_weight_multiplier": "x"}}) == "hv1"
    )


def test_image_properties_draw_alike_together_or_apart() -> None:
    """They count only if users give them a multiplier."""
    linux = {"image_properties": {"os_type": "linux"}}
    old = guest("old", fleet="demo")
    hosts = {"hv1": node(), "hv2": node(instances=[old])}

    def places_of(weights: dict[str, t.Any]) -> str:
        fleet = [instance("old", **linux), instance("web", **linux)]
        return places(plan(fleet, hosts, policy="nova", order="declared", weights=weights))["web"]

    assert places_of({}) == "hv1"
    assert places_of({"image_props": 1}) == "hv2"
    assert places_of({"image_props": -1}) == "hv1"
    key = {"aggregates": {"a": {"image_props_weight_multiplier": "5"}}}
    fleet = [instance("old", **linux), instance("web", **linux)]
    hosts = {"hv1": node(), "hv2": node(instances=[old], aggregates=["a"])}
    assert places(plan(fleet, hosts, policy="nova", order="declared", **key))["web"] == "hv1"


@pytest.mark.parametrize("order", ["batch", "declared"])
@pytest.mark.parametrize(
    ("weights", "host"),
    [
        ({}, "hv1"),
        ({"cpu": 10}, "hv2"),
        ({"num_instances": "100.5"}, "hv2"),
        ({"hypervisor_version": 3}, "hv2"),
        ({"pci": 1, "cpu": 0, "ram": 0}, "hv2"),
        ({"cpu": -1, "ram": 0}, "hv1"),
    ],
)
def test_multipliers_of_our_policies(order: str, weights: dict[str, t.Any], host: str) -> None:
    """Fractions of them too."""
    aside = [{"address": "0000:00:01.0", "driver": "vfio-pci"}]
    first = node(memory_mb=8192, memory_mb_used=0, vcpus_used=2, pci_devices=aside)
    second = node(memory_mb=8192, memory_mb_used=6000, hypervisor_version=9_000_000, instances=[guest("a")])
    web = [instance()]
    hosts = {"hv1": first, "hv2": second}
    assert places(plan(web, hosts, order=order, weights=weights, limits=NO_RESERVE)) == {"web": host}


def test_declared_order_is_heeded() -> None:
    """A small one takes the last place of a big one that is declared after it; in a batch it does not."""
    hosts = {"hv1": node(), "hv2": node(memory_mb=1024)}
    big = instance("big")
    big["flavor"]["memory_mb"] = 4096
    fleet = [instance("small"), big]
    assert places(plan(fleet, hosts, order="declared", limits=NO_RESERVE)) == {"small": "hv1"}
    assert places(plan(fleet, hosts, limits=NO_RESERVE)) == {"small": "hv2", "big": "hv1"}


@given(
    sizes=st.lists(st.sampled_from([100, 700, 1500]), max_size=12),
    rooms=st.lists(st.sampled_from([1024, 2048, 4096]), min_size=1, max_size=4),
    policy=st.sampled_from(["nova", "spread", "pack"]),
    limit=st.sampled_from([None, 2]),
)
def test_one_by_one_is_the_same_as_all_in_turn(
    sizes: list[int], rooms: list[int], policy: str, limit: int | None
) -> None:
    """What is kept from one request to the next changes nothing: who asks anew after each gets the same hosts."""
    hosts = {f"hv{number}": node(memory_mb=room) for number, room in enumerate(rooms)}
    fleet = [instance(f"i{number}") for number in range(len(sizes))]
    for one, size in zip(fleet, sizes):
        one["flavor"] = {**one["flavor"], "memory_mb": size}
    options: dict[str, t.Any] = {
        "policy": policy,
        "order": "declared",
        "limits": NO_RESERVE,
        "max_instances_per_host": limit,
    }
    # What was just started weighs a little, and facts do not tell.
    options["weights"] = {"io_ops": 0}
    together = places(plan(fleet, hosts, **options))
    apart: dict[str, str] = {}
    for number, one in enumerate(fleet):
        found = places(plan(fleet[: number + 1], hosts, **options)).get(one["name"])
        if found is not None:
            apart[one["name"]] = found
            host = hosts[found]
            flavor = one["flavor"]
            hosts[found] = {
                **host,
                "vcpus_used": host["vcpus_used"] + 1,
                "memory_mb_used": host["memory_mb_used"] + flavor["memory_mb"],
                "local_gb_used": host["local_gb_used"] + 1,
                "instances": [*host["instances"], {**flavor, "name": one["name"], "fleet": "demo", "flavor": "small"}],
            }
    assert together == apart
