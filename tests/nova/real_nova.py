# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Nova's own filters and weighers, driven request by request over the same facts that ours get.

What Nova leaves to its placement service (room, zones, traits) is written out here a second time, since that is no part
of the package: ``used + n <= (total - reserved) * ratio`` and ``n <= total``.
"""

from __future__ import annotations

import datetime
import json
import os
import re
import typing as t
from fractions import Fraction

os.environ["OS_NOVA_DISABLE_EVENTLET_PATCHING"] = "true"

import nova.conf
from nova import objects
from nova.scheduler import filters as nova_filters
from nova.scheduler import host_manager
from nova.scheduler import weights as nova_weights

CONF = nova.conf.CONF
CONF([], project="nova", default_config_files=[])
objects.register_all()

CELL = "00000000-0000-0000-0000-00000000ce11"
# Ours adds in this order; Nova in that of a directory listing.
WEIGHERS = (
    "ServerGroupSoftAffinityWeigher",
    "ServerGroupSoftAntiAffinityWeigher",
    "CPUWeigher",
    "DiskWeigher",
    "HypervisorVersionWeigher",
    "IoOpsWeigher",
    "NumInstancesWeigher",
    "PCIWeigher",
    "RAMWeigher",
)
AMOUNTS = (
    ("vcpus", "vcpus", "vcpus_used", "cpu_allocation_ratio", "reserved_host_cpus", 1),
    ("memory_mb", "memory_mb", "memory_mb_used", "ram_allocation_ratio", "reserved_host_memory_mb", 1),
    ("disk_gb", "local_gb", "local_gb_used", "disk_allocation_ratio", "reserved_host_disk_mb", 1024),
)


class RealNova:
    """One fleet in Nova's terms."""

    def __init__(self, question: dict[str, t.Any]) -> None:
        """Configure Nova and make its host states, in the order of the hosts' numbers."""
        self._question = question
        self._configure()
        chosen = {"ComputeFilter", *question.get("filters", ("ComputeFilter",))}
        known = {one.__name__: one for one in nova_filters.all_filters()}
        self._filters = [known[name]() for name in sorted(chosen)]
        weighers = {one.__name__: one for one in nova_weights.all_weighers()}
        self._weighers = [weighers[name]() for name in WEIGHERS]
        self._filter_handler, self._weight_handler = nova_filters.HostFilterHandler(), nova_weights.HostWeightHandler()
        names = sorted(question["hosts"], key=lambda name: int(re.sub(r"\D", "", name)))
        self.states = [self._state(name, question["hosts"][name]) for name in names]
        self._used = {
            name: {amount[0]: question["hosts"][name][amount[2]] for amount in AMOUNTS} for name in question["hosts"]
        }
        self._groups: dict[str, t.Any] = {}

    def _configure(self) -> None:
        question, section = self._question, "filter_scheduler"
        for option in ("max_instances_per_host", "max_io_ops_per_host"):
            CONF.clear_override(option, section)
            if option in question:
                CONF.set_override(option, question[option], section)
        for option in ("isolated_hosts", "isolated_images"):
            CONF.set_override(option, question.get(option, []), section)
        restrict = "restrict_isolated_hosts_to_isolated_images"
        CONF.set_override(restrict, question.get(restrict, True), section)
        for name in (
            "cpu",
            "ram",
            "disk",
            "io_ops",
            "num_instances",
            "hypervisor_version",
            "soft_affinity",
            "soft_anti_affinity",
        ):
            option = f"{name}_weight_multiplier"
            CONF.clear_override(option, section)
            if name in question.get("weights", {}):
                CONF.set_override(option, question["weights"][name], section)

    def _state(self, name: str, node: dict[str, t.Any]) -> t.Any:
        state = host_manager.HostState(name, name, CELL)
        self._tell_room(state, node)
        state.total_usable_ram_mb, state.total_usable_disk_gb = node["memory_mb"], node["local_gb"]
        state.host_ip, state.hypervisor_type = node["host_ip"], node["hypervisor_type"]
        state.hypervisor_version, state.hypervisor_hostname = node["hypervisor_version"], name
        state.cpu_info = json.dumps(node["cpu_info"])
        state.supported_instances = [[arch, kind, "hvm"] for arch in ("x86_64", "i686") for kind in node["virt_types"]]
        state.stats, state.num_instances = {}, len(node["instances"])
        state.instances = {guest["uuid"]: guest for guest in node["instances"]}
        state.aggregates, state.service = self._aggregates(node), self._service(name, node)
        return state

    def _tell_room(self, state: t.Any, node: dict[str, t.Any]) -> None:
        """Count reserves as used, as Nova's resource tracker does."""
        limits = self._question["limits"]
        reserved = {amount[0]: limits[amount[4]] // amount[5] for amount in AMOUNTS}
        free_gb = node["local_gb"] - node["local_gb_used"]
        least = node["disk_available_least"]
        state.free_disk_mb = ((free_gb if least is None else min(least, free_gb)) - reserved["disk_gb"]) * 1024
        state.free_ram_mb = node["memory_mb"] - node["memory_mb_used"] - reserved["memory_mb"]
        state.vcpus_total, state.vcpus_used = node["vcpus"], node["vcpus_used"] + reserved["vcpus"]
        for ratio in ("cpu", "ram", "disk"):
            setattr(state, f"{ratio}_allocation_ratio", limits[f"{ratio}_allocation_ratio"])

    def _aggregates(self, node: dict[str, t.Any]) -> list[t.Any]:
        declared = self._question["aggregates"]
        return [objects.Aggregate(name=name, metadata=declared[name]) for name in sorted(node["aggregates"])]

    @staticmethod
    def _service(name: str, node: dict[str, t.Any]) -> dict[str, t.Any]:
        now = datetime.datetime.now(datetime.timezone.utc)
        is_disabled = node["service_status"] == "disabled"
        return {"host": name, "disabled": is_disabled, "forced_down": False, "last_seen_up": now}

    def place(self, instance: dict[str, t.Any]) -> str | None:
        """Return the host that Nova takes, having claimed it, or None."""
        spec = self._spec(instance)
        candidates = [state for state in self.states if self._placement_allows(state, instance)]
        passed = self._filter_handler.get_filtered_objects(self._filters, candidates, spec)
        if not passed:
            return None
        best = self._weight_handler.get_weighed_objects(self._weighers, passed, spec)[0].obj
        best.consume_from_request(spec)
        best.instances[instance["uuid"]] = instance
        if spec.instance_group is not None:
            spec.instance_group.hosts.append(best.host)
        for key in self._used[best.host]:
            self._used[best.host][key] += instance["flavor"][key]
        return str(best.host)

    def _placement_allows(self, state: t.Any, instance: dict[str, t.Any]) -> bool:
        node, limits = self._question["hosts"][state.host], self._question["limits"]
        for key, total, _used, ratio, reserve, unit in AMOUNTS:
            wanted = instance["flavor"][key]
            room = (node[total] - limits[reserve] // unit) * Fraction(str(limits[ratio]))
            if wanted and (wanted > node[total] or self._used[state.host][key] + wanted > room):
                return False
        zones = [
            aggregate.metadata["availability_zone"]
            for aggregate in state.aggregates
            if "availability_zone" in aggregate.metadata
        ]
        wanted_zone = instance.get("availability_zone")
        if wanted_zone is not None and wanted_zone != (zones or ["nova"])[0]:
            return False
        is_fast = instance["flavor"]["extra_specs"].get("trait:CUSTOM_FAST") == "required"
        return not is_fast or "CUSTOM_FAST" in node["traits"]

    def _spec(self, instance: dict[str, t.Any]) -> t.Any:
        flavor = instance["flavor"]
        hints = {
            key: value if isinstance(value, list) else [value]
            for key, value in instance.get("scheduler_hints", {}).items()
        }
        return objects.RequestSpec(
            instance_uuid=instance["uuid"],
            project_id=self._question["fleet"],
            flavor=objects.Flavor(
                name=flavor["name"],
                vcpus=flavor["vcpus"],
                memory_mb=flavor["memory_mb"],
                root_gb=flavor["disk_gb"],
                ephemeral_gb=0,
                swap=0,
                extra_specs=flavor["extra_specs"],
            ),
            image=self._image(instance),
            instance_group=self._group(instance),
            scheduler_hints=hints,
            numa_topology=None,
            pci_requests=None,
        )

    @staticmethod
    def _image(instance: dict[str, t.Any]) -> t.Any:
        # Isolated images are known by their id there, which a field of UUIDs warns about and takes.
        properties = objects.ImageMetaProps.from_dict(instance.get("image_properties", {}))
        return objects.ImageMeta(id=instance["image"], properties=properties)

    def _group(self, instance: dict[str, t.Any]) -> t.Any:
        name = instance.get("group")
        if name is None:
            return None
        if name not in self._groups:
            rules = (
                {"max_server_per_host": str(instance["max_server_per_host"])}
                if "max_server_per_host" in instance
                else {}
            )
            policy = instance["group_policy"]
            self._groups[name] = objects.InstanceGroup(
                uuid=instance["uuid"], policy=policy, policies=[policy], rules=rules, hosts=[], members=[]
            )
        self._groups[name].members.append(instance["uuid"])
        return self._groups[name]
