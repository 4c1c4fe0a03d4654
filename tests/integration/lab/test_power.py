# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""The power verbs on real guests; what became of these is read with virsh and from the console."""

from __future__ import annotations

import threading
import typing as t
from pathlib import Path

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._driver.connection import Connection
from ansible_collections.kilonova.compute.plugins.module_utils._driver.domain import NamedHandle
from ansible_collections.kilonova.compute.plugins.module_utils._driver.events import LIFECYCLE, enable_events, watch
from ansible_collections.kilonova.compute.plugins.module_utils._errors import WaitTimeoutError
from ansible_collections.kilonova.compute.plugins.module_utils._service import power

from .conftest import PATIENCE_SECONDS, Hypervisor, run_module, wait_until


@pytest.fixture
def connection(hypervisor: Hypervisor, guest_image: Path) -> t.Iterator[Connection]:
    """Return a connection to a hypervisor that has the test guest's image."""
    published = run_module("compute_image", uri=hypervisor.uri, name="guest", src=str(guest_image))
    assert not published.failed, published.message
    enable_events()
    with Connection(hypervisor.uri) as opened:
        yield opened


def made(connection: Connection, name: str, **changes: t.Any) -> NamedHandle:
    """Return a new guest that is about to boot."""
    declared = {
        "name": name,
        "flavor": {"name": "tiny", "vcpus": 1, "memory_mb": 128, "disk_gb": 1},
        "image": "guest",
        "virt_type": "qemu",
        "graphics": {"type": "none"},
        "limits": {"reserved_host_memory_mb": 0},
        **changes,
    }
    result = run_module("compute_instance", uri=connection.uri, **declared)
    assert not result.failed, result.message
    return NamedHandle(name, connection.raw.lookupByName(name))


def booted(hypervisor: Hypervisor, name: str, times: int) -> None:
    """Wait until the guest's console shows that many boots since it was made."""
    ready = f"kilonova-guest ready: {name}"
    wait_until(lambda: hypervisor.console(name).count(ready) == times, f"boot {times} of {name}")


def test_a_guest_goes_through_all_states(hypervisor: Hypervisor, connection: Connection, name: str) -> None:
    """What goes on does not boot, what reboots does."""
    guest = made(connection, name, on_poweroff="restart")
    with watch(connection, guest.handle) as watcher:
        power.wait_for_agent(connection, guest, watcher, PATIENCE_SECONDS)
    booted(hypervisor, name, 1)

    power.pause(connection, guest)
    assert hypervisor.state(name) == "paused"
    power.suspend(connection, guest)
    assert hypervisor.state(name) == "shut off"
    assert name in hypervisor.virsh("list", "--all", "--name", "--with-managed-save")
    power.pause(connection, guest)
    assert hypervisor.state(name) == "paused"
    power.suspend(connection, guest)
    power.start(connection, guest)
    assert hypervisor.state(name) == "running"
    assert hypervisor.console(name).count("ready") == 1

    before = hypervisor.virsh("domid", name)
    power.soft_reboot(connection, guest, PATIENCE_SECONDS, force=False)
    assert hypervisor.state(name) == "running"
    assert hypervisor.virsh("domid", name) not in ("-", before)
    assert f"kilonova-guest stopping: {name}" in hypervisor.console(name)
    booted(hypervisor, name, 2)

    power.pause(connection, guest)
    power.stop(connection, guest, PATIENCE_SECONDS, force=False)
    assert hypervisor.state(name) == "shut off"
    assert "<on_poweroff>restart</on_poweroff>" in hypervisor.virsh("dumpxml", name)
    assert hypervisor.console(name).count(f"kilonova-guest stopping: {name}") == 2


def test_only_force_ends_a_guest_that_hears_nothing(hypervisor: Hypervisor, connection: Connection, name: str) -> None:
    """It has nothing to boot; and whoever else ends it while it is waited for does what was wanted."""
    guest = made(connection, name, image=None, on_poweroff="restart")
    for verb in (power.stop, power.soft_reboot):
        with pytest.raises(WaitTimeoutError, match="force: true"):
            verb(connection, guest, 0.5, force=False)
    assert hypervisor.state(name) == "running"
    assert "<on_poweroff>restart</on_poweroff>" in hypervisor.virsh("dumpxml", name)
    with watch(connection, guest.handle) as watcher:
        power.soft_reboot(connection, guest, 0.5, force=True)
        assert watcher.saw(LIFECYCLE, "stopped")
    assert hypervisor.state(name) == "running"

    before = hypervisor.virsh("domid", name)
    power.hard_reboot(connection, guest)
    assert hypervisor.virsh("domid", name) not in ("-", before)

    helper = threading.Timer(1.0, hypervisor.virsh, ("destroy", name))
    helper.start()
    power.stop(connection, guest, PATIENCE_SECONDS, force=False)
    helper.join()
    assert hypervisor.state(name) == "shut off"
    power.start(connection, guest)
    power.stop(connection, guest, 0, force=True)
    assert hypervisor.state(name) == "shut off"
