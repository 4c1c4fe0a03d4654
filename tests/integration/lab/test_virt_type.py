# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""The choice of the virt type against a real daemon: its probe guest, and that nothing of it stays."""

from __future__ import annotations

import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._driver import host as host_driver
from ansible_collections.kilonova.compute.plugins.module_utils._driver.connection import Connection
from ansible_collections.kilonova.compute.plugins.module_utils._driver.probe import NAME_PREFIX, run_probe
from ansible_collections.kilonova.compute.plugins.module_utils._errors import DriverError, SpecError
from ansible_collections.kilonova.compute.plugins.module_utils._service import virt_type
from ansible_collections.kilonova.compute.plugins.module_utils._service.facts import FactsOptions, compute_node
from ansible_collections.kilonova.compute.plugins.module_utils._xml.probe import ProbeGuest, render_probe

from .conftest import Hypervisor, wait_until

PATIENCE = 120.0
"""Software emulation on a busy machine."""


@pytest.fixture
def connection(hypervisor: Hypervisor) -> t.Iterator[Connection]:
    """Return an open connection to a host without guests."""
    with Connection(hypervisor.uri) as opened:
        yield opened


def bios(name: str) -> str:
    """Return a probe guest that runs its BIOS."""
    return render_probe(ProbeGuest("qemu", "x86_64"), name)


def test_a_guest_that_starts_is_seen_to_start(hypervisor: Hypervisor, connection: Connection) -> None:
    """Under emulation every guest starts: the probe says so and leaves no guest and no file of firmware variables."""
    before = set(hypervisor.pool_path().parent.rglob("*_VARS*"))
    vitals = virt_type.probe(connection, "qemu", "x86_64", PATIENCE)
    assert vitals is not None
    assert vitals.alive, vitals.problem
    assert hypervisor.domains() == set()
    assert set(hypervisor.pool_path().parent.rglob("*_VARS*")) == before


def test_the_bios_speaks_too(connection: Connection) -> None:
    """Where there is no UEFI, the BIOS is heard to its end."""
    vitals = run_probe(connection, bios, b"No bootable device", PATIENCE)
    assert vitals.alive, vitals.problem
    assert vitals.cpu_seconds > 0


def test_a_guest_that_says_nothing_fails_in_time(hypervisor: Hypervisor, connection: Connection) -> None:
    """One that runs and never says what is awaited is given up after the patience, and ended."""
    vitals = run_probe(connection, bios, b"words that no BIOS says", 1.5)
    assert not vitals.alive
    assert vitals.problem == "did not start within 2 s"
    assert hypervisor.domains() == set()


def test_a_guest_that_cannot_be_started_is_an_error(connection: Connection) -> None:
    """The hypervisor's own words say why."""
    with pytest.raises(DriverError, match="start a probe guest"):
        run_probe(connection, lambda name: render_probe(ProbeGuest("qemu", "x86_64", "no-machine"), name), b"", 5)


def test_two_probes_at_once(hypervisor: Hypervisor, connection: Connection) -> None:
    """A second run takes another name."""
    with Connection(hypervisor.uri) as other:
        holder = other.raw.createXML(bios(f"{NAME_PREFIX}1"), 0)
        try:
            assert run_probe(connection, bios, b"No bootable device", PATIENCE).alive
            assert hypervisor.domains() == {f"{NAME_PREFIX}1"}
            assert compute_node(connection, FactsOptions("default"))["instances"] == []
        finally:
            holder.destroy()


def test_auto_tells_the_truth(hypervisor: Hypervisor, connection: Connection) -> None:
    """Whatever auto picks, an independent probe of that type starts a guest; the reason begins with the type."""
    choice = virt_type.pick_virt_type(connection)
    assert choice.type in {"kvm", "qemu"}
    assert choice.reason.startswith(f"{choice.type}: ")
    vitals = virt_type.probe(connection, choice.type, "x86_64", PATIENCE)
    assert vitals is not None
    assert vitals.alive
    if choice.type == "qemu" and "kvm" in host_driver.capabilities(connection).virt_types("x86_64"):
        assert "kvm is advertised but a probe guest" in choice.reason
    assert hypervisor.domains() == set()


def test_it_is_found_out_once(connection: Connection) -> None:
    """A second question costs no call."""
    first = virt_type.pick_virt_type(connection)
    calls = dict(connection.calls)
    assert virt_type.pick_virt_type(connection) is first
    assert connection.calls == calls


def test_a_forced_type(connection: Connection) -> None:
    """What is offered is taken without a try, what is not is refused with what there is."""
    assert virt_type.pick_virt_type(connection, "qemu").type == "qemu"
    assert "createXML" not in connection.calls
    with pytest.raises(SpecError, match=r"does not offer xen; there are: .*qemu"):
        virt_type.pick_virt_type(connection, "xen")


_KILLED = """
import sys
from ansible_collections.kilonova.compute.plugins.module_utils._driver.connection import Connection
from ansible_collections.kilonova.compute.plugins.module_utils._driver.probe import run_probe
from ansible_collections.kilonova.compute.plugins.module_utils._xml.probe import ProbeGuest, render_probe
connection = Connection(sys.argv[1])
run_probe(connection, lambda name: render_probe(ProbeGuest("qemu", "x86_64"), name), b"never said", 300)
"""


def test_a_killed_run_leaves_no_guest(hypervisor: Hypervisor, tmp_path: Path) -> None:
    """The guest dies with the connection of the process that started it."""
    process = subprocess.Popen([sys.executable, "-c", _KILLED, hypervisor.uri], cwd=tmp_path)
    try:
        wait_until(lambda: f"{NAME_PREFIX}1" in hypervisor.domains(), "the probe guest is there")
    finally:
        process.kill()
        process.wait()
    wait_until(lambda: not hypervisor.domains(), "the probe guest is gone")
