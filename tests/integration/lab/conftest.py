# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Fixtures: a lab of simulated hypervisors, the test guest's image, and modules run against them.

Outcomes are read with virsh, so that what is asserted is not the collection's own word.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import time
import typing as t
import uuid
from dataclasses import dataclass
from pathlib import Path

import pytest

from .programs import Programs

REPOSITORY = Path(__file__).resolve().parents[3]
LAB = REPOSITORY / "tests" / "lab" / "lab.py"
PATIENCE_SECONDS = float(os.environ.get("KILONOVA_PATIENCE", "180"))
"""Guests that run in an emulated machine take many times as long."""
SCRATCH = {"_ansible_remote_tmp": "$KILONOVA_REMOTE_TMP"}
"""Where a module has its scratch files, which one that is killed leaves behind."""

FORGET = ("--managed-save", "--nvram", "--snapshots-metadata", "--checkpoints-metadata")
"""What virsh is told to forget with a domain."""

LONGEST_FIRST = (
    *("migration_shared", "moves", "evacuate", "migration_batch", "migration_interruption"),
    *("whole_fleet_groups", "first_boot", "snapshot_interruption", "deploy", "instance_action", "peers_convergence"),
    *("interruption", "whole_security_group", "whole", "backup", "snapshot", "whole_network", "encryption", "instance"),
    *("whole_switch", "image_instance", "fleet", "memory", "firmware", "image_host", "convergence", "reconfigure"),
)
"""Files whose tests take longest: begun first, so that in the end no worker waits for the other."""

# Whole hosts are for root alone, as in the lab's own tests.
collect_ignore_glob = [] if os.geteuid() == 0 else ["test_whole*.py"]
if not os.environ.get("KILONOVA_FAULTS"):
    # Hosts whose daemons and networks are taken away amid a move: minutes of waiting for time limits of libvirt and QEMU.
    collect_ignore_glob.append("test_whole_migration.py")


def lab_tool(*arguments: str, limit: float = 600) -> str:
    """Run the lab tool and return what it prints."""
    done = subprocess.run(
        [sys.executable, str(LAB), *arguments], check=False, capture_output=True, text=True, timeout=limit
    )
    if done.returncode:
        pytest.fail(f"lab.py {' '.join(arguments)}: {done.stdout}{done.stderr}")
    return done.stdout.strip()


def wait_until(condition: t.Callable[[], t.Any], what: str, patience: float = PATIENCE_SECONDS) -> t.Any:
    """Poll until ``condition`` is true and return its value; fail saying ``what`` was awaited."""
    deadline, pause = time.monotonic() + patience, 0.05
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(pause)
        pause = min(2 * pause, 0.4)
    return pytest.fail(f"not within {patience:.0f} s: {what}")


@dataclass(frozen=True)
class Hypervisor:
    """One simulated hypervisor."""

    name: str
    uri: str

    def virsh(self, *arguments: str, check: bool = True) -> str:
        """Run virsh and return what it prints."""
        done = subprocess.run(
            ["virsh", "-q", "-c", self.uri, *arguments],
            check=False,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
        )
        # Of several commands in one argument, virsh's code is that of the last.
        if check and (done.returncode or done.stderr.startswith("error:")):
            pytest.fail(f"virsh {' '.join(arguments)}: {done.stderr}")
        return done.stdout.strip()

    def feed(self, document: str, command: str, *arguments: str) -> None:
        """Have virsh read a document."""
        line = ["virsh", "-q", "-c", self.uri, command, "/dev/stdin", *arguments]
        done = subprocess.run(line, input=document, check=False, capture_output=True, text=True, timeout=120)
        if done.returncode:
            pytest.fail(f"virsh {command}: {done.stderr}\n{document}")

    def domains(self) -> set[str]:
        """Return the names of all domains."""
        return set(self.virsh("list", "--all", "--name").split())

    def state(self, name: str) -> str:
        """Return a domain's state."""
        return self.virsh("domstate", name)

    def volumes(self, pool: str = "default") -> set[str]:
        """Return the names of all volumes after a look at the directory."""
        told = self.virsh(f"pool-refresh {pool}; vol-list {pool}").splitlines()
        return {line.split()[0] for line in told if line.strip() and not line.startswith("Pool ")}

    def pool_path(self) -> Path:
        """Return the directory of the default pool."""
        return Path(self.virsh("pool-dumpxml", "default").split("<path>")[1].split("</path>")[0])

    def console(self, name: str) -> str:
        """Return what the guest printed on its serial console so far."""
        log = self.pool_path() / f"{name}.console.log"
        return log.read_text(errors="replace") if log.exists() else ""

    def wait_for_console(self, name: str, text: str) -> str:
        """Wait until the guest printed ``text``."""
        wait_until(lambda: text in self.console(name), f"{text!r} on the console of {name}")
        return self.console(name)

    def agent(self, name: str, command: str, **arguments: t.Any) -> t.Any:
        """Ask the guest's agent."""
        request = json.dumps({"execute": command, "arguments": arguments})
        return json.loads(self.virsh("qemu-agent-command", name, request))["return"]

    def inside(self, name: str, script: str) -> str:
        """Return what a shell in the guest prints."""
        started = wait_until(lambda: self._try_inside(name, script), f"the agent of {name}")
        done = wait_until(
            lambda: (answer := self.agent(name, "guest-exec-status", pid=started))["exited"] and answer, f"{script!r}"
        )
        return base64.b64decode(done.get("out-data", "")).decode()

    def _try_inside(self, name: str, script: str) -> int:
        request = {"path": "/bin/sh", "arg": ["-c", script], "capture-output": True}
        text = json.dumps({"execute": "guest-exec", "arguments": request})
        answer = self.virsh("qemu-agent-command", name, text, check=False)
        return int(json.loads(answer)["return"]["pid"]) if answer.startswith("{") else 0

    def clear_domains(self) -> None:
        """Remove every domain with its own disk and log."""
        for name in self.domains():
            self.virsh("destroy", name, check=False)
            self.virsh("undefine", name, *FORGET, check=False)
            for volume in self.volumes():
                if volume.startswith((f"{name}-vda.", f"{name}.")):
                    self.virsh("vol-delete", volume, "default", check=False)

    def clear(self) -> None:
        """Remove every domain and every volume."""
        self.clear_domains()
        for volume in self.volumes():
            self.virsh("vol-delete", volume, "default", check=False)


@dataclass(frozen=True)
class Result:
    """What a module returned."""

    failed: bool
    data: dict[str, t.Any]

    @property
    def changed(self) -> bool:
        """Tell whether the module reports a change."""
        return bool(self.data.get("changed"))

    @property
    def message(self) -> str:
        """Return the failure's message."""
        return str(self.data.get("msg", ""))


_RUNNER = """
import json, sys, importlib
from ansible.module_utils.testing import patch_module_args
name, arguments = sys.argv[1], json.loads(sys.stdin.read())
with patch_module_args(arguments):
    importlib.import_module(f"ansible_collections.kilonova.compute.plugins.modules.{name}").main()
"""


_PROGRAMS = Programs()


def run_module(module: str, *, check: bool = False, diff: bool = False, **arguments: t.Any) -> Result:
    """Run a module in a process of its own and return its result."""
    answer = _PROGRAMS.run(module, {**arguments, **_internal(check, diff)})
    try:
        data = json.loads(answer["printed"].strip().splitlines()[-1])
    except (ValueError, IndexError):
        return pytest.fail(f"{module} printed no result: {answer['printed']}{answer['errors']}")
    return Result(bool(data.get("failed")), data)


def _internal(check: bool, diff: bool) -> dict[str, t.Any]:
    return {"_ansible_check_mode": check, "_ansible_diff": diff, **SCRATCH}


def start_module(module: str, *, check: bool = False, diff: bool = False, **arguments: t.Any) -> subprocess.Popen[str]:
    """Start a module in a process of its own, from nothing, as Ansible would."""
    arguments.update(_internal(check, diff))
    process = subprocess.Popen(
        [sys.executable, "-c", _RUNNER, module],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    if process.stdin is None:
        return pytest.fail("no pipe to the module")
    process.stdin.write(json.dumps(arguments))
    process.stdin.close()
    process.stdin = None
    return process


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files in the order in which they are begun."""
    turns = {f"test_{name}.py": turn for turn, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: turns.get(item.path.name, len(turns)))


@pytest.fixture(scope="session", autouse=True)
def collections_path(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Path]:
    """Let every process started by a test find this work tree as the installed collection."""
    path = tmp_path_factory.mktemp("collections")
    (path / "ansible_collections" / "kilonova").mkdir(parents=True)
    (path / "ansible_collections" / "kilonova" / "compute").symlink_to(REPOSITORY)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(path))
        patch.setenv("ANSIBLE_COLLECTIONS_PATH", str(path))
        patch.setenv("KILONOVA_REMOTE_TMP", str(tmp_path_factory.mktemp("modules")))
        yield path
        _PROGRAMS.close()


@pytest.fixture(scope="session")
def lab_directory(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[str]:
    """Return the directory of a lab of two simulated hypervisors, ended after the session."""
    directory = str(tmp_path_factory.mktemp("lab"))
    lab_tool("up", "--hosts", "2", "--dir", directory)
    try:
        yield directory
    finally:
        lab_tool("down", "--dir", directory)


@pytest.fixture(scope="session")
def lab(lab_directory: str) -> list[Hypervisor]:
    """Return the lab's hypervisors."""
    return [Hypervisor(name, lab_tool("uri", name, "--dir", lab_directory)) for name in ("host1", "host2")]


@pytest.fixture
def hypervisor(lab: list[Hypervisor]) -> t.Iterator[Hypervisor]:
    """Return the first hypervisor, empty before and after."""
    lab[0].clear()
    yield lab[0]
    lab[0].clear()


@pytest.fixture(scope="session")
def guest_image() -> Path:
    """Return the path of the test guest's image."""
    return Path(lab_tool("image").splitlines()[-1])


@pytest.fixture(scope="session")
def debian_image() -> Path:
    """Return the path of the full guest's image."""
    return Path(lab_tool("image", "--full", limit=1800).splitlines()[-1])


@pytest.fixture
def name() -> str:
    """Return a name that no earlier test used."""
    return f"t-{uuid.uuid4().hex[:8]}"


@pytest.fixture(scope="module")
def shared_host(lab: list[Hypervisor], guest_image: Path) -> t.Iterator[Hypervisor]:
    """Return the first hypervisor with image "guest", for a module's tests to share; empty before and after them."""
    lab[0].clear()
    published = run_module("compute_image", uri=lab[0].uri, name="guest", src=str(guest_image))
    assert not published.failed, published.message
    yield lab[0]
    lab[0].clear()
