# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests for the lock between runs."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._errors import ComputeError, WaitTimeoutError
from ansible_collections.kilonova.compute.plugins.module_utils._service import lock as lock_module
from ansible_collections.kilonova.compute.plugins.module_utils._service.lock import (
    claims_lock,
    host_lock,
    instance_lock,
)

HOLDER = """
import sys
from ansible_collections.kilonova.compute.plugins.module_utils._service.lock import host_lock
with host_lock("key", 5, directory=sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_one_holder_at_a_time(tmp_path: Path) -> None:
    """A second holder is told whom it waits for; other keys are free; released, the lock is free again."""
    directory = str(tmp_path / "locks")
    with host_lock("key", 1, directory=directory):
        expected = pytest.raises(WaitTimeoutError, match="Another run still works on image x after 2 seconds")
        with expected, host_lock("key", 2, "image x", directory=directory):
            pytest.fail("two hold the lock")
        with host_lock("other", 0, directory=directory):
            pass
    with host_lock("key", 0, directory=directory):
        pass


def test_released_by_an_error(tmp_path: Path) -> None:
    """An error within goes through and frees the lock."""
    with pytest.raises(KeyError), host_lock("key", 0, directory=str(tmp_path / "locks")):
        raise KeyError("mine")
    with host_lock("key", 0, directory=str(tmp_path / "locks")):
        pass


def test_an_instance_and_its_host_are_locked_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who holds the one can still take the other; the same twice waits."""
    monkeypatch.setattr(lock_module, "_HOST_SECONDS", 0.0)
    host = f"test-{os.getpid()}"
    with instance_lock(host, "web"), instance_lock(host, "db"), claims_lock(host):
        with pytest.raises(WaitTimeoutError, match="works on instance web after"), instance_lock(host, "web"):
            pytest.fail("two hold the lock")
        with pytest.raises(WaitTimeoutError, match="works on this host after"), claims_lock(host):
            pytest.fail("two hold the lock")
    with instance_lock(host, "web"), claims_lock(host):
        pass


COUNTER = """
import sys
from pathlib import Path
from ansible_collections.kilonova.compute.plugins.module_utils._service import lock
lock._PAUSE_SECONDS = 0.001
counter = Path(sys.argv[2])
for _turn in range(100):
    with lock.host_lock("key", 120, directory=sys.argv[1]):
        counter.write_text(str(int(counter.read_text()) + 1))
"""


def test_processes_wait_for_each_other(tmp_path: Path) -> None:
    """Counting up in many processes loses nothing, and leaves nothing."""
    counter = tmp_path / "counter"
    counter.write_text("0")
    command = [sys.executable, "-c", COUNTER, str(tmp_path / "locks"), str(counter)]
    # The processes find the collection where this one did.
    environment = {**os.environ, "PYTHONPATH": lock_module.__file__.split("/ansible_collections/", maxsplit=1)[0]}
    runs = [subprocess.Popen(command, env=environment) for _turn in range(4)]
    assert [run.wait(120) for run in runs] == [0] * 4
    assert counter.read_text() == "400"
    assert not (tmp_path / "locks").exists()


def test_threads_wait_for_each_other(tmp_path: Path) -> None:
    """Counting up in many threads loses nothing."""
    counter = tmp_path / "counter"
    counter.write_text("0")

    def count() -> None:
        for _turn in range(5):
            with host_lock("key", 60, directory=str(tmp_path / "locks")):
                counter.write_text(str(int(counter.read_text()) + 1))

    threads = [threading.Thread(target=count) for _turn in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counter.read_text() == "20"


def test_gone_with_a_killed_process(tmp_path: Path) -> None:
    """A run that is killed leaves no lock behind."""
    directory = str(tmp_path / "locks")
    # The processes find the collection where this one did.
    environment = {**os.environ, "PYTHONPATH": lock_module.__file__.split("/ansible_collections/", maxsplit=1)[0]}
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, directory], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
    ) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(WaitTimeoutError), host_lock("key", 0, directory=directory):
            pytest.fail("two hold the lock")
        holder.kill()
    with host_lock("key", 10, directory=directory):
        pass


def test_removed_file_is_no_way_around(tmp_path: Path) -> None:
    """When a cleaner took the file, the next holder makes one that others see."""
    directory = tmp_path / "locks"
    with host_lock("key", 0, directory=str(directory)):
        for file in directory.iterdir():
            file.unlink()
        blocked = pytest.raises(WaitTimeoutError)
        with host_lock("key", 0, directory=str(directory)), blocked, host_lock("key", 0, directory=str(directory)):
            pytest.fail("two hold the lock")


def test_directory_must_be_ours(tmp_path: Path) -> None:
    """A directory others may write to, and a link, are refused."""
    open_to_all = tmp_path / "open"
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    link = tmp_path / "link"
    link.symlink_to(tmp_path)
    for directory in (open_to_all, link):
        with pytest.raises(ComputeError, match="must belong to user id"), host_lock("key", 0, directory=str(directory)):
            pytest.fail("locked in a foreign directory")
    (tmp_path / "file").write_text("")
    with pytest.raises(ComputeError, match="must belong"), host_lock("key", 0, directory=str(tmp_path / "file")):
        pytest.fail("locked in a file")
    with pytest.raises(ComputeError, match="Cannot make"), host_lock(
        "key", 0, directory=str(tmp_path / "no" / "where")
    ):
        pytest.fail("locked nowhere")
