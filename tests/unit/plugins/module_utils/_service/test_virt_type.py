# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of the choice of the virt type; the probe itself is tested against real guests in the integration tests."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._driver import host as host_driver
from ansible_collections.kilonova.compute.plugins.module_utils._driver.capabilities import once
from ansible_collections.kilonova.compute.plugins.module_utils._driver.connection import Connection
from ansible_collections.kilonova.compute.plugins.module_utils._driver.probe import Vitals
from ansible_collections.kilonova.compute.plugins.module_utils._errors import DriverError, SpecError
from ansible_collections.kilonova.compute.plugins.module_utils._service import virt_type
from ansible_collections.kilonova.compute.plugins.module_utils._xml.capabilities import (
    DomainCapabilities,
    GuestKind,
    HostCapabilities,
)

NODE = """
<node>
  <domain type='test'><name>a</name><memory>1024</memory><os><type>hvm</type></os></domain>
</node>
"""


@pytest.fixture
def connection(tmp_path: Path) -> t.Iterator[Connection]:
    """Return a connection to a host with one running guest that is not of type kvm."""
    node = tmp_path / "node.xml"
    node.write_text(NODE)
    with Connection(f"test://{node}") as opened:
        yield opened


def advertise(connection: Connection, *kinds: str, arch: str = "x86_64") -> None:
    """Make the host one that advertises these types; the test driver's own capabilities cannot be set."""
    known = HostCapabilities(arch=arch, guests=(GuestKind("hvm", arch, virt_types=kinds),))
    once(connection, "capabilities", lambda: known)


def offer_firmware(connection: Connection, *loaders: str, arch: str = "x86_64", machine: str = "q35") -> None:
    """Make kvm guests able to have these firmware files."""
    known = DomainCapabilities(loaders=loaders)
    once(connection, ("domain capabilities", "kvm", arch, machine), lambda: known)


def answer(monkeypatch: pytest.MonkeyPatch, *vitals: Vitals | Exception) -> list[str]:
    """Let probes end like this, one after the other; return the definitions they would have started."""
    left = list(vitals)
    started: list[str] = []

    def run(_connection: t.Any, render: t.Callable[[str], str], _awaited: bytes, _patience: float) -> Vitals:
        started.append(render("probe"))
        result = left.pop(0)
        if isinstance(result, Exception):
            raise result
        return result

    monkeypatch.setattr(virt_type, "run_probe", run)
    return started


def test_a_host_without_kvm(connection: Connection) -> None:
    """Emulation is taken, and where there is none either, what there is."""
    assert virt_type.pick_virt_type(connection).reason == "test: this hypervisor does not offer kvm"
    with Connection(connection.uri) as other:
        advertise(other, "xen", "qemu")
        assert virt_type.pick_virt_type(other).type == "qemu"


def test_a_host_that_runs_nothing_of_its_own(connection: Connection) -> None:
    """There is nothing to pick."""
    advertise(connection)
    with pytest.raises(SpecError, match="runs no guests of its own architecture"):
        virt_type.pick_virt_type(connection)


def test_a_kvm_guest_that_runs_is_proof(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then nothing is tried."""
    advertise(connection, "qemu", "kvm")
    started = answer(monkeypatch)
    monkeypatch.setattr(virt_type, "running_definitions", lambda *_unused: iter(["<domain type='kvm'/>"]))
    assert virt_type.pick_virt_type(connection) == virt_type.VirtChoice("kvm", "kvm: a kvm guest runs here")
    assert started == []


def test_plain_uefi_is_what_is_tried(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """Firmware with secure boot, or in a format of its own, is passed over."""
    advertise(connection, "qemu", "kvm")
    plain = "/usr/share/OVMF/OVMF_CODE_4M.fd"
    offer_firmware(connection, "/usr/share/OVMF/OVMF_CODE_4M.ms.fd", "/x/OVMF_CODE.secboot.fd", "/x/y.qcow2", plain)
    started = answer(monkeypatch, Vitals(True))
    assert virt_type.pick_virt_type(connection).reason == "kvm: a probe guest started here"
    assert len(started) == 1
    assert f">{plain}</loader>" in started[0]
    assert "type='kvm'" in started[0].replace('"', "'")


@pytest.mark.parametrize(
    ("ending", "words"),
    [
        (Vitals(False, "did not start within 10 s"), "a probe guest did not start within 10 s"),
        (
            DriverError("Cannot start a probe guest: no /dev/kvm."),
            "could not be started (Cannot start a probe guest: no",
        ),
    ],
)
def test_advertised_is_not_enough(
    connection: Connection, monkeypatch: pytest.MonkeyPatch, ending: Vitals | Exception, words: str
) -> None:
    """A guest that does not come to life means emulation, and the reason says what was seen."""
    advertise(connection, "qemu", "kvm")
    offer_firmware(connection, "/x/CODE.fd")
    answer(monkeypatch, ending)
    choice = virt_type.pick_virt_type(connection)
    assert choice.type == "qemu"
    assert choice.reason.startswith("qemu: kvm is advertised but")
    assert words in choice.reason


def test_without_emulation_broken_kvm_is_an_error(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing else can be taken."""
    advertise(connection, "kvm")
    offer_firmware(connection, "/x/CODE.fd")
    answer(monkeypatch, Vitals(False, "died at once"))
    with pytest.raises(SpecError, match="a probe guest died at once; repair kvm or force it"):
        virt_type.pick_virt_type(connection)


@pytest.mark.parametrize(("emulated", "kind"), [(0.5, "kvm"), (0.1, "qemu")])
def test_the_bios_must_not_be_slower_than_emulated(
    connection: Connection, monkeypatch: pytest.MonkeyPatch, emulated: float, kind: str
) -> None:
    """Where there is no UEFI to try, kvm that is far slower than software is no kvm."""
    advertise(connection, "qemu", "kvm")
    answer(monkeypatch, Vitals(True, cpu_seconds=1.0), Vitals(True, cpu_seconds=emulated))
    choice = virt_type.pick_virt_type(connection)
    assert choice.type == kind
    assert ("10 times slower" in choice.reason) == (kind == "qemu")


def test_without_firmware_to_try_what_is_advertised_counts(connection: Connection) -> None:
    """It is said that nothing was tried."""
    advertise(connection, "qemu", "kvm", arch="s390x")
    choice = virt_type.pick_virt_type(connection)
    assert choice.type == "kvm"
    assert "no firmware to try it with on s390x" in choice.reason


def test_an_old_libvirt_keeps_to_the_bios(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would leave a file of firmware variables behind."""
    advertise(connection, "qemu", "kvm")
    offer_firmware(connection, "/x/CODE.fd")
    old = host_driver.Versions("QEMU", 6_000_000, 8_005_000)
    monkeypatch.setattr(host_driver, "versions", lambda _connection: old)
    started = answer(monkeypatch, Vitals(False, "died at once"))
    assert virt_type.pick_virt_type(connection).type == "qemu"
    assert "loader" not in started[0]


def test_forced(connection: Connection) -> None:
    """What is forced is taken where it is offered; where not, the error says what is."""
    advertise(connection, "qemu", "kvm")
    assert virt_type.pick_virt_type(connection, "kvm").reason == "kvm: option virt_type asks for it"
    with pytest.raises(SpecError, match="does not offer lxc; there are: qemu, kvm; choose one of those or auto"):
        virt_type.pick_virt_type(connection, "lxc")
