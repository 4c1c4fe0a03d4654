# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""What a bench needs: a pinned virtualenv, a hypervisor of its own, the test guest's image."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .errors import BenchError
from .hypervisor import Hypervisor

REPOSITORY = Path(__file__).resolve().parents[3]
WORK = REPOSITORY / ".work" / "bench"
BENCH = REPOSITORY / "tests" / "bench"
_LAB = REPOSITORY / "tests" / "lab" / "lab.py"
_REQUIREMENTS = (BENCH / "requirements.txt", REPOSITORY / "tools" / "requirements-run.txt")
_OLDEST_PYTHON = (3, 11)
_VERSIONS = """
import importlib.metadata, json, pathlib, platform, ansible_collections
manifests = [pathlib.Path(p, "community", "libvirt", "MANIFEST.json") for p in ansible_collections.__path__]
manifest = next(path for path in manifests if path.exists())
names = ("ansible-core", "ansible", "libvirt-python")
print(json.dumps({"python": platform.python_version(), **{name: importlib.metadata.version(name) for name in names},
    "community.libvirt": json.loads(manifest.read_text())["collection_info"]["version"]}))
"""


@dataclass(frozen=True)
class Environment:
    """Where subjects run, and with what."""

    hypervisor: Hypervisor
    other: Hypervisor
    """For what goes from one to the other; the subjects of one hypervisor leave it alone."""
    image: Path
    pipelining: bool

    @property
    def python(self) -> Path:
        """Return the interpreter of every subject."""
        return WORK / "venv" / "bin" / "python"

    @property
    def playbook_tool(self) -> Path:
        """Return the program ansible-playbook."""
        return WORK / "venv" / "bin" / "ansible-playbook"

    def variables(self) -> dict[str, str]:
        """Return a process environment in which no setting of the user's speeds up or slows down a subject."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "PYTHON"))}
        return {
            **kept,
            "ANSIBLE_CONFIG": str(WORK / "ansible.cfg"),
            "ANSIBLE_HOME": str(WORK / "ansible"),
            "ANSIBLE_LOCAL_TEMP": str(WORK / "ansible" / "tmp"),
            "ANSIBLE_REMOTE_TMP": str(WORK / "ansible" / "tmp"),
            "ANSIBLE_COLLECTIONS_PATH": str(WORK / "collections"),
            "ANSIBLE_PIPELINING": str(self.pipelining),
            "ANSIBLE_NOCOLOR": "1",
            "PYTHONPATH": str(WORK / "collections"),
        }

    def versions(self) -> dict[str, str]:
        """Return the versions that the figures belong to."""
        found: dict[str, str] = json.loads(run([str(self.python), "-c", _VERSIONS], env=self.variables()))
        for line in self.hypervisor.virsh("version").splitlines():
            what, _colon, version = line.partition(": ")
            if what.startswith("Using library"):
                found["libvirt"] = version.rpartition(" ")[2]
            if what.startswith("Running hypervisor"):
                found["qemu"] = version.rpartition(" ")[2]
        return found


def run(command: list[str], text: str | None = None, env: dict[str, str] | None = None) -> str:
    """Run a program and return what it prints; say what it said where it fails."""
    done = subprocess.run(command, input=text, env=env, check=False, capture_output=True, text=True)
    if done.returncode:
        raise BenchError(f"{' '.join(command[:4])} failed ({done.returncode}):\n{done.stdout}{done.stderr}")
    return done.stdout.strip()


@contextmanager
def prepared(pipelining: bool) -> Iterator[Environment]:
    """Give an environment with two rootless hypervisors, which are taken down afterwards."""
    WORK.mkdir(parents=True, exist_ok=True)
    _make_venv()
    link_collection()
    (WORK / "ansible.cfg").write_text("[defaults]\n", encoding="ascii")
    directory = ["--dir", str(WORK / "lab")]
    image = Path(_lab("image").splitlines()[-1])
    _lab("down", *directory)
    try:
        _lab("up", "--hosts", "2", *directory)
        first, second = (Hypervisor(_lab("uri", name, *directory)) for name in ("host1", "host2"))
        yield Environment(first, second, image, pipelining)
    finally:
        _lab("down", *directory)


def _lab(*words: str) -> str:
    return run([sys.executable, str(_LAB), *words])


def _make_venv() -> None:
    """Make the virtualenv unless the one there was made from the same pins with the same interpreter."""
    if sys.version_info < _OLDEST_PYTHON:
        raise BenchError("The bench needs Python 3.11 or newer, as ansible-core does.")
    pins = b"".join(path.read_bytes() for path in _REQUIREMENTS)
    wanted = hashlib.sha256(pins + f"{sys.version}{WORK}".encode()).hexdigest()
    place, stamp = WORK / "venv", WORK / "venv" / ".stamp"
    if stamp.exists() and stamp.read_text(encoding="ascii") == wanted:
        return
    print(f"Installing {_REQUIREMENTS[0].relative_to(REPOSITORY)}, once ...", file=sys.stderr)
    venv.create(place, clear=True, with_pip=True)
    run([str(place / "bin" / "python"), "-m", "pip", "install", "--quiet", "-r", str(_REQUIREMENTS[0])])
    stamp.write_text(wanted, encoding="ascii")


def link_collection() -> None:
    """Let Ansible find this very work tree."""
    link = WORK / "collections" / "ansible_collections" / "kilonova" / "compute"
    link.parent.mkdir(parents=True, exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(REPOSITORY, target_is_directory=True)
