#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Publish a disk image in a storage pool, for instances to be made from."""

from __future__ import annotations

DOCUMENTATION = r"""
module: compute_image
short_description: Publish disk images in a hypervisor's storage pool
version_added: 0.1.0
description:
  - Brings a disk image into a storage pool under a name, so that instances can be made from it.
  - The image is fetched and verified on the machine where the module runs, and then goes through libvirt into the pool. So the module
    works the same on the hypervisor and, with a remote O(uri), elsewhere.
  - Nothing is published before the checksum and the image itself were verified. An image that has a backing file or a parent, keeps
    its data in another file, is encrypted, is cut off, could be taken for two formats, or is of another format than declared is
    refused. No other program opens an image before that.
  - The data is stored once for each content, in a volume named by its digest, whatever the number of names, instances and
    runs. It is never written again. When a name is published with other content, the old data stays as long as anything lies on it.
  - A run that was killed leaves nothing that counts as published. The next run that changes an image of the pool removes what is left.
notes:
  - While the module works on something long, a line every ten seconds says how far it is. That is so over connections of the plugins
    P(ansible.builtin.ssh#connection) and P(ansible.builtin.local#connection), where a second command runs beside the module, and not for
    tasks with C(async), C(no_log), or in check mode. The variable C(kilonova_progress_seconds) sets another number of seconds, and C(0)
    turns the lines off.
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
      - No image is fetched, so what only the image itself can tell is not checked.
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  name:
    description:
      - The image's name. It begins with a letter or a digit, and has at most 63 of the characters C(A-Z a-z 0-9 . _ -).
    type: str
    required: true
  state:
    description:
      - V(present) publishes the image.
      - V(absent) removes it, with its data if no other name stands for the same data. It is refused while any volume or domain lies
        on the data.
    type: str
    choices: [present, absent]
    default: present
  src:
    description:
      - A file on the machine where the module runs, from the root directory on.
      - Exactly one of O(src), O(url), O(source_host) and O(source_instance) is needed with O(state=present).
    type: path
  url:
    description:
      - Where to fetch the image from, with C(http), C(https) or C(file).
      - A user and a password in the URL are used, and like the query, never shown or stored.
      - Redirects are followed, but not from C(https) to an address without TLS.
      - What breaks off or stalls is fetched again, from where it broke off if the server tells one content from another with an
        C(ETag) or C(Last-Modified).
      - An image that is packed with gzip, xz, bzip2 or zstd, at O(url) or O(src), is unpacked once. For zstd the Python library
        C(zstandard) or C(backports.zstd) is needed where the module runs, unless Python itself knows it, as it does from 3.14 on.
    type: str
  source_host:
    description:
      - A storage pool of another hypervisor, to take the image from. The machine where the module runs connects to it, so a module that
        runs on a hypervisor has the data come straight from the other one.
      - The data goes from one pool into the other without a file between, and what takes no room there takes none here. An image that
        is to be converted, and a packed one, lie in a temporary file meanwhile.
      - What is said of an image there in O(metadata), and where it was fetched from first, is said of it here as well.
    type: dict
    suboptions:
      uri:
        description:
          - The URI of the other hypervisor, from where the module runs, such as V(qemu+ssh://host/system).
        type: str
        required: true
      pool:
        description:
          - The storage pool there. It must be running.
        type: str
        default: default
      image:
        description:
          - The name of an image that is published there. If not set, it is O(name).
          - It must have the digest that it was published with. A declared O(checksum) may also be that of what it was made from, as far as
            the other hypervisor is to be believed.
          - Without O(checksum) it is looked at in every run, also in check mode, and taken again when other content is published there.
        type: str
      volume:
        description:
          - The name of a volume there that is no published image. It must be complete by itself, and no running domain may use it.
          - It is read twice.
          - Without O(checksum) it is looked at in every run, and a published image is taken to be the same as long as its time of
            change is.
        type: str
  source_instance:
    description:
      - An instance on the same hypervisor, whose disk the image is made of. It may be running, and goes on.
      - The image has all of the disk as it is at one point in time, which RV(image.fetched_at) tells, and needs no other image.
      - What the disk becomes later is not followed. While an image of that name is published that was made of the same disk, it is
        left as it is, and the instance is not looked at. Publish under another name to have the disk as it is now.
      - The disk of a running instance is copied by libvirt's backup job, in a O(pool) of files. The disk of a stopped one must lie in a
        running storage pool.
      - Encrypted and shared disks are refused. Internal snapshots of the disk are not in the image.
      - What is known of the image that the instance was made from, but for its version, is known of this one as well, while that is
        published in O(pool). Otherwise it is the firmware that the instance boots with. The architecture is the instance's, and the
        disk's size is how much room an instance of the image needs.
      - What tells one machine from another stays in the image, such as host keys of SSH and the machine's ID. Remove it in the
        guest before, or have cloud-init or the like make it anew.
    type: dict
    suboptions:
      name:
        description:
          - The name of the instance.
        type: str
        required: true
      fleet:
        description:
          - The fleet that it belongs to, if any.
        type: str
      disk:
        description:
          - The disk by its device name, such as V(vdb). If not set, it is the one that the instance boots from.
        type: str
      quiesce:
        description:
          - Whether the agent in a running guest freezes its file systems while the point in time is fixed, which takes a moment.
          - V(auto) has it done where the agent answers, and warns otherwise that the image holds what a power cut would have left.
          - V(true) fails in place of that warning.
          - If the module is killed in that very moment, the file systems stay frozen until it runs again for the same image, or they are
            thawed with M(kilonova.compute.compute_guest).
        type: str
        choices: ["auto", "true", "false"]
        default: auto
  username:
    description:
      - A user that the server at O(url) may ask for. No other server is told, also not after a redirect.
    type: str
  password:
    description:
      - The password of O(username).
    type: str
  ca_path:
    description:
      - A file, where the module runs, with the certificates in PEM form that are trusted instead of the system's.
    type: path
  proxy:
    description:
      - The proxy to use, as C(http://host:port). A user and a password in it are used, and never shown.
      - Without it, proxies are taken from the environment variables E(http_proxy) and E(https_proxy). E(no_proxy) counts in any case.
    type: str
  retries:
    description:
      - How many times in a row fetching may break off or find the server overloaded. The pauses between grow up to 30 seconds.
    type: int
    default: 4
  stall_timeout:
    description:
      - After how many seconds without a byte a server is taken to be stuck, or without a sign of life a hypervisor of O(source_host).
    type: int
    default: 60
  checksum:
    description:
      - The digest that the image must have, such as V(sha256:0123...). Also accepted are V(sha384:) and V(sha512:).
      - Or the URL of a file such as C(SHA256SUMS), in which the digest is looked up in every run, also in check mode, by the last part
        of O(url) or O(src). Lines of C(sha256sum) and of BSD systems are understood. It is refused if no digest is found or several.
        V(sha256:https://...) takes none but SHA-256 digests.
      - It is the digest of what is fetched, before it is unpacked or converted.
      - While the published image has this digest, nothing is fetched, wherever the image comes from, and no other hypervisor is asked.
      - Without it, a published image is taken to be the same as long as O(url) is the same, or O(src) with its time of change.
    type: str
  signature:
    description:
      - Where a detached OpenPGP signature is, with or without armor. It is a C(http), C(https) or C(file) URL, or a file on the machine
        where the module runs.
      - Where O(checksum) is the URL of a file of checksums, it is the signature of that, and verified in every run, also in check mode.
      - Otherwise it is the signature of what is fetched, before it is unpacked or converted. An image that was published without one,
        or with one by a key that is none of O(signing_keys) any more or is revoked there, is fetched again and verified, and then taken
        to be the same as without the option. While it can't be verified the module fails, and what was published stays as it was.
        A packed image lies in a second temporary file meanwhile.
      - It is verified by C(gpg), which must be installed where the module runs, with the keys in O(signing_keys) and no others. The
        keyring of the user is not touched.
      - A signature by another key, one that does not fit, one that is made with a broken hash, and one whose key has expired or is
        revoked are refused. Of several, one that is good is enough.
    type: str
  signing_keys:
    description:
      - The public keys of which one must have made O(signature), each as a file on the machine where the module runs, or as text that
        begins with C(-----BEGIN PGP PUBLIC KEY BLOCK-----).
    type: list
    elements: str
  format:
    description:
      - The format that the image must have. V(auto) accepts all of them.
      - Of V(vmdk), only stream-optimized images are accepted, as they are in OVA archives.
    type: str
    choices: [auto, qcow2, raw, vmdk, vhd, vhdx, iso]
    default: auto
  convert_to:
    description:
      - The format to publish the image's disk in.
      - If not set, V(qcow2) and V(raw) images are published as they are, and V(vmdk), V(vhd) and V(vhdx) images as V(qcow2).
      - An V(iso) image is a CD-ROM's content, and always published as it is.
      - A pool of devices, such as a volume group, takes no V(qcow2) images, but V(raw) ones.
      - The disk is written anew where the module runs, and zeros take no room. Neither QEMU nor libvirt opens the image for that.
      - A V(qcow2) image whose clusters are compressed with zstd needs the same Python library as one that is packed so, see O(url).
    type: str
    choices: [qcow2, raw]
  max_size_gb:
    description:
      - How many GiB of data the image may have, whatever it claims. It holds for what is fetched and for what is written anew.
    type: int
    default: 256
  cache_max_size:
    description:
      - What all images of the pool may take together, as it is allocated, once this one is there, such as V(50G).
      - Before an image is published for which that leaves no room, images that nothing lies on and that can be fetched again are removed,
        the longest unused first, as M(kilonova.compute.compute_image_cache) does it. That is when the image was fetched and verified, so that
        nothing goes for one that is refused.
      - If there can be no room the image is refused, with the images that stay and what each of them is in use by. That is before anything
        is fetched as far as the size is known then. A server tells it of V(qcow2) images, and another hypervisor of what is published as
        it is there. Images that are packed or converted, and V(raw) ones from a server, are refused when they were fetched.
      - In check mode it is told what would go, as far as the size is known.
      - An image that is published already needs no room, and then nothing is removed.
      - A number with a unit as in O(kilonova.compute.compute_image_cache#module:max_size). If not set, there is no limit.
    type: str
  cache_keep:
    description:
      - Names of images that are not removed for the sake of O(cache_max_size), such as those that instances are about to be made from.
    type: list
    elements: str
    default: []
  metadata:
    description:
      - What is to be known of the image. It is kept with it and shown in the result. A new instance that has not what is said
        here of architecture, firmware and sizes is refused.
      - What is not set stays as it is, as long as the image's data does.
    type: dict
    suboptions:
      version:
        description:
          - The image's version.
        type: str
      os:
        description:
          - The operating system in it.
        type: str
      architecture:
        description:
          - The architecture it is for, such as V(x86_64).
        type: str
      firmware:
        description:
          - The firmware it needs. Leave it out for an image that boots with both.
        type: str
        choices: [bios, uefi]
      min_disk_gb:
        description:
          - How many GiB of root disk an instance needs.
        type: int
      min_memory_mb:
        description:
          - How many MiB of memory an instance needs.
        type: int
  pool:
    description:
      - The storage pool that keeps the image. It must be running.
    type: str
    default: default
  timeout:
    description:
      - How many seconds fetching may take, and how many seconds are waited for another run that publishes the same image.
    type: int
    default: 3600
"""

EXAMPLES = r"""
---
- name: Publish an image once, verified
  kilonova.compute.compute_image:
    name: debian-12
    url: https://images.example.com/debian-12-genericcloud-amd64.qcow2
    checksum: sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08

- name: Say what an image is for
  kilonova.compute.compute_image:
    name: debian-12
    url: https://images.example.com/debian-12-genericcloud-amd64.qcow2
    checksum: sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
    metadata:
      version: "20260115"
      os: Debian 12
      architecture: x86_64
      min_disk_gb: 2

- name: Have the newest image of a vendor, which is packed
  kilonova.compute.compute_image:
    name: fedora
    url: https://images.example.com/latest/fedora-cloud.raw.xz
    checksum: https://images.example.com/latest/SHA256SUMS

- name: Have what a vendor has signed
  kilonova.compute.compute_image:
    name: ubuntu
    url: https://images.example.com/noble/noble-server-cloudimg-amd64.img
    checksum: https://images.example.com/noble/SHA256SUMS
    signature: https://images.example.com/noble/SHA256SUMS.gpg
    signing_keys:
      - /usr/share/keyrings/ubuntu-cloudimage-keyring.gpg

- name: Have an image that its maker signs itself, by a key of which the text is at hand
  kilonova.compute.compute_image:
    name: appliance
    url: https://images.example.com/appliance-4.2.qcow2.xz
    signature: https://images.example.com/appliance-4.2.qcow2.xz.asc
    signing_keys:
      - "{{ lookup('ansible.builtin.file', 'maker.asc') }}"

- name: Have what another hypervisor has, from there
  kilonova.compute.compute_image:
    name: debian-12
    source_host:
      uri: qemu+ssh://hypervisor1/system

- name: Make an image of a machine that was prepared, while it runs
  kilonova.compute.compute_image:
    name: golden-2026-02
    source_instance:
      name: golden
    metadata:
      version: "2026-02"

- name: Publish an image, and remove unused ones when all of them would take over 50 GiB
  kilonova.compute.compute_image:
    name: debian-13
    url: https://images.example.com/debian-13-genericcloud-amd64.qcow2
    cache_max_size: 50G
    cache_keep: [rescue]

- name: Publish a file of the machine where the module runs
  kilonova.compute.compute_image:
    name: appliance
    src: /srv/images/appliance.raw
    format: raw
    pool: fast

- name: Publish an appliance for VMware as qcow2
  kilonova.compute.compute_image:
    name: appliance
    src: /srv/images/appliance-disk1.vmdk
    format: vmdk

- name: Remove an image that nothing uses any more
  kilonova.compute.compute_image:
    name: debian-11
    state: absent
"""

RETURN = r"""
image:
  description:
    - The image as it is published; V(null) when it is not, as in check mode before it is fetched.
  returned: when O(state=present)
  type: dict
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
      description: The digest of what was fetched. It differs from the data's where that was converted.
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
      description: Where the data was fetched from, without user, password and query; of an instance, which disk it was.
      type: str
      sample: https://images.example.com/debian-12-genericcloud-amd64.qcow2
    fetched_at:
      description: When that was, in UTC; of an instance's disk, as of when it is.
      type: str
      sample: "2026-01-31T12:00:00Z"
    checksum:
      description: The digest that was declared, or looked up; V(null) if none was.
      type: str
      sample: sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
    signed_by:
      description:
        - The fingerprint of the key that signed it or its checksums, when it was published; V(null) if that was not asked for.
      type: str
      sample: D2EB44626FDDC30B513D5BB71A5D6C4C7DB87C81
    metadata:
      description: What is known of the image; V(null) for what nothing was said of.
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
actions:
  description: What was done, or in check mode would be done, in order.
  returned: always
  type: list
  elements: str
  sample:
    - fetch_image https://images.example.com/debian-12-genericcloud-amd64.qcow2
    - publish_image debian-12
changes:
  description: What that changes.
  returned: always
  type: list
  elements: dict
  contains:
    path:
      description: What is changed.
      type: str
      sample: image.digest
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

import functools
import typing as t

from ..module_utils._driver.connection import Connection
from ..module_utils._module import ComputeModule
from ..module_utils._service._image.tools import Tools
from ..module_utils._service.image import ensure_image
from ..module_utils._service.progress import Progress
from ..module_utils._spec.image import DEFAULT_MAX_SIZE_GB, ImageSpec, url_secrets
from ..module_utils._spec.image_format import FORMATS, PUBLISHED_FORMATS
from ..module_utils._spec.image_instance import QUIESCE
from ..module_utils._spec.image_metadata import FIRMWARES


def work(
    connection: Connection, spec: ImageSpec, check: bool, directory: str, run: t.Callable[..., tuple[int, str, str]]
) -> dict[str, t.Any]:
    """Bring the image about; downloads lie in ``directory``, ``run`` runs programs."""
    progress = Progress.from_environment(spec.name)
    try:
        outcome = ensure_image(connection, spec, check, Tools(directory, run, progress))
    finally:
        progress.end()
    result = {**outcome.plan.as_result(), "diff": outcome.plan.as_diff(), "warnings": list(outcome.warnings)}
    if spec.present:
        result["image"] = outcome.image
    return result


def main() -> None:
    """Run the module."""
    module = ComputeModule(
        {
            "name": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "src": {"type": "path"},
            "url": {"type": "str"},
            "source_host": {
                "type": "dict",
                "options": {
                    "uri": {"type": "str", "required": True},
                    "pool": {"type": "str", "default": "default"},
                    "image": {"type": "str"},
                    "volume": {"type": "str"},
                },
            },
            "source_instance": {
                "type": "dict",
                "options": {
                    "name": {"type": "str", "required": True},
                    "fleet": {"type": "str"},
                    "disk": {"type": "str"},
                    "quiesce": {"type": "str", "choices": list(QUIESCE), "default": QUIESCE[0]},
                },
            },
            "checksum": {"type": "str"},
            "signature": {"type": "str"},
            "signing_keys": {"type": "list", "elements": "str", "no_log": False},
            "format": {"type": "str", "choices": ["auto", *FORMATS], "default": "auto"},
            "convert_to": {"type": "str", "choices": list(PUBLISHED_FORMATS)},
            "max_size_gb": {"type": "int", "default": DEFAULT_MAX_SIZE_GB},
            "cache_max_size": {"type": "str"},
            "cache_keep": {"type": "list", "elements": "str", "default": []},
            "pool": {"type": "str", "default": "default"},
            "metadata": {
                "type": "dict",
                "options": {
                    "version": {"type": "str"},
                    "os": {"type": "str"},
                    "architecture": {"type": "str"},
                    "firmware": {"type": "str", "choices": list(FIRMWARES)},
                    "min_disk_gb": {"type": "int"},
                    "min_memory_mb": {"type": "int"},
                },
            },
            "timeout": {"type": "int", "default": 3600},
            "stall_timeout": {"type": "int", "default": 60},
            "retries": {"type": "int", "default": 4},
            "username": {"type": "str"},
            "password": {"type": "str", "no_log": True},
            "ca_path": {"type": "path"},
            "proxy": {"type": "str"},
        },
        mutually_exclusive=[("src", "url", "source_host", "source_instance")],
    )
    for option in ("url", "checksum", "signature", "proxy"):
        module.ansible.no_log_values.update(url_secrets(module.params[option] or ""))
    module.run(
        ImageSpec.from_params, functools.partial(work, directory=module.ansible.tmpdir, run=module.ansible.run_command)
    )


if __name__ == "__main__":
    main()
