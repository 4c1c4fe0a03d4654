# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""A hypervisor that is a whole emulated machine, with a kernel of its own.

The other hosts share this machine's kernel, which need not have what LVM, NFS, iSCSI, Open vSwitch or traffic control stand on.
Its disks are fresh at every start. It is reached on two ports of the loopback address: libvirt without a password, and SSH.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from . import processes
from .errors import LabError
from .layout import MARKER, Layout, make_private
from .machine_image import KEY_IN_FIRMWARE, READY, machine_image
from .run import find, run

SPARE_DISKS = ("spare1", "spare2", "spare3")
"""The serial numbers of empty disks."""
_SPARE_SIZE = 4 * 1024**3
_MEMORY_MB = 3072
_BOOT_LIMIT = 900.0
_INNER_PORTS = {"libvirt": 16509, "ssh": 22}


@dataclass(frozen=True)
class Machine:
    """One such machine, which lives in a directory."""

    layout: Layout

    @classmethod
    def of(cls, directory: str | os.PathLike[str]) -> Machine:
        """Return the machine of a directory, there or not."""
        return cls(Layout.of(directory))

    @property
    def _place(self) -> Path:
        return self.layout.directory

    @property
    def _ports_file(self) -> Path:
        return self._place / "machine.json"

    @property
    def console(self) -> Path:
        """What it prints on its serial console."""
        return self._place / "console.log"

    @property
    def is_up(self) -> bool:
        """Whether it runs; it may be booting still."""
        return any(processes.owned(self.layout.short))

    @property
    def uri(self) -> str:
        """Where its libvirt is reached."""
        return f"qemu+tcp://127.0.0.1:{self._ports()['libvirt']}/system"

    def _ports(self) -> dict[str, int]:
        try:
            ports: dict[str, int] = json.loads(self._ports_file.read_text(encoding="ascii"))
        except FileNotFoundError:
            raise LabError(f"There is no machine in {self._place}: run 'lab.py machine up' first.") from None
        return ports

    def up(self) -> None:
        """Start it unless it runs, and wait until its libvirt answers."""
        process = None
        if not self.is_up:
            self.down()
            process = self._start(machine_image())
        deadline = time.monotonic() + _BOOT_LIMIT
        while READY not in self._printed():
            if time.monotonic() > deadline or (process and process.poll() is not None):
                said = self._printed().splitlines()[-3:]
                raise LabError(f"The machine did not come up; its console ends with {said}, see {self.console}.")
            time.sleep(0.3)

    def down(self) -> bool:
        """End it, remove everything of it, and tell whether there was one."""
        was_there = bool(processes.end_all(self.layout.short)) or self._ports_file.exists()
        shutil.rmtree(self.layout.short, ignore_errors=True)
        if was_there:
            shutil.rmtree(self._place)
        return was_there

    def command(self, words: list[str]) -> list[str]:
        """Return the command line that runs a program in it, as root."""
        options = {
            "BatchMode": "yes",
            "StrictHostKeyChecking": "no",
            "UserKnownHostsFile": "/dev/null",
            "LogLevel": "ERROR",
            # One connection for all, since emulated cryptography takes its time.
            "ControlMaster": "auto",
            "ControlPath": f"{self.layout.short}/ssh",
            "ControlPersist": "600",
        }
        ssh = [find("ssh", "openssh-client"), "-F", "none", "-i", str(self._place / "key")]
        ssh += [part for name, value in options.items() for part in ("-o", f"{name}={value}")]
        return [*ssh, "-p", str(self._ports()["ssh"]), "root@127.0.0.1", shlex.join(words)]

    def _printed(self) -> str:
        try:
            return self.console.read_text(errors="replace")
        except FileNotFoundError:
            return ""

    def _start(self, image: Path) -> subprocess.Popen[bytes]:
        self._place.mkdir(parents=True, exist_ok=True)
        make_private(self.layout.short)
        run([find("ssh-keygen", "openssh-client"), "-q", "-t", "ed25519", "-N", "", "-f", str(self._place / "key")])
        disk = self._place / "disk.qcow2"
        run([find("qemu-img", "qemu-utils"), "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", str(image), str(disk)])
        for name in SPARE_DISKS:
            with open(self._place / f"{name}.raw", "wb") as stream:
                stream.truncate(_SPARE_SIZE)
        ports = _free_ports()
        self._ports_file.write_text(json.dumps(ports), encoding="ascii")
        with open(self._place / "qemu.log", "ab") as log:
            return subprocess.Popen(
                self._qemu(disk, ports),
                env={**os.environ, MARKER: f"{self.layout.short}/1/"},
                cwd=self._place,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _qemu(self, disk: Path, ports: dict[str, int]) -> list[str]:
        forwarded = "".join(f",hostfwd=tcp:127.0.0.1:{ports[name]}-:{inner}" for name, inner in _INNER_PORTS.items())
        command = [find("qemu-system-x86_64", "qemu-system-x86"), "-nodefaults", "-display", "none"]
        command += ["-machine", "q35", "-accel", "tcg,thread=multi", "-cpu", "max"]
        command += ["-smp", "2", "-m", str(_MEMORY_MB), "-serial", f"file:{self.console}"]
        command += ["-fw_cfg", f"name={KEY_IN_FIRMWARE},file={self._place / 'key.pub'}"]
        disks = [(disk, "qcow2", "system"), *((self._place / f"{name}.raw", "raw", name) for name in SPARE_DISKS)]
        for path, form, serial in disks:
            command += ["-drive", f"file={path},format={form},if=none,id={serial},cache=unsafe,discard=unmap"]
            command += ["-device", f"virtio-blk-pci,drive={serial},serial={serial}"]
        # The second network has an address server of its own, for guests that go out by the machine's second NIC.
        for number, options in enumerate((f"net=10.0.2.0/24{forwarded}", "net=10.0.3.0/24,restrict=on")):
            command += ["-netdev", f"user,id=net{number},{options}", "-device", f"virtio-net-pci,netdev=net{number}"]
        return [*command, "-device", "virtio-rng-pci"]


def _free_ports() -> dict[str, int]:
    """Return a free port for each way in."""
    sockets = {name: socket.socket() for name in _INNER_PORTS}
    try:
        for one in sockets.values():
            one.bind(("127.0.0.1", 0))
        return {name: one.getsockname()[1] for name, one in sockets.items()}
    finally:
        for one in sockets.values():
            one.close()
