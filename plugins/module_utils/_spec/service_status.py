# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Whether a hypervisor takes new instances, as its user declares it. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from .._errors import SpecError

ENABLED, DISABLED = STATUSES = ("enabled", "disabled")


@dataclass(frozen=True)
class ServiceStatus:
    """A status, with a reason if it is disabled."""

    status: str = ENABLED
    reason: str | None = None

    @classmethod
    def declared(cls, status: str, reason: str | None) -> ServiceStatus:
        """Validate both options; the reason is for whoever asks later why nothing comes here."""
        told = " ".join((reason or "").split())
        if status == DISABLED and not told:
            raise SpecError("disabled_reason", "a disabled host needs a reason", "say why, such as 'new disks'")
        if status == ENABLED and told:
            raise SpecError("disabled_reason", "the host is enabled", "leave it out, or say service_status: disabled")
        return cls(status, told or None)
