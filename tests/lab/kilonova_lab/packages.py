# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Fetch Debian packages and take them apart, without installing them.

A user's machine gets neither a second kernel nor a guest agent only because a test wants them inside a guest.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .errors import LabError
from .run import find, run

KERNELS = {"cloud": "linux-image-cloud-amd64", "generic": "linux-image-amd64"}
_OTHERS = ("busybox-static", "qemu-guest-agent", "dropbear-bin", "libtomcrypt1", "libtommath1")


@dataclass(frozen=True)
class Package:
    """A package in the version that apt would install."""

    name: str
    version: str

    def __str__(self) -> str:
        """Return it as apt-get wants it."""
        return f"{self.name}={self.version}"


def wanted(kernel_kind: str) -> list[Package]:
    """Return what goes into the small guest, the kernel first, in the versions that apt offers now."""
    return versions([kernel_package(kernel_kind), *_OTHERS])


def kernel_package(kind: str) -> str:
    """Return the name of the package with the newest kernel of a kind."""
    name = KERNELS[kind]
    kernel = re.search(r"^Depends:.*?\b(linux-image-[^\s,]+)", _records([name])[name], re.MULTILINE)
    if kernel is None:
        raise LabError(f"The package {name} names no kernel.")
    return kernel[1]


def versions(names: list[str]) -> list[Package]:
    """Return packages in the versions that apt offers now."""
    return [Package(name, _version(record)) for name, record in _records(names).items()]


def _version(record: str) -> str:
    found = re.search(r"^Version: (\S+)$", record, re.MULTILINE)
    return found[1] if found else ""


def _records(names: list[str]) -> dict[str, str]:
    try:
        text = run([find("apt-cache", "apt"), "show", "--no-all-versions", *names])
    except LabError as exc:
        raise LabError(f"apt does not know all of {', '.join(names)}: run 'apt-get update' first. ({exc})") from None
    records = {record.split("\n", 1)[0].removeprefix("Package: "): record for record in text.strip().split("\n\n")}
    missing = [name for name in names if name not in records]
    if missing:
        raise LabError(f"apt does not know the package {missing[0]}: run 'apt-get update' first.")
    return {name: records[name] for name in names}


def fetch(package: Package, cache: Path) -> Path:
    """Return a package's file, downloaded once."""
    kept = cache / f"{package.name}_{package.version.replace(':', '%3a')}.deb"
    if not kept.exists():
        with scratch(cache) as work:
            # apt drops its privileges for a download, and the directory is private.
            run(
                [find("apt-get", "apt"), "-q", "-o", "APT::Sandbox::User=root", "download", str(package)],
                limit=300,
                cwd=work,
            )
            os.replace(next(work.glob("*.deb")), kept)
    return kept


def unpack(file: Path, target: Path) -> None:
    """Unpack a package's files."""
    run([find("dpkg-deb", "dpkg"), "-x", str(file), str(target)], limit=120)


@contextlib.contextmanager
def sole_use(cache: Path) -> Iterator[None]:
    """Keep other builders out of the cache, and remove what those left behind that were killed."""
    cache.mkdir(parents=True, exist_ok=True)
    with open(cache / ".lock", "w", encoding="ascii") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        for left in cache.glob("tmp-*"):
            shutil.rmtree(left, ignore_errors=True)
        yield


@contextlib.contextmanager
def scratch(cache: Path) -> Iterator[Path]:
    """Yield a work directory beside the cached files, so that a finished one only needs another name."""
    with tempfile.TemporaryDirectory(prefix="tmp-", dir=cache) as work:
        yield Path(work)
