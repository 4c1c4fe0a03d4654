# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of looking at a console, on libvirt's test driver, which has screens but keeps no data."""

from __future__ import annotations

import base64
import stat
import typing as t
from pathlib import Path

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._driver.capabilities import once
from ansible_collections.kilonova.compute.plugins.module_utils._driver.connection import Connection, libvirt
from ansible_collections.kilonova.compute.plugins.module_utils._errors import NotFoundError, SpecError
from ansible_collections.kilonova.compute.plugins.module_utils._service.console import ConsoleOptions, look_at_console

DEVICES = (
    "<graphics type='vnc' port='5901' listen='127.0.0.1' passwd='secret'/><video><model type='vga'/></video>"
    "<serial type='pty'><log file='/pool/web.console.log'/></serial>"
)
NODE = f"""
<node>
  <pool type='dir'><name>default</name><target><path>/pool</path></target></pool>
  <domain type='test'><name>web</name><memory>1024</memory><os><type>hvm</type></os>
    <devices>{DEVICES}</devices></domain>
  <domain type='test'><name>bare</name><memory>1024</memory><os><type>hvm</type></os></domain>
</node>
"""
DEFAULTS: dict[str, t.Any] = {
    "name": "web",
    "log": True,
    "lines": 100,
    "bytes": 102400,
    "screenshot": False,
    "dest": None,
}


@pytest.fixture
def connection(tmp_path: Path) -> t.Iterator[Connection]:
    """Return a connection to a host of its own with running guests."""
    node = tmp_path / "node.xml"
    node.write_text(NODE)
    with Connection(f"test://{node}") as opened:
        yield opened


def look(connection: Connection, check: bool = False, **changes: t.Any) -> dict[str, t.Any]:
    """Return what is seen."""
    return look_at_console(connection, ConsoleOptions.from_params({**DEFAULTS, **changes}), check)


def test_a_running_instance(connection: Connection) -> None:
    """Its log, which is not there yet, and where its screen is; the screen's password is nowhere."""
    seen = look(connection)
    assert seen == {
        "changed": False,
        "name": "web",
        "uuid": connection.raw.lookupByName("web").UUIDString(),
        "power_state": "running",
        "log": {"path": "/pool/web.console.log", "content": "", "lines": [], "truncated": False},
        "screenshot": None,
        "graphics": [
            {
                "type": "vnc",
                "host": "127.0.0.1",
                "port": 5901,
                "tls_port": None,
                "websocket": None,
                "socket": None,
                "uri": "vnc://127.0.0.1:5901",
            }
        ],
        "pty": None,
    }


def test_an_instance_that_is_off(connection: Connection) -> None:
    """The log is there still."""
    connection.raw.lookupByName("web").destroy()
    seen = look(connection)
    assert (seen["power_state"], seen["graphics"], seen["pty"]) == ("stopped", [], None)
    assert seen["log"]["lines"] == []


def test_without_a_log(connection: Connection) -> None:
    """Nothing is read that was not asked for."""
    assert look(connection, name="bare", log=False)["log"] is None
    assert not {name for name in connection.calls if "Storage" in name}


@pytest.mark.parametrize("check", [False, True])
def test_a_picture(connection: Connection, check: bool) -> None:
    """It comes back itself, in check mode as well."""
    seen = look(connection, check, screenshot=True)
    png = base64.b64decode(seen["screenshot"].pop("content"))
    assert png.startswith(b"\x89PNG")
    assert seen["screenshot"] == {"format": "png", "width": 1120, "height": 832, "size": len(png), "dest": None}
    assert seen["changed"] is False


def test_a_picture_as_a_file(connection: Connection, tmp_path: Path) -> None:
    """What is there is replaced, whole, by a file that is its owner's alone; check mode only says so."""
    dest = tmp_path / "out" / "web.png"
    dest.parent.mkdir()
    foretold = look(connection, True, screenshot=True, dest=str(dest))
    assert list(dest.parent.iterdir()) == []
    dest.write_text("old")
    dest.chmod(0o644)
    seen = look(connection, screenshot=True, dest=str(dest))
    assert seen == foretold
    assert seen["changed"] is True
    assert (seen["screenshot"]["dest"], seen["screenshot"]["content"]) == (str(dest), None)
    assert dest.read_bytes() == base64.b64decode(look(connection, screenshot=True)["screenshot"]["content"])
    assert stat.S_IMODE(dest.stat().st_mode) == 0o600
    assert list(dest.parent.iterdir()) == [dest]


def test_a_file_that_cannot_be_written(connection: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing half done is left."""

    def refuse(*unused: t.Any) -> None:
        raise PermissionError(1, "Operation not permitted")

    dest = tmp_path / "out" / "web.png"
    dest.parent.mkdir()
    monkeypatch.setattr("os.replace", refuse)
    with pytest.raises(SpecError, match=r"Option dest: .*web.png can't be written \(Operation not permitted\)"):
        look(connection, screenshot=True, dest=str(dest))
    assert list(dest.parent.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"name": "bare"}, "Option log: the serial console of bare keeps no log; set console.log on it, or log: false"),
        ({"name": "bare", "log": False, "screenshot": True}, "Option screenshot: bare has no video device"),
        ({"dest": "/x.png"}, "Option dest: there is nothing to write there; add screenshot: true."),
        ({"screenshot": True, "dest": "/nowhere/x.png"}, "Option dest: there is no directory /nowhere"),
        ({"screenshot": True, "dest": "/tmp"}, "Option dest: /tmp is not a file"),
        ({"screenshot": True, "dest": "/dev/null"}, "Option dest: /dev/null is not a file"),
        ({"lines": 0}, "Option lines: 0 is not between 1 and 100000"),
        ({"bytes": 16 * 1024 * 1024 + 1}, "Option bytes: 16777217 is not between 1 and 16777216"),
    ],
)
def test_what_is_refused(connection: Connection, options: dict[str, t.Any], words: str) -> None:
    """One sentence that names the option."""
    with pytest.raises(SpecError) as caught:
        look(connection, **options)
    assert words in caught.value.message


def test_a_directory_of_somebody_else(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It is said before anything is done."""
    monkeypatch.setattr("os.access", lambda *unused: False)
    with pytest.raises(SpecError, match=r"Option dest: the directory .* can't be written to"):
        ConsoleOptions.from_params({**DEFAULTS, "screenshot": True, "dest": str(tmp_path / "x.png")})


def test_no_picture_of_an_instance_that_is_off(connection: Connection) -> None:
    """Its state is named."""
    connection.raw.lookupByName("web").destroy()
    with pytest.raises(SpecError, match="Option screenshot: web is stopped and has no picture; start it first"):
        look(connection, log=False, screenshot=True)


def test_no_picture_from_a_driver_without(connection: Connection) -> None:
    """As LXC's is."""
    once(connection, ("lacks", "take_screenshot"), lambda: [False])[0] = True
    with pytest.raises(SpecError, match=r"Option screenshot: the hypervisor at test:.* can't take one"):
        look(connection, log=False, screenshot=True)


def test_an_instance_that_is_not_there(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither before it is looked up nor after."""
    with pytest.raises(NotFoundError, match="Option name: there is no instance named nobody at test:"):
        look(connection, name="nobody")
    read = libvirt.virDomain.XMLDesc

    def vanish(self: t.Any, flags: int = 0) -> str:
        if not flags:
            self.destroy()
            self.undefine()
        return read(self, flags)

    monkeypatch.setattr(libvirt.virDomain, "XMLDesc", vanish)
    with pytest.raises(NotFoundError, match="there is no instance named web"):
        look(connection)
