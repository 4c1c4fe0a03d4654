#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Move instances to other hypervisors, live or cold."""

from __future__ import annotations

DOCUMENTATION = r"""
module: compute_migration
short_description: Move instances between hypervisors, live or cold
version_added: 0.1.0
description:
  - Has an instance on another hypervisor. One that runs goes on while it is moved with its memory and disks, or is switched off, copied and
    started there. An instance that is at the destination already is where it shall be, so nothing is changed.
  - The destination is prepared by the module. It gets the base image that the instance's disk lies on, from the source's storage pool, disks
    of the right size, the volume that tells of the first boot, and the addresses that networks keep for it. Paths are those of the
    destination's pool. UUID, MAC addresses and all that is recorded of the instance stay.
  - All that stands against a move is told in one list, in check mode too, before anything is touched. That is what the destination's CPU
    lacks, by name, its room, networks, network filters, security groups and machine types it has not, names, addresses and volumes that
    are taken there, and of the instance itself devices and directories of its host, snapshots, checkpoints of backups, UEFI firmware, a
    TPM, what it is pinned to, and volumes that were not made for it unless both hosts have them.
  - What the source has of the instance is removed when it is at the destination, and not before. Until then a failure leaves it where it
    was, as it was, and nothing at the destination but the base image.
  - No run starts a second guest of it. One case is left to watch. When a run is killed right after a live move of an instance with
    autostart, and the source boots before the next run, the source starts what it still has. Run the task again first.
  - A run that is killed leaves marks at both hosts, so that other modules do not touch the instance. The same task run again finishes the
    move, or begins it anew.
author:
  - The kilonova.compute contributors (@kilonova)
extends_documentation_fragment:
  - kilonova.compute._connection
  - kilonova.compute._instance.limits
  - kilonova.compute._attributes
  - kilonova.compute._attributes.actiongroup_compute
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
notes:
  - O(uri) is the hypervisor where the instance is now. The module connects to both, and copies disks of a cold move from the one to the
    other, through the machine that it runs on.
  - Storage that both hosts share is found out by looking. A volume of the instance that the destination has by the same name in a pool of
    the same name, or in the one that the task names, is the same if another, made through the source for a moment, is seen through the
    destination. In check mode, too. Such disks are not copied, and not removed from the source.
  - While instances are moved, a line every ten seconds says how far each is, as with M(kilonova.compute.compute_image), where that tells
    under what conditions.
  - What the guest wrote to its serial console stays behind, and goes with the source's copy.
  - In a live move, QEMU sends memory and disks from host to host by itself. Without O(transport=tls) that network must be one to be trusted.
options:
  name:
    description:
      - Name of the instance. It is one that M(kilonova.compute.compute_instance) made.
      - Given with O(destination). For many instances there are O(migrations) and O(destinations) instead.
    type: str
  fleet:
    description:
      - The fleet that the instance belongs to, if any. An instance of another fleet is not touched.
      - Of O(migrations), those that have a C(fleet) of their own belong to that.
    type: str
  destination:
    description:
      - The hypervisor that the instance shall be on.
    type: dict
    suboptions:
      uri:
        description:
          - Its libvirt connection URI, as it is reached from where the module runs.
        type: str
        required: true
      pool:
        description:
          - The storage pool there for its disks and its image, of type V(dir), V(fs) or V(netfs).
        type: str
        default: default
      migrate_uri:
        description:
          - Where the source's QEMU reaches the destination in a live move, such as V(tcp://192.0.2.2). By default libvirt takes the
            destination's host name, which then must be known at the source.
        type: str
  migrations:
    description:
      - Instances of O(uri) that shall be elsewhere, begun in this order. Each has C(name), C(to) (a host of O(destinations)), and if need be
        C(fleet) and C(mode). Other keys are ignored, so that the moves of a plan can be given as P(kilonova.compute.drain#filter) and
        P(kilonova.compute.rebalance#filter) list them.
      - All moves are foreseen together before the first is begun, with what is moved before each. If anything stands against one of them,
        none is begun. Once they are begun, one that fails does not stop the others.
    type: list
    elements: dict
  destinations:
    description:
      - The hypervisors that O(migrations) name. By the name of each, a dictionary with C(uri), and if need be C(pool) and C(migrate_uri), which
        are as in O(destination).
    type: dict
  concurrency:
    description:
      - How many of O(migrations) go on at once.
    type: int
    default: 1
  mode:
    description:
      - With V(live), the guest goes on while it is moved. With V(cold), it is switched off before its disks are copied, and started at the
        destination.
      - By default an instance is moved live if it runs and cold if it does not.
    type: str
    choices: [live, cold]
  bandwidth_mb:
    description:
      - In a live move, how much may be sent in a second, in MiB. By default there is no limit.
    type: int
  auto_converge:
    description:
      - In a live move, whether a guest that writes to its memory faster than that can be sent is slowed down.
    type: bool
    default: true
  compression:
    description:
      - In a live move, whether of memory that is sent again only the difference is sent, as QEMU's C(xbzrle) does.
    type: bool
    default: false
  parallel_connections:
    description:
      - In a live move, on how many connections the memory is sent. By default it is one.
    type: int
  timeout:
    description:
      - In a live move, after how many seconds O(on_timeout) is done. With V(0) there is no limit.
    type: int
    default: 3600
  on_timeout:
    description:
      - With V(abort), the move is broken off. The guest goes on where it is, and the task fails.
      - With V(pause), the guest is held until all of it is at the destination, where it goes on.
      - With V(post_copy), the guest goes on at the destination at once, see O(post_copy).
    type: str
    choices: [abort, pause, post_copy]
    default: abort
  post_copy:
    description:
      - In a live move, whether the guest goes on at the destination once all of its memory was sent, although it wrote to some of it
        meanwhile. That is fetched when the guest reads it, so that a move ends however much the guest writes.
      - If the network between both hosts breaks while that lasts, the guest stands still. The same task run again goes on with the move.
      - Both kernels must let QEMU handle page faults (userfaultfd).
    type: bool
    default: false
  transport:
    description:
      - In a live move, how memory and disks get to the destination.
      - With V(direct), QEMU sends them from host to host in the clear.
      - With V(tls), QEMU encrypts them. Both hosts need a certificate that the other trusts, where C(migrate_tls_x509_cert_dir) in libvirt's
        C(qemu.conf) says, with the name that the source reaches the destination by.
    type: str
    choices: [direct, tls]
    default: direct
  peer_to_peer:
    description:
      - In a live move, whether the source's libvirt itself speaks with the destination's, by the URI of O(destination). Else the module
        stands between them, and the move ends with it.
    type: bool
    default: false
  shutdown_timeout:
    description:
      - In a cold move, how many seconds a guest that runs may take to power off.
    type: int
    default: 60
  force:
    description:
      - In a cold move, whether a guest that did not power off in time is switched off.
    type: bool
    default: false
seealso:
  - module: kilonova.compute.compute_instance
  - module: kilonova.compute.compute_image
"""

EXAMPLES = r"""
---
- name: Have web-1 on kvm2, without its users noticing
  kilonova.compute.compute_migration:
    name: web-1
    uri: qemu+ssh://root@kvm1/system
    destination:
      uri: qemu+ssh://root@kvm2/system

- name: Leave half of the link to others, and rather hold the guest than give up after ten minutes
  kilonova.compute.compute_migration:
    name: db-1
    uri: qemu+ssh://root@kvm1/system
    destination:
      uri: qemu+ssh://root@kvm2/system
      pool: fast
      migrate_uri: tcp://192.0.2.2
    bandwidth_mb: 500
    parallel_connections: 4
    timeout: 600
    on_timeout: pause

- name: See what stands against a move
  kilonova.compute.compute_migration:
    name: web-1
    uri: qemu+ssh://root@kvm1/system
    destination:
      uri: qemu+ssh://root@kvm2/system
  check_mode: true
  register: foreseen
  ignore_errors: true

- name: Do what a plan says for this host, two at a time
  kilonova.compute.compute_migration:
    uri: qemu+ssh://root@kvm1/system
    migrations:
      - name: web-1
        to: kvm2
      - name: web-2
        to: kvm3
      - name: batch-1
        to: kvm3
        mode: cold
    destinations:
      kvm2:
        uri: qemu+ssh://root@kvm2/system
      kvm3:
        uri: qemu+ssh://root@kvm3/system
        pool: fast
    concurrency: 2

- name: Move one that may be off for a while
  kilonova.compute.compute_migration:
    name: batch-1
    uri: qemu+ssh://root@kvm1/system
    destination:
      uri: qemu+ssh://root@kvm2/system
    mode: cold
    shutdown_timeout: 300
"""

RETURN = r"""
migration:
  description: The move.
  returned: success, when O(name) is given
  type: dict
  contains:
    name:
      description: Name of the instance.
      type: str
      sample: web-1
    source:
      description: URI of the hypervisor where it was.
      type: str
      sample: qemu+ssh://root@kvm1/system
    destination:
      description: URI of the hypervisor where it is.
      type: str
      sample: qemu+ssh://root@kvm2/system
    mode:
      description: V(live) or V(cold); V(null) where there was nothing to move.
      type: str
      sample: live
    total_ms:
      description: How long it took, in milliseconds; of a live move without what was prepared before and tidied up after.
      type: int
      sample: 3652
    downtime_ms:
      description: How long the guest was held, or off.
      type: int
      sample: 295
    memory_bytes:
      description: How much of the memory was sent, what was sent again included; V(null) of a cold move.
      type: int
      sample: 91887283
    disk_bytes:
      description: How much of the disks was sent.
      type: int
      sample: 196608
    iterations:
      description: How many times what was written to the memory meanwhile was sent again; V(null) of a cold move.
      type: int
      sample: 4
migrations:
  description:
    - One entry for each of O(migrations), with the keys of RV(migration), and of its own RV(migrations[].actions), RV(migrations[].changes) and
      for those that failed RV(migrations[].obstacles), each as above and below.
  returned: when O(migrations) is given, also on failure
  type: list
  elements: dict
  contains:
    name:
      description: Name of the instance.
      type: str
      returned: always
      sample: web-1
    to:
      description: The host of O(destinations).
      type: str
      returned: always
      sample: kvm2
    changed:
      description: Whether anything was or would be done.
      type: bool
      returned: always
      sample: true
    actions:
      description: The steps taken, in order.
      type: list
      elements: str
      returned: unless this move failed
      sample: ["define web-1", "create_disk web-1/vda", "migrate web-1", "finish web-1", "delete_disk web-1/vda", "undefine web-1"]
    changes:
      description: What they change.
      type: list
      elements: dict
      returned: unless this move failed
      sample: [{"path": "host", "before": "qemu+ssh://root@kvm1/system", "after": "qemu+ssh://root@kvm2/system", "effect": "live"}]
    failed:
      description: Whether this move failed.
      type: bool
      returned: on failure of this move
      sample: true
    msg:
      description: What went wrong.
      type: str
      returned: on failure of this move
      sample: "Instance web-1 can't be moved to qemu+ssh://root@kvm2/system: it has 2 snapshots; delete them first."
    error_code:
      description: What went wrong, for machines.
      type: str
      returned: on failure of this move
      sample: CONFLICT
    obstacles:
      description: All that stands against this move.
      type: list
      elements: str
      returned: when something does
      sample: ["it has 2 snapshots; delete them first (compute_snapshot, state: absent)"]
obstacles:
  description: All that stands against the move.
  returned: when something does
  type: list
  elements: str
  sample: ["it has 2 snapshots; delete them first (compute_snapshot, state: absent)"]
actions:
  description: What was done, or in check mode would be done, in order.
  returned: success, when O(name) is given
  type: list
  elements: str
  sample: ["define web-1", "create_disk web-1/vda", "migrate web-1", "finish web-1", "delete_disk web-1/vda", "undefine web-1"]
changes:
  description: What that changes, each with path, before, after and effect.
  returned: success, when O(name) is given
  type: list
  elements: dict
  sample: [{"path": "host", "before": "qemu+ssh://root@kvm1/system", "after": "qemu+ssh://root@kvm2/system", "effect": "live"}]
"""

import typing as t

from ..module_utils._driver.connection import Connection
from ..module_utils._driver.events import enable_events
from ..module_utils._module import ComputeModule
from ..module_utils._options import limit_options
from ..module_utils._service._migration.batch import ensure_moves
from ..module_utils._spec.migration import MODES, ON_TIMEOUT, TRANSPORTS
from ..module_utils._spec.migration_batch import MigrationBatch


def work(connection: Connection, batch: MigrationBatch, check: bool) -> dict[str, t.Any]:
    """Have every instance at its destination."""
    return ensure_moves(connection, batch, check)


def main() -> None:
    """Run the module."""
    enable_events()
    ComputeModule(
        {
            "name": {"type": "str"},
            "fleet": {"type": "str"},
            "destination": {
                "type": "dict",
                "options": {
                    "uri": {"type": "str", "required": True},
                    "pool": {"type": "str", "default": "default"},
                    "migrate_uri": {"type": "str"},
                },
            },
            "migrations": {"type": "list", "elements": "dict"},
            "destinations": {"type": "dict"},
            "concurrency": {"type": "int", "default": 1},
            "mode": {"type": "str", "choices": list(MODES)},
            "bandwidth_mb": {"type": "int"},
            "auto_converge": {"type": "bool", "default": True},
            "compression": {"type": "bool", "default": False},
            "parallel_connections": {"type": "int"},
            "timeout": {"type": "int", "default": 3600},
            "on_timeout": {"type": "str", "choices": list(ON_TIMEOUT), "default": "abort"},
            "post_copy": {"type": "bool", "default": False},
            "transport": {"type": "str", "choices": list(TRANSPORTS), "default": "direct"},
            "peer_to_peer": {"type": "bool", "default": False},
            "force": {"type": "bool", "default": False},
            "shutdown_timeout": {"type": "int", "default": 60},
            **limit_options(),
        },
        mutually_exclusive=[("name", "migrations"), ("destination", "destinations")],
        required_one_of=[("name", "migrations")],
        required_together=[("name", "destination"), ("migrations", "destinations")],
    ).run(MigrationBatch.from_params, work)


if __name__ == "__main__":
    main()
