#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Back an instance up, full or incrementally, delete a backup, or make a new instance from one."""

from __future__ import annotations

DOCUMENTATION = r"""
module: compute_backup
short_description: Back up instances, and restore backups as new instances
version_added: 0.1.0
description:
  - Writes what is on all disks of an instance at one moment to volumes of a storage pool, while the guest goes on, whole or only what was
    written since the last backup. Makes a new instance from any of the backups, and deletes those that are not kept.
  - A backup is complete in the pool, with the instance's definition, and outlives the instance. It consists of volumes of format qcow2
    whose names begin with C(kilonova-backup-INSTANCE@BACKUP). Those of an incremental one lie on those of its parent, so that each can be
    read by itself by what reads qcow2.
  - For backups that survive the host, take a pool on other storage, such as one of type V(netfs).
  - What a guest has in its memory, variables of UEFI firmware, the state of a TPM, snapshots, and secrets of the definition such as a
    console's password are in no backup.
  - So a restored instance with UEFI boots what its disk has in C(EFI/BOOT), as from a removable medium. Boot entries that its firmware
    had, and keys that were enrolled in it for secure boot, are to be made again.
  - A restored instance with a TPM has an empty one. What was encrypted with keys in the old one takes another key to be read. Both are
    told by a warning, of a TPM also when the backup is taken.
  - An instance that is off is backed up by the same means. Its QEMU is started with the CPUs held for that, so that nothing runs in it,
    and ended again.
  - A backup that fails leaves nothing. Of a run that is killed, QEMU finishes what it began by itself. The same task run again waits for
    that and completes the backup, or begins anew, and any other for the instance removes what was left.
  - Between backups, QEMU remembers in disks of format qcow2 which parts are written. Where that was lost, as by a crash of the host or by
    going back to a snapshot, the next backup is full. Disks of another format, and qcow2 of the old kind (compat 0.10), are in each backup
    whole.
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
options:
  name:
    description:
      - Name of the instance. To be backed up, it is one that M(kilonova.compute.compute_instance) made or took over.
    type: str
    required: true
  fleet:
    description:
      - The fleet that the instance belongs to, if any. An instance of another fleet is not backed up.
      - With O(state=restored), the fleet that the new instance belongs to.
    type: str
  backup:
    description:
      - Name of the backup. It begins with a letter or a digit, and has at most 63 of the characters C(A-Z a-z 0-9 . _ -).
    type: str
    required: true
  pool:
    description:
      - The storage pool that holds the backups, of type V(dir), V(fs) or V(netfs). Each pool has a series of its own.
    type: str
    default: default
  state:
    description:
      - With V(present), the backup is taken unless it is there.
      - With V(absent), it is deleted. One that another is incremental on is not, before that is.
      - With V(restored), a new instance O(restore_as) is made from it, unless that is there. The instance itself is not touched, and may be
        gone.
    type: str
    choices: [present, absent, restored]
    default: present
  type:
    description:
      - With V(auto), the backup is incremental on the newest one where that can be, and full else. See O(full_every). This is the default.
      - With V(full), it is full.
      - With V(incremental), the task fails where it can't be incremental, and says why.
      - A backup that is there with another type is not changed, and the task fails.
    type: str
    choices: [auto, full, incremental]
  full_every:
    description:
      - With O(type=auto), every so many backups one is full. Backups are only deleted as far as no other lies on them, so this also says
        how much longer than O(retention) wants some of them stay.
      - By default it is 7.
    type: int
  disks:
    description:
      - Targets of the disks that are in the backup, such as V(vda).
      - By default it has all disks that the guest can write to. Disks that can't be in a backup are refused then. They are those that lie
        on no file and no block device, are shared with other guests, passed through or encrypted.
      - CD-ROM drives, floppy drives and disks that can't be written are never in it.
    type: list
    elements: str
  quiesce:
    description:
      - Whether the guest's file systems are frozen for the moment in which the backup begins, so that they are consistent. The guest agent
        does it, and must be connected if the guest runs. Should the run be killed in that very moment, the next one thaws them.
      - Without it, the backup holds what the disks would after a power cut.
    type: bool
    default: false
  description:
    description:
      - What the backup is for. It is written when the backup is taken, and not compared later.
    type: str
  retention:
    description:
      - Which older backups of the instance in the pool are deleted after O(backup) was taken. Only those whose names begin with
        O(retention.prefix) count.
      - With both O(retention.keep) and O(retention.older_than), those go that neither keeps. One that another lies on which is kept stays.
    type: dict
    suboptions:
      prefix:
        description:
          - What their names begin with. O(backup) must begin with it as well.
        type: str
        required: true
      keep:
        description:
          - How many of the newest stay, O(backup) included.
        type: int
      older_than:
        description:
          - Those older than this go, as a number of seconds, minutes, hours, days or weeks, such as C(36h) or C(7d).
        type: str
  restore_as:
    description:
      - Name of the new instance, for O(state=restored). It can be that of the old one if that is gone.
      - It is what the old one was, with other MAC addresses and another UUID, and it is off. So two guests that think they are the same do
        not meet on a network before somebody wants them to. Start it with M(kilonova.compute.compute_instance).
      - Its disks are named after it and hold all that the backup has, copied. Its drives are empty, what tells of a first boot is gone, and
        so are devices of the host and what pinned it to CPUs, until they are declared.
      - A task that finds it there, made from that very backup, leaves it as it is by now.
    type: str
  restore_pool:
    description:
      - The storage pool for the new instance's disks, of type V(dir), V(fs) or V(netfs). By default it is O(pool).
    type: str
seealso:
  - module: kilonova.compute.compute_backup_info
  - module: kilonova.compute.compute_snapshot
  - module: kilonova.compute.compute_pool
"""

EXAMPLES = r"""
---
- name: Back up every night, keep those of a week, and begin anew once a week
  kilonova.compute.compute_backup:
    name: web-1
    backup: nightly-{{ now(utc=true).strftime('%Y-%m-%d') }}
    pool: backups
    quiesce: true
    full_every: 7
    retention:
      prefix: nightly-
      keep: 7

- name: Take a full one before an update
  kilonova.compute.compute_backup:
    name: web-1
    backup: before-update
    pool: backups
    type: full

- name: Make a new instance from it
  kilonova.compute.compute_backup:
    name: web-1
    backup: before-update
    pool: backups
    state: restored
    restore_as: web-1-then
    restore_pool: default

- name: Delete it
  kilonova.compute.compute_backup:
    name: web-1
    backup: before-update
    pool: backups
    state: absent
"""

RETURN = r"""
backups:
  description: All complete backups of instances of that name in the pool now, oldest first.
  returned: success
  type: list
  elements: dict
  contains:
    instance:
      description: Name of the instance that it is of.
      type: str
      sample: web-1
    backup:
      description: Name of the backup.
      type: str
      sample: nightly-2026-11-23
    uuid:
      description: UUID of the instance that it is of.
      type: str
      sample: 9b2c1a5e-5f43-4f06-9c65-6a1c0f6f5d11
    type:
      description: V(full) or V(incremental).
      type: str
      sample: incremental
    parent:
      description: The backup that it takes to read this one; V(null) for a full one.
      type: str
      sample: nightly-2026-11-22
    created_at:
      description: When it was begun, by the clock of the module's machine, in UTC.
      type: str
      sample: "2026-11-23T05:00:00Z"
    quiesced:
      description: Whether the guest's file systems were frozen at that moment.
      type: bool
      sample: true
    powered_off:
      description: Whether the instance was off.
      type: bool
      sample: false
    description:
      description: What it is for; V(null) where nobody said.
      type: str
      sample: Before the update to 2.0
    damage:
      description: What is missing of it, so that it can't be restored; V(null) where it is whole.
      type: str
      sample: null
    disks:
      description:
        - Its disks, each with RV(backups[].disks[].target), the RV(backups[].disks[].volume) that holds it in the pool, what the guest
          sees of it in RV(backups[].disks[].capacity_bytes), how long the volume is in RV(backups[].disks[].stored_bytes), and whether it
          holds only what was written since the parent in RV(backups[].disks[].incremental).
      type: list
      elements: dict
      contains:
        target:
          description: The disk's target.
          type: str
          sample: vda
        volume:
          description: Name of the volume, of format qcow2.
          type: str
          sample: kilonova-backup-web-1@nightly-2026-11-23.vda.qcow2
        capacity_bytes:
          description: What the guest saw of the disk, in bytes.
          type: int
          sample: 10737418240
        stored_bytes:
          description: How long the volume is, in bytes.
          type: int
          sample: 26214400
        incremental:
          description: Whether it holds only what was written since the parent.
          type: bool
          sample: true
    left_out:
      description: Targets of the disks and drives that are not in it.
      type: list
      elements: str
      sample: [sda]
actions:
  description: What was done, or in check mode would be done, in order.
  returned: success
  type: list
  elements: str
  sample: ["create_backup web-1/nightly-2026-11-23", "delete_backup web-1/nightly-2026-11-01"]
changes:
  description: What that changes, each with path, before, after and effect.
  returned: success
  type: list
  elements: dict
  sample: [{"path": "backups[before-update]", "before": null, "after": "full", "effect": "live"}]
"""

import typing as t

from ..module_utils._driver.connection import Connection
from ..module_utils._driver.events import enable_events
from ..module_utils._module import ComputeModule
from ..module_utils._options import limit_options, pool_option
from ..module_utils._service._backup.run import ensure_backup
from ..module_utils._spec.backup import BackupSpec


def work(connection: Connection, spec: BackupSpec, check: bool) -> dict[str, t.Any]:
    """Bring the backup about."""
    return ensure_backup(connection, spec, check)


def main() -> None:
    """Run the module."""
    enable_events()
    ComputeModule(
        {
            "name": {"type": "str", "required": True},
            "fleet": {"type": "str"},
            "backup": {"type": "str", "required": True},
            **pool_option(),
            "state": {"type": "str", "choices": ["present", "absent", "restored"], "default": "present"},
            "type": {"type": "str", "choices": ["auto", "full", "incremental"]},
            "full_every": {"type": "int"},
            "disks": {"type": "list", "elements": "str"},
            "quiesce": {"type": "bool", "default": False},
            "description": {"type": "str"},
            "retention": {
                "type": "dict",
                "options": {
                    "prefix": {"type": "str", "required": True},
                    "keep": {"type": "int"},
                    "older_than": {"type": "str"},
                },
            },
            "restore_as": {"type": "str"},
            "restore_pool": {"type": "str"},
            **limit_options(),
        }
    ).run(BackupSpec.from_params, work)


if __name__ == "__main__":
    main()
