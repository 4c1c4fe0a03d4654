#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""List the images of a storage pool."""

from __future__ import annotations

DOCUMENTATION = r"""
module: compute_image_info
short_description: List the images of a storage pool
version_added: 0.1.0
description:
  - Returns the images that M(kilonova.compute.compute_image) published in a storage pool, with what is known of them, the room they take,
    and who lies on them.
  - What lies on an image is followed through all volumes of all running pools and all domains, running or not. Of domains count their
    definition, how they run, their saved memory and their snapshots, and that they are defined to get a disk made from the image.
  - Reads only, with a number of list calls that does not grow. Each volume, domain and snapshot costs one more call, and each running
    domain, each domain with saved memory and each image another one.
author:
  - The kilonova.compute contributors (@kilonova)
extends_documentation_fragment:
  - kilonova.compute._connection
  - kilonova.compute._attributes
  - kilonova.compute._attributes.info_module
  - kilonova.compute._attributes.actiongroup_compute
requirements:
  - jmespath (C(python3-jmespath)) where the module runs, only for O(query)
options:
  pool:
    description:
      - The storage pool with the images. It must be running.
    type: str
    default: default
  names:
    description:
      - Only images with one of these names. A name that is not there is no error, and an empty list returns nothing.
    type: list
    elements: str
  query:
    description:
      - A JMESPath expression, applied to the list of images at the end. RV(images) is then what it gives.
      - A result that is no list is returned as a list with that one element, and no result as an empty list.
    type: str
seealso:
  - module: kilonova.compute.compute_image
  - module: kilonova.compute.compute_image_cache
  - name: JMESPath
    description: How to write an expression.
    link: https://jmespath.org/
"""

EXAMPLES = r"""
---
- name: List all images
  kilonova.compute.compute_image_info:
  register: found

- name: Show who lies on which
  ansible.builtin.debug:
    msg: "{{ item.name }}: {{ item.used_by.instances }}"
  loop: "{{ found.images }}"

- name: List those that nothing lies on, and what they take
  kilonova.compute.compute_image_info:
    query: "[?!in_use].{name: name, bytes: allocation_bytes, since: unused_since}"
"""

RETURN = r"""
images:
  description: The published images by name, or what O(query) makes of them.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The image's name.
      type: str
      sample: debian-12
    digest:
      description: The digest of its data as it is published.
      type: str
      sample: sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
    format:
      description: V(qcow2) or V(raw).
      type: str
      sample: qcow2
    source_format:
      description: The format of what was fetched.
      type: str
      sample: qcow2
    source_digest:
      description: The digest of what was fetched.
      type: str
      sample: sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
    virtual_size_bytes:
      description: The size of the disk that a guest sees.
      type: int
      sample: 2147483648
    size_bytes:
      description: The size of the image itself.
      type: int
      sample: 348651520
    allocation_bytes:
      description: What it takes in the pool. Images with the same data share it.
      type: int
      sample: 348655616
    volume:
      description: The volume with the data.
      type: str
      sample: kilonova-sha256-9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08.qcow2
    path:
      description: Where that volume is on the hypervisor.
      type: str
      sample: /var/lib/libvirt/images/kilonova-sha256-9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08.qcow2
    pool:
      description: The storage pool.
      type: str
      sample: default
    source:
      description: Where the data was fetched from, without user, password and query.
      type: str
      sample: https://images.example.com/debian-12-genericcloud-amd64.qcow2
    fetched_at:
      description: When that was, in UTC.
      type: str
      sample: "2026-01-31T12:00:00Z"
    checksum:
      description: The digest that was declared, or looked up; V(null) if none was.
      type: str
      sample: sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
    signed_by:
      description: The fingerprint of the key that signed it or its checksums, when it was published; V(null) if that was not asked for.
      type: str
      sample: D2EB44626FDDC30B513D5BB71A5D6C4C7DB87C81
    metadata:
      description: What was said of the image with O(kilonova.compute.compute_image#module:metadata); V(null) for what nothing was said of.
      type: dict
      contains:
        version:
          description: The image's version.
          type: str
          sample: "20260115"
        os:
          description: The operating system in it.
          type: str
          sample: Debian 12
        architecture:
          description: The architecture it is for.
          type: str
          sample: x86_64
        firmware:
          description: The firmware it boots with.
          type: str
          sample: uefi
        min_disk_gb:
          description: How many GiB of root disk an instance needs.
          type: int
          sample: 2
        min_memory_mb:
          description: How many MiB of memory an instance needs.
          type: int
          sample: 512
    in_use:
      description: Whether anything is seen to lie on the image.
      type: bool
      sample: true
    used_by:
      description: What lies on the image, directly or through others.
      type: dict
      contains:
        instances:
          description: The names of the domains, ours or not.
          type: list
          elements: str
          sample: [web-1]
        volumes:
          description: The volumes, each with C(name) and C(pool).
          type: list
          elements: dict
          sample: [{name: web-1-vda.qcow2, pool: default}]
    unused_since:
      description:
        - Since when M(kilonova.compute.compute_image_cache) has found the image unused, in UTC; V(null) when it is in use or was not looked
          at yet.
      type: str
      sample: "2026-02-14T03:00:00Z"
unreadable:
  description: In words the disks of domains that can't be looked into, and so may lie on any image.
  returned: success
  type: list
  elements: str
  sample: ["/srv/old.qcow2 of domain legacy, which is in no running pool"]
"""

import typing as t

from ..module_utils._driver.connection import Connection
from ..module_utils._module import ComputeModule
from ..module_utils._options import pool_option
from ..module_utils._service.image_info import ImageInfoOptions, list_images


def work(connection: Connection, options: ImageInfoOptions, unused_check: bool) -> dict[str, t.Any]:
    """Read the images, in check mode as always."""
    return {"changed": False, **list_images(connection, options)}


def main() -> None:
    """Run the module."""
    ComputeModule(
        {
            **pool_option(),
            "names": {"type": "list", "elements": "str"},
            "query": {"type": "str"},
        }
    ).run(ImageInfoOptions.from_params, work)


if __name__ == "__main__":
    main()
