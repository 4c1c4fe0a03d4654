#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Remove images from a storage pool that nothing needs."""

from __future__ import annotations

DOCUMENTATION = r"""
module: compute_image_cache
short_description: Remove unused images from a storage pool
version_added: 0.1.0
description:
  - Removes images of M(kilonova.compute.compute_image) that nothing lies on, once they were unused for too long or all images together
    take too much. In check mode it says what would go.
  - What lies on an image is never taken from any list but from what is there. All volumes of all running pools count, and all domains,
    running or not, with their definition, how they run, their saved memory and their snapshots. So does a domain that is defined to get a
    disk made from the image. libvirt looks at all running pools again before, also in check mode.
  - When anything can't be looked into, such as a pool that does not run, or a disk that lies on a file in no pool, it may lie on any
    image. Then nothing is removed, and the module fails and says what it is. So it is where another version of this collection published
    an image in a way that this one can't read.
  - An instance that is being made from an image at that moment either keeps the image, or fails because the image is gone before
    anything of it runs, on whatever machines the two runs are.
  - Also removed is what interrupted runs left of images, unless a run is still at work on it. As long as it changes, or a run on the same
    machine has locked it, it stays. That is watched for some seconds where there is anything of that kind.
  - Only images that have a source to be fetched from again are removed by age or size. Volumes that are not of this collection are never
    touched.
  - Since when an image is unused is known from the first run that finds it so. That run leaves a small volume beside the image, which
    counts as a change, and which is removed when an instance is made from the image.
notes:
  - Instances of other hypervisors that share the pool are seen by their volumes. When one of them has a volume elsewhere that lies on
    an image of the shared pool, that is only seen on that hypervisor.
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
      - As time goes by, more images are unused for too long.
options:
  pool:
    description:
      - The storage pool with the images. It must be running.
    type: str
    default: default
  unused_for:
    description:
      - Images that were unused for so long are removed. It is a number with C(s), C(m), C(h), C(d) or C(w), such as V(14d).
      - With V(0s) all unused images are removed.
      - If not set, none is removed because of its age.
    type: str
  max_size:
    description:
      - What all images of the pool may take together, as it is allocated, such as V(50G). While they take more, unused ones are removed,
        the longest unused first.
      - A number with a unit such as V(50G) or V(50GiB) (powers of 1024), V(50GB) (powers of 1000), or bytes without one.
      - When what is in use takes more by itself, there is a warning, and RV(excess_bytes) says by how much.
      - It has effect when this module runs. Between its runs images may take more.
      - If not set, there is no limit.
    type: str
  keep:
    description:
      - Names of images that are never removed.
    type: list
    elements: str
    default: []
seealso:
  - module: kilonova.compute.compute_image
  - module: kilonova.compute.compute_image_info
  - module: kilonova.compute.compute_facts
"""

EXAMPLES = r"""
---
- name: Remove what was unused for two weeks, and more of it when all images take over 100 GiB
  kilonova.compute.compute_image_cache:
    unused_for: 14d
    max_size: 100G
    keep: [rescue]

- name: See what would go if all unused images did
  kilonova.compute.compute_image_cache:
    unused_for: 0s
  check_mode: true
  register: outlook

- name: Only remove what interrupted runs left
  kilonova.compute.compute_image_cache:
"""

RETURN = r"""
removed:
  description: What was removed, or in check mode would be removed, in order.
  returned: success
  type: list
  elements: dict
  contains:
    names:
      description: The images that had this data. None for what an interrupted run left.
      type: list
      elements: str
      sample: [debian-11]
    volume:
      description: The volume with the data.
      type: str
      sample: kilonova-sha256-9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08.qcow2
    allocation_bytes:
      description: What it took in the pool.
      type: int
      sample: 348655616
    unused_since:
      description: Since when it was found unused, in UTC; V(null) when it was not looked at before.
      type: str
      sample: "2026-02-14T03:00:00Z"
freed_bytes:
  description: What that took together.
  returned: success
  type: int
  sample: 348655616
size_bytes:
  description: What all other images of the pool take.
  returned: success
  type: int
  sample: 1073741824
excess_bytes:
  description: How much of that is over O(max_size).
  returned: success
  type: int
  sample: 0
actions:
  description: What was done, or in check mode would be done, in order.
  returned: success
  type: list
  elements: str
  sample:
    - unpublish_image debian-11
    - remove_volume kilonova-sha256-9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08.qcow2
changes:
  description: What that changes.
  returned: success
  type: list
  elements: dict
  contains:
    path:
      description: What is changed.
      type: str
      sample: image_cache.debian-11.volume
    before:
      description: What it was; V(null) when it was not there.
      type: raw
    after:
      description: What it becomes; V(null) when it is removed.
      type: raw
    effect:
      description: When it has effect; here always V(live).
      type: str
      sample: live
unreadable:
  description: In words what can't be looked into.
  returned: when that keeps images from being removed
  type: list
  elements: str
  sample: ["storage pool backup, which is not running"]
"""

import time
import typing as t

from ..module_utils._driver.connection import Connection
from ..module_utils._module import ComputeModule
from ..module_utils._options import pool_option
from ..module_utils._service.image_cache import as_result, collect
from ..module_utils._spec.image_cache import CacheSpec


def work(connection: Connection, spec: CacheSpec, check: bool) -> dict[str, t.Any]:
    """Remove what is unused."""
    return as_result(spec, collect(connection, spec, int(time.time()), check))


def main() -> None:
    """Run the module."""
    ComputeModule(
        {
            **pool_option(),
            "unused_for": {"type": "str"},
            "max_size": {"type": "str"},
            "keep": {"type": "list", "elements": "str", "default": []},
        }
    ).run(CacheSpec.from_params, work)


if __name__ == "__main__":
    main()
