# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of what a domain's XML tells of it as it is now."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._xml.runtime import Endpoint, Runtime, read_runtime

DATA = Path(__file__).parent / "data"


def devices(text: str) -> Runtime:
    """Return what a domain with these devices tells."""
    return read_runtime(f"<domain type='qemu'><devices>{text}</devices></domain>")


def test_a_running_guest() -> None:
    """What libvirt chose is there: the port of the screen, the terminal and the host's end of the NIC."""
    runtime = read_runtime((DATA / "dump-q35-live.xml").read_text())
    assert runtime.endpoints == (Endpoint("vnc", "127.0.0.1", 18820),)
    assert runtime.pty == "/dev/pts/0"
    assert (runtime.firmware, runtime.has_video) == ("bios", True)


def test_a_guest_that_is_off() -> None:
    """A port that libvirt has yet to choose is none."""
    runtime = read_runtime((DATA / "dump-q35-inactive.xml").read_text())
    assert (runtime.endpoints, runtime.pty, runtime.nic_devices) == ((), None, ())


def test_a_foreign_guest() -> None:
    """Everything at once."""
    runtime = read_runtime((DATA / "dump-foreign.xml").read_text())
    assert runtime.endpoints == (
        Endpoint("spice", "192.0.2.1", 5900, 5901),
        Endpoint("vnc", socket="/run/vnc.sock"),
    )
    assert (runtime.pty, runtime.firmware) == ("/dev/pts/9", "efi")
    assert [device for _mac, device in runtime.nic_devices] == ["tap7", "vnet3"]


@pytest.mark.parametrize(("name", "pty"), [("dump-lxc.xml", "/dev/pts/1"), ("dump-xen.xml", "/dev/pts/5")])
def test_other_hypervisors(name: str, pty: str) -> None:
    """A container and a paravirtual guest have a terminal and no firmware."""
    runtime = read_runtime((DATA / name).read_text())
    assert (runtime.pty, runtime.firmware) == (pty, None)


def test_an_empty_domain() -> None:
    """No devices at all."""
    assert read_runtime("<domain/>") == Runtime()


@pytest.mark.parametrize(
    ("graphics", "endpoint"),
    [
        (
            "<graphics type='vnc' port='5901' websocket='5701'><listen type='address' address='::1'/></graphics>",
            Endpoint("vnc", "::1", 5901, websocket=5701),
        ),
        ("<graphics type='vnc' port='5901' listen='10.0.0.1'/>", Endpoint("vnc", "10.0.0.1", 5901)),
        (
            "<graphics type='spice' port='-1' tlsPort='5902' passwd='secret'>"
            "<listen type='network' address='10.0.0.1' network='default'/></graphics>",
            Endpoint("spice", "10.0.0.1", tls_port=5902),
        ),
        (
            "<graphics type='vnc'><listen type='socket' socket='/run/vnc 1'/></graphics>",
            Endpoint("vnc", socket="/run/vnc 1"),
        ),
        ("<graphics type='vnc' socket='/run/vnc'/>", Endpoint("vnc", socket="/run/vnc")),
    ],
)
def test_endpoints(graphics: str, endpoint: Endpoint) -> None:
    """Addresses, ports and sockets in all the ways that libvirt writes them."""
    assert devices(graphics).endpoints == (endpoint,)


@pytest.mark.parametrize(
    "graphics",
    [
        "<graphics type='egl-headless'/>",
        "<graphics type='spice'><listen type='none'/></graphics>",
        "<graphics type='vnc' port='-1' autoport='yes'/>",
        "<graphics type='sdl' display=':0'/>",
    ],
)
def test_what_nobody_can_reach_is_no_endpoint(graphics: str) -> None:
    """There is nothing to connect to."""
    assert devices(graphics).endpoints == ()


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("<serial type='pty'><log file='/p/a' append='on'/></serial>", "/p/a"),
        ("<serial type='file'><source path='/p/b'/></serial>", "/p/b"),
        ("<console type='pty'><log file='/p/c'/></console>", "/p/c"),
        ("<serial type='unix'><source mode='bind' path='/run/x'/></serial>", None),
        ("<serial type='pty'><source path='/dev/pts/4'/></serial>", None),
    ],
)
def test_console_logs(text: str, path: str | None) -> None:
    """A log beside the console, or a console that is a file; a socket is neither."""
    assert devices(text).console_log == path


def test_a_console_that_is_no_serial_port() -> None:
    """Containers and virtio consoles have a terminal as well."""
    assert devices("<console type='pty'><source path='/dev/pts/5'/></console>").pty == "/dev/pts/5"


def test_nics_with_an_end_on_the_host() -> None:
    """Of a NIC without one nothing can be told."""
    runtime = devices(
        "<interface type='network'><mac address='52:54:00:AA:00:01'/><target dev='vnet3'/></interface>"
        "<interface type='user'><mac address='52:54:00:aa:00:02'/></interface>"
    )
    assert runtime.nic_devices == (("52:54:00:aa:00:01", "vnet3"),)


@pytest.mark.parametrize(
    ("os", "firmware"),
    [
        ("<os firmware='efi'><type arch='x86_64'>hvm</type></os>", "efi"),
        ("<os><type arch='x86_64'>hvm</type><loader type='pflash'>/x</loader></os>", "efi"),
        ("<os><type arch='x86_64'>hvm</type><loader type='rom'>/x</loader></os>", "bios"),
        ("<os><type arch='i686'>hvm</type></os>", "bios"),
        ("<os><type arch='aarch64'>hvm</type></os>", None),
        ("<os><type arch='x86_64'>exe</type></os>", None),
    ],
)
def test_firmware(os: str, firmware: str | None) -> None:
    """Declared, given as a flash image, or the one that a PC always has."""
    assert read_runtime(f"<domain>{os}</domain>").firmware == firmware


@pytest.mark.parametrize(
    ("text", "has_video"),
    [("<video><model type='vga'/></video>", True), ("<video><model type='none'/></video>", False), ("", False)],
)
def test_video(text: str, has_video: bool) -> None:
    """A card of type none is none."""
    assert devices(text).has_video is has_video
