# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Parts of the lab that need no hypervisor to be seen working."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from conftest import TOOL, Lab
from kilonova_lab import inventory, lifecycle
from kilonova_lab.archive import Archive, partitioned
from kilonova_lab.console import log_path
from kilonova_lab.errors import InterruptedLab
from kilonova_lab.layout import Layout

FLATTEN = TOOL.parent / "kilonova_lab" / "guest_files" / "flatten.awk"
NETWORK = {
    "version": 2,
    "ethernets": {"a": {"dhcp4": False, "addresses": ["10.0.0.5/24", "fd00::5/64"], "routes": [{"to": "default"}]}},
}
NETWORK_FLAT = [
    "version 2",
    "ethernets/a/dhcp4 false",
    "ethernets/a/addresses/0 10.0.0.5/24",
    "ethernets/a/addresses/1 fd00::5/64",
    "ethernets/a/routes/0/to default",
]
NETWORK_YAML = """\
# a comment
version: 2
ethernets:
  a:
    dhcp4: false   # another
    addresses:
    - 10.0.0.5/24
    - "fd00::5/64"
    routes: [{to: default}]
"""


@pytest.mark.parametrize("text", [json.dumps(NETWORK), json.dumps(NETWORK, indent=2), NETWORK_YAML])
def test_the_guest_reads_json_and_yaml_alike(text: str) -> None:
    """A seed may be written in either form, on one line or many."""
    assert _flat(text) == NETWORK_FLAT


def test_the_guest_passes_over_blocks_and_keeps_colons() -> None:
    """What is inside a literal block is no setting, and a key with a comment in it stays whole."""
    text = "write_files:\n  - content: |\n      hostname: wrong\n    path: /x\nssh_authorized_keys:\n  - 'ssh-rsa AAA me@there: home'\nhostname: 'right'\n"
    assert _flat(text) == [
        "write_files/0/path /x",
        "ssh_authorized_keys/0 ssh-rsa AAA me@there: home",
        "hostname right",
    ]


@pytest.mark.parametrize(
    ("device", "expected"),
    [
        ("<serial type='pty'><source path='/dev/pts/1'/><log file='/a.log'/></serial>", "/a.log"),
        ("<serial type='file'><source path='/b.log'/></serial>", "/b.log"),
        (
            "<serial type='pty'><source path='/dev/pts/1'/></serial><console type='pty'><log file='/c.log'/></console>",
            "/c.log",
        ),
        ("<serial type='pty'><source path='/dev/pts/1'/></serial>", None),
        ("", None),
    ],
)
def test_a_console_log_is_found_in_the_definition(device: str, expected: str | None) -> None:
    """A log wins; a terminal is no log."""
    assert log_path(f"<domain><devices>{device}</devices></domain>") == expected


def test_the_archive_is_one_that_cpio_reads(tmp_path: Path) -> None:
    """Directories come before what is in them, and links stay links."""
    archive = Archive()
    archive.add_file("a/b/file", b"content", 0o755)
    archive.add_link("a/link", "b/file")
    packed = tmp_path / "packed.gz"
    packed.write_bytes(archive.packed())
    listed = subprocess.run(["gzip", "-dc", str(packed)], capture_output=True, check=True).stdout
    names = [part.split(b"\0")[0].decode() for part in listed.split(b"070701")[1:]]
    assert [name[104:] for name in names] == ["a", "a/b", "a/b/file", "a/link", "TRAILER!!!"]


def test_the_disk_has_one_bootable_partition() -> None:
    """The partition begins where the file system was put."""
    disk = partitioned(b"\x90" * 512, b"\xaa" * 1024 * 1024)
    assert disk[510:512] == b"\x55\xaa"
    assert (disk[446], disk[450]) == (0x80, 0x0E)
    first = int.from_bytes(disk[454:458], "little") * 512
    assert disk[first : first + 4] == b"\xaa" * 4
    assert len(disk) == first + 1024 * 1024


def test_a_second_partition_follows_the_first() -> None:
    """Its content is appended to the disk, so it has to begin right there."""
    disk = partitioned(b"", b"\xaa" * 1024 * 1024, second_sectors=7)
    assert (disk[462], disk[466]) == (0, 0x83)
    assert int.from_bytes(disk[470:474], "little") * 512 == len(disk)
    assert int.from_bytes(disk[474:478], "little") == 7


def test_labs_and_hosts_have_their_own_names_and_ports(tmp_path: Path) -> None:
    """Two hosts never share a UUID, a socket's directory or a port, and socket paths stay short."""
    labs = [Layout.of(tmp_path / name) for name in ("one", "two")]
    hosts = [lab.host(number) for lab in labs for number in (1, 2, 3)]
    assert len({host.host_uuid for host in hosts}) == len({host.short for host in hosts}) == len(hosts)
    for lab in labs:
        ranges = sorted(
            ports
            for number in (1, 2, 3)
            for ports in (lab.host(number).display_ports, lab.host(number).migration_ports)
        )
        assert all(before[1] < after[0] for before, after in zip(ranges, ranges[1:], strict=False))
    assert Layout.of(tmp_path / "x" / ".." / "one") == labs[0]
    assert len(str(Layout.of(tmp_path / ("long" * 40)).short)) < len("/tmp/kl-1234567890-12345678") + 24


def test_two_commands_do_not_work_on_one_lab_at_once(lab: Lab) -> None:
    """The second says so instead of waiting or doing harm."""
    lab.directory.mkdir()
    with open(lab.directory / ".lock", "w", encoding="ascii") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert "Another command is working on the lab" in lab.fails("up")


def _flat(text: str) -> list[str]:
    done = subprocess.run(["awk", "-f", str(FLATTEN)], input=text, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_modules_run_with_the_repositorys_own_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has what modules import; without it there is only the one that runs the lab."""
    monkeypatch.setattr(inventory, "WORK", tmp_path)
    assert inventory.default_python() == sys.executable
    own = tmp_path / "venv" / "bin" / "python"
    own.parent.mkdir(parents=True)
    own.symlink_to(sys.executable)
    assert inventory.default_python() == str(own)


def test_a_signal_while_hosts_begin_to_start_ends_what_they_wait_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first host is sometimes up before the last one is begun."""
    layout = Layout.of(tmp_path / "lab")
    ended = threading.Event()
    monkeypatch.setattr(lifecycle, "end_all", lambda *_args, **_options: ended.set())
    monkeypatch.setattr(lifecycle, "virsh", lambda *_args, **_options: "")

    def start(_host: object) -> None:
        assert ended.wait(60), "nothing ended what this host waits for"

    class Submitting(ThreadPoolExecutor):
        """Gets the signal between its first two tasks."""

        def submit(self, fn: Any, /, *args: Any, **options: Any) -> Future[Any]:
            """Take a task."""
            future: Future[Any] = super().submit(fn, *args, **options)
            os.kill(os.getpid(), signal.SIGINT)
            return future

    monkeypatch.setattr("concurrent.futures.ThreadPoolExecutor", Submitting)
    monkeypatch.setattr(lifecycle.rootless, "start", start)
    monkeypatch.setattr(lifecycle.rootless, "check", lambda _layout: None)
    monkeypatch.setattr(lifecycle, "_remove", lambda _layout, _kind: None)
    with pytest.raises(InterruptedLab, match="SIGINT"):
        lifecycle.up(layout.directory, 3, "rootless")
    assert ended.is_set()
