#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Take, delete or go back to a snapshot of an instance."""

from __future__ import annotations

DOCUMENTATION = r"""
module: compute_snapshot
short_description: Take, delete and go back to snapshots of an instance
version_added: 0.1.0
description:
  - Takes a snapshot of all disks of an instance at one point, with the memory of its guest or without, deletes one while the guest runs,
    or brings the instance back to one.
  - Only snapshots that this module took are deleted or gone back to. Those that were taken by hand are listed.
  - With an external snapshot, each disk goes over to a new volume in its storage pool, and what it lay on stays as it was. Deleting it
    merges what was written since into that. Such volumes are the instance's own, and go with it.
  - A run that is interrupted, even by the end of the machine where the module runs, is noted in the domain's metadata. The same task run
    again, from wherever, finishes it.
author:
  - The kilonova.compute contributors (@kilonova)
extends_documentation_fragment:
  - kilonova.compute._connection
  - kilonova.compute._attributes
  - kilonova.compute._attributes.actiongroup_compute
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: partial
    details:
      - With O(state=present) and O(state=absent), a second run does nothing.
      - With O(state=reverted), the instance goes back every time.
options:
  name:
    description:
      - Name of the instance. It is one that M(kilonova.compute.compute_instance) made or took over.
    type: str
    required: true
  fleet:
    description:
      - The fleet that the instance belongs to, if any. An instance of another fleet is not touched.
    type: str
  snapshot:
    description:
      - Name of the snapshot. It begins with a letter or a digit, and has at most 63 of the characters C(A-Z a-z 0-9 . _ -).
    type: str
    required: true
  state:
    description:
      - With V(present), the snapshot is taken unless it is there.
      - With V(absent), it is deleted. What was written since stays. To delete an external snapshot of an instance that is off, its QEMU is
        started with the CPUs held, so that nothing runs in it, and ended again.
      - With V(reverted), the instance goes back to it, and what was written since the last snapshot is lost. See O(discard_changes).
        Other snapshots stay, also later ones.
      - Going back to an external snapshot changes what the disks hold, and the definition stays as it is. A guest that runs is switched off
        hard, and boots again from the disks of then. With memory, it goes on where it was instead.
      - Going back to an internal snapshot also brings the definition of then, and M(kilonova.compute.compute_instance) brings the one of
        now about again.
      - Variables of UEFI firmware and the state of a TPM only go back with memory.
      - The next backup by M(kilonova.compute.compute_backup) is full after going back, and after taking a snapshot of an instance that is
        off, which both take away what incremental backups need.
      - A snapshot on whose state of a disk two others lie, as after going back and taking another, can't be deleted before one of them.
    type: str
    choices: [present, absent, reverted]
    default: present
  type:
    description:
      - With V(external), what is written after the snapshot goes into new volumes. It is taken in a moment while the guest runs on, works
        with UEFI firmware, and with disks of format qcow2 and raw in pools of files.
      - With V(internal), the snapshot is kept within the disks. It always has the memory of a guest that runs, which stands still
        meanwhile. All disks that can be written must be of format qcow2, and libvirt refuses guests that boot by UEFI.
      - A new snapshot is V(external) by default. An instance has either internal or external ones.
      - A snapshot that is there with another type is not changed, and the task fails.
    type: str
    choices: [internal, external]
  memory:
    description:
      - Whether an external snapshot has the guest's memory, so that going back lets the guest go on where it was. The guest must run or be
        paused, and have no device of the host. It stands still while its memory is written to a file in the pool of its first disk.
    type: bool
  quiesce:
    description:
      - Whether the guest's file systems are frozen for the moment in which an external snapshot without memory is taken, so that they are
        consistent. The guest agent does it, and must be connected if the guest runs. They are always thawed.
      - Without it, the disks hold what they would after a power cut.
    type: bool
    default: false
  disks:
    description:
      - Targets of the disks that an external snapshot without memory has, such as V(vda).
      - By default it has all disks that the guest can write to. Disks that can't be in a snapshot are refused then. They are those that lie
        on block devices or on no file of the host, are shared with other guests, passed through or encrypted.
      - CD-ROM drives, floppy drives and disks that can't be written are never in it, and neither is what tells of the first boot.
    type: list
    elements: str
  description:
    description:
      - What the snapshot is for. It is written when the snapshot is taken, and not compared later.
    type: str
  retention:
    description:
      - Which older snapshots are deleted after O(snapshot) was taken. Only those that this module took and whose names begin with
        O(retention.prefix) count.
      - With both O(retention.keep) and O(retention.older_than), those go that neither keeps.
      - One that can't be deleted yet, since several others lie on it, stays with a warning.
    type: dict
    suboptions:
      prefix:
        description:
          - What their names begin with. O(snapshot) must begin with it as well.
        type: str
        required: true
      keep:
        description:
          - How many of the newest stay, O(snapshot) included.
        type: int
      older_than:
        description:
          - Those older than this go, as a number of seconds, minutes, hours, days or weeks, such as C(36h) or C(7d).
        type: str
  discard_changes:
    description:
      - Must be given for O(state=reverted), since what was written since the last snapshot is lost. Protected instances refuse all the same.
    type: bool
    default: false
seealso:
  - module: kilonova.compute.compute_snapshot_info
  - module: kilonova.compute.compute_instance
"""

EXAMPLES = r"""
---
- name: Take a consistent snapshot before an update
  kilonova.compute.compute_snapshot:
    name: web-1
    snapshot: before-update
    description: Before the update to 2.0
    quiesce: true

- name: Go back to it
  kilonova.compute.compute_snapshot:
    name: web-1
    snapshot: before-update
    state: reverted
    discard_changes: true

- name: Delete it while the guest runs
  kilonova.compute.compute_snapshot:
    name: web-1
    snapshot: before-update
    state: absent

- name: Take one with memory
  kilonova.compute.compute_snapshot:
    name: web-1
    snapshot: as-it-runs
    memory: true

- name: Take one every night, and keep those of a week
  kilonova.compute.compute_snapshot:
    name: web-1
    snapshot: nightly-{{ now(utc=true).strftime('%Y-%m-%d') }}
    quiesce: true
    retention:
      prefix: nightly-
      keep: 7
"""

RETURN = r"""
snapshots:
  description: All snapshots that the instance has now, in the order they were taken.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name of the snapshot.
      type: str
      sample: before-update
    type:
      description: V(internal) or V(external).
      type: str
      sample: external
    memory:
      description: Whether it has the guest's memory.
      type: bool
      sample: false
    disks:
      description: Targets of the disks that it has.
      type: list
      elements: str
      sample: [vda, vdb]
    description:
      description: What it is for; V(null) where nobody said.
      type: str
      sample: Before the update to 2.0
    created_at:
      description: When it was taken, by the hypervisor's clock, in UTC.
      type: str
      sample: "2026-11-23T05:00:00Z"
    parent:
      description: The snapshot that was taken or gone back to last before it; V(null) for none.
      type: str
      sample: nightly-2026-11-22
    current:
      description: Whether it was the last that was taken or gone back to.
      type: bool
      sample: true
    managed:
      description: Whether this collection took it.
      type: bool
      sample: true
actions:
  description: What was done, or in check mode would be done, in order.
  returned: success
  type: list
  elements: str
  sample: ["create_disk web-1/web-1-vda.layer1.qcow2", "create_snapshot web-1/before-update"]
changes:
  description: What that changes, each with path, before, after and effect.
  returned: success
  type: list
  elements: dict
  sample: [{"path": "snapshots[before-update]", "before": null, "after": "external", "effect": "live"}]
"""

import typing as t

from ..module_utils._driver.connection import Connection
from ..module_utils._driver.events import enable_events
from ..module_utils._module import ComputeModule
from ..module_utils._service._snapshot.run import ensure_snapshot
from ..module_utils._spec.snapshot import SnapshotSpec


def work(connection: Connection, spec: SnapshotSpec, check: bool) -> dict[str, t.Any]:
    """Bring the snapshot about."""
    return ensure_snapshot(connection, spec, check)


def main() -> None:
    """Run the module."""
    enable_events()
    ComputeModule(
        {
            "name": {"type": "str", "required": True},
            "fleet": {"type": "str"},
            "snapshot": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent", "reverted"], "default": "present"},
            "type": {"type": "str", "choices": ["internal", "external"]},
            "memory": {"type": "bool"},
            "quiesce": {"type": "bool", "default": False},
            "disks": {"type": "list", "elements": "str"},
            "description": {"type": "str"},
            "retention": {
                "type": "dict",
                "options": {
                    "prefix": {"type": "str", "required": True},
                    "keep": {"type": "int"},
                    "older_than": {"type": "str"},
                },
            },
            "discard_changes": {"type": "bool", "default": False},
        }
    ).run(SnapshotSpec.from_params, work)


if __name__ == "__main__":
    main()
