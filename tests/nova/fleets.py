# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Generated fleets: the arguments of the filter ``schedule``, with everything in them that Nova knows too."""

from __future__ import annotations

import json
import random
import typing as t
import uuid

FLEET = "demo"
ZONES = ("east", "west")
FLAVORS = (
    {"name": "tiny", "vcpus": 1, "memory_mb": 512, "disk_gb": 1},
    {"name": "small", "vcpus": 1, "memory_mb": 2048, "disk_gb": 20},
    {"name": "medium", "vcpus": 2, "memory_mb": 4096, "disk_gb": 40},
    {"name": "large", "vcpus": 4, "memory_mb": 8192, "disk_gb": 80},
    {"name": "wide", "vcpus": 8, "memory_mb": 2048, "disk_gb": 0},
)
EXTRA_SPECS: tuple[dict[str, str], ...] = (
    {},
    {},
    {},
    {"aggregate_instance_extra_specs:ssd": "true"},
    {"aggregate_instance_extra_specs:tier": "<or> gold <or> silver"},
    {"ssd": "s!= false"},
    {"capabilities:hypervisor_version": ">= 7000000"},
    {"capabilities:cpu_info:features": "<in> avx2"},
    {"capabilities:cpu_info:topology:cores": "4"},
    {"capabilities:free_ram_mb": ">= 3000"},
    {"capabilities:no_such_thing": "x"},
    {"hypervisor_type": "QEMU"},
    {"hw:numa_nodes_is_not_about_this": "1"},
    {"trait:CUSTOM_FAST": "required"},
)
PROPERTIES: tuple[dict[str, str], ...] = (
    {},
    {},
    {"hw_architecture": "x86_64"},
    {"hw_architecture": "i386", "img_hv_type": "qemu"},
    {"hw_architecture": "aarch64"},
    {"img_hv_type": "kvm", "hw_vm_mode": "hvm"},
    {"img_hv_type": "qemu", "img_hv_requested_version": ">=6.2,<8"},
    {"os_distro": "debian"},
    {"os_distro": "fedora"},
)
HINTS: tuple[dict[str, t.Any], ...] = (
    {"query": json.dumps([">=", "$free_ram_mb", 4096])},
    {"query": json.dumps(["or", ["=", "$hypervisor_type", "QEMU"], ["not", [">", "$vcpus_used", 4]]])},
    {"query": json.dumps(["in", "$host", "hv1", "hv2", "hv3"])},
    {"build_near_host_ip": "10.0.1.7", "cidr": "/24"},
)
METADATA: tuple[dict[str, str], ...] = (
    {"ssd": "true"},
    {"ssd": "false", "tier": "gold"},
    {"tier": "silver, bronze"},
    {"instance_type": "tiny,small"},
    {"filter_tenant_id": "demo,other"},
    {"filter_tenant_id2": "other"},
    {"max_instances_per_host": "3"},
    {"max_io_ops_per_host": "2", "max_instances_per_host": "many"},
    {"os_distro": "debian,ubuntu"},
    {"cpu_weight_multiplier": "-1.5"},
    {"ram_weight_multiplier": "2", "disk_weight_multiplier": "0.5"},
)


def fleet(seed: int, hosts: int, instances: int, plain: bool = False) -> dict[str, t.Any]:
    """Return a question; a plain one has nothing but amounts, for measurements."""
    maker = _Maker(random.Random(seed), plain)
    aggregates = {} if plain else maker.aggregates()
    nodes = {f"hv{number}": maker.node(number, list(aggregates)) for number in range(1, hosts + 1)}
    return {
        "fleet": FLEET,
        "order": "declared",
        "policy": "nova",
        "hosts": nodes,
        "aggregates": aggregates,
        "instances": maker.instances(instances, nodes),
        "limits": maker.limits(),
        **({} if plain else maker.rules(list(nodes))),
    }


class _Maker:
    def __init__(self, chance: random.Random, plain: bool) -> None:
        self._chance, self._plain = chance, plain

    def _one_in(self, number: int) -> bool:
        return not self._plain and self._chance.randrange(number) == 0

    def aggregates(self) -> dict[str, dict[str, str]]:
        """Return aggregates, two of which are zones."""
        found = {f"zone-{zone}": {"availability_zone": zone} for zone in ZONES}
        chosen = self._chance.sample(METADATA, self._chance.randrange(5))
        return {**found, **{f"aggregate-{number}": metadata for number, metadata in enumerate(chosen)}}

    def node(self, number: int, aggregates: list[str]) -> dict[str, t.Any]:
        """Return the facts of a host."""
        chance = self._chance
        member = [name for name in aggregates if not name.startswith("zone-") and self._one_in(2)]
        zone = [f"zone-{chance.choice(ZONES)}"] if aggregates and not self._one_in(3) else []
        guests = [] if self._plain else [self._guest(f"old-{number}-{copy}") for copy in range(chance.randrange(3))]
        vcpus, memory_mb, local_gb = (
            chance.choice((4, 8, 16, 32)),
            chance.choice((8, 16, 64, 100)) * 1024,
            chance.choice((100, 500)),
        )
        used = {key: sum(guest[key] for guest in guests) for key in ("vcpus", "memory_mb", "disk_gb")}
        return {
            "state": "up",
            "service_status": "disabled" if self._one_in(10) else "enabled",
            "host_ip": f"10.0.{chance.randrange(3)}.{number % 250 + 1}",
            "hypervisor_hostname": f"hv{number}",
            "hypervisor_type": chance.choice(("QEMU", "QEMU", "LXC")),
            "hypervisor_version": chance.choice((6_002_000, 7_002_022, 8_000_000)),
            "arch": "x86_64",
            "virt_types": chance.choice((["qemu"], ["qemu", "kvm"], ["kvm"])),
            "cpu_info": {
                "features": chance.choice((["aes", "avx"], ["aes", "avx", "avx2"])),
                "topology": {"cores": chance.choice((4, 8))},
            },
            "vcpus": vcpus,
            "vcpus_used": used["vcpus"],
            "memory_mb": memory_mb,
            "memory_mb_used": used["memory_mb"],
            "local_gb": local_gb,
            "local_gb_used": used["disk_gb"],
            "disk_available_least": chance.choice((None, local_gb - used["disk_gb"] - 30)),
            "aggregates": [*member, *zone],
            "traits": ["CUSTOM_FAST"] if chance.randrange(2) else [],
            "instances": guests,
        }

    def _guest(self, name: str) -> dict[str, t.Any]:
        flavor = self._chance.choice(FLAVORS)
        return {**flavor, "name": name, "uuid": self._uuid(), "fleet": None, "flavor": flavor["name"]}

    def _uuid(self) -> str:
        return str(uuid.UUID(int=self._chance.getrandbits(128), version=4))

    def instances(self, number: int, nodes: dict[str, t.Any]) -> list[dict[str, t.Any]]:
        """Return instances, some of them in groups, some asking for others by UUID."""
        policies = ("affinity", "anti-affinity", "soft-affinity", "soft-anti-affinity")
        groups: list[dict[str, t.Any]] = [{"group": f"group-{policy}", "group_policy": policy} for policy in policies]
        groups.append({"group": "pairs", "group_policy": "anti-affinity", "max_server_per_host": 2})
        found: list[dict[str, t.Any]] = []
        known = [guest["uuid"] for node in nodes.values() for guest in node["instances"]]
        for copy in range(number):
            instance: dict[str, t.Any] = {
                "name": f"i{copy}",
                "uuid": self._uuid(),
                "image": "debian" if self._one_in(2) else "cirros",
                "flavor": {**self._chance.choice(FLAVORS), "extra_specs": self._spec()},
            }
            if self._one_in(3):
                instance.update(self._chance.choice(groups))
            if self._one_in(6) and instance.get("group_policy") != "affinity":
                instance["availability_zone"] = self._chance.choice((*ZONES, "nova"))
            if self._one_in(2):
                instance["image_properties"] = self._chance.choice(PROPERTIES)
            hints = self._hints(known)
            if hints:
                instance["scheduler_hints"] = hints
            known.append(instance["uuid"])
            found.append(instance)
        return found

    def _spec(self) -> dict[str, str]:
        return {} if self._plain else self._chance.choice(EXTRA_SPECS)

    def _hints(self, known: list[str]) -> dict[str, t.Any]:
        hints: dict[str, t.Any] = dict(self._chance.choice(HINTS)) if self._one_in(8) else {}
        if known and self._one_in(8):
            hints["different_host"] = self._chance.sample(known, min(len(known), 3))
        if known and self._one_in(12):
            hints["same_host"] = self._chance.sample(known, min(len(known), 3))
        return hints

    def limits(self) -> dict[str, t.Any]:
        """Return ratios and reserves."""
        chance = self._chance
        return {
            "cpu_allocation_ratio": chance.choice((1.0, 1.3, 4.0, 16.0)),
            "ram_allocation_ratio": chance.choice((0.9, 1.0, 1.5)),
            "disk_allocation_ratio": chance.choice((1.0, 2.0)),
            "reserved_host_cpus": chance.choice((0, 1)),
            "reserved_host_memory_mb": chance.choice((0, 512, 2048)),
            "reserved_host_disk_mb": chance.choice((0, 10 * 1024)),
        }

    def rules(self, nodes: list[str]) -> dict[str, t.Any]:
        """Return what operators configure: filters, multipliers and what these need."""
        chance = self._chance
        rules: dict[str, t.Any] = {"weights": {}}
        names = (
            "cpu",
            "ram",
            "disk",
            "io_ops",
            "num_instances",
            "hypervisor_version",
            "soft_affinity",
            "soft_anti_affinity",
        )
        for name in chance.sample(names, chance.randrange(4)):
            # Nova takes none below zero for groups.
            least = 2 if name.startswith("soft_") else 0
            rules["weights"][name] = chance.choice((-2.5, -1.0, 0.0, 0.3, 1.0, 10.0)[least:])
        if self._one_in(2):
            rules["max_instances_per_host"] = chance.choice((2, 4, 50))
        if self._one_in(2):
            rules["max_io_ops_per_host"] = chance.choice((3, 8))
        if self._one_in(2):
            rules["isolated_images"] = ["debian"] if chance.randrange(2) else []
            rules["isolated_hosts"] = chance.sample(nodes, min(len(nodes), 2))
            rules["restrict_isolated_hosts_to_isolated_images"] = bool(chance.randrange(2))
        return {**rules, "filters": sorted(chance.sample(FILTERS, chance.randrange(4, len(FILTERS))))}


FILTERS = (
    "AggregateImagePropertiesIsolation",
    "AggregateInstanceExtraSpecsFilter",
    "AggregateIoOpsFilter",
    "AggregateMultiTenancyIsolation",
    "AggregateNumInstancesFilter",
    "AggregateTypeAffinityFilter",
    "AllHostsFilter",
    "ComputeCapabilitiesFilter",
    "DifferentHostFilter",
    "ImagePropertiesFilter",
    "IoOpsFilter",
    "IsolatedHostsFilter",
    "JsonFilter",
    "NumInstancesFilter",
    "SameHostFilter",
    "ServerGroupAffinityFilter",
    "ServerGroupAntiAffinityFilter",
    "SimpleCIDRAffinityFilter",
)
