# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""What is refused because it can't be, together with what is not declared."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._errors import SpecError
from ansible_collections.kilonova.compute.plugins.module_utils._plan.refusals import refuse_ends
from ansible_collections.kilonova.compute.plugins.module_utils._spec.machine import Machine
from ansible_collections.kilonova.compute.tests.unit.plugins.module_utils.factories import instance_spec, machine_of

NEW = machine_of(instance_spec())


def ending(poweroff: str | None, reboot: str | None, kind: str = "qemu") -> Machine:
    """Return a machine whose guest's run ends so."""
    return replace(NEW, type=kind, on_poweroff=poweroff, on_reboot=reboot)


@pytest.mark.parametrize(
    ("declared", "there"),
    [
        (("restart", "destroy"), None),
        (("restart", None), ending("destroy", "destroy")),
        ((None, "destroy"), ending("restart", "restart")),
    ],
)
def test_a_guest_that_would_start_again_where_it_ends(
    declared: tuple[str | None, str | None], there: Machine | None
) -> None:
    """QEMU can't do both, and libvirt refuses such a definition; it is known before."""
    with pytest.raises(SpecError, match=r"^Option on_reboot: .* declare on_reboot: restart or on_poweroff: destroy"):
        refuse_ends(ending(*declared), there)
    refuse_ends(ending(*declared, "xen"), there)


def test_other_ends() -> None:
    """What is not declared stays, and is refused only together with what is."""
    for poweroff, reboot in (("restart", "restart"), ("destroy", "destroy"), (None, "destroy"), ("restart", None)):
        refuse_ends(ending(poweroff, reboot), ending("destroy", "restart"))
        refuse_ends(ending(poweroff, reboot), None)
