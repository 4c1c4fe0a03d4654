# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of host devices that golden files do not show."""

from __future__ import annotations

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._spec.machine import Hostdev, Machine
from ansible_collections.kilonova.compute.plugins.module_utils._xml.document import XmlError
from ansible_collections.kilonova.compute.plugins.module_utils._xml.domain import edit, read

MDEV = "4b20d080-1b54-4048-85b3-a6a62d165c01"
HOSTDEVS = (
    "<domain><devices><hostdev mode='subsystem' type='usb'><source><address bus='1' device='3'/></source></hostdev>"
    "<hostdev mode='subsystem' type='pci' managed='no'><driver name='vfio'/>"
    "<source><address domain='0' bus='59' slot='0x0' function='1'/></source><rom bar='off'/></hostdev>"
    f"<hostdev mode='subsystem' type='mdev' model='vfio-pci' display='on'><source><address uuid='{MDEV.upper()}'/>"
    "</source></hostdev></devices></domain>"
)


def test_finds_a_device_however_its_address_is_written() -> None:
    """Addresses are numbers; what else the element holds stays."""
    assert read(HOSTDEVS).hostdevs == (
        Hostdev("0000:3b:00.1", managed=False),
        Hostdev(MDEV, "mdev", model="vfio-pci"),
    )
    wanted = (Hostdev("0000:3b:00.1", managed=True), Hostdev(MDEV, "mdev"), Hostdev("0000:3b:00.2"))
    edited = edit(HOSTDEVS, Machine("kvm", "m", hostdevs=wanted))
    assert [device.address for device in read(edited).hostdevs] == ["0000:3b:00.1", MDEV, "0000:3b:00.2"]
    assert edited.count("<hostdev") == 4
    for kept in ("<rom", "<driver", 'display="on"', 'managed="yes"'):
        assert kept in edited


@pytest.mark.parametrize(
    ("hostdev", "problem"),
    [
        (Hostdev("3b:00.1"), "'3b:00.1' is not a PCI address such as 0000:3b:00.1"),
        (Hostdev("1-2", "usb"), "Host device 1-2 is of type usb: only pci and mdev are known"),
        (Hostdev(MDEV), f"Host device {MDEV} is of type mdev and not pci"),
    ],
)
def test_refuses_what_it_cannot_write(hostdev: Hostdev, problem: str) -> None:
    """Nothing is bent."""
    with pytest.raises(XmlError, match=f"^{problem}"):
        edit(HOSTDEVS, Machine("kvm", "m", hostdevs=(hostdev,)))
