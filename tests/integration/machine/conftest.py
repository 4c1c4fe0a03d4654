# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Fixtures: one hypervisor that is a whole emulated machine, for what the kernel that the lab's other hosts share may lack."""

from __future__ import annotations

import json
import subprocess
import sys
import typing as t
from dataclasses import dataclass
from pathlib import Path

import pytest

from ..lab.conftest import LAB, Hypervisor, collections_path, guest_image, lab_tool, run_module, wait_until
from ..lab.subjects import BOOTING, Subject

__all__ = ["collections_path", "guest_image"]

POOL_PATH = "/var/lib/libvirt/images"
BRIDGE, BRIDGE_ADDRESS = "br-lan", "10.84.0.1"
"""A bridge of the machine's own, whose addresses are given out by a server that is not libvirt's."""
SLOW: dict[str, int] = {"average": 1000, "peak": 2000, "burst": 512}
LEFT_MAC = "52:54:00:84:00:01"
RIGHT_NIC: dict[str, t.Any] = {"bridge": BRIDGE, "mac": "52:54:00:84:00:02"}
LEFT_NIC: dict[str, t.Any] = {"bridge": BRIDGE, "mac": LEFT_MAC}
_LAN = f"""
ip link show {BRIDGE} >/dev/null 2>&1 && exit
set -e
ip link add {BRIDGE} type bridge
ip address add {BRIDGE_ADDRESS}/24 dev {BRIDGE}
ip link set {BRIDGE} up
systemd-run --quiet --unit lan-addresses dnsmasq --keep-in-foreground --port=0 --bind-interfaces --interface={BRIDGE} \
  --dhcp-range=10.84.0.100,10.84.0.199 --conf-file=/dev/null --no-ping
"""


@dataclass(frozen=True)
class MachineHost(Hypervisor):
    """The hypervisor, with a shell of its own."""

    def attempt(self, script: str) -> subprocess.CompletedProcess[str]:
        """Run a script on the machine, whatever comes of it."""
        command = [sys.executable, str(LAB), "machine", "exec", "--", "sh", "-c", script]
        return subprocess.run(command, check=False, capture_output=True, text=True, timeout=600)

    def on(self, script: str) -> str:
        """Return what a script on the machine prints."""
        done = self.attempt(script)
        if done.returncode:
            pytest.fail(f"{script}: {done.stdout}{done.stderr}")
        return done.stdout.strip()

    def agent(self, name: str, command: str, **arguments: t.Any) -> t.Any:
        """Ask the guest's agent, again where it was too slow for libvirt, which waits for it only some seconds."""
        request = json.dumps({"execute": command, "arguments": arguments})

        def answer() -> str:
            return self.virsh("qemu-agent-command", name, request, check=False)

        return json.loads(wait_until(answer, f"the agent of {name}"))["return"]

    def console(self, name: str) -> str:
        """Return what the guest printed on its serial console so far."""
        return self.attempt(f"cat {POOL_PATH}/{name}.console.log").stdout


@pytest.fixture(scope="session")
def machine(guest_image: Path) -> t.Iterator[MachineHost]:
    """Return the machine with a pool and the test guest's image. One that somebody has up already is used, and left up."""
    was_up = lab_tool("machine", "status") == "up"
    try:
        host = MachineHost("machine", lab_tool("machine", "up", limit=2400).splitlines()[-1])
        host.on(_LAN)
        for made in (
            run_module("compute_pool", uri=host.uri, name="default", type="dir", path=POOL_PATH),
            run_module("compute_image", uri=host.uri, name="guest", src=str(guest_image)),
        ):
            assert not made.failed, made.message
        host.clear_domains()
        yield host
    finally:
        if not was_up:
            lab_tool("machine", "down")


@pytest.fixture(scope="session", autouse=True)
def pair(machine: MachineHost) -> t.Iterator[tuple[Subject, Subject]]:
    """Return two guests, the left one with a throttled NIC.

    They take minutes to boot. So they are started before the first test, for all tests, which wait for them where they need to.
    """
    throttled = {**LEFT_NIC, "inbound": SLOW, "outbound": SLOW}
    left = Subject(machine, "left", **{**BOOTING, "networks": [throttled]})
    right = Subject(machine, "right", **{**BOOTING, "networks": [RIGHT_NIC]})
    for guest in (left, right):
        guest.run()
    yield left, right
    machine.clear_domains()
