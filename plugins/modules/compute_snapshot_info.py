#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""List the snapshots of an instance."""

from __future__ import annotations

DOCUMENTATION = r"""
module: compute_snapshot_info
short_description: List the snapshots of an instance
version_added: 0.1.0
description:
  - Returns the snapshots of an instance that libvirt knows of, whoever took them.
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
      - Name of the instance, or of a domain that this collection did not make.
    type: str
    required: true
seealso:
  - module: kilonova.compute.compute_snapshot
"""

EXAMPLES = r"""
---
- name: Look which snapshots there are
  kilonova.compute.compute_snapshot_info:
    name: web-1
  register: found

- name: Show their names
  ansible.builtin.debug:
    msg: "{{ found.snapshots | map(attribute='name') }}"
"""

RETURN = r"""
snapshots:
  description: The snapshots of the instance, in the order they were taken.
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
"""

import typing as t

from ..module_utils._driver.connection import Connection
from ..module_utils._module import ComputeModule
from ..module_utils._service._snapshot.rows import list_rows
from ..module_utils._spec.names import check_name


def read(params: dict[str, t.Any]) -> str:
    """Validate the options."""
    return check_name("name", params["name"])


def work(connection: Connection, name: str, unused_check: bool) -> dict[str, t.Any]:
    """List the snapshots."""
    return {"changed": False, "snapshots": list_rows(connection, name)}


def main() -> None:
    """Run the module."""
    ComputeModule({"name": {"type": "str", "required": True}}).run(read, work)


if __name__ == "__main__":
    main()
