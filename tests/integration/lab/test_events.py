# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Events of a real daemon's guests; what causes them is done with virsh."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._driver.connection import Connection
from ansible_collections.kilonova.compute.plugins.module_utils._driver.events import (
    AGENT,
    DEVICE_REMOVED,
    LIFECYCLE,
    Event,
    enable_events,
    watch,
)

from .conftest import PATIENCE_SECONDS, Hypervisor, run_module

NEVER_SECONDS = 3600.0
MAC = "52:54:00:00:00:77"


@pytest.fixture
def guest(hypervisor: Hypervisor, guest_image: Path, name: str) -> str:
    """Return the name of a new guest that is about to boot."""
    published = run_module("compute_image", uri=hypervisor.uri, name="guest", src=str(guest_image))
    assert not published.failed, published.message
    made = run_module(
        "compute_instance",
        uri=hypervisor.uri,
        name=name,
        flavor={"name": "tiny", "vcpus": 1, "memory_mb": 128, "disk_gb": 1},
        image="guest",
        virt_type="qemu",
        graphics={"type": "none"},
        networks=[{"user": True, "mac": MAC}],
        limits={"reserved_host_memory_mb": 0},
    )
    assert not made.failed, made.message
    return name


def test_what_happens_to_a_guest_wakes_who_waits(hypervisor: Hypervisor, guest: str) -> None:
    """Its agent comes, its NIC goes, it powers off; polling would come too late for any of these."""
    enable_events()
    with Connection(hypervisor.uri) as connection:
        handle = connection.raw.lookupByName(guest)
        with watch(connection, handle) as watcher:
            assert watcher.wait_until(lambda: watcher.saw(AGENT, "connected"), PATIENCE_SECONDS, NEVER_SECONDS)
            hypervisor.wait_for_console(guest, f"kilonova-guest ready: {guest}")
            hypervisor.virsh("detach-interface", guest, "user", MAC, "--live")
            assert watcher.wait_until(lambda: watcher.saw(DEVICE_REMOVED), PATIENCE_SECONDS, NEVER_SECONDS)
            assert MAC not in hypervisor.virsh("domiflist", guest)
            assert Event(DEVICE_REMOVED, "net0") in watcher.events
            hypervisor.virsh("shutdown", guest)
            assert watcher.wait_until(lambda: not handle.isActive(), PATIENCE_SECONDS, NEVER_SECONDS)
            assert watcher.saw(LIFECYCLE, "stopped")


_SILENT = """
import sys
from ansible_collections.kilonova.compute.plugins.module_utils._driver.connection import Connection
from ansible_collections.kilonova.compute.plugins.module_utils._driver.events import watch
with Connection(sys.argv[1]) as connection:
    handle = connection.raw.lookupByName(sys.argv[2])
    with watch(connection, handle) as watcher:
        handle.destroy()
        print(watcher.wait_until(lambda: not handle.isActive(), 60), watcher.events)
"""


def test_a_connection_without_events_is_polled(hypervisor: Hypervisor, guest: str) -> None:
    """Nothing registered the event loop before this connection was opened."""
    done = subprocess.run(
        [sys.executable, "-c", _SILENT, hypervisor.uri, guest], check=True, capture_output=True, text=True, timeout=120
    )
    assert done.stdout.split(maxsplit=1) == ["True", "()\n"]
    assert hypervisor.state(guest) == "shut off"
