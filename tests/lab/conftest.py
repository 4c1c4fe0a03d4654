# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""A lab of one test's own, seen from outside: through its command line, /proc and libvirt's client."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from kilonova_lab.layout import Layout

TOOL = Path(__file__).with_name("lab.py")

# Guests are emulated, and the machine may have other work: a limit is for what hangs, not for what is slow.
_LIMIT = 400

# Whole hosts are for root alone; that others are told so is tested with the rootless ones.
collect_ignore = [] if os.getuid() == 0 else ["test_lab_whole.py"]


@dataclass(frozen=True)
class Lab:
    """A lab under test."""

    directory: Path

    def command(self, name: str, *words: str) -> list[str]:
        """Return the command line of one of the tool's commands."""
        return [sys.executable, str(TOOL), name, "--dir", str(self.directory), *words]

    def fails(self, name: str, *words: str) -> str:
        """Run a command that is to fail and return what it complained of."""
        done = subprocess.run(self.command(name, *words), capture_output=True, text=True, timeout=_LIMIT, check=False)
        assert done.returncode == 1, done
        return done.stderr

    def run(self, name: str, *words: str) -> str:
        """Run a command that is to succeed and return what it printed."""
        done = subprocess.run(self.command(name, *words), capture_output=True, text=True, timeout=_LIMIT, check=False)
        assert done.returncode == 0, done
        return done.stdout

    def exec(self, host: str, line: str) -> str:
        """Run a program on a host."""
        return self.run("exec", host, "--", *shlex.split(line))

    @property
    def short(self) -> str:
        """Return the short directory that the lab says it has."""
        return self.run("uri", "host1").split("socket=")[-1].split("/1/run")[0].strip()

    def processes(self, *names: str) -> list[int]:
        """Return the living processes that have anything to do with this lab, of all names or some."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and int(entry.name) != os.getpid():
                try:
                    name = (entry / "comm").read_text(encoding="utf-8").strip()
                    told = (entry / "environ").read_bytes() + (entry / "cmdline").read_bytes()
                    state = (entry / "stat").read_text(errors="replace", encoding="ascii").rpartition(")")[2].split()[0]
                except OSError:
                    continue
                if state != "Z" and self._key.encode() in told and (not names or name.startswith(names)):
                    found.append(int(entry.name))
        return found

    def leftovers(self) -> list[str]:
        """Return everything on this machine that is still there of the lab."""
        found = [f"process {pid}" for pid in self.processes()]
        found += [
            line
            for line in Path("/proc/mounts").read_text(encoding="ascii", errors="replace").splitlines()
            if self._key in line or self.directory.name in line
        ]
        found += [name for name in os.listdir("/sys/class/net") if self._key in name]
        found += [
            str(path)
            for base in ("/tmp", os.environ.get("TMPDIR", "/tmp"))
            for path in Path(base).glob(f"kl-*-{self._key}")
        ]
        return found + ([str(self.directory)] if self.directory.exists() else [])

    @property
    def _key(self) -> str:
        return Layout.of(self.directory).key


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """Return a lab that is not up yet, in a directory whose name is awkward."""
    made = Lab(tmp_path / f"lab with spaces {'and a long name ' * 8}".strip())
    yield made
    made.run("down")
    assert made.leftovers() == []


@pytest.fixture(scope="session")
def image() -> Path:
    """Return the test guest's disk."""
    done = subprocess.run(
        [sys.executable, str(TOOL), "image"], capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done
    return Path(done.stdout.strip())


def domain(name: str, disk: Path, log: Path, nic: str, extra: str = "") -> str:
    """Return the definition of a guest with one disk."""
    return (
        f"<domain type='qemu'><name>{name}</name><memory unit='MiB'>128</memory>"
        f"<sysinfo type='smbios'><system><entry name='serial'>ds=nocloud;h={name}</entry></system></sysinfo>"
        "<os><type machine='q35'>hvm</type><smbios mode='sysinfo'/></os><features><acpi/></features><devices>"
        f"<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='{disk}'/><target dev='vda' bus='virtio'/></disk>"
        f"{extra}<interface {nic}<model type='virtio'/></interface><serial type='pty'><log file='{log}' append='on'/></serial>"
        "<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel></devices></domain>"
    )


def eventually(check: Callable[[], object], limit: float = 60.0) -> None:
    """Wait until something holds, and fail when it does not within a generous limit."""
    deadline = time.monotonic() + limit
    while not check():
        assert time.monotonic() < deadline, f"still not so after {limit} seconds"
        time.sleep(0.05)
