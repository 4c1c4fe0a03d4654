# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Hypervisors that need no root: one libvirt session daemon each.

libvirt takes session mode when its own user id is not zero. So for root the daemon runs in a user namespace that shows root under another
number: files stay root's, whatever the directory's mode, and nothing needs to be given away to another user.
"""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

from .errors import LabError
from .layout import HostLayout, Layout, capabilities, make_private
from .processes import end_all, owned
from .run import find, run, system_path, virsh

_USERS = ("libvirt-qemu", "qemu", "nobody")
_START_LIMIT = 60.0
_HANG_LIMIT = 15.0
_ADOPT = Path(__file__).with_name("adopt.py")


def socket_path(host: HostLayout) -> Path:
    """Return the daemon's socket."""
    return host.short / "run" / "libvirt" / "libvirt-sock"


def uri(host: HostLayout) -> str:
    """Return the URI under which the host is reached from this machine."""
    return f"qemu:///session?socket={quote(str(socket_path(host)))}"


def is_up(host: HostLayout) -> bool:
    """Tell whether the host's daemon is this lab's and takes connections."""
    return any(process.is_daemon for process in owned(host.short)) and _answers(host)


def start(host: HostLayout) -> None:
    """Start the host's daemon unless it runs, and give it its storage pool."""
    if not _becomes_up(host):
        end_all(host.short, only_daemons=True)
        _write_files(host)
        _launch(host)
    _ensure_pool(host)


def stop(host: HostLayout) -> None:
    """End the host's daemon and guests and remove all it has."""
    end_all(host.short)
    shutil.rmtree(host.short, ignore_errors=True)
    if host.directory.exists():
        shutil.rmtree(host.directory)


def crash(host: HostLayout) -> None:
    """Refuse: a rootless host shares the machine, so only its daemon could die."""
    raise LabError(f"{host.name} is rootless and cannot crash as a machine does: use --kind whole.")


def choose_subnet(_layout: Layout) -> str:
    """Return nothing: rootless hosts have no network of their own."""
    return ""


def start_shared(_layout: Layout) -> None:
    """Start nothing: rootless hosts share only the machine."""


def stop_shared(_layout: Layout) -> None:
    """End nothing."""


def variables(host: HostLayout, python: str) -> dict[str, Any]:
    """Return what Ansible must know to reach the host."""
    return {"ansible_connection": "local", "ansible_python_interpreter": python, "compute_uri": uri(host)}


def command(host: HostLayout, words: list[str]) -> tuple[list[str], dict[str, str]]:
    """Return how to run a program on the host: here, with the host as libvirt's default."""
    return words, {**os.environ, "PATH": system_path(), "LIBVIRT_DEFAULT_URI": uri(host)}


def check(layout: Layout) -> None:
    """Say in one sentence what stands in the way of daemons run by root."""
    find("libvirtd", "libvirt-daemon-system")
    prefix = _prefix()
    if not prefix:
        return
    try:
        run([*prefix, "true"], limit=10)
    except LabError as exc:
        raise LabError(
            f"The kernel refuses root a user namespace, which a rootless host needs: run the lab as an ordinary user. ({exc})"
        ) from None
    there = next(path for path in (layout.directory, *layout.directory.parents) if path.exists())
    try:
        run([*prefix, "test", "-w", str(there)], limit=10)
    except LabError:
        raise LabError(
            f"{layout.directory} lies below a directory that is closed to root without privileges: run the lab as its owner."
        ) from None


def path_from_outside(_host: HostLayout, path: str) -> Path:
    """Return where a file of the host is seen on this machine."""
    return Path(path)


def _prefix() -> list[str]:
    if os.getuid() != 0:
        return []
    for name in _USERS:
        with contextlib.suppress(KeyError):
            user = pwd.getpwnam(name)
            # Both must have a name: libvirt looks its own user and group up when it starts.
            grp.getgrgid(user.pw_gid)
            return [find("unshare", "util-linux"), "--user", f"--map-user={user.pw_uid}", f"--map-group={user.pw_gid}"]
    raise LabError(
        f"None of the users {', '.join(_USERS)} exists, which the daemons could be shown as: install libvirt's packages."
    )


def _answers(host: HostLayout) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as stream:
        stream.settimeout(2)
        try:
            stream.connect(str(socket_path(host)))
        except OSError:
            return False
    return True


def _becomes_up(host: HostLayout) -> bool:
    """Wait for a daemon that is there but does not answer yet; a run that was killed may have left it half started."""
    deadline = time.monotonic() + _HANG_LIMIT
    while any(process.is_daemon for process in owned(host.short)):
        if _answers(host):
            return True
        if time.monotonic() > deadline:
            break
        time.sleep(0.05)
    return False


def _write_files(host: HostLayout) -> None:
    make_private(host.short)
    make_private(host.short / "run")
    for name in ("config", "cache", "data", "home"):
        kept = host.directory / name
        kept.mkdir(parents=True, exist_ok=True)
        link = host.short / name
        link.unlink(missing_ok=True)
        link.symlink_to(kept)
    kept = host.directory / "cache" / "libvirt" / "qemu" / "cache"
    kept.mkdir(parents=True, exist_ok=True)
    if not (kept / "capabilities").exists():
        (kept / "capabilities").symlink_to(capabilities("rootless"))
    host.pool.mkdir(exist_ok=True)
    settings = host.short / "config" / "libvirt"
    settings.mkdir(exist_ok=True)
    (settings / "libvirtd.conf").write_text(
        f'host_uuid = "{host.host_uuid}"\nlog_level = 3\nlog_outputs = "3:file:{host.short}/cache/libvirtd.log"\n',
        encoding="ascii",
    )
    (settings / "qemu.conf").write_text(_qemu_conf(host), encoding="ascii")


def _qemu_conf(host: HostLayout) -> str:
    display, migration = host.display_ports, host.migration_ports
    lines = [
        # QEMU itself writes the console logs: a session has no virtlogd unless one is started beside it.
        'stdio_handler = "file"',
        'security_driver = "none"',
        "cgroup_controllers = []",
        "namespaces = []",
        f"remote_display_port_min = {display[0]}",
        f"remote_display_port_max = {display[1]}",
        f"migration_port_min = {migration[0]}",
        f"migration_port_max = {migration[1]}",
    ]
    return "\n".join(lines) + "\n"


def _environment(host: HostLayout) -> dict[str, str]:
    marker, _equals, value = host.marker.partition("=")
    short = str(host.short)
    return {
        marker: value,
        "PATH": system_path(),
        "HOME": f"{short}/home",
        "LC_ALL": "C.UTF-8",
        "XDG_RUNTIME_DIR": f"{short}/run",
        "XDG_CONFIG_HOME": f"{short}/config",
        "XDG_CACHE_HOME": f"{short}/cache",
        "XDG_DATA_HOME": f"{short}/data",
    }


def _launch(host: HostLayout) -> None:
    config = host.short / "config" / "libvirt" / "libvirtd.conf"
    command = [
        sys.executable,
        "-I",
        "-S",
        str(_ADOPT),
        *_prefix(),
        find("libvirtd", "libvirt-daemon-system"),
        "-d",
        "-f",
        str(config),
        "-p",
        str(host.short / "libvirtd.pid"),
    ]
    # A daemon keeps what it inherits, so its output goes to a file and never to a pipe that somebody waits on.
    with open(host.directory / "start.log", "wb") as log:
        try:
            code = subprocess.run(
                command,
                env=_environment(host),
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                timeout=_START_LIMIT,
                check=False,
            ).returncode
        except subprocess.TimeoutExpired:
            raise LabError(f"libvirtd of {host.name} did not start within {_START_LIMIT:.0f} seconds.") from None
    if code or not _answers(host):
        said = " ".join((host.directory / "start.log").read_text(errors="replace").split())
        raise LabError(f"libvirtd of {host.name} did not start: {said or f'code {code}'}")


def _ensure_pool(host: HostLayout) -> None:
    ensure_pool(uri(host), host.pool)


def ensure_pool(where: str, target: Path) -> None:
    """Make, start and autostart the directory pool ``default`` of a hypervisor."""
    if "default" not in virsh(where, "pool-list", "--all", "--name").split():
        virsh(where, "pool-define-as", "default", "dir", "--target", str(target))
    information = virsh(where, "pool-info", "default")
    facts = dict(line.split(":", 1) for line in information.splitlines() if ":" in line)
    if facts.get("State", "").strip() != "running":
        virsh(where, "pool-build", "default")
        virsh(where, "pool-start", "default")
    if facts.get("Autostart", "").strip() != "yes":
        virsh(where, "pool-autostart", "default")
