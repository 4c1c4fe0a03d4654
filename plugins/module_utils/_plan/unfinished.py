# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What an action leaves an instance in, where what is declared must not be brought about meanwhile."""

from __future__ import annotations

from .._errors import ConflictError
from .._spec import action as actions
from .._spec.record import InstanceRecord

_ON_DISKS = (actions.REBUILD, actions.RESCUE, actions.UNRESCUE)


def refuse_in_action(name: str, record: InstanceRecord) -> None:
    """Refuse to change an instance that is rescued, or whose disks an interrupted action has in its hands."""
    begun = record.begun.action if record.begun else None
    if begun in _ON_DISKS:
        raise ConflictError(
            f"Action {begun} of instance {name} was interrupted; run kilonova.compute.compute_instance_action with"
            f" action: {begun} again, which finishes it, before the instance is changed."
        )
    if record.rescue is not None:
        raise ConflictError(
            f"Instance {name} is rescued with image {record.rescue.image}; run kilonova.compute.compute_instance_action"
            " with action: unrescue before the instance is changed."
        )
