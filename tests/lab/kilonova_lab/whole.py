# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Hypervisors that are whole hosts, as far as anyone can tell who has only a network to them.

Each is a set of namespaces over the machine's own files: host name, processes, network, sshd, libvirt in system mode. Needs root.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import IO, Any, cast

from . import hostfiles, switch
from .errors import LabError
from .hostfiles import address
from .layout import HostLayout, Layout, capabilities, make_private
from .processes import Process, end_all, kill, owned
from .run import find, run, system_path

_INIT = Path(__file__).with_name("hostinit.py")
_NAMESPACES = ("--mount", "--uts", "--ipc", "--net", "--pid")
_BOOT_LIMIT = 120.0
_END_LIMIT = 20.0
_SSH_PORT = 22
_LIBVIRT_PORT = 16509
_NEEDS = {
    "unshare": "util-linux",
    "ip": "iproute2",
    "dnsmasq": "dnsmasq-base",
    "sshd": "openssh-server",
    "ssh-keygen": "openssh-client",
    "virtlogd": "libvirt-daemon",
    "libvirtd": "libvirt-daemon-system",
    "iptables": "iptables",
}


def check(_layout: Layout) -> None:
    """Say in one sentence why whole hosts are not to be had here."""
    if os.getuid() != 0:
        raise LabError("Whole hosts need root, for namespaces and mounts: run as root, or use --kind rootless.")
    for program, package in _NEEDS.items():
        find(program, package)
    try:
        run(["unshare", *_NAMESPACES, "--fork", "true"], limit=10)
    except LabError as exc:
        raise LabError(
            f"The kernel refuses the namespaces that a whole host is made of, even to root. ({exc})"
        ) from None


choose_subnet = switch.choose_subnet


def start_shared(layout: Layout) -> None:
    """Start what the hosts share: their network and the key to them."""
    key = key_file(layout)
    if not key.exists():
        key.with_name("ssh_key.pub").unlink(missing_ok=True)
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "kilonova-lab", "-f", str(key)])
    switch.start(layout)


def stop_shared(layout: Layout) -> None:
    """End what the hosts shared."""
    switch.stop(layout)
    for name in ("ssh_key", "ssh_key.pub"):
        (layout.directory / name).unlink(missing_ok=True)


def key_file(layout: Layout) -> Path:
    """Return the private key that opens every host."""
    return layout.directory / "ssh_key"


def uri(host: HostLayout) -> str:
    """Return the URI under which the host is reached from this machine."""
    return f"qemu+tcp://{address(host)}/system"


def is_up(host: HostLayout) -> bool:
    """Tell whether the host is there and takes connections."""
    return _first_process(host) is not None and _answers(host, _LIBVIRT_PORT) and _answers(host, _SSH_PORT)


def start(host: HostLayout) -> None:
    """Boot the host, or put right what is wrong with one that runs."""
    found = _first_process(host)
    if found is not None and (host.directory / "booted").exists():
        _repair(host, found)
        return
    _end(host)
    _boot(host)


def stop(host: HostLayout) -> None:
    """End the host and remove all it has."""
    _end(host)
    shutil.rmtree(host.short, ignore_errors=True)
    if host.directory.exists():
        shutil.rmtree(host.directory)


def crash(host: HostLayout) -> None:
    """End the host as a power cut does: at once, and its disks stay."""
    if _first_process(host) is None:
        raise LabError(f"{host.name} is not up.")
    _end(host)


def path_from_outside(host: HostLayout, path: str) -> Path:
    """Return where a file of the host is seen on this machine."""
    return Path(f"/proc/{_require(host).pid}/root{path}")


def variables(host: HostLayout, python: str) -> dict[str, Any]:
    """Return what Ansible must know to reach the host."""
    return {
        "ansible_host": address(host),
        "ansible_port": _SSH_PORT,
        "ansible_user": "root",
        # Ansible keeps connections open in the background: they end with the host only if it is known where they are.
        "ansible_control_path_dir": str(_connections(host)),
        "ansible_ssh_private_key_file": str(key_file(host.lab)),
        "ansible_ssh_common_args": "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR",
        "ansible_python_interpreter": python,
        "compute_uri": "qemu:///system",
    }


def command(host: HostLayout, words: list[str]) -> tuple[list[str], dict[str, str]]:
    """Return how to run a program inside the host."""
    environment = {**os.environ, "PATH": system_path(), "HOME": "/root", "LIBVIRT_DEFAULT_URI": "qemu:///system"}
    return _enter(_require(host), words), environment


def _environment(host: HostLayout) -> dict[str, str]:
    marker, _equals, value = host.marker.partition("=")
    return {marker: value, "PATH": system_path(), "HOME": "/root", "LC_ALL": "C.UTF-8"}


def _connections(host: HostLayout) -> Path:
    return host.short / "ssh"


def _enter(process: Process, words: list[str]) -> list[str]:
    return [find("nsenter", "util-linux"), f"--target={process.pid}", *_NAMESPACES, "--root", "--wd", "--", *words]


def _first_process(host: HostLayout) -> Process | None:
    return next((process for process in owned(host.short) if process.is_namespace_init), None)


def _require(host: HostLayout) -> Process:
    found = _first_process(host)
    if found is None:
        raise LabError(f"{host.name} is not up: run 'lab.py up'.")
    return found


def _answers(host: HostLayout, port: int) -> bool:
    try:
        with socket.create_connection((address(host), port), timeout=2):
            return True
    except OSError:
        return False


def _boot(host: HostLayout) -> None:
    host.directory.mkdir(parents=True, exist_ok=True)
    make_private(host.short)
    base = host.short / "disk"
    base.unlink(missing_ok=True)
    base.symlink_to(host.directory)
    make_private(_connections(host))
    public_key = key_file(host.lab).with_name("ssh_key.pub").read_text(encoding="ascii")
    settings = {
        "base": str(base),
        "lab": str(host.lab.directory),
        "capabilities": str(capabilities("whole")),
        "name": host.name,
        "address": address(host),
        "files": hostfiles.texts(host, public_key),
    }
    words = [
        find("unshare", "util-linux"),
        *_NAMESPACES,
        "--fork",
        "--kill-child",
        sys.executable,
        str(_INIT),
        json.dumps(settings),
    ]
    with open(host.directory / "boot.log", "wb") as log:
        process = subprocess.Popen(
            words,
            env=_environment(host),
            cwd="/",
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            start_new_session=True,
        )
    # Both are pipes, as asked for.
    pipes = cast("IO[str]", process.stdin), cast("IO[str]", process.stdout)
    with contextlib.closing(pipes[0]) as orders, contextlib.closing(pipes[1]) as answers:
        try:
            switch.plug(host, int(_line(host, answers)))
            orders.write(f"{json.dumps(settings)}\nplugged\n")
            orders.flush()
            _line(host, answers)
        except BaseException:
            _end(host)
            raise
    (host.directory / "booted").touch()


def _line(host: HostLayout, answers: IO[str]) -> str:
    """Read the host's next word; what it says of itself comes in whole lines."""
    with selectors.DefaultSelector() as selector:
        selector.register(answers, selectors.EVENT_READ)
        line = answers.readline() if selector.select(_BOOT_LIMIT) else ""
    if not line:
        said = [text for text in (host.directory / "boot.log").read_text(errors="replace").splitlines() if text.strip()]
        raise LabError(
            f"{host.name} did not boot: {said[-1] if said else 'it said nothing'} (see {host.directory / 'boot.log'})"
        )
    return line.strip()


def _repair(host: HostLayout, found: Process) -> None:
    """Plug the cable in again and start daemons that have died."""
    if not switch.is_plugged(host):
        switch.plug(host, found.pid)
    if is_up(host):
        return
    with open(host.directory / "boot.log", "ab") as log:
        code = subprocess.run(
            _enter(found, [sys.executable, str(_INIT), "repair"]),
            env=_environment(host),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            timeout=_BOOT_LIMIT,
            check=False,
        ).returncode
    deadline = time.monotonic() + _END_LIMIT
    while code == 0 and not is_up(host):
        if time.monotonic() > deadline:
            code = 1
        time.sleep(0.05)
    if code:
        raise LabError(f"{host.name} runs but cannot be put right: see {host.directory / 'boot.log'}.")


def _end(host: HostLayout) -> None:
    """End the host's first process, and wait until everything in the host has ended with it."""
    (host.directory / "booted").unlink(missing_ok=True)
    found = _first_process(host)
    namespace = _pid_namespace(str(found.pid)) if found else ""
    if found is not None:
        kill([found], signal.SIGKILL)
    end_all(host.short)
    shutil.rmtree(_connections(host), ignore_errors=True)
    deadline = time.monotonic() + _END_LIMIT
    while namespace and any(_pid_namespace(pid) == namespace for pid in os.listdir("/proc") if pid.isdigit()):
        if time.monotonic() > deadline:
            raise LabError(f"Processes of {host.name} do not end.")
        time.sleep(0.02)


def _pid_namespace(pid: str) -> str:
    """Return the PID namespace of a process; none for a zombie, since nothing of it is left but its number."""
    with contextlib.suppress(OSError):
        if Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()[0] != "Z":
            return os.readlink(f"/proc/{pid}/ns/pid")
    return ""
