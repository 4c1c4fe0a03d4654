#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Make, grow, fill, copy, encrypt, attach or remove a volume of a storage pool."""

from __future__ import annotations

DOCUMENTATION = r"""
module: compute_volume
short_description: Manage volumes in a hypervisor's storage pools
version_added: 0.1.0
description:
  - Makes a volume by itself, empty or with the content of another volume, an image or a file, encrypts it, grows it, attaches it to an
    instance or detaches it, and removes it.
  - A volume can also be declared among the volumes of M(kilonova.compute.compute_instance). Either module leaves what the other one
    attached where it is. One that was made for its instance by that module is grown by it as well.
  - A volume gets its content when it is made. Later runs do not compare the content, and never write it again.
  - Of a pool of type C(rbd), libvirt neither reads nor writes the images. There O(src), O(dest), O(encryption), and an O(source) or
    O(image) in another pool are refused. Ceph's own tools and C(qemu-img convert) can import and export them. Once
    M(kilonova.compute.compute_pool) refreshed the pool, what was imported is a volume, and can be the O(source) of others.
  - Of a pool of type C(zfs), O(source), O(image), O(encryption) and O(wipe) are refused, since libvirt can't do that there.
  - While a volume is being filled, a small volume beside it, whose name begins with C(kilonova-unfinished-), says so. If the run is
    killed, no instance can be given the half volume, and the next run makes it anew.
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
    support: full
options:
  name:
    description:
      - The volume's name. It begins with a letter or a digit, and has at most 63 of the characters C(A-Z a-z 0-9 . _ -). It does not
        begin with C(kilonova-).
      - The units of an iSCSI server have the names that libvirt gives them, such as C(unit:0:0:1). They can be attached, but neither made nor
        removed.
    type: str
    required: true
  state:
    description:
      - V(present) makes the volume, or grows it.
      - V(absent) removes it. It is refused while any domain or any other volume lies on it, directly or through others, and while that
        can't be told. Volumes of pools that do not run can't be looked at.
      - Ceph keeps an image that has snapshots, and so one that is the O(source) of others, which lie on a snapshot that libvirt
        makes of it, until C(rbd flatten) parts them and C(rbd snap unprotect) and C(rbd snap purge) remove its snapshots. It is
        refused until then.
    type: str
    choices: [present, absent]
    default: present
  pool:
    description:
      - The storage pool of the volume. It must be running.
    type: str
    default: default
  size:
    description:
      - How much a guest can write to it, as a number with or without a unit.
      - The units are libvirt's and QEMU's. C(K), C(M), C(G), C(T), C(P) and C(E) are powers of 1024, and so are C(KiB) to C(EiB).
        C(KB) to C(EB) are powers of 1000. Without a unit it is bytes. Small letters are the same, and there may be a space, as in
        C(1.5 TiB). It is rounded up to whole disk sectors of 512 bytes.
      - A larger size grows the volume, and a smaller one is refused. Pools of devices round it up.
      - Libvirt can't grow volumes of volume groups, ZFS pools and iSCSI servers. Once other tools did so, and the pool was refreshed, the declared
        size is there.
      - While the instance that has it runs, its guest sees the new size at once. It is refused while a domain runs that
        kilonova.compute did not create, or that lies on it through another volume.
      - It is needed for a volume that has no content. One that has is at least as large as that.
    type: str
  format:
    description:
      - What the volume holds. Once it is there, another format is refused.
      - By default, a new volume in a pool of files has the format of its content, or V(qcow2), and in others V(raw).
      - Content from O(source) and O(image) is converted.
    type: str
    choices: [raw, qcow2]
  encryption:
    description:
      - Has a new volume encrypted with LUKS. What is stored is encrypted, and the guest of an instance that has the volume sees a plain disk.
      - Libvirt keeps the passphrase on the hypervisor as a private secret for the path of the volume, and tells it to nobody.
        It goes with the volume. Where that secret is gone, the declared passphrase is set again, once it was tried on the volume.
      - A volume that is there can't become encrypted in place, nor change its passphrase; make another one with O(source). A copy is
        encrypted only where this is declared of it, whether its source is or not.
      - A volume that is encrypted is downloaded as it is stored. Nothing can be uploaded to it. External snapshots do not take it.
      - Without this option, a volume that is encrypted stays so.
    type: dict
    suboptions:
      passphrase:
        description:
          - The passphrase. Keep it, since without it nobody can read the volume once the hypervisor's secret is lost.
          - One that is not that of the volume is refused, as far as that can be told. Eight bits of a digest, which are the same
            for all volumes of a passphrase, stand in the description of the secret, where everybody who may look at libvirt's
            secrets can read them. They tell 255 of 256 mistaken passphrases.
        type: str
        required: true
  source:
    description:
      - A volume whose content a new volume gets, with that of all it lies on. No running domain may use it meanwhile.
      - At most one of O(source), O(image) and O(src) can be given.
    type: dict
    suboptions:
      name:
        description:
          - Its name.
        type: str
        required: true
      pool:
        description:
          - Its pool. By default, that of the new volume.
        type: str
  image:
    description:
      - An image of M(kilonova.compute.compute_image) whose content a new volume gets.
    type: dict
    suboptions:
      name:
        description:
          - Its name.
        type: str
        required: true
      pool:
        description:
          - Its pool. By default, that of the new volume.
        type: str
  src:
    description:
      - A disk image on the machine where the module runs, from the root directory on, whose content a new volume gets.
      - An image that has a backing file, keeps its data in another file or is encrypted is refused.
      - A packed image is unpacked, and one of format VMDK, VHD or VHDX becomes qcow2, as in M(kilonova.compute.compute_image).
      - In pools of files, holes stay holes.
    type: path
  dest:
    description:
      - A file on the machine where the module runs, from the root directory on, that shall hold a copy of the volume, as it is in
        its format. It is written for its owner alone, whole or not at all, and holes stay holes.
      - A file that is there already is left as it is.
      - It is refused while a running domain uses the volume, and for a volume that lies on another one.
    type: path
  attached_to:
    description:
      - The instance that the volume is a disk of, in its definition and, while it runs, in its guest. It must be made by
        M(kilonova.compute.compute_instance).
      - Empty, it is detached. A guest that runs is asked until it has let go of it, and the task fails if it does not.
      - It is refused while anything else uses the volume, and for one that is declared among the volumes of an instance, which has to
        leave it out there.
      - By default, it stays where it is.
    type: str
  bus:
    description:
      - How it is attached. Once it is, another one is refused.
      - V(scsi) is for an instance that has a disk on this bus already.
      - By default, it is V(virtio).
    type: str
    choices: [virtio, scsi]
  serial:
    description:
      - The serial number that the guest finds the disk by, as in C(/dev/disk/by-id/virtio-SERIAL). It has at most 20 of the
        characters C(A-Z a-z 0-9 _ . + -). Once it is attached, another one is refused.
      - By default, it is the beginning of O(name), as in M(kilonova.compute.compute_instance).
    type: str
  wipe:
    description:
      - Whether the content is overwritten with zeros before the volume is removed. That takes as long as writing all of it.
      - What a storage system below keeps of it, such as snapshots or the spare cells of a flash disk, is not reached.
    type: bool
    default: false
"""

EXAMPLES = r"""
---
- name: Have a volume that outlives its instances
  kilonova.compute.compute_volume:
    name: shop-data
    size: 20G

- name: Have an encrypted volume, and give it to an instance
  kilonova.compute.compute_volume:
    name: shop-secrets
    size: 5G
    encryption:
      passphrase: "{{ vault_shop_secrets }}"
    attached_to: shop-1
    serial: secrets

- name: Take it away again
  kilonova.compute.compute_volume:
    name: shop-secrets
    attached_to: ""

- name: Copy a volume to another pool, larger
  kilonova.compute.compute_volume:
    name: shop-data-copy
    pool: fast
    source:
      name: shop-data
      pool: default
    size: 40 GiB

- name: Copy an image in Ceph that rbd import made, for an instance to boot from
  kilonova.compute.compute_volume:
    name: web-1-root
    pool: ceph
    source:
      name: debian-12
    size: 10G

- name: Make a disk of an image
  kilonova.compute.compute_volume:
    name: tool-disk
    image:
      name: debian-12

- name: Upload a disk
  kilonova.compute.compute_volume:
    name: appliance
    src: /srv/images/appliance.qcow2

- name: Download a volume
  kilonova.compute.compute_volume:
    name: appliance
    dest: /srv/backup/appliance.qcow2

- name: Remove a volume so that nobody reads it later
  kilonova.compute.compute_volume:
    name: shop-data
    state: absent
    wipe: true
"""

RETURN = r"""
volume:
  description:
    - The volume as it is; V(null) when it is not there, as in check mode before it is made.
  returned: always
  type: dict
  contains:
    name:
      description: The volume's name.
      type: str
      sample: shop-data
    pool:
      description: Its pool.
      type: str
      sample: default
    path:
      description: Where it is on the hypervisor, or in a Ceph cluster, the names of Ceph pool and image.
      type: str
      sample: /var/lib/libvirt/images/shop-data
    format:
      description: What it holds; V(null) where libvirt does not tell.
      type: str
      sample: qcow2
    encryption:
      description: How it is encrypted; V(null) where it is not.
      type: str
      sample: luks
    size_bytes:
      description: How much a guest can write to it.
      type: int
      sample: 21474836480
    allocation_bytes:
      description: How much of the pool it takes.
      type: int
      sample: 200704
    attached_to:
      description: The instance that it is attached to; V(null) for none.
      returned: when O(attached_to) is given
      type: str
      sample: shop-1
actions:
  description: What was done, or in check mode would be done, in order.
  returned: always
  type: list
  elements: str
  sample:
    - create_volume shop-data
changes:
  description: What that changes.
  returned: always
  type: list
  elements: dict
  contains:
    path:
      description: What is changed.
      type: str
      sample: volume.size
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
from ..module_utils._options_storage import stored_volume_options
from ..module_utils._service.stored_volume import ensure_stored_volume
from ..module_utils._spec.volume import StoredVolumeSpec


def work(connection: Connection, spec: StoredVolumeSpec, check: bool) -> dict[str, t.Any]:
    """Bring the volume about."""
    outcome = ensure_stored_volume(connection, spec, check)
    return {**outcome.plan.as_result(), "diff": outcome.plan.as_diff(), "volume": outcome.volume}


def main() -> None:
    """Run the module."""
    ComputeModule(stored_volume_options()).run(StoredVolumeSpec.from_params, work)


if __name__ == "__main__":
    main()
