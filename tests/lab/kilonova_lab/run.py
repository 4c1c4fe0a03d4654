# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Run programs."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence

from .errors import LabError

_SYSTEM_PATHS = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")


def system_path() -> str:
    """Return PATH with the sbin directories, which an ordinary user's often lacks."""
    given = [part for part in os.environ.get("PATH", "").split(os.pathsep) if part]
    return os.pathsep.join([*given, *(path for path in _SYSTEM_PATHS if path not in given)])


def find(program: str, package: str) -> str:
    """Return a program's path, or say which package brings it."""
    found = shutil.which(program, path=system_path())
    if found is None:
        raise LabError(f"The program {program} is missing: install the package {package}.")
    return found


def run(
    command: Sequence[str | os.PathLike[str]],
    *,
    env: Mapping[str, str] | None = None,
    limit: float = 60.0,
    cwd: os.PathLike[str] | None = None,
) -> str:
    """Run a program to its end and return what it printed; its failure becomes one sentence."""
    shown = os.path.basename(os.fspath(command[0]))
    environment = {**(os.environ if env is None else env), "LC_ALL": "C.UTF-8", "PATH": system_path()}
    try:
        done = subprocess.run(
            command,
            env=environment,
            cwd=cwd,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=limit,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise LabError(f"{shown} did not end within {limit:.0f} seconds.") from None
    except FileNotFoundError:
        raise LabError(f"The program {shown} is missing.") from None
    if done.returncode:
        said = " ".join((done.stderr or done.stdout).split())
        raise LabError(f"{shown} failed with code {done.returncode}: {said or 'it said nothing'}")
    return done.stdout


def virsh(uri: str, *words: str, limit: float = 60.0) -> str:
    """Run one virsh command on a hypervisor."""
    return run([find("virsh", "libvirt-clients"), "-q", "-c", uri, *words], limit=limit)
