# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What of storage that libvirt only knows over a network has to be told: to QEMU how to get there, to users what can't be done.

Of a Ceph pool, libvirt makes, grows, wipes, clones and removes images. It reads and writes none, and copies none to or from
another pool: asked to, it would take whatever image of the Ceph pool has the name of the volume in the other one.
"""

from __future__ import annotations

from .._driver.storage import Pool
from .._errors import SpecError
from .._spec.remote import RemoteSource
from .._xml.pool import read_layout
from .._xml.volume import PoolDescription


def remote_source(pool: Pool) -> RemoteSource | None:
    """Return how QEMU gets to the volumes of a pool, where that is not by a path of the hypervisor."""
    layout = read_layout(pool.xml())
    return RemoteSource(layout.hosts or (), layout.auth) if layout.type == "rbd" else None


def refuse_remote(pool: PoolDescription, option: str, verb: str, remedy: str) -> None:
    """Refuse an option by which libvirt would have to ``verb`` (read, write) the content of volumes where it can't."""
    if pool.is_remote:
        raise SpecError(option, f"libvirt can't {verb} volumes of pool {pool.name} of type {pool.type}", remedy)


def refuse_between(one: PoolDescription, other: PoolDescription, option: str) -> None:
    """Refuse a copy from one pool to another, if either of them is remote."""
    if one.name == other.name:
        return
    for pool, elsewhere in ((one, other), (other, one)):
        remedy = (
            f"take what is in pool {pool.name}, or copy it with qemu-img convert on the hypervisor, and then have"
            " compute_pool refresh the pool"
        )
        if pool.is_remote:
            problem = (
                f"libvirt can't copy between pool {pool.name} of type {pool.type} and another one ({elsewhere.name})"
            )
            raise SpecError(option, problem, remedy)
