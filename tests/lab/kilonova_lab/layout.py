# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Where the parts of a lab live.

Two places: the lab's own directory, with everything that is large or worth keeping, and a short private directory with
nothing but sockets and links into the former. The second exists because AF_UNIX paths end at 108 characters, and a clone may be at any path.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
import uuid
from dataclasses import dataclass
from pathlib import Path

from .errors import LabError

REPOSITORY = Path(__file__).resolve().parents[3]
WORK = REPOSITORY / ".work"
DEFAULT_DIR = WORK / "lab" / "default"
MACHINE_DIR = WORK / "lab" / "machine"
CACHE_DIR = WORK / "cache"
MARKER = "KILONOVA_LAB"

_MAX_TEMPORARY = 24
_PORT_BASE = 10000
_PORTS_PER_HOST = 140
_PORT_SLOTS = 157
_MIGRATION_PORTS = 40
_NAMESPACE = uuid.UUID("5f0b9a7e-3c0c-4f0e-9a5c-6d1f0c3a9b11")


def _key(directory: Path) -> str:
    return hashlib.sha256(os.fsencode(directory)).hexdigest()[:8]


@dataclass(frozen=True)
class Layout:
    """The paths and names of one lab, all derived from its directory."""

    directory: Path
    short: Path
    subnet: str = ""

    @classmethod
    def of(cls, directory: str | os.PathLike[str]) -> Layout:
        """Return the layout of the lab in a directory, however that directory is written."""
        resolved = Path(directory).resolve()
        base = tempfile.gettempdir()
        if len(base) > _MAX_TEMPORARY:
            base = "/tmp"
        return cls(resolved, Path(base) / f"kl-{os.getuid()}-{_key(resolved)}")

    @property
    def key(self) -> str:
        """A short name that no other lab on this machine has."""
        return _key(self.directory)

    @property
    def state_file(self) -> Path:
        """The file that says what this lab is made of."""
        return self.directory / "lab.json"

    def host(self, number: int) -> HostLayout:
        """Return the layout of one host, counted from 1."""
        return HostLayout(self, number)


@dataclass(frozen=True)
class HostLayout:
    """The paths and numbers of one host."""

    lab: Layout
    number: int

    @property
    def name(self) -> str:
        """The host's name."""
        return f"host{self.number}"

    @property
    def directory(self) -> Path:
        """What the host keeps."""
        return self.lab.directory / self.name

    @property
    def short(self) -> Path:
        """The host's short directory."""
        return self.lab.short / str(self.number)

    @property
    def pool(self) -> Path:
        """The directory of the rootless host's storage pool."""
        return self.directory / "pool"

    @property
    def host_uuid(self) -> str:
        """The UUID that the host reports; without one of its own, libvirt refuses to migrate to it."""
        return str(uuid.uuid5(_NAMESPACE, f"{self.lab.directory}/{self.name}"))

    @property
    def marker(self) -> str:
        """The environment entry by which a process of this host is known."""
        return f"{MARKER}={self.lab.short}/{self.number}/"

    @property
    def display_ports(self) -> tuple[int, int]:
        """The ports for displays: hosts that share an address must not race for the same ones."""
        first = self._first_port
        return first, first + _PORTS_PER_HOST - _MIGRATION_PORTS - 1

    @property
    def migration_ports(self) -> tuple[int, int]:
        """The ports for incoming migrations."""
        last = self._first_port + _PORTS_PER_HOST - 1
        return last - _MIGRATION_PORTS + 1, last

    @property
    def _first_port(self) -> int:
        slot = (int(self.lab.key, 16) + self.number) % _PORT_SLOTS
        return _PORT_BASE + slot * _PORTS_PER_HOST


def capabilities(kind: str) -> Path:
    """Return where all hosts of a kind keep what libvirt found out about QEMU.

    Finding out takes each daemon some seconds of all processors, and libvirt itself checks whether what is kept still holds.
    """
    kept = CACHE_DIR / f"capabilities-{kind}-{os.getuid()}"
    kept.mkdir(parents=True, exist_ok=True)
    return kept


def make_private(path: Path) -> None:
    """Make a directory that belongs to this user alone, or refuse one that does not."""
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        found = path.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o022:
            raise LabError(f"{path} exists and is not a private directory of this user: remove it.") from None
