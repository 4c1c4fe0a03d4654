# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What of an instance's disks and firmware matters for a snapshot."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class DiskTraits:
    """A disk that the guest can write to."""

    target: str
    path: str | None
    """None where it does not lie on a file or a block device of the host."""
    format: str
    type: str = "file"
    device: str = "disk"
    shareable: bool = False
    encrypted: bool = False
    transient: bool = False

    @property
    def obstacle(self) -> str | None:
        """Return in words why it can't be in a snapshot; None where it can."""
        reasons = (
            (self.path is None, "lies on no file of the host"),
            (self.device != "disk", "is a device of the host that is passed through"),
            (
                self.type != "file",
                "lies on a block device, which can't grow as what is written after the snapshot does",
            ),
            (self.shareable, "is shared with other guests"),
            (self.encrypted, "is encrypted, and what is written after the snapshot would not be"),
            (self.transient, "is transient"),
        )
        return next((words for is_so, words in reasons if is_so), None)


@dataclass(frozen=True)
class SnapshotTraits:
    """What a domain's XML says of it."""

    disks: tuple[DiskTraits, ...] = ()
    """Those that the guest can write to."""
    targets: tuple[str, ...] = ()
    """Of all disks and drives."""
    pflash: bool = False
    """It has UEFI firmware whose variables lie in a file of their own."""
    tpm: bool = False
    """It has an emulated TPM, whose state lies in files of its own."""
    host_devices: tuple[str, ...] = ()
    """Devices of the host, whose state can't be saved with the memory."""


@dataclass(frozen=True)
class NewLayer:
    """A volume to be made over what a disk lies on."""

    target: str
    pool: str
    volume: str
    path: str
    capacity_bytes: int
    below: str
    below_format: str
