# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The root disk of an instance that was lost with its host, or removed with its disks kept, found where it is."""

from __future__ import annotations

import typing as t

from ..._errors import ConflictError, NotFoundError
from ..._spec.instance import InstanceSpec
from .host import Host


def look_for_disks(host: Host, specs: t.Iterable[InstanceSpec]) -> None:
    """See what another host made in storage that both share, which libvirt here knows nothing or only a part of."""
    pools = {host.home.name, *(volume.pool for spec in specs for volume in spec.volumes or () if volume.pool)}
    for place in (host.place(pool) for pool in sorted(pools)):
        if place.is_running:
            place.refresh()


def check_root_disk(host: Host, spec: InstanceSpec, volume: str) -> None:
    """Refuse if the volume is not there, holds something else than is declared, or is a disk of another domain."""
    home = host.home
    found = home.volumes.get(volume)
    if found is None:
        raise NotFoundError(
            f"Instance {spec.name} has no root disk here: there is no volume {volume} in pool {home.name}."
            " Leave out root_disk to have it made anew."
        )
    holds, wanted = found.description.format or "raw", spec.disk_format or "qcow2"
    if holds != wanted:
        raise ConflictError(
            f"Volume {volume} of pool {home.name} holds {holds}, and declared is disk_format: {wanted}."
        )
    base = found.description.backing_path
    if base and (spec.image is None or base != host.image(spec.image).path):
        raise ConflictError(
            f"Volume {volume} of pool {home.name} lies on {base}, and not on {f'image {spec.image}' if spec.image else 'nothing'},"
            " as is declared."
        )
    for name, guest in host.guests.items():
        if any(disk.source == found.path for disk in guest.machine.disks):
            raise ConflictError(f"Volume {volume} of pool {home.name} is a disk of {name}.")
