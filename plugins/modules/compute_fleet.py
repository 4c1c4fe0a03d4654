#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Manage all instances of a fleet on one hypervisor."""

from __future__ import annotations

DOCUMENTATION = r"""
module: compute_fleet
short_description: Manage all instances of a fleet on one hypervisor
version_added: 0.1.0
description:
  - Reconciles a host's whole list of instances in one task over one connection; the slow parts run side by side.
  - Each instance has its own result. If some fail, the others are still done and the task fails with the list.
  - Which host an instance belongs on is decided before, by the filter P(kilonova.compute.schedule#filter).
  - An instance that is there is compared with its declaration, both how it is defined and how it runs. What differs is
    changed while it runs where libvirt can do that, and else at its next boot; options that are not set are left alone.
  - What an instance can't become in place is refused, with nothing changed; another image, machine type or disk bus, and
    a smaller disk.
extends_documentation_fragment:
  - kilonova.compute._connection
  - kilonova.compute._instance.fleet
  - kilonova.compute._instance.limits
  - kilonova.compute._instance.lifecycle
  - kilonova.compute._wait
  - kilonova.compute._attributes
  - kilonova.compute._attributes.actiongroup_compute
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  fleet:
    description:
      - Name of the fleet. Instances of other fleets and other domains are counted, and never touched.
    type: str
    required: true
  state:
    description:
      - With V(present), the instances are made and kept as declared.
      - With V(absent), they are powered off and removed with the disks made for them.
    type: str
    choices: [present, absent]
    default: present
  purge:
    description:
      - Whether instances of this fleet on this host that are not in O(instances) are removed.
    type: bool
    default: false
seealso:
  - module: kilonova.compute.compute_instance
  - plugin: kilonova.compute.schedule
    plugin_type: filter
author:
  - The kilonova.compute contributors (@kilonova)
"""

EXAMPLES = r"""
---
- name: Run two web servers on this host
  kilonova.compute.compute_fleet:
    fleet: shop
    purge: true
    instances:
      - name: web-1
        image: debian-12
        flavor: &small
          name: small
          vcpus: 1
          memory_mb: 1024
          disk_gb: 10
        networks:
          - network: default
      - name: web-2
        image: debian-12
        flavor: *small
        networks:
          - network: default

- name: Remove the whole fleet from this host
  kilonova.compute.compute_fleet:
    fleet: shop
    state: absent
"""

RETURN = r"""
instances:
  description:
    - One entry for each instance, as the return value RV(kilonova.compute.compute_instance#module:instance), and for
      those that failed RV(instances[].failed), RV(instances[].msg) and RV(instances[].error_code).
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: Name of the instance.
      type: str
      returned: always
      sample: web-1
    changed:
      description: Whether anything was or would be done.
      type: bool
      returned: always
      sample: true
    actions:
      description: The steps taken, in order.
      type: list
      elements: str
      returned: always
      sample: ["define web-1", "create_disk web-1/vda", "start web-1"]
    failed:
      description: Whether this instance failed.
      type: bool
      returned: on failure of this instance
      sample: true
    msg:
      description: What went wrong.
      type: str
      returned: on failure of this instance
      sample: There is no image named debian-12 in pool default.
    error_code:
      description: What went wrong, for machines.
      type: str
      returned: on failure of this instance
      sample: NOT_FOUND
"""

import typing as t

from ..module_utils._driver.connection import Connection
from ..module_utils._driver.events import enable_events
from ..module_utils._errors import SpecError
from ..module_utils._module import ComputeModule
from ..module_utils._options import instance_options, lifecycle_options
from ..module_utils._service._instance.host import Host
from ..module_utils._service._instance.reconcile import reconcile
from ..module_utils._service._instance.report import summary
from ..module_utils._spec.instance import InstanceSpec
from ..module_utils._spec.lifecycle import Lifecycle
from ..module_utils._spec.names import check_name


class Declaration(t.NamedTuple):
    """The fleet's instances that shall be on the host, or those that shall not."""

    fleet: str
    lifecycle: Lifecycle
    names: tuple[str, ...]
    present: tuple[InstanceSpec, ...]
    removes_named: bool
    removes_others: bool


def read(params: dict[str, t.Any]) -> Declaration:
    """Validate the options."""
    fleet = check_name("fleet", params["fleet"])
    names = tuple(check_name("instances[].name", instance["name"]) for instance in params["instances"])
    for name in names:
        if names.count(name) > 1:
            raise SpecError("instances", f"the name {name} is there twice", "every instance needs its own name")
    absent = params["state"] == "absent"
    present = () if absent else tuple(_spec(*numbered, fleet) for numbered in enumerate(params["instances"]))
    _check_identities(present)
    return Declaration(
        fleet=fleet,
        lifecycle=Lifecycle.from_params(params),
        names=names,
        present=present,
        removes_named=absent,
        removes_others=(absent and not names) or (not absent and params["purge"]),
    )


def _check_identities(specs: tuple[InstanceSpec, ...]) -> None:
    """Refuse a UUID, a MAC address, or an IP address in one network, that two instances are given."""
    uuids: dict[str, str] = {}
    macs: dict[str, str] = {}
    addresses: dict[tuple[str, str], str] = {}
    for index, spec in enumerate(specs):
        owner = uuids.setdefault(spec.uuid or spec.name, spec.name)
        if owner != spec.name:
            raise SpecError(f"instances[{index}].uuid", f"{spec.uuid} is the UUID of {owner} already", "leave it out")
        for number, nic in enumerate(spec.nics or ()):
            owner = macs.setdefault(nic.mac, spec.name)
            if owner != spec.name:
                option = f"instances[{index}].networks[{number}].mac"
                raise SpecError(option, f"{nic.mac} is the address of {owner} already", "each NIC needs its own")
        for address, nic in spec.static_addresses:
            place = f"network {nic.network}" if nic.network else f"bridge {nic.bridge}"
            owner = addresses.setdefault((place, address), spec.name)
            if owner != spec.name and not nic.user:
                option = f"instances[{index}].network_config"
                raise SpecError(option, f"{address} is the address of {owner} in {place} already", "take another")


def _spec(index: int, instance: dict[str, t.Any], fleet: str) -> InstanceSpec:
    try:
        return InstanceSpec.from_params(instance, fleet)
    except SpecError as exc:
        option = f"instances[{index}].{exc.option}"
        raise SpecError(option, f"of instance {instance['name']}, {exc.problem}", exc.remedy) from exc


def work(connection: Connection, declared: Declaration, check: bool) -> dict[str, t.Any]:
    """Reconcile the fleet's instances on this host."""
    host = Host(connection, declared.lifecycle)
    removed = list(declared.names) if declared.removes_named else []
    if declared.removes_others:
        removed += [name for name in host.members(declared.fleet) if name not in declared.names]
    jobs = reconcile(host, declared.present, [(name, declared.fleet) for name in removed], check)
    return summary(host, jobs)


def main() -> None:
    """Run the module."""
    enable_events()
    ComputeModule(
        {
            "fleet": {"type": "str", "required": True},
            "state": {"type": "str", "default": "present", "choices": ["present", "absent"]},
            "purge": {"type": "bool", "default": False},
            **lifecycle_options(),
            "instances": {"type": "list", "elements": "dict", "default": [], "options": instance_options()},
        }
    ).run(read, work)


if __name__ == "__main__":
    main()
