# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What libvirt can't do in pools of some types, refused before anything is done, with what can.

Of a Ceph pool, libvirt makes, grows, wipes, clones and removes images. It reads and writes none, and copies none to or from
another pool: asked to, it would take whatever image of the Ceph pool has the name of the volume in the other one. Of a ZFS
pool, it makes, reads, writes and removes volumes.
"""

from __future__ import annotations

from .._errors import SpecError
from .._spec.volume import StoredVolumeSpec
from .._xml.volume import PoolDescription

_ZFS = "zfs"


def refuse_beyond(spec: StoredVolumeSpec, pool: PoolDescription) -> None:
    """Refuse what is declared of a volume and can't be had in the pool, whatever is there."""
    if spec.src:
        remedy = f"import {spec.src} with qemu-img convert on the hypervisor, or rbd import, and then have compute_pool refresh the pool"
        refuse_remote(pool, "src", "write", remedy)
    if spec.dest:
        refuse_remote(
            pool, "dest", "read", f"export {spec.name} with qemu-img convert on the hypervisor, or rbd export"
        )
    if pool.type == _ZFS and spec.encryption:
        problem = f"libvirt makes no encrypted volumes in pool {pool.name} of type {_ZFS}"
        raise SpecError("encryption", problem, "declare a pool of files or of LVM, or encrypt the dataset of ZFS")
    if pool.type == _ZFS and spec.wipe:
        problem = f"libvirt can't wipe volumes of pool {pool.name} of type {_ZFS}"
        raise SpecError("wipe", problem, "overwrite it on the hypervisor (blkdiscard -z), or leave wipe out")


def refuse_remote(pool: PoolDescription, option: str, verb: str, remedy: str) -> None:
    """Refuse an option by which libvirt would have to ``verb`` (read, write) the content of volumes where it can't."""
    if pool.is_remote:
        raise SpecError(option, f"libvirt can't {verb} volumes of pool {pool.name} of type {pool.type}", remedy)


def refuse_copy(goal: PoolDescription, origin: PoolDescription, option: str) -> None:
    """Refuse a copy to a ZFS pool, and one from a pool to another, if either of them is remote."""
    if goal.type == _ZFS:
        remedy = "copy it with qemu-img convert on the hypervisor, or in the pool with zfs clone, and then have compute_pool refresh the pool"
        raise SpecError(option, f"libvirt can't copy to pool {goal.name} of type {_ZFS}", remedy)
    if goal.name == origin.name:
        return
    for pool, elsewhere in ((goal, origin), (origin, goal)):
        remedy = (
            f"take what is in pool {pool.name}, or copy it with qemu-img convert on the hypervisor, and then have"
            " compute_pool refresh the pool"
        )
        if pool.is_remote:
            problem = (
                f"libvirt can't copy between pool {pool.name} of type {pool.type} and another one ({elsewhere.name})"
            )
            raise SpecError(option, problem, remedy)
