# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Build a disk with Debian in the release that apt here knows: the full guest, with systemd, cloud-init and the guest agent, or another."""

from __future__ import annotations

import hashlib
import io
import os
import shlex
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from . import bootdisk, packages
from .archive import Archive
from .errors import LabError
from .kernel_modules import add_modules
from .layout import CACHE_DIR
from .run import find, run

FILES = Path(__file__).parent / "debian_files"

_LEFT_OUT = ("doc", "i18n", "info", "locale", "man")
_BUSYBOX = "busybox-static"
# What Debian's own initial file system loads for the devices of a guest; systemd loads the rest.
_MODULES = ["virtio_pci", "virtio_blk", "virtio_scsi", "sd_mod", "sr_mod", "ata_piix", "ext4", "crc32c_generic"]
_PARAMETERS = (
    "console=ttyS0 quiet loglevel=3 panic=5 mitigations=off random.trust_cpu=on tsc=reliable"
    " scsi_mod.scan=sync net.ifnames=0 systemd.show_status=false"
)
_ROOT_BLOCK = 4096
_BUILD_LIMIT = 1800.0
# Nothing that a test wants to see, and each takes its time on an emulated processor.
_MASKED = (
    "e2scrub_all.timer",
    "e2scrub_reap.service",
    "fstrim.timer",
    "getty@tty1.service",
    "proc-sys-fs-binfmt_misc.automount",
    "serial-getty@ttyS0.service",
    "systemd-binfmt.service",
    "systemd-pstore.service",
)


@dataclass(frozen=True)
class Recipe:
    """What one such disk is made of."""

    name: str
    kernel: str
    """The kind of Debian's kernel."""
    included: tuple[str, ...]
    """Packages; what they depend on comes along, and nothing else."""
    blocks: int
    """The size of the root file system, in blocks of 4 KiB."""
    inodes: int = 65_536
    texts: Mapping[str, str] = field(default_factory=dict)
    """Files and what is in them."""
    enabled: Mapping[str, str] = field(default_factory=dict)
    """Units that no package of theirs enables, each with the target that wants it."""
    masked: tuple[str, ...] = ()
    """Units that shall not start."""
    drivers_left_out: tuple[str, ...] = ()
    """Directories of kernel modules, as their paths below the release's own begin."""

    @property
    def links(self) -> dict[str, str]:
        """The symbolic links that switch units on and off."""
        on = {f"{target}.wants/{unit}": f"/lib/systemd/system/{unit}" for unit, target in self.enabled.items()}
        off = dict.fromkeys((*_MASKED, *self.masked), "/dev/null")
        return {f"etc/systemd/system/{path}": link for path, link in {**on, **off}.items()}


# Stock but for three things: there is no SSH server here to make keys for, no second language, and a root file system
# that cannot be grown while it is used.
_CLOUD_CONFIG = """ssh_genkeytypes: []
locale: false
resize_rootfs: false
growpart: {mode: 'off'}
"""
FULL_GUEST = Recipe(
    name="debian",
    kernel="cloud",
    included=(
        "cloud-init",
        "dbus",
        "e2fsprogs",
        "iproute2",
        "kmod",
        "login",
        "passwd",
        "procps",
        "qemu-guest-agent",
        "systemd-sysv",
        "udev",
    ),
    blocks=250_000,
    texts={
        # The root file system is mounted already, and an entry for it would make systemd wait until udev has seen all devices.
        "etc/fstab": "# nothing\n",
        "etc/cloud/cloud.cfg.d/90-lab.cfg": _CLOUD_CONFIG,
    },
    enabled={"systemd-networkd.service": "multi-user.target"},
)


@dataclass(frozen=True)
class _Mirror:
    """One entry of apt's sources."""

    uri: str
    suite: str
    component: str

    def __str__(self) -> str:
        return f"deb {self.uri} {self.suite} {self.component}"


def image(image_format: str = "qcow2", cache: Path = CACHE_DIR, recipe: Recipe = FULL_GUEST) -> Path:
    """Return the disk of a recipe, built unless one with the very same contents is cached."""
    mirrors = _mirrors()
    names = [packages.kernel_package(recipe.kernel), _BUSYBOX, *recipe.included]
    kernel, *included = packages.versions(names)
    kept = cache / f"{recipe.name}-{_digest([kernel, *included], mirrors, recipe)}.{image_format}"
    if not kept.exists():
        with packages.sole_use(cache):
            if not kept.exists():
                debs = [packages.fetch(package, cache) for package in (kernel, included[0])]
                with packages.scratch(cache) as work:
                    disk = _build(debs, mirrors, recipe, work)
                    os.replace(disk if image_format == "raw" else bootdisk.packed(disk), kept)
    return kept


def _mirrors() -> list[_Mirror]:
    """Return where this machine's apt takes Debian's packages from."""
    form = "$(ORIGIN)|$(REPO_URI)|$(RELEASE)|$(COMPONENT)"
    listed = run([find("apt-get", "apt"), "indextargets", "--format", form, "Created-By: Packages"]).split("\n")
    fields = [line.split("|") for line in listed if line.startswith("Debian|")]
    mirrors = [_Mirror(uri, suite, component) for _origin, uri, suite, component in fields if component == "main"]
    if not mirrors:
        raise LabError("apt here knows no archive of Debian's, which the full guest is made of: run 'apt-get update'.")
    return mirrors


def _digest(made_of: list[packages.Package], mirrors: list[_Mirror], recipe: Recipe) -> str:
    digest = hashlib.sha256()
    for what in (*made_of, *mirrors, recipe):
        digest.update(f"{what}\n".encode())
    own = [Path(__file__).with_name(f"{name}.py") for name in ("debian", "archive", "bootdisk", "kernel_modules")]
    for source in sorted([*FILES.iterdir(), *own]):
        digest.update(source.read_bytes())
    return digest.hexdigest()[:16]


def _build(debs: list[Path], mirrors: list[_Mirror], recipe: Recipe, work: Path) -> Path:
    unpacked = work / "unpacked"
    for deb in debs:
        packages.unpack(deb, unpacked)
    kernel = next((unpacked / "boot").glob("vmlinuz-*"))
    initrd = _initrd(unpacked)
    _pack_added(work / "added.tar", unpacked, recipe)
    root = _root(kernel.name.removeprefix("vmlinuz-"), mirrors, recipe, work)
    return bootdisk.make(work, kernel, initrd, _PARAMETERS, root)


def _root(release: str, mirrors: list[_Mirror], recipe: Recipe, work: Path) -> Path:
    """Return Debian's root file system, whole, as ext2 with a journal."""
    added, tar, root = work / "added.tar", work / "root.tar", work / "root.ext2"
    run(
        [
            find("mmdebstrap", "mmdebstrap"),
            "--quiet",
            "--variant=essential",
            f"--include={','.join(recipe.included)}",
            "--aptopt=APT::Install-Recommends false",
            *(f"--aptopt={line}" for line in _proxies()),
            "--dpkgopt=force-unsafe-io",
            *(f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in _LEFT_OUT),
            f"--customize-hook=tar-in {shlex.quote(str(added))} /",
            f'--customize-hook=chroot "$1" depmod {release}',
            mirrors[0].suite,
            str(tar),
            *map(str, mirrors),
        ],
        limit=_BUILD_LIMIT,
    )
    size = ["-B", str(_ROOT_BLOCK), "-b", str(recipe.blocks), "-N", str(recipe.inodes)]
    run([find("genext2fs", "genext2fs"), *size, "-L", "kilonova-root", "-a", tar.name, root.name], cwd=work, limit=300)
    run([find("tune2fs", "e2fsprogs"), "-O", "dir_index,has_journal", root.name], cwd=work)
    tar.unlink()
    return root


def _pack_added(target: Path, unpacked: Path, recipe: Recipe) -> None:
    """Pack what is added to Debian's packages, as root's own whoever packs it."""

    def chosen(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
        below_release = entry.name.partition("/modules/")[2].partition("/")[2]
        return None if below_release in recipe.drivers_left_out else _of_root(entry)

    with tarfile.open(target, "w") as archive:
        archive.add(_first(unpacked / "lib/modules", unpacked / "usr/lib/modules"), "usr/lib/modules", filter=chosen)
        for path, text in recipe.texts.items():
            entry = tarfile.TarInfo(path)
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode("ascii")))
        for path, link in recipe.links.items():
            entry = tarfile.TarInfo(path)
            entry.type, entry.linkname = tarfile.SYMTYPE, link
            archive.addfile(entry)


def _of_root(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = "root"
    entry.mode |= 0o755 if entry.isdir() else 0o644
    return entry


def _first(*places: Path) -> Path:
    """Return the place that is there: older packages have their files outside of /usr."""
    return next(place for place in places if place.exists())


def _proxies() -> list[str]:
    """Return this machine's settings of apt for how to reach a mirror."""
    dump = run([find("apt-config", "apt"), "dump", "--no-empty", "--format", '%F "%v";%n', "Acquire"])
    return [line for line in dump.splitlines() if "proxy" in line.lower()]


def _initrd(unpacked: Path) -> bytes:
    archive = Archive()
    for name in ("proc", "sys", "dev", "root"):
        archive.add_directory(name)
    archive.add_file("init", b"#!/bin/sh\n" + (FILES / "init.sh").read_bytes(), 0o755)
    busybox = _first(unpacked / "bin/busybox", unpacked / "usr/bin/busybox")
    archive.add_file("bin/busybox", busybox.read_bytes(), 0o755)
    for applet in ("sh", "mount", "umount", "insmod", "seq", "sleep", "switch_root", "reboot", "test"):
        archive.add_link(f"bin/{applet}", "busybox")
    add_modules(archive, unpacked, _MODULES)
    return archive.packed()
