# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""How far a transfer is, as who runs ansible-playbook sees it while a server keeps the rest back."""

from __future__ import annotations

import contextlib
import getpass
import http.server
import json
import os
import random
import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
import typing as t
from http import HTTPStatus
from pathlib import Path

import pytest

from .conftest import Hypervisor, wait_until

MIB = 1024 * 1024
CONTENT = random.Random(7).randbytes(4 * MIB)
SEEN = "one: downloading 0 of 4 MiB ("
"""What is noted at once; the next is a second later at the earliest."""
PASSWORD, TOKEN = "pass-of-the-image", "token-of-the-image"
STATUS_FILES = Path("/run/kilonova-compute" if os.geteuid() == 0 else f"/tmp/kilonova-compute-{os.geteuid()}")
LEFT = frozenset(STATUS_FILES.glob("*.progress"))
"""What a run that was killed leaves, for a day."""


class HalfServer:
    """Sends one half of an image, and the rest when it is told to, or never."""

    def __init__(self) -> None:
        """Listen on a free port of this machine."""
        self.gate = threading.Event()
        self.breaks = False
        handler = type("Handler", (_Handler,), {"half": self})
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        """Return the image's URL, with secrets in it."""
        return f"http://reader:{PASSWORD}@127.0.0.1:{self._server.server_port}/one.raw?token={TOKEN}"

    def close(self) -> None:
        """Stop listening."""
        self.gate.set()
        self._server.shutdown()
        self._server.server_close()


class _Handler(http.server.BaseHTTPRequestHandler):
    half: HalfServer

    def do_GET(self) -> None:
        """Send the image."""
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        with contextlib.suppress(ConnectionError):
            self.wfile.write(CONTENT[: 2 * MIB])
            self.wfile.flush()
            self.half.gate.wait(120)
            if not self.half.breaks:
                self.wfile.write(CONTENT[2 * MIB :])

    def log_message(self, *unused: t.Any) -> None:
        """Say nothing."""


class Play:
    """ansible-playbook at work, and what it printed so far."""

    def __init__(self, directory: Path, hosts: dict[str, t.Any], task: dict[str, t.Any], *arguments: str) -> None:
        """Run one task."""
        inventory = directory / "inventory.json"
        inventory.write_text(json.dumps({"all": {"hosts": hosts}}))
        playbook = directory / "play.yml"
        playbook.write_text(json.dumps([{"hosts": "hypervisor", "gather_facts": False, "tasks": [task]}]))
        program = str(Path(sys.executable).parent / "ansible-playbook")
        environment = {
            **os.environ,
            "ANSIBLE_LOCALHOST_WARNING": "False",
            "ANSIBLE_REMOTE_TEMP": str(directory / "tmp"),
            "ANSIBLE_ASYNC_DIR": str(directory / "async"),
        }
        self._process = subprocess.Popen(
            [program, "-i", str(inventory), str(playbook), *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment, cwd=directory,
        )  # fmt: skip
        self.printed = ""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        for line in self._process.stdout or ():
            self.printed += line

    def wait_for(self, text: str) -> None:
        """Wait until it printed ``text``, while it runs."""
        wait_until(lambda: text in self.printed or self._process.poll() is not None, f"{text!r} in {self.printed}")
        assert text in self.printed, self.printed

    def end(self) -> str:
        """Return all that it printed."""
        self._process.wait(timeout=180)
        self._reader.join()
        return self.printed


@pytest.fixture
def server() -> t.Iterator[HalfServer]:
    """Return a server that waits."""
    running = HalfServer()
    yield running
    running.close()


@pytest.fixture
def task(hypervisor: Hypervisor, server: HalfServer) -> dict[str, t.Any]:
    """Return a task that publishes the image."""
    module = {"uri": hypervisor.uri, "name": "one", "url": server.url, "format": "raw", "retries": 0}
    return {"name": "Publish", "kilonova.compute.compute_image": module}


def local(**variables: t.Any) -> dict[str, t.Any]:
    """Return the variables of a host that is this machine."""
    own = {
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
        "kilonova_progress_seconds": 0.2,
    }
    return {**own, **variables}


@pytest.fixture(scope="module")
def remote(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[dict[str, t.Any]]:
    """Return the variables of a host that this machine is through SSH, with a server of its own."""
    program = shutil.which("sshd", path="/usr/sbin:/usr/bin")
    if program is None:
        pytest.fail("sshd is missing: run make setup")
    directory = tmp_path_factory.mktemp("ssh")
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(directory / name)], check=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    configuration = directory / "config"
    lines = {
        "Port": port, "ListenAddress": "127.0.0.1", "HostKey": directory / "host", "PidFile": "none", "StrictModes": "no",
        "AuthorizedKeysFile": directory / "user.pub", "PermitRootLogin": "yes", "UsePAM": "yes" if os.geteuid() == 0 else "no",
    }  # fmt: skip
    configuration.write_text("".join(f"{key} {value}\n" for key, value in lines.items()))
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    daemon = subprocess.Popen([program, "-D", "-e", "-f", str(configuration)], stderr=subprocess.DEVNULL)
    options = "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null"
    yield local(
        ansible_connection="ssh",
        ansible_host="127.0.0.1",
        ansible_port=port,
        ansible_user=getpass.getuser(),
        ansible_ssh_private_key_file=str(directory / "user"),
        ansible_ssh_common_args=options,
    )
    daemon.terminate()
    daemon.wait(timeout=30)


def status_files() -> list[Path]:
    """Return the files that tell of the image; other tests may have others at the same time."""
    found = []
    for path in STATUS_FILES.glob("*.progress"):
        with contextlib.suppress(OSError):
            if path not in LEFT and '"name": "one"' in path.read_text():
                found.append(path)
    return found


def is_shown(play: Play, host: str, server: HalfServer) -> str:
    """See that the line comes while the server keeps the rest back, and that all ends well; return what was printed."""
    play.wait_for(f"{host}: {SEEN}")
    assert [stat.S_IMODE(file.stat().st_mode) for file in status_files()] == [0o600]
    server.gate.set()
    printed = play.end()
    assert "changed=1" in printed, printed
    assert printed.count(SEEN) == 1
    assert PASSWORD not in printed
    assert TOKEN not in printed
    assert status_files() == []
    return printed


def test_local_then_nothing_to_say(server: HalfServer, task: dict[str, t.Any], tmp_path: Path) -> None:
    """A line each time that something is new, then the module's own result; a second run shows none."""
    hosts = {"hypervisor": local()}
    is_shown(Play(tmp_path, hosts, task), "hypervisor", server)
    printed = Play(tmp_path, hosts, task, "--diff").end()
    assert "changed=0" in printed, printed
    assert "downloading" not in printed


@pytest.mark.parametrize("pipelining", [False, True])
def test_over_ssh(
    pipelining: bool, server: HalfServer, task: dict[str, t.Any], remote: dict[str, t.Any], tmp_path: Path
) -> None:
    """A second command goes beside the module's, whether that came as a file or over the connection itself."""
    is_shown(Play(tmp_path, {"hypervisor": {**remote, "ansible_pipelining": pipelining}}, task), "hypervisor", server)


def test_delegated_and_as_another_user(server: HalfServer, task: dict[str, t.Any], tmp_path: Path) -> None:
    """Both hosts are named; who the task became is who looks."""
    become = {"become": True, "become_method": "su", "become_user": "root"} if os.geteuid() == 0 else {}
    hosts = {"hypervisor": local(ansible_connection="none"), "other": local(ansible_become_flags="")}
    play = Play(tmp_path, hosts, {**task, "delegate_to": "other", **become})
    is_shown(play, "hypervisor -> other", server)


def test_where_nobody_looks(server: HalfServer, task: dict[str, t.Any], tmp_path: Path) -> None:
    """In the background, with no_log and in check mode there are no lines, and all works as ever."""
    server.gate.set()
    hosts = {"hypervisor": local()}
    for extra, arguments in (({}, ["--check"]), ({"async": 120, "poll": 1}, []), ({"no_log": True}, [])):
        printed = Play(tmp_path, hosts, {**task, **extra}, *arguments).end()
        assert ("failed=0" in printed, "downloading" in printed) == (True, False), printed
        assert ("changed=1" in printed) == (not extra.get("no_log")), printed
    wrong = Play(tmp_path, {"hypervisor": local(kilonova_progress_seconds="soon")}, task).end()
    assert "Variable kilonova_progress_seconds: 'soon' is no number of seconds" in wrong


def test_failure_keeps_its_own_sentence(
    hypervisor: Hypervisor, server: HalfServer, task: dict[str, t.Any], tmp_path: Path
) -> None:
    """What the module says is what comes, after the lines; and one that is killed ends the task."""
    hosts = {"hypervisor": local()}
    server.breaks = True
    play = Play(tmp_path, hosts, task)
    play.wait_for(SEEN)
    server.gate.set()
    printed = play.end()
    assert "the body broke off after 2097152 of 4194304 bytes" in printed
    assert "failed=1" in printed
    assert PASSWORD not in printed

    server.gate.clear()
    play = Play(tmp_path, hosts, task)
    play.wait_for(SEEN)
    os.kill(module_process(tmp_path), signal.SIGKILL)
    printed = play.end()
    assert "failed=1" in printed
    assert hypervisor.volumes() == set()


def module_process(directory: Path) -> int:
    """Return the process that runs the module, which was sent to ``directory``."""
    for line in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = line.read_bytes().decode(errors="replace").split("\0")
            if words[0] == sys.executable and any(
                w.startswith(f"{directory}/tmp") and "AnsiballZ" in w for w in words[1:]
            ):
                return int(line.parent.name)
    return pytest.fail("no module runs")
