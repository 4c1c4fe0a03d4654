#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Manage one instance on a hypervisor."""

from __future__ import annotations

DOCUMENTATION = r"""
module: compute_instance
short_description: Manage one instance on a hypervisor
version_added: 0.1.0
description:
  - Makes a virtual machine as declared on one libvirt host, starts or stops it, or removes it.
  - A new instance is claimed against the host's capacity, defined, given its disk and started; if a step fails,
    everything made for it is taken back.
  - What the collection created is written into the libvirt domain's metadata. A domain without that is never touched.
  - An instance that is there is compared with its declaration, both how it is defined and how it runs. What differs is
    changed while it runs where libvirt can do that, and else at its next boot; options that are not set are left alone.
  - What an instance can't become in place is refused, with nothing changed; another image, machine type or disk bus, and
    a smaller disk.
extends_documentation_fragment:
  - kilonova.compute._connection
  - kilonova.compute._instance
  - kilonova.compute._hardware
  - kilonova.compute._first_boot
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
  state:
    description:
      - With V(present), the instance is made and kept as declared.
      - With V(absent), only O(name), O(fleet) and O(keep_disks) matter. The guest is powered off and the disks made for it
        are deleted; images, CD-ROMs and volumes that were there before stay.
    type: str
    choices: [present, absent]
    default: present
  fleet:
    description:
      - The fleet that the instance belongs to, if any.
    type: str
seealso:
  - module: kilonova.compute.compute_fleet
  - module: kilonova.compute.compute_image
author:
  - The kilonova.compute contributors (@kilonova)
"""

EXAMPLES = r"""
---
- name: Run a web server
  kilonova.compute.compute_instance:
    name: web-1
    flavor:
      name: small
      vcpus: 1
      memory_mb: 1024
      disk_gb: 10
    image: debian-12
    networks:
      - network: default

- name: Go on when one can log in
  kilonova.compute.compute_instance:
    name: web-1
    wait_for: [ip, port]
    wait_timeout: 600
  register: web

- name: Stop it, asking the guest to power off
  kilonova.compute.compute_instance:
    name: web-1
    flavor:
      name: small
      vcpus: 1
      memory_mb: 1024
      disk_gb: 10
    image: debian-12
    networks:
      - network: default
    power_state: stopped

- name: Give it more while it runs, and a second disk
  kilonova.compute.compute_instance:
    name: web-1
    flavor:
      name: medium
      vcpus: 2
      memory_mb: 2048
      disk_gb: 20
    max_memory_mb: 4096
    volumes:
      - name: web-1-data
        size_gb: 50

- name: Let a change that can't be made while it runs take effect now
  kilonova.compute.compute_instance:
    name: web-1
    video: vga
    allow_power_cycle: true

- name: Take over a domain that was made by hand, and label it
  kilonova.compute.compute_instance:
    name: old-server
    adopt: true
    metadata:
      owner: accounting

- name: Remove it with its disk
  kilonova.compute.compute_instance:
    name: web-1
    state: absent
"""

RETURN = r"""
instance:
  description: The instance as declared, and what was done.
  returned: success
  type: dict
  contains:
    name:
      description: Name of the instance.
      type: str
      returned: success
      sample: web-1
    state:
      description: V(present) or V(absent).
      type: str
      returned: success
      sample: present
    changed:
      description: Whether anything was or would be done.
      type: bool
      returned: success
      sample: true
    actions:
      description: The steps taken, in order; in check mode those that would be taken.
      type: list
      elements: str
      returned: success
      sample: ["define web-1", "create_disk web-1/vda", "start web-1"]
    changes:
      description:
        - What changed, each with path, before, after and effect; V(live) is at once, V(next_boot) is at the next boot of a
          running or suspended guest, and V(power_cycle) is by powering it off and on.
      type: list
      elements: dict
      returned: success
      sample: [{"path": "memory_mb", "before": 512, "after": 1024, "effect": "next_boot"}]
    power_state:
      description: V(running), V(stopped), V(paused) or V(suspended), as declared or else as it is.
      type: str
      returned: when present
      sample: running
    restart_required:
      description: Whether the running guest has yet to be power cycled for its definition to take effect.
      type: bool
      returned: when present
      sample: false
    uuid:
      description: UUID of the domain, also of one that is removed; none in check mode for an instance that is not there yet.
      type: str
      returned: success
      sample: 4d1c1b3a-2a64-4a55-9c4f-3c7d54d2f8f1
    fleet:
      description: The fleet it belongs to.
      type: str
      returned: when present
      sample: shop
    flavor:
      description: Name of the flavor.
      type: str
      returned: when present
      sample: small
    image:
      description: Name of the image.
      type: str
      returned: when present
      sample: debian-12
    vcpus:
      description: Number of virtual CPUs.
      type: int
      returned: when present
      sample: 1
    max_vcpus:
      description: How many vCPUs it can have without being powered off.
      type: int
      returned: when present
      sample: 4
    memory_mb:
      description: Memory in MiB.
      type: int
      returned: when present
      sample: 1024
    max_memory_mb:
      description: How much memory in MiB it can have without being powered off.
      type: int
      returned: when present
      sample: 1024
    disk_gb:
      description: Root disk in GiB.
      type: int
      returned: when present
      sample: 10
    virt_type:
      description: V(kvm) or V(qemu).
      type: str
      returned: when present
      sample: kvm
    virt_type_reason:
      description: Why that virt type was taken.
      type: str
      returned: when the instance was not there before
      sample: kvm is forced
    machine_type:
      description: Machine type, which stays as it was recorded.
      type: str
      returned: when present
      sample: pc-q35-7.2
    disks:
      description: Disks and CD-ROMs as they shall be, with target, bus, device and source (path on the hypervisor).
      type: list
      elements: dict
      returned: when present
      sample: [{"target": "vda", "bus": "virtio", "device": "disk", "source": "/var/lib/libvirt/images/web-1-vda.qcow2"}]
    nics:
      description: NICs with mac, type, source (network or bridge), model, fixed_ip, security_groups and port_security.
      type: list
      elements: dict
      returned: when present
      sample:
        - mac: 52:54:6f:01:a2:b3
          type: network
          source: default
          model: virtio
          fixed_ip: 192.168.122.20
          security_groups: [web]
          port_security: true
    console_log:
      description: Path of the serial console's log on the hypervisor.
      type: str
      returned: when present
      sample: /var/lib/libvirt/images/web-1.console.log
    address:
      description: The address that counts, as O(wait_address) says.
      type: str
      returned: when something was waited for
      sample: 192.0.2.17
    addresses:
      description:
        - All addresses that were seen, each with address, prefix, family, mac, interface and source (V(lease), V(agent) or
          V(arp)).
      type: list
      elements: dict
      returned: when something was waited for
      sample: [{"address": "192.0.2.17", "prefix": 24, "family": "ipv4", "source": "lease"}]
    waited_for:
      description: The conditions of O(wait_for), all of which held.
      type: list
      elements: str
      returned: when something was waited for
      sample: [ip, port]
    waited_seconds:
      description: How long that took.
      type: float
      returned: when something was waited for
      sample: 12.3
    created_at:
      description: When it was created, ISO 8601, UTC.
      type: str
      returned: when present
      sample: "2026-11-23T05:20:00Z"
"""

import typing as t

from ..module_utils._driver.connection import Connection
from ..module_utils._driver.events import enable_events
from ..module_utils._module import ComputeModule
from ..module_utils._options import instance_options, lifecycle_options
from ..module_utils._service._instance.host import Host
from ..module_utils._service._instance.reconcile import reconcile
from ..module_utils._service._instance.report import report, warnings
from ..module_utils._spec.instance import InstanceSpec
from ..module_utils._spec.lifecycle import Lifecycle
from ..module_utils._spec.names import check_name


class Declaration(t.NamedTuple):
    """The instance that shall be there, or the name of the one that shall not."""

    lifecycle: Lifecycle
    present: tuple[InstanceSpec, ...]
    absent: tuple[tuple[str, str | None], ...]


def read(params: dict[str, t.Any]) -> Declaration:
    """Validate the options."""
    lifecycle = Lifecycle.from_params(params)
    if params["state"] == "absent":
        return Declaration(lifecycle, (), ((check_name("name", params["name"]), params["fleet"]),))
    return Declaration(lifecycle, (InstanceSpec.from_params(params, params["fleet"]),), ())


def work(connection: Connection, declared: Declaration, check: bool) -> dict[str, t.Any]:
    """Reconcile the one instance."""
    host = Host(connection, declared.lifecycle)
    job = reconcile(host, declared.present, declared.absent, check)[0]
    if job.error is not None:
        raise job.error
    result = report(host, job)
    return {
        "changed": result["changed"],
        "instance": result,
        "diff": job.plan.as_diff(),
        "warnings": warnings(host, [job]),
    }


def main() -> None:
    """Run the module."""
    enable_events()
    ComputeModule(
        {
            "state": {"type": "str", "default": "present", "choices": ["present", "absent"]},
            "fleet": {"type": "str"},
            **lifecycle_options(),
            **instance_options(),
        }
    ).run(read, work)


if __name__ == "__main__":
    main()
