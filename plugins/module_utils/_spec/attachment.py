# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Where a volume shall be attached."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._errors import SpecError
from .disk import check_serial, default_serial
from .names import check_name

PLUGGABLE_BUSES = ("virtio", "scsi")


@dataclass(frozen=True)
class AttachmentSpec:
    """The instance that a volume is a disk of; None for no instance."""

    instance: str | None = None
    bus: str | None = None
    serial: str | None = None
    """As declared; see :meth:`serial_of`."""

    @staticmethod
    def from_params(params: t.Mapping[str, t.Any]) -> AttachmentSpec | None:
        """Check the options of the attachment; None where it is not declared."""
        instance, bus, serial = params["attached_to"], params["bus"], params["serial"]
        if not instance:
            for option, value in (("bus", bus), ("serial", serial)):
                if value is not None:
                    raise SpecError(option, "the volume is attached to nothing", "declare attached_to as well")
            return None if instance is None else AttachmentSpec()
        if serial is not None:
            check_serial("serial", serial)
        return AttachmentSpec(check_name("attached_to", instance), bus, serial)

    def serial_of(self, volume: str) -> str:
        """Return the serial number that the guest sees of a volume that is newly attached."""
        return self.serial or default_serial(volume)
