# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""The first process of a whole host, and what it sets up before the host can be used.

Run by the lab inside new namespaces. It imports nothing of the lab: after the change of root only what is loaded is sure to be there.
Talks to the lab in lines. It says its process number as the machine sees it, is told its settings and then that its network
is plugged in, and says ``ready``.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

# What the machine itself keeps of libvirt is no business of the host's: each begins with none.
_OWN_DIRECTORIES = ("etc/libvirt", "var/lib/libvirt", "var/log/libvirt", "var/cache/libvirt")
_VIRTUAL = re.compile(
    r"^(proc|sysfs|tmpfs|dev\w*|cgroup2?|mqueue|\w*fs_?ctl|binfmt_misc|autofs|fuse.*|\w*debugfs|tracefs|securityfs|pstore|bpf|nsfs|ramfs)$"
)
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty", "kvm", "net/tun", "vhost-net", "vhost-vsock", "fuse")
_LINKS = {
    "fd": "/proc/self/fd",
    "stdin": "/proc/self/fd/0",
    "stdout": "/proc/self/fd/1",
    "stderr": "/proc/self/fd/2",
    "ptmx": "pts/ptmx",
}
_LIMIT = 30.0


def run(*command: str) -> None:
    """Run a program; its output goes where this process's errors go."""
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=sys.stderr)


def boot() -> None:
    """Set the host up in a child, while this process does what only the first one can: wait for whoever dies in it.

    libvirtd, for one, waits until a process that it ended is gone altogether, and hangs for as long as nobody reaps it.
    """
    # The old /proc is still mounted, so this is the number outside of the new PID namespace.
    print(os.readlink("/proc/self"), flush=True)
    settings = json.loads(sys.stdin.readline())
    _make_root(Path(settings["base"]), Path(settings["lab"]), settings["capabilities"])
    socket.sethostname(settings["name"])
    child = os.fork()
    if child == 0:
        _set_up(settings)
        return
    for descriptor in (0, 1):
        os.dup2(os.open(os.devnull, os.O_RDWR), descriptor)
    while True:
        try:
            ended, status = os.wait()
        except ChildProcessError:
            time.sleep(0.1)
            continue
        if ended == child and status != 0:
            sys.exit(1)


def _set_up(settings: dict[str, Any]) -> None:
    _write_files(settings["files"])
    if sys.stdin.readline() != "plugged\n":
        sys.exit("The lab went away before the host had its network.")
    _start_network(settings)
    start_services()
    _define()
    print("ready", flush=True)


def _make_root(base: Path, lab: Path, capabilities: str) -> None:
    """Make the machine's own files the host's, each change kept apart, and enter them."""
    run("mount", "--make-rprivate", "/")
    others = _other_file_systems()
    upper, work, root = base / "upper", base / "work", base / "root"
    for directory in (upper, work, root):
        directory.mkdir(exist_ok=True)
    for name in _OWN_DIRECTORIES:
        (upper / name).mkdir(parents=True, exist_ok=True)
        os.setxattr(upper / name, "trusted.overlay.opaque", b"y")
    filters = Path("/etc/libvirt/nwfilter")
    if filters.is_dir():
        # The stock of network filters belongs to the installation, unlike whatever else is there.
        shutil.copytree(filters, upper / "etc/libvirt/nwfilter", dirs_exist_ok=True)
    run("mount", "-t", "overlay", "-o", f"lowerdir=/,upperdir={upper},workdir={work}", "overlay", str(root))
    for point in others:
        target = root / point.lstrip("/")
        if target.is_dir() and not str(lab).startswith(f"{point}/"):
            run("mount", "--bind", "-o", "ro", point, str(target))
    kept = root / "var/cache/libvirt/qemu/capabilities"
    kept.mkdir(parents=True, exist_ok=True)
    run("mount", "--bind", capabilities, str(kept))
    # No host sees the disks of another, nor its own from below.
    run("mount", "-t", "tmpfs", "-o", "ro,size=4k", "tmpfs", str(root / str(lab).lstrip("/")))
    run("mount", "-t", "proc", "proc", str(root / "proc"))
    run("mount", "-t", "sysfs", "sysfs", str(root / "sys"))
    run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", str(root / "run"))
    _make_devices(root / "dev")
    os.chdir(root)
    Path(".old").mkdir(exist_ok=True)
    run("pivot_root", ".", ".old")
    os.chdir("/")
    run("umount", "-l", "/.old")


def _other_file_systems() -> list[str]:
    """Return where else on this machine files are kept; an overlay does not show what is mounted on what it lies over."""
    points = []
    for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines():
        fields, _dash, kind = line.partition(" - ")
        point = fields.split()[4].encode().decode("unicode_escape")
        if (
            point != "/"
            and not _VIRTUAL.match(kind.split()[0])
            and not point.startswith(("/proc", "/sys", "/dev", "/run"))
        ):
            points.append(point)
    return points


def _make_devices(target: Path) -> None:
    run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", str(target))
    for name in _DEVICES:
        real = Path("/dev", name)
        if real.exists():
            (target / name).parent.mkdir(exist_ok=True)
            os.mknod(target / name, stat.S_IFCHR | 0o666, real.stat().st_rdev)
            (target / name).chmod(0o666)
    for name in ("pts", "shm", "mqueue"):
        (target / name).mkdir()
    run("mount", "-t", "devpts", "-o", "newinstance,ptmxmode=0666,mode=620", "devpts", str(target / "pts"))
    run("mount", "-t", "tmpfs", "-o", "mode=1777", "tmpfs", str(target / "shm"))
    for name, where in _LINKS.items():
        (target / name).symlink_to(where)


def _write_files(texts: dict[str, str]) -> None:
    """Write the host's own settings and what its daemons want to find."""
    for path, text in texts.items():
        Path(path).write_text(text, encoding="utf-8")
    _unlock_root()
    if not Path("/etc/ssh/kilonova_key").exists():
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "/etc/ssh/kilonova_key")
    for path in ("/run/sshd", "/run/lock", "/var/lib/libvirt/images", "/var/log/libvirt/qemu"):
        Path(path).mkdir(parents=True, exist_ok=True)


def _unlock_root() -> None:
    """Let root in by key: sshd turns away an account whose password is locked rather than absent."""
    shadow = Path("/etc/shadow")
    if shadow.exists():
        lines = shadow.read_text(encoding="utf-8").splitlines()
        lines = [re.sub(r"^root:[^:]*:", "root:*:", line) for line in lines]
        shadow.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _start_network(settings: dict[str, Any]) -> None:
    """Put the host's NIC below a bridge, so that its guests can be on the lab's network beside it."""
    run("ip", "link", "set", "lo", "up")
    run("ip", "link", "add", "br0", "type", "bridge")
    run("ip", "address", "add", f"{settings['address']}/24", "dev", "br0")
    run("ip", "link", "set", "br0", "up")
    attach_nic()


def attach_nic() -> None:
    """Put the NIC that the lab plugged in to use."""
    run("ip", "link", "set", "eth0", "master", "br0")
    run("ip", "link", "set", "eth0", "up")


def start_services() -> None:
    """Start whichever of the host's daemons is not running."""
    daemons = {
        "virtlogd": ["virtlogd", "-d", "-p", "/run/virtlogd.pid"],
        "libvirtd": ["libvirtd", "-d", "--listen", "-p", "/run/libvirtd.pid"],
        "sshd": [shutil.which("sshd") or "/usr/sbin/sshd", "-f", "/etc/ssh/kilonova_sshd"],
    }
    for name, command in daemons.items():
        if not _runs(name):
            run(*command)


def _runs(name: str) -> bool:
    try:
        number = Path(f"/run/{name}.pid").read_text(encoding="ascii").strip()
        return Path(f"/proc/{number}/comm").read_text(encoding="ascii").strip() == name
    except OSError:
        return False


def _define() -> None:
    """Give the host the network and the pool that a fresh installation has."""
    _ensure("net", "net-define /etc/libvirt/kilonova-network.xml")
    _ensure("pool", "pool-define-as default dir --target /var/lib/libvirt/images")


def _ensure(kind: str, definition: str) -> None:
    """Define, autostart and start libvirt's ``default`` object of a kind, as far as that is not done."""
    known = _virsh(f"{kind}-list --all --name").split()
    commands = [] if "default" in known else [definition, f"{kind}-autostart default"]
    if "default" not in _virsh(f"{kind}-list --name").split():
        commands.append(f"{kind}-start default")
    if commands:
        _virsh(";".join(commands))


def _virsh(commands: str) -> str:
    command = ["virsh", "-q", "-c", "qemu:///system", commands]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, timeout=_LIMIT).stdout


if __name__ == "__main__":
    if sys.argv[1:] == ["repair"]:
        if "eth0" not in os.listdir("/sys/class/net/br0/brif"):
            attach_nic()
        start_services()
    else:
        boot()
