#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Define a storage pool, have it run, or have libvirt forget it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: compute_pool
short_description: Manage a hypervisor's storage pools
version_added: 0.1.0
description:
  - Defines a storage pool, starts it and has it start with its host, or stops and undefines it. What is in the pool is never
    removed.
  - What is declared is compared with the pool that is there, option by option. Running and autostart are changed. What a pool is made
    on is not, since its volumes would not move along. Such a difference is refused, with the remedy.
  - A pool is started as it is. Only when that fails, what it stands on is made. Of V(dir), V(fs) and V(netfs) that is the directory.
    File systems, volume groups and ZFS pools are made with O(build=true) alone, and out of empty devices alone.
author:
  - The kilonova.compute contributors (@kilonova)
extends_documentation_fragment:
  - kilonova.compute._connection
  - kilonova.compute._attributes
  - kilonova.compute._attributes.actiongroup_compute
attributes:
  check_mode:
    support: full
    details:
      - Whether a pool can start is found out only by starting it.
  diff_mode:
    support: full
  idempotent:
    support: full
    details:
      - With O(refresh=true), libvirt looks at the pool in every run. That is not counted as a change.
options:
  name:
    description:
      - The pool's name. It begins with a letter or a digit, and has at most 63 of the characters C(A-Z a-z 0-9 . _ -).
    type: str
    required: true
  state:
    description:
      - V(present) defines the pool.
      - V(absent) stops and undefines it. Its volumes, its directory and its devices stay as they are. It is refused while domains,
        running or not, have disks in the pool.
    type: str
    choices: [present, absent]
    default: present
  type:
    description:
      - What the pool is made on. It is needed to define a pool, and refused where libvirt has no backend for it.
      - V(dir) is the directory O(path).
      - V(fs) is the file system on the device O(source.devices), mounted at O(path).
      - V(netfs) is the directory O(source.dir) of the server O(source.hosts), mounted at O(path).
      - V(logical) is the LVM volume group O(source.name).
      - V(iscsi) is the target O(source.devices) of the server O(source.hosts). Its volumes are its units, so none can be made or removed.
      - V(rbd) is the Ceph pool O(source.name) of the monitors O(source.hosts). Its volumes are that pool's images, which QEMU goes to
        over the network. On Debian, the hypervisor needs C(libvirt-daemon-driver-storage-rbd) and C(qemu-block-extra), and neither a
        configuration of Ceph nor its tools. How full it is, the cluster tells only while it has a manager.
      - Libvirt neither reads nor writes images in Ceph. M(kilonova.compute.compute_volume) makes, grows, copies, wipes, attaches and
        removes them. Images of M(kilonova.compute.compute_image), what instances are told at their first boot, and their console
        logs need another pool.
      - A daemon of libvirt that is restarted while its host stays up leaves pools of type V(rbd) stopped, which does not touch guests
        with disks there. The next run starts the pool again.
      - V(zfs) is the ZFS pool or dataset O(source.name). Its volumes are made, uploaded, downloaded, attached and removed. Libvirt
        neither grows, copies, wipes nor encrypts them. On Debian, the hypervisor needs C(libvirt-daemon-driver-storage-zfs), and
        C(zfs-dkms) and C(zfsutils-linux) of section contrib.
    type: str
    choices: [dir, fs, netfs, logical, iscsi, rbd, zfs]
  path:
    description:
      - Where the pool is on the hypervisor, from the root directory on.
      - Needed for V(dir), V(fs) and V(netfs). For V(iscsi), a new pool gets C(/dev/disk/by-path).
    type: str
  source:
    description:
      - Where the data of a pool that is no V(dir) is.
    type: dict
    suboptions:
      hosts:
        description:
          - The servers. V(netfs) has exactly one.
        type: list
        elements: dict
        suboptions:
          name:
            description:
              - Name or address of the server.
            type: str
            required: true
          port:
            description:
              - Its port, where it is not the usual one.
            type: int
      dir:
        description:
          - The directory or share of the server.
        type: str
      devices:
        description:
          - The devices, from the root directory on, or for V(iscsi), the target's name such as C(iqn.2026-01.com.example:disks).
          - V(fs) and V(iscsi) have exactly one. V(logical) and V(zfs) need them only to be made.
          - For V(logical), the names are those that C(pvs) shows. Links below C(/dev/disk) are refused, since libvirt does not follow them.
        type: list
        elements: str
      name:
        description:
          - The volume group, Ceph pool or ZFS dataset.
        type: str
      format:
        description:
          - The file system. For V(fs) one of V(auto), V(ext2), V(ext3), V(ext4), V(ufs), V(iso9660), V(udf), V(gfs), V(gfs2), V(vfat),
            V(hfs+), V(xfs) and V(ocfs2). For V(netfs) one of V(auto), V(nfs), V(glusterfs) and V(cifs). For V(logical) only V(lvm2).
        type: str
      initiator:
        description:
          - The name by which the hypervisor goes to an iSCSI server, where it is not its usual one.
        type: str
      auth:
        description:
          - How to log in to an iSCSI server, with CHAP, or a Ceph cluster. The password or key is in one of libvirt's secrets, which the
            definition of the pool names, and those of its disks.
          - Exactly one of O(source.auth.key), O(source.auth.secret_uuid) and O(source.auth.secret_usage) is needed. A Ceph cluster
            that asks nobody for a key needs no O(source.auth).
        type: dict
        suboptions:
          username:
            description:
              - Who logs in. Of a Ceph user, what comes after C(client.).
            type: str
            required: true
          key:
            description:
              - The key of the Ceph user, as C(ceph auth get-key) prints it, or the password for the iSCSI server.
              - Libvirt keeps it on the hypervisor as a private secret of the pool's own, and tells it to nobody. It goes with the pool.
                A key that is declared anew is set, and is used when the pool is next started or looked at, or a disk in it is opened.
              - Some bytes of a digest stand in the description of the secret, where everybody who may look at libvirt's secrets can
                read them, by which another key is told from it. Of a password that is eight bits, which tell 255 of 256 others.
            type: str
          secret_uuid:
            description:
              - The secret's UUID.
            type: str
          secret_usage:
            description:
              - What the secret is for, as its definition says.
            type: str
  active:
    description:
      - Whether the pool runs. It is not stopped while domains have disks in it.
    type: bool
    default: true
  autostart:
    description:
      - Whether the pool starts with its host.
    type: bool
    default: true
  build:
    description:
      - Whether the file system, the volume group or the ZFS pool is made out of the devices when the pool can't start without.
      - libvirt looks at the devices first, and refuses those that hold a file system, a partition table or the like. Raw data that has no
        such signature it does not see. So name only devices that are meant to be empty.
    type: bool
    default: false
  refresh:
    description:
      - Whether libvirt looks again at what is in the pool, as is needed after something else put files there.
    type: bool
    default: false
"""

EXAMPLES = r"""
---
- name: Keep instances on another disk
  kilonova.compute.compute_pool:
    name: fast
    type: dir
    path: /srv/fast

- name: Share images over NFS
  kilonova.compute.compute_pool:
    name: shared
    type: netfs
    path: /srv/shared
    source:
      hosts:
        - name: nfs.example.com
      dir: /export/images
      format: nfs

- name: Make a volume group out of an empty disk, once
  kilonova.compute.compute_pool:
    name: vg0
    type: logical
    source:
      name: vg0
      devices: [/dev/sdb]
    build: true

- name: Keep disks in Ceph
  kilonova.compute.compute_pool:
    name: ceph
    type: rbd
    source:
      name: instances
      hosts:
        - {name: mon1.example.com, port: 6789}
        - {name: mon2.example.com, port: 6789}
      auth:
        username: libvirt
        key: "{{ vault_ceph_libvirt }}"

- name: Do so with a key that libvirt holds as a secret already
  kilonova.compute.compute_pool:
    name: ceph
    type: rbd
    source:
      name: instances
      hosts:
        - {name: mon1.example.com, port: 6789}
      auth:
        username: libvirt
        secret_usage: client.libvirt secret

- name: Have libvirt forget a pool, and keep its volumes
  kilonova.compute.compute_pool:
    name: fast
    state: absent
"""

RETURN = r"""
pool:
  description:
    - The pool as it is; V(null) when it is not there, as in check mode before it is defined.
  returned: always
  type: dict
  contains:
    name:
      description: The pool's name.
      type: str
      sample: fast
    uuid:
      description: Its UUID.
      type: str
      sample: 34bc081e-26ec-402b-a2b5-6bac7d1307c3
    type:
      description: What it is made on.
      type: str
      sample: dir
    path:
      description: Where it is on the hypervisor; V(null) where it has no place there.
      type: str
      sample: /srv/fast
    active:
      description: Whether it runs.
      type: bool
      sample: true
    autostart:
      description: Whether it starts with its host.
      type: bool
      sample: true
    capacity_bytes:
      description: Its size; 0 while it does not run, and of a Ceph cluster without a manager.
      type: int
      sample: 270553174016
    allocation_bytes:
      description: How much of it is taken.
      type: int
      sample: 28478693376
    available_bytes:
      description: How much of it is free.
      type: int
      sample: 242074480640
actions:
  description: What was done, or in check mode would be done, in order.
  returned: always
  type: list
  elements: str
  sample:
    - define_pool fast
    - start_pool fast
    - set_autostart fast
changes:
  description: What that changes.
  returned: always
  type: list
  elements: dict
  contains:
    path:
      description: What is changed.
      type: str
      sample: pool.active
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
"""

import typing as t

from ..module_utils._driver.connection import Connection
from ..module_utils._module import ComputeModule
from ..module_utils._options_storage import pool_options
from ..module_utils._service.pool import ensure_pool
from ..module_utils._spec.pool import PoolSpec


def work(connection: Connection, spec: PoolSpec, check: bool) -> dict[str, t.Any]:
    """Bring the pool about."""
    outcome = ensure_pool(connection, spec, check)
    return {**outcome.plan.as_result(), "diff": outcome.plan.as_diff(), "pool": outcome.pool}


def main() -> None:
    """Run the module."""
    ComputeModule(pool_options()).run(PoolSpec.from_params, work)


if __name__ == "__main__":
    main()
