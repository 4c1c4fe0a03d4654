# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Build the test guest: Debian's cloud kernel with a few programs in memory, on a bootable disk of 40 MB."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from . import bootdisk, packages
from .archive import Archive
from .errors import LabError
from .kernel_modules import add_modules
from .layout import CACHE_DIR
from .run import find, run

FILES = Path(__file__).parent / "guest_files"
FORMATS = ("qcow2", "raw")

_MODULES = [
    "virtio_pci",
    "virtio_blk",
    "virtio_net",
    "virtio_console",
    "virtio_scsi",
    "virtio-rng",
    "virtio_balloon",
    "sd_mod",
    "sr_mod",
    "ata_piix",
    "isofs",
    "vfat",
    "nls_cp437",
    "nls_ascii",
    "nls_iso8859-1",
    "button",
    "evdev",
]
# The cloud kernel has no SATA and no emulated NICs, as in Debian's own cloud images; the generic one has them, and boots half as fast.
_MORE_MODULES: dict[str, list[str]] = {"cloud": [], "generic": ["ahci", "e1000", "e1000e", "8139cp", "8139too"]}
_PARAMETERS = (
    "console=ttyS0 quiet loglevel=3 panic=5 mitigations=off random.trust_cpu=on tsc=reliable"
    " scsi_mod.scan=sync net.ifnames=0"
)
_SCRIPTS = {
    "init.sh": "init",
    "udhcpc.sh": "etc/udhcpc.sh",
    "shutdown.sh": "sbin/shutdown",
    "chpasswd.sh": "sbin/chpasswd",
}
_TEXTS = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\n",
    "etc/group": "root:x:0:\n",
    "etc/shells": "/bin/sh\n",
    "etc/os-release": 'ID=kilonova-guest\nNAME="Kilonova test guest"\nVERSION_ID=1\n',
}


def image(image_format: str = "qcow2", kernel: str = "cloud", cache: Path = CACHE_DIR) -> Path:
    """Return the guest's disk, built unless one with the very same contents is cached."""
    wanted = packages.wanted(kernel)
    kept = cache / f"guest-{_digest(wanted)}.{image_format}"
    if not kept.exists():
        with packages.sole_use(cache):
            if not kept.exists():
                debs = [packages.fetch(package, cache) for package in wanted]
                with packages.scratch(cache) as work:
                    os.replace(_build(debs, work, image_format, _MODULES + _MORE_MODULES[kernel]), kept)
    return kept


def _digest(wanted: list[packages.Package]) -> str:
    """Digest everything that the image is made of."""
    digest = hashlib.sha256()
    for package in wanted:
        digest.update(f"{package}\n".encode())
    own = [Path(__file__).with_name(f"{name}.py") for name in ("guest", "archive", "bootdisk", "kernel_modules")]
    for source in sorted([*FILES.iterdir(), *own]):
        digest.update(source.read_bytes())
    return digest.hexdigest()[:16]


def _build(debs: list[Path], work: Path, image_format: str, modules: list[str]) -> Path:
    root = work / "root"
    for deb in debs:
        packages.unpack(deb, root)
    kernel = next((root / "boot").glob("vmlinuz-*"))
    disk = bootdisk.make(work, kernel, _initrd(root, modules), _PARAMETERS)
    return disk if image_format == "raw" else bootdisk.packed(disk, "-c")


def _initrd(root: Path, modules: list[str]) -> bytes:
    archive = Archive()
    for name in ("proc", "sys", "dev", "run", "seed", "data", "tmp", "www", "root/.ssh", "etc/dropbear"):
        archive.add_directory(name, 0o700 if name.startswith("root") else 0o755)
    for path, text in _TEXTS.items():
        archive.add_file(path, text.encode())
    for name, path in _SCRIPTS.items():
        archive.add_file(path, b"#!/bin/sh\n" + (FILES / name).read_bytes(), 0o755)
    archive.add_file("etc/functions.sh", (FILES / "functions.sh").read_bytes())
    archive.add_file("etc/flatten.awk", (FILES / "flatten.awk").read_bytes())
    # busybox's acpid runs this when the power button is pressed.
    archive.add_link("etc/acpi/PWRF/00000080", "/sbin/shutdown")
    # The guest agent sets a clock only where this is.
    archive.add_link("sbin/hwclock", "/bin/busybox")
    _add_programs(archive, root)
    add_modules(archive, root, modules)
    return archive.packed()


def _add_programs(archive: Archive, root: Path) -> None:
    busybox = next(path for path in (root / "bin/busybox", root / "usr/bin/busybox") if path.exists())
    archive.add_file("bin/busybox", busybox.read_bytes(), 0o755)
    for applet in run([str(busybox), "--list"]).split():
        if applet not in ("busybox", "shutdown"):
            archive.add_link(f"bin/{applet}", "busybox")
    programs = [root / "usr/sbin/qemu-ga", root / "usr/sbin/dropbear"]
    for program in programs:
        archive.add_file(f"sbin/{program.name}", program.read_bytes(), 0o755)
    libraries = {name: path for program in programs for name, path in _libraries(program, root)}
    for name, path in sorted(libraries.items()):
        archive.add_file(name.lstrip("/"), path.read_bytes(), 0o755)


def _libraries(program: Path, root: Path) -> Iterator[tuple[str, Path]]:
    """Yield where a program looks for its libraries and where they are here, those of the unpacked packages first."""
    # A relative path, since the search path has no way to quote a colon in an absolute one.
    environment = {**os.environ, "LD_LIBRARY_PATH": "usr/lib/x86_64-linux-gnu"}
    for line in run([find("ldd", "libc-bin"), str(program.relative_to(root))], env=environment, cwd=root).splitlines():
        name, arrow, place = line.strip().rpartition(" (0x")[0].partition(" => ")
        if "not found" in line:
            needed = line.split()[0]
            raise LabError(
                f"The library {needed}, which {program.name} needs, is missing: install qemu-system-x86 and zlib1g."
            )
        if arrow:
            yield f"/lib/x86_64-linux-gnu/{name}", root / place
        elif name.startswith("/"):
            yield name, Path(name)
