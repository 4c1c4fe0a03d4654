# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of how changes of what guards a NIC are told."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._plan.guards import guards_told
from ansible_collections.kilonova.compute.plugins.module_utils._plan.machine import differences
from ansible_collections.kilonova.compute.plugins.module_utils._spec.machine import Machine, Nic

MAC = "52:54:00:00:00:01"
CLEAN, OPEN = "kilonova-nic.clean", "kilonova-nic.open.web"
PLAIN, WEB = "no security groups; port security", "security groups web; no port security"


def _nic(name: str | None, address: str | None = None) -> Nic:
    return Nic(MAC, "bridge", "br0", filter=name, filter_ip=address)


@pytest.mark.parametrize(
    ("present", "wanted", "told"),
    [
        (_nic(CLEAN), _nic(CLEAN, "192.0.2.7"), (PLAIN, f"{PLAIN} for 192.0.2.7")),
        (_nic(CLEAN, "192.0.2.7"), _nic(None, "192.0.2.8"), (f"{PLAIN} for 192.0.2.7", f"{PLAIN} for 192.0.2.8")),
        (_nic(CLEAN, "192.0.2.7"), _nic(CLEAN, ""), (f"{PLAIN} for 192.0.2.7", PLAIN)),
        (_nic(CLEAN, "192.0.2.7"), _nic(OPEN, ""), (f"{PLAIN} for 192.0.2.7", WEB)),
        (_nic(OPEN), _nic(CLEAN, "192.0.2.7"), (WEB, f"{PLAIN} for 192.0.2.7")),
        (_nic(None), _nic(OPEN), ("no security groups; no port security", WEB)),
    ],
)
def test_a_filter_and_its_address_are_one_change(present: Nic, wanted: Nic, told: tuple[str, str]) -> None:
    """In the user's words."""
    desired, machine = (Machine("qemu", "m", nics=(nic,)) for nic in (wanted, present))
    changes = {change.path: change for change in differences(desired, machine)}
    assert [(one.path, one.before, one.after) for one in guards_told(changes, desired, machine)] == [
        (f"nics[{MAC}].filter", *told)
    ]


def test_a_nic_that_is_plugged_in_is_told_with_its_guards() -> None:
    """As one of its properties."""
    desired = Machine("qemu", "m", nics=(_nic(CLEAN, "192.0.2.7"),))
    changes = {change.path: change for change in differences(desired, Machine("qemu", "m"))}
    told: t.Any = next(guards_told(changes, desired, Machine("qemu", "m"))).after
    assert (told["filter"], "filter_ip" in told) == (f"{PLAIN} for 192.0.2.7", False)


def test_no_address_is_no_change_where_there_is_none() -> None:
    """Nothing is taken away."""
    machine = Machine("qemu", "m", nics=(_nic(CLEAN),))
    assert differences(Machine("qemu", "m", nics=(_nic(CLEAN, ""),)), machine) == ()
