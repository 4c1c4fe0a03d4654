# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""compute_console against a real daemon and real guests; what it says is compared with virsh and the files themselves."""

from __future__ import annotations

import base64
import json
import socket
import stat
import struct
import typing as t
import zlib
from pathlib import Path

from ansible_collections.kilonova.compute.plugins.module_utils._service.picture import to_png

from .conftest import Hypervisor, Result, run_module, wait_until

FLAVOR = {"name": "tiny", "vcpus": 1, "memory_mb": 128, "disk_gb": 1}
PASSWORD = "sesame-7"
FOREIGN = """
<domain type='qemu'><name>{name}</name><memory unit='MiB'>100</memory><os><type>hvm</type></os>
  <devices>{devices}</devices></domain>
"""


def look(host: Hypervisor, name: str, *, check: bool = False, **options: t.Any) -> Result:
    """Look at a console."""
    return run_module("compute_console", check=check, uri=host.uri, name=name, **options)


def seen(result: Result) -> dict[str, t.Any]:
    """Return what was seen by a look that must not have failed."""
    assert not result.failed, result.message
    return result.data


def start_foreign(host: Hypervisor, directory: Path, name: str, devices: str = "") -> None:
    """Start a guest that is not ours; it has no disk, and says so on its screen."""
    path = directory / "foreign.xml"
    path.write_text(FOREIGN.format(name=name, devices=devices))
    host.virsh("define", str(path))
    host.virsh("start", name)


def serial_with_log(path: Path) -> str:
    """Return a serial port whose output is kept at ``path``."""
    return f"<serial type='pty'><log file='{path}' append='on'/></serial>"


def test_an_instance_of_ours(hypervisor: Hypervisor, guest_image: Path, tmp_path: Path, name: str) -> None:
    """Its log, its picture, its screen and its terminal are those that virsh knows, and off it has its log still."""
    made = run_module("compute_image", uri=hypervisor.uri, name="guest", src=str(guest_image))
    assert not made.failed, made.message
    made = run_module(
        "compute_instance",
        uri=hypervisor.uri,
        name=name,
        flavor=FLAVOR,
        image="guest",
        virt_type="qemu",
        networks=[{"user": True}],
        limits={"reserved_host_memory_mb": 0},
    )
    assert not made.failed, made.message
    ready = f"kilonova-guest ready: {name}"
    hypervisor.wait_for_console(name, ready)

    # A guest that stands still looks the same twice.
    hypervisor.virsh("suspend", name)
    found = seen(look(hypervisor, name, screenshot=True))
    assert not found["changed"]
    assert any(line.startswith(ready) for line in found["log"]["lines"])
    assert found["log"]["content"].splitlines() == found["log"]["lines"]
    assert found["log"]["path"] == str(hypervisor.pool_path() / f"{name}.console.log")
    assert found["pty"] == hypervisor.virsh("ttyconsole", name)
    (screen,) = found["graphics"]
    assert hypervisor.virsh("vncdisplay", name) == f"{screen['host']}:{screen['port'] - 5900}"

    theirs = tmp_path / "virsh.png"
    hypervisor.virsh("screenshot", name, str(theirs))
    assert base64.b64decode(found["screenshot"]["content"]) == theirs.read_bytes()
    check_png(theirs.read_bytes(), found["screenshot"])
    check_ppm(hypervisor, name, found["screenshot"])

    dest = tmp_path / "ours.png"
    foretold = look(hypervisor, name, check=True, screenshot=True, dest=str(dest))
    assert (seen(foretold)["changed"], dest.exists()) == (True, False)
    assert seen(look(hypervisor, name, screenshot=True, dest=str(dest)))["changed"]
    assert dest.read_bytes() == theirs.read_bytes()
    assert stat.S_IMODE(dest.stat().st_mode) == 0o600

    hypervisor.virsh("destroy", name)
    off = seen(look(hypervisor, name))
    assert any(line.startswith(ready) for line in off["log"]["lines"])
    assert (off["power_state"], off["graphics"], off["pty"]) == ("stopped", [], None)
    refused = look(hypervisor, name, screenshot=True)
    assert f"Option screenshot: {name} is stopped and has no picture; start it first." == refused.message


def test_a_spice_screen(hypervisor: Hypervisor, name: str) -> None:
    """It is where virsh says that it is, and somebody listens there."""
    declared: dict[str, t.Any] = {"flavor": FLAVOR, "virt_type": "qemu", "graphics": {"type": "spice"}}
    made = run_module("compute_instance", uri=hypervisor.uri, name=name, **declared)
    assert not made.failed, made.message
    (screen,) = seen(look(hypervisor, name, log=False))["graphics"]
    assert (screen["type"], screen["host"]) == ("spice", "127.0.0.1")
    assert screen["uri"] == hypervisor.virsh("domdisplay", name)
    with socket.create_connection((screen["host"], screen["port"]), timeout=30):
        pass
    again = run_module("compute_instance", uri=hypervisor.uri, name=name, **declared)
    assert not again.changed


def check_png(png: bytes, told: dict[str, t.Any]) -> None:
    """Check that the size told is the picture's."""
    assert png.startswith(b"\x89PNG")
    assert struct.unpack_from(">II", png, 16) == (told["width"], told["height"])
    assert len(png) == told["size"]


def check_ppm(host: Hypervisor, name: str, told: dict[str, t.Any]) -> None:
    """Check that a picture as older versions of QEMU make it keeps every pixel on its way to PNG."""
    dump = host.pool_path() / f"{name}.ppm"
    host.virsh("qemu-monitor-command", name, "--hmp", f"screendump {dump}")
    ppm = dump.read_bytes()
    dump.unlink()
    picture = to_png(ppm)
    assert (picture.width, picture.height) == (told["width"], told["height"])
    data = zlib.decompress(picture.png[picture.png.index(b"IDAT") + 4 : -16])
    row = 1 + 3 * picture.width
    pixels = b"".join(data[start + 1 : start + row] for start in range(0, len(data), row))
    assert ppm.endswith(pixels)
    assert any(pixels)


def test_a_password_is_never_told(hypervisor: Hypervisor, tmp_path: Path, name: str) -> None:
    """The daemon keeps it; it is neither in this module's result nor in that of compute_instance_info."""
    start_foreign(
        hypervisor,
        tmp_path,
        name,
        f"<graphics type='vnc' port='-1' passwd='{PASSWORD}'/><video><model type='vga'/></video>",
    )
    assert PASSWORD in hypervisor.virsh("dumpxml", "--security-info", name)
    found = look(hypervisor, name, log=False)
    assert [screen["type"] for screen in seen(found)["graphics"]] == ["vnc"]
    listed = run_module("compute_instance_info", uri=hypervisor.uri, all_domains=True)
    assert listed.data["instances"][0]["graphics"] == found.data["graphics"]
    assert PASSWORD not in json.dumps([found.data, listed.data])


def test_the_tail_of_a_long_log(hypervisor: Hypervisor, tmp_path: Path, name: str) -> None:
    """It goes on backwards in rotated files, is cut where asked, and steers no terminal."""
    log = hypervisor.pool_path() / f"{name}.console.log"
    start_foreign(hypervisor, tmp_path, name, serial_with_log(log))
    wait_until(log.exists, "the log is there")
    (log.parent / f"{log.name}.1").write_bytes(b"".join(b"old %d\r\n" % number for number in range(100)))
    (log.parent / f"{log.name}.0").write_bytes(b"\x1b[0;32m OK \x1b[0m\0 started\r\nspl")
    log.write_bytes(b"it\r\n\xff \x1b]0;title\x07login: ")

    found = seen(look(hypervisor, name))["log"]
    assert found["lines"][-5:] == ["old 98", "old 99", " OK  started", "split", "\ufffd login: "]
    assert (len(found["lines"]), found["truncated"]) == (100, True)
    every = seen(look(hypervisor, name, lines=1000))["log"]
    assert (len(every["lines"]), every["lines"][0], every["truncated"]) == (103, "old 0", False)
    few = seen(look(hypervisor, name, bytes=104))["log"]
    assert (few["lines"], few["truncated"]) == (
        [f"old {number}" for number in range(94, 100)] + every["lines"][-3:],
        True,
    )


def test_a_log_that_looks_like_a_disk_image(hypervisor: Hypervisor, tmp_path: Path, name: str) -> None:
    """A guest may print what it likes: libvirt then takes the log for an image of a terabyte, and we do not."""
    log = hypervisor.pool_path() / f"{name}.console.log"
    start_foreign(hypervisor, tmp_path, name, serial_with_log(log))
    wait_until(log.exists, "the log is there")
    header = b"QFI\xfb" + struct.pack(">IQIIQ", 2, 0, 0, 16, 2**40)
    log.write_bytes(header.ljust(512, b"\0") + b"\nstill a log\n")
    hypervisor.virsh("pool-refresh", "default")
    assert "<format type='qcow2'/>" in hypervisor.virsh("vol-dumpxml", log.name, "default")
    assert seen(look(hypervisor, name))["log"]["lines"][-1] == "still a log"


def test_what_is_refused(hypervisor: Hypervisor, tmp_path: Path, name: str) -> None:
    """What is missing is named, with what to do."""
    elsewhere = hypervisor.pool_path().parent / f"{name}.log"
    start_foreign(hypervisor, tmp_path, name, serial_with_log(elsewhere))
    start_foreign(hypervisor, tmp_path, f"{name}-bare")
    for target, options, words in (
        (name, {}, f"Option log: the log {elsewhere} lies in no running storage pool"),
        (f"{name}-bare", {}, f"Option log: the serial console of {name}-bare keeps no log"),
        (name, {"log": False, "screenshot": True}, f"Option screenshot: {name} has no video device"),
        (name, {"screenshot": True, "dest": "/nowhere/x.png"}, "Option dest: there is no directory /nowhere"),
        ("nobody", {}, "Option name: there is no instance named nobody"),
    ):
        result = look(hypervisor, target, **options)
        assert result.failed
        assert words in result.message
        assert "\n" not in result.message
