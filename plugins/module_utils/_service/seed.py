# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""An instance's seed as a volume of a pool.

The volume's name carries a digest of its content. So a seed is never changed under a guest that may read it: another
content is another volume, and the old one goes when no definition points to it any more.
"""

from __future__ import annotations

import hashlib
import io
import re
import typing as t

from .._driver.storage import Pool, Volume
from .._errors import DriverError, ExistsError
from .._seed.iso import build_iso
from .._spec.first_boot import FirstBootSpec
from .._xml.volume import VolumeDescription

_DIGITS = 12
_PRIVATE = 0o600
_SEED = re.compile(rf"(.+)-seed-[0-9a-f]{{{_DIGITS}}}\.iso")


def build_seed(spec: FirstBootSpec, instance_id: str, name: str, macs: t.Sequence[str]) -> bytes:
    """Return the image that tells the instance ``name`` what ``spec`` declares."""
    return build_iso(spec.documents(instance_id, name, macs))


def seed_volume_name(name: str, content: bytes) -> str:
    """Return the name of the volume with this seed of the instance ``name``."""
    return f"{name}-seed-{hashlib.sha256(content).hexdigest()[:_DIGITS]}.iso"


def publish_seed(pool: Pool, name: str, content: bytes) -> Volume:
    """Have the seed in the pool, whole; no definition may point to it before this returned.

    A volume that a killed run left half written is written again, as is one that another run is just writing: by its
    name both write the same.
    """
    volume_name = seed_volume_name(name, content)
    volume = pool.find(volume_name)
    if volume is not None and volume.read_bytes(len(content)) == content:
        return volume
    if volume is None:
        try:
            volume = pool.add(VolumeDescription(volume_name, len(content), "raw", len(content), mode=_PRIVATE))
        except ExistsError:
            volume = pool.find(volume_name)
    if volume is None:
        raise DriverError(f"Volume {volume_name} of pool {pool.name} vanished while it was written; run again.")
    volume.upload(io.BytesIO(content), len(content))
    return volume


def seeds_by_instance(volumes: t.Iterable[str]) -> dict[str, set[str]]:
    """Return those of a pool's volumes that are seeds, by the instance's name."""
    found: dict[str, set[str]] = {}
    for volume in volumes:
        match = _SEED.fullmatch(volume)
        if match is not None:
            found.setdefault(match[1], set()).add(volume)
    return found


def retire_seeds(pool: Pool, name: str, keep: t.Collection[str]) -> list[str]:
    """Delete the instance's seeds but those in ``keep``, and return their names.

    To be kept is what the definition points to, and what a running guest was started with.
    """
    retired = sorted(seeds_by_instance(pool.volumes()).get(name, set()) - set(keep))
    for found in retired:
        volume = pool.find(found)
        if volume is not None:
            volume.delete()
    return retired
