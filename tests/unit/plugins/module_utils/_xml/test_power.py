# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of what of a domain's XML matters when its power is switched."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.kilonova.compute.plugins.module_utils._xml.power import PowerTraits, read_power_traits

DATA = Path(__file__).parent / "data"
DEVICES = """
<domain type='kvm'><on_poweroff>restart</on_poweroff><devices>
  <channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
  <hostdev mode='subsystem' type='pci'><source><address domain='0x0000' bus='0x3b' slot='0x00' function='0x1'/></source>
  </hostdev>
  <hostdev mode='subsystem' type='mdev'><source><address uuid='c2177883-f1bb-47f0-914d-32a22e3a8804'/></source></hostdev>
  <hostdev mode='subsystem' type='usb'><source><address bus='1' device='4'/></source></hostdev>
  <hostdev mode='subsystem' type='scsi'><source><adapter name='scsi_host0'/></source></hostdev>
  <interface type='hostdev'><source><address type='pci' domain='0x0000' bus='0x3b' slot='0x02' function='0x0'/></source>
  </interface>
  <interface type='user'/>
</devices></domain>
"""


def test_a_running_guest_tells_of_its_agent() -> None:
    """The state is only in the XML of a guest that runs."""
    text = (DATA / "dump-q35-live.xml").read_text()
    assert read_power_traits(text) == PowerTraits(restarts_at_power_off=False, agent="disconnected", host_devices=())
    assert read_power_traits(text.replace("state='disconnected'", "state='connected'")).agent == "connected"


def test_no_channel_is_no_agent() -> None:
    """And what the host did not lend does not count."""
    assert read_power_traits("<domain type='qemu'/>") == PowerTraits(False, None, ())


def test_devices_of_the_host_are_named() -> None:
    """PCI devices, also as NICs, and mediated ones; those whose state QEMU knows are none."""
    assert read_power_traits(DEVICES) == PowerTraits(
        restarts_at_power_off=True,
        agent="disconnected",
        host_devices=(
            "PCI device 0000:3b:00.1",
            "mediated device c2177883-f1bb-47f0-914d-32a22e3a8804",
            "PCI device 0000:3b:02.0",
        ),
    )
