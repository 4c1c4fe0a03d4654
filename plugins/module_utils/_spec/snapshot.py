# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What a user declares of a snapshot, and what one is that is there."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._errors import SpecError
from .names import check_name
from .record import InstanceRecord
from .retention import Retention

PRESENT, ABSENT, REVERTED = "present", "absent", "reverted"
INTERNAL, EXTERNAL = "internal", "external"
MEMORY = "memory"
"""Stands for the target of a disk where a layer is a file of memory."""

CREATE = "snapshot"
DELETE = "delete_snapshot"
REVERT = "revert_snapshot"
FINISH_REVERT = "finish_revert_snapshot"
"""The present state is given up, and what is left to do is to go on from the snapshot."""
BEGUN = (CREATE, DELETE, REVERT, FINISH_REVERT)


@dataclass(frozen=True)
class SnapshotSpec:
    """One declared snapshot of one instance."""

    name: str
    """Of the instance."""
    fleet: str | None
    snapshot: str
    state: str = PRESENT
    type: str | None = None
    memory: bool | None = None
    quiesce: bool = False
    disks: tuple[str, ...] | None = None
    """Targets; None is all that the guest can write to."""
    description: str | None = None
    retention: Retention | None = None
    discard_changes: bool = False

    @classmethod
    def from_params(cls, params: t.Mapping[str, t.Any]) -> SnapshotSpec:
        """Validate the options."""
        state, kind, retention = params["state"], params["type"], params["retention"]
        snapshot = check_name("snapshot", params["snapshot"])
        if state != PRESENT:
            for option in ("type", "memory", "disks", "description", "retention", "quiesce"):
                if params[option] not in (None, False):
                    raise SpecError(option, f"a snapshot that is {state} takes none", "leave it out")
        if state != REVERTED and params["discard_changes"]:
            raise SpecError("discard_changes", f"nothing is discarded with state: {state}", "leave it out")
        if params["disks"] is not None:
            _check_disks(params)
        if params["quiesce"] and (params["memory"] or kind == INTERNAL):
            raise SpecError("quiesce", "a snapshot with memory has what is not yet written in it", "leave it out")
        return cls(
            name=check_name("name", params["name"]),
            fleet=params["fleet"],
            snapshot=snapshot,
            state=state,
            type=kind,
            memory=params["memory"],
            quiesce=params["quiesce"],
            disks=None if params["disks"] is None else tuple(dict.fromkeys(params["disks"])),
            description=params["description"],
            retention=None if retention is None else Retention.of("snapshot", snapshot, retention),
            discard_changes=params["discard_changes"],
        )


def _check_disks(params: t.Mapping[str, t.Any]) -> None:
    if not params["disks"]:
        raise SpecError("disks", "it is empty", "name the disks, or leave it out for all")
    if params["type"] == INTERNAL or params["memory"]:
        raise SpecError(
            "disks", "an internal snapshot, and one with memory, has all disks", "leave it out, or take neither"
        )


@dataclass(frozen=True)
class Frozen:
    """Where a disk of an external snapshot holds the state of then, and in which format."""

    target: str
    path: str
    format: str


@dataclass(frozen=True)
class Snapshot:
    """A snapshot that libvirt knows of."""

    name: str
    created: int = 0
    """Seconds since 1970, by the hypervisor's clock."""
    description: str | None = None
    state: str = ""
    """Libvirt's word for what the guest did, such as running or shutoff; disk-snapshot where only disks were taken."""
    external: bool = False
    memory: bool = False
    memory_path: str | None = None
    frozen: tuple[Frozen, ...] = ()
    """Of an external one."""
    sources: tuple[tuple[str, str], ...] = ()
    """Target and path of all disks that the guest could write to then."""
    record: InstanceRecord | None = None
    """The instance's record of then."""
    parent: str | None = None
    current: bool = False
    xml: str = ""

    @property
    def is_ours(self) -> bool:
        """Tell whether the collection made it: the record of then says that it was about to."""
        begun = self.record.begun if self.record else None
        return begun is not None and begun.target == self.name and begun.action in (CREATE, FINISH_REVERT)

    @property
    def type(self) -> str:
        """Return internal or external."""
        return EXTERNAL if self.external else INTERNAL
