#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""List the backups in a storage pool."""

from __future__ import annotations

DOCUMENTATION = r"""
module: compute_backup_info
short_description: List the backups in a storage pool
version_added: 0.1.0
description:
  - Returns the complete backups of instances in a storage pool, those of instances that are gone included.
author:
  - The kilonova.compute contributors (@kilonova)
extends_documentation_fragment:
  - kilonova.compute._connection
  - kilonova.compute._attributes
  - kilonova.compute._attributes.info_module
  - kilonova.compute._attributes.actiongroup_compute
options:
  name:
    description:
      - Name of the instance whose backups are returned. By default, those of all are.
    type: str
  pool:
    description:
      - The storage pool that holds the backups.
    type: str
    default: default
seealso:
  - module: kilonova.compute.compute_backup
"""

EXAMPLES = r"""
---
- name: Look which backups there are
  kilonova.compute.compute_backup_info:
    pool: backups
  register: found

- name: Show those that can't be restored
  ansible.builtin.debug:
    msg: "{{ found.backups | selectattr('damage') }}"
"""

RETURN = r"""
backups:
  description: The backups, by instance, oldest first.
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
"""

import typing as t

from ..module_utils._driver.connection import Connection
from ..module_utils._module import ComputeModule
from ..module_utils._options import pool_option
from ..module_utils._service._backup.run import list_backups
from ..module_utils._spec.names import check_name


def read(params: dict[str, t.Any]) -> tuple[str, str | None]:
    """Validate the options."""
    name = params["name"]
    return params["pool"], None if name is None else check_name("name", name)


def work(connection: Connection, wanted: tuple[str, str | None], unused_check: bool) -> dict[str, t.Any]:
    """List the backups."""
    pool, name = wanted
    return {"changed": False, "backups": list_backups(connection, pool, name)}


def main() -> None:
    """Run the module."""
    ComputeModule({"name": {"type": "str"}, **pool_option()}).run(read, work)


if __name__ == "__main__":
    main()
