# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of what is asked of a host, on libvirt's test driver, which lacks much as other drivers do."""

from __future__ import annotations

import threading
import typing as t

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._driver import host
from ansible_collections.kilonova.compute.plugins.module_utils._driver.capabilities import once, supported
from ansible_collections.kilonova.compute.plugins.module_utils._driver.connection import Connection
from ansible_collections.kilonova.compute.plugins.module_utils._errors import DriverError, UnsupportedError


@pytest.fixture
def connection() -> t.Iterator[Connection]:
    """Return a connection to libvirt's own example of a host."""
    with Connection("test:///default") as opened:
        yield opened


def test_capabilities_are_asked_once(connection: Connection) -> None:
    """However often they are needed."""
    assert host.capabilities(connection).arch == "i686"
    assert host.capabilities(connection) is host.capabilities(connection)
    assert connection.calls["getCapabilities"] == 1


def test_each_connection_has_its_own_answers(connection: Connection) -> None:
    """What one hypervisor can do says nothing about another."""
    host.capabilities(connection)
    with Connection("test:///default") as other:
        host.capabilities(other)
        assert other.calls["getCapabilities"] == 1


def test_threads_share_one_answer(connection: Connection) -> None:
    """Two that ask at once wait for the same answer."""
    begun = threading.Barrier(2)
    asked: list[int] = []

    def ask() -> int:
        asked.append(1)
        return len(asked)

    def work() -> None:
        begun.wait(10)
        answers.append(once(connection, "question", ask))

    answers: list[int] = []
    threads = [threading.Thread(target=work) for _unused in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert answers == [1, 1]


def test_an_error_is_no_answer(connection: Connection) -> None:
    """The next one may ask again."""

    def fail() -> int:
        raise DriverError("not now")

    with pytest.raises(DriverError):
        once(connection, "question", fail)
    assert once(connection, "question", lambda: 7) == 7


def test_what_the_driver_lacks_is_tried_once(connection: Connection) -> None:
    """The second time there is no call."""
    for _unused in range(2):
        assert host.memory_stats(connection) is None
    assert connection.calls["getMemoryStats"] == 1


def test_other_errors_are_not_taken_for_lacking(connection: Connection) -> None:
    """They are errors each time."""
    for _unused in range(2):
        with pytest.raises(DriverError):
            supported(connection, "look up", connection.raw.lookupByName, "nobody")


def test_size_and_versions(connection: Connection) -> None:
    """The example host has three CPUs online and three GiB."""
    node = host.node_info(connection)
    assert (node.vcpus, node.memory_mb, node.cells, node.sockets, node.cores, node.threads) == (3, 3072, 2, 2, 2, 2)
    assert host.versions(connection).hypervisor_type == "TEST"
    assert host.versions(connection).libvirt_version >= 7_000_000
    assert host.hostname(connection)


def test_without_a_cpu_map_all_cpus_count(connection: Connection) -> None:
    """Xen's driver has none: the number of CPUs is all there is."""
    once(connection, ("lacks", "getCPUMap"), lambda: [True])
    # Of the example's 16 CPUs its own map has three online.
    assert host.node_info(connection).vcpus == 16
    assert "getCPUMap" not in connection.calls


def test_memory_of_the_cells(connection: Connection) -> None:
    """By the ids of the cells; where nothing is to be asked, nothing is."""
    cells = host.capabilities(connection).cells
    assert set(host.free_memory_kib(connection, cells)) == {0, 1}
    assert host.free_memory_kib(connection, ()) == {}
    assert host.free_pages(connection, [2048], cells) == {}
    assert host.free_pages(connection, [], cells) == host.free_pages(connection, [2048], ()) == {}
    assert connection.calls["getFreePages"] == 1


def test_a_cpu_without_a_model_is_not_expanded(connection: Connection) -> None:
    """Then what is listed is all."""
    assert host.cpu_features(connection) == ()
    assert "baselineCPU" not in connection.calls


def test_a_driver_without_domain_capabilities(connection: Connection) -> None:
    """It is said what cannot be read."""
    with pytest.raises(UnsupportedError, match="Cannot read what test guests can have here"):
        host.domain_capabilities(connection, "test")
