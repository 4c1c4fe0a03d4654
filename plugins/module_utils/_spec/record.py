# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What the collection writes into a domain's ``<metadata>``: whose it is and what it was made from.

The hypervisors are the only database, so this record is what makes an instance ours.
"""

from __future__ import annotations

from dataclasses import dataclass

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class OwnedDisk:
    """A volume that was created for the instance, and so may be deleted with it."""

    target: str
    """Of the disk that lies on it. A volume on its way in or out has a name here that no disk has."""
    pool: str
    volume: str


@dataclass(frozen=True)
class Begun:
    """An action that was begun and is not finished: who finds it after a run was killed goes on with it."""

    action: str
    """reboot, rescue, unrescue, rebuild or unshelve, or what ``snapshot`` and ``migration`` call their own."""
    running: bool = False
    """Whether the guest ran before, so that it does again at the end."""
    image: str | None = None
    image_digest: str | None = None
    target: str | None = None
    """Of the disk that is made for it, or the snapshot that it is about, or the UUID of a move's other host."""
    shared: bool = False
    """Volumes of it are the move's other host's as well."""


@dataclass(frozen=True)
class Rescue:
    """The instance boots from a disk of another image; what it takes to give it its own way to boot back."""

    target: str
    """Of the disk that is only there for this."""
    image: str
    image_digest: str
    boot_devices: tuple[str, ...] = ()
    """As ``OsBoot.boot_devices`` were; empty where the devices carry their own order."""
    controllers: tuple[str, ...] = ()
    """Those that were there, each as type:index."""


@dataclass(frozen=True)
class SeedRecord:
    """The volume that tells the guest what was declared of its first boot."""

    target: str
    pool: str
    volume: str
    digest: str
    """Of what it says, see ``FirstBootSpec.digest``."""
    generation: int = 0
    """How often the guest was told to take the next boot for its first again."""


@dataclass(frozen=True)
class FixedIp:
    """The address that a NIC shall have."""

    mac: str
    ip: str
    network: str = ""
    """Whose DHCP server keeps it for the NIC; empty where libvirt has none, as on a bridge."""


@dataclass(frozen=True)
class InstanceRecord:
    """The ``<kilonova:instance>`` element."""

    fleet: str | None = None
    flavor: str = ""
    vcpus: int = 0
    memory_mb: int = 0
    disk_gb: int = 0
    image: str | None = None
    image_digest: str | None = None
    """sha256:<hex> of the base image."""
    spec_digest: str = ""
    group: str | None = None
    group_policy: str | None = None
    protected: bool = False
    created_at: str = ""
    """ISO 8601, UTC."""
    labels: tuple[tuple[str, str], ...] = ()
    disks: tuple[OwnedDisk, ...] = ()
    """What was made for the instance and goes with it; the root disk first."""
    attached: tuple[OwnedDisk, ...] = ()
    """Volumes that were there before and stay when the instance goes."""
    layers: tuple[OwnedDisk, ...] = ()
    """What external snapshots brought: volumes over those disks, named by the disk's target, and files of memory."""
    nics: tuple[str, ...] = ()
    """MAC addresses of the NICs that were declared; others were plugged by somebody else."""
    fixed_ips: tuple[FixedIp, ...] = ()
    """The addresses that were declared for those NICs; what networks keep for these MAC addresses is the instance's."""
    drives: tuple[str, ...] = ()
    """Targets of the CD-ROM drives whose discs were declared; others were added by somebody else."""
    hostdevs: tuple[str, ...] = ()
    """Addresses of the host's devices that it was given; others were plugged by somebody else."""
    shares: tuple[str, ...] = ()
    """Tags of the shared directories that were declared."""
    isolated: bool = False
    """The other threads of the cores that it is pinned to are left idle."""
    restored: str | None = None
    """The backup that it was made from, see ``BackupRecord.key``."""
    adopted: bool = False
    """The domain was there before the collection."""
    patches: tuple[str, ...] = ()
    """Digests of the patches that the definition was changed by."""
    seed: SeedRecord | None = None
    shelved: bool = False
    """It is off, and the host's vCPUs and memory are promised to others."""
    begun: Begun | None = None
    rescue: Rescue | None = None
    schema: int = SCHEMA_VERSION

    @property
    def root(self) -> OwnedDisk | None:
        """Return the disk that was made for the instance to boot from; None for one that was made without, or adopted."""
        is_made = bool(self.image or self.disk_gb) and not self.adopted
        return self.disks[0] if self.disks and is_made else None

    @property
    def volumes(self) -> tuple[OwnedDisk, ...]:
        """Return all disks that the collection knows of, whoever made what they lie on."""
        return (*self.disks, *self.attached)

    def layer_of(self, target: str, source: str | None) -> OwnedDisk | None:
        """Return the layer that the disk ``target`` lies on when it lies on ``source``; None where that is no layer."""
        name = (source or "").rpartition("/")[2]
        return next((layer for layer in self.layers if (layer.target, layer.volume) == (target, name)), None)

    def is_over(self, target: str, source: str | None, pool: str, volume: str) -> bool:
        """Tell whether the disk ``target``, which lies on ``source``, lies on a layer over that volume."""
        return OwnedDisk(target, pool, volume) in self.volumes and self.layer_of(target, source) is not None
