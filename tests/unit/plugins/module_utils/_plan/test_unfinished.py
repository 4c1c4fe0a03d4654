# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of what must not be changed while an action has it in its hands."""

from __future__ import annotations

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._errors import ConflictError
from ansible_collections.kilonova.compute.plugins.module_utils._plan.unfinished import refuse_in_action
from ansible_collections.kilonova.compute.plugins.module_utils._spec.record import Begun, InstanceRecord, Rescue


@pytest.mark.parametrize(
    ("record", "words"),
    [
        (InstanceRecord(begun=Begun("rebuild")), "action: rebuild again"),
        (InstanceRecord(begun=Begun("rescue")), "action: rescue again"),
        (InstanceRecord(begun=Begun("unrescue"), rescue=Rescue("vdb", "fix", "")), "action: unrescue again"),
        (InstanceRecord(rescue=Rescue("vdb", "fix", "")), "rescued with image fix.*action: unrescue"),
    ],
)
def test_disks_in_an_action_are_left_to_it(record: InstanceRecord, words: str) -> None:
    """The sentence says what ends it."""
    with pytest.raises(ConflictError, match=words):
        refuse_in_action("web", record)


@pytest.mark.parametrize(
    "record", [InstanceRecord(), InstanceRecord(begun=Begun("reboot")), InstanceRecord(begun=Begun("unshelve"))]
)
def test_the_power_of_an_instance_may_be_switched_at_any_time(record: InstanceRecord) -> None:
    """What is declared is then what was wanted."""
    refuse_in_action("web", record)
