# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""The playbooks deploy and destroy on two real daemons, as a user runs them."""

from __future__ import annotations

import sys
import typing as t
from pathlib import Path

import pytest

from .conftest import Hypervisor, lab_tool
from .people import SMALL, TINY, Operator, Server, changes_in, declare


@pytest.fixture(scope="module")
def server(guest_image: Path, tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Server]:
    """Serve the test guest's image over HTTP."""
    root = tmp_path_factory.mktemp("www")
    (root / "guest.qcow2").write_bytes(guest_image.read_bytes())
    serving = Server(root)
    serving.start()
    yield serving
    serving.stop()


@pytest.fixture
def hosts(lab: list[Hypervisor]) -> t.Iterator[list[Hypervisor]]:
    """Return both hypervisors, empty before and after."""
    for host in lab:
        host.clear()
    yield lab
    for host in lab:
        host.clear()


@pytest.fixture
def operator(
    hosts: list[Hypervisor], lab_directory: str, server: Server, guest_image: Path, tmp_path: Path
) -> Operator:
    """Return somebody with an inventory of both hypervisors."""
    assert hosts
    inventory = lab_tool("inventory", "--dir", lab_directory, "--python", sys.executable)
    server.requests.clear()
    return Operator(tmp_path, inventory, server.url, guest_image)


def test_a_fleet_from_nothing_to_nothing(operator: Operator, hosts: list[Hypervisor], server: Server) -> None:
    """Check mode shows all and makes nothing; one run boots all; the next changes nothing; scale, shrink, destroy."""
    first, second = hosts
    web = operator.fleet["fleet_instances"][0]
    web.update(group="web", group_policy="anti-affinity")
    # Which would otherwise bring all to one host.
    operator.fleet["fleet_policy"] = "pack"
    foretold = operator.deploy("--check", "--diff")
    for name in ("web-1", "web-2", "db"):
        assert name in foretold
    assert "image: guest" in foretold
    assert first.domains() | second.domains() == set()
    assert server.requests == []

    output = operator.deploy()
    assert "INSTANCE" in output
    assert "is the declared host" in output
    assert "db" in second.domains()
    assert len(first.domains()) + len(second.domains()) == 3
    homes = {name: host for host in hosts for name in host.domains()}
    assert homes["web-1"] is not homes["web-2"]
    assert 'name="web" policy="anti-affinity"' in homes["web-1"].virsh("dumpxml", "web-1")
    for name, host in homes.items():
        host.wait_for_console(name, f"kilonova-guest ready: {name}")
    fetched = len(server.requests)
    assert fetched == len({host.name for host in homes.values()})

    assert changes_in(operator.deploy()) == 0
    assert len(server.requests) == fetched

    ids = {name: host.virsh("domid", name) for name, host in homes.items()}
    web.update(count=3, max_server_per_host=2)
    operator.deploy()
    assert {name: homes[name].virsh("domid", name) for name in ids} == ids
    assert {name for host in hosts for name in host.domains()} == {"web-1", "web-2", "web-3", "db"}

    web["count"] = 1
    assert changes_in(operator.deploy()) == 0
    operator.deploy("-e", "fleet_purge=true")
    assert {name for host in hosts for name in host.domains()} == {"web-1", "db"}

    status, output = operator.play("destroy")
    assert status == 0, output
    assert {name for host in hosts for name in host.domains()} == set()
    leftovers = {volume for host in hosts for volume in host.volumes() if not volume.startswith("kilonova-")}
    assert leftovers == set()


@pytest.mark.parametrize(
    ("part", "change", "words"),
    [
        ("fleet_instances", [declare("a", flavor="huge")], ["flavor 'huge' is unknown", "small, tiny"]),
        ("fleet_instances", [declare("a", image="nosuch")], ["image 'nosuch' is unknown", "guest"]),
        ("fleet_instances", [declare("a"), declare("a")], ["name a is taken"]),
        ("fleet_instances", [declare("web-1"), declare("web", count=1)], ["name web-1 is taken"]),
        ("fleet_instances", [declare("a<b>")], ["a<b>"]),
        ("fleet_instances", [declare("../../etc/passwd")], ["../../etc/passwd"]),
        ("fleet_instances", [declare("a", host="nowhere")], ["host 'nowhere'", "host1, host2"]),
        ("fleet_flavors", [{**TINY, "memory_mb": 10**9}, SMALL], ["RamFilter", "1000000000"]),
        ("fleet_name", "a/b", ["a/b"]),
        ("fleet_pool", "nosuch", ["no storage pool named nosuch"]),
        ("fleet_uri", "qemu:///session?socket=/nonexistent", ["/nonexistent"]),
    ],
)
def test_what_cannot_be_deployed_is_refused_whole(
    operator: Operator, hosts: list[Hypervisor], part: str, change: t.Any, words: list[str]
) -> None:
    """One clear sentence, a status that is not zero, and not a single domain or volume."""
    operator.fleet[part] = change
    operator.refused(*words)
    for host in hosts:
        assert host.domains() == set()
        assert host.volumes() == set()


@pytest.mark.parametrize(
    ("path", "changes", "words"),
    [
        ("/nosuch.qcow2", {}, ["404"]),
        ("/broken/guest.qcow2", {"retries": 1}, ["bytes"]),
        ("/guest.qcow2", {"checksum": "sha256:" + "0" * 64}, ["0000", "sha256"]),
    ],
)
def test_a_bad_image_deploys_nothing(
    operator: Operator, hosts: list[Hypervisor], path: str, changes: dict[str, t.Any], words: list[str]
) -> None:
    """Not there, broken off, or not what was declared: no image is published and nothing is made."""
    image = operator.fleet["fleet_images"][0]
    image["url"] = image["url"].replace("/guest.qcow2", path)
    image.update(changes)
    operator.refused(*words)
    for host in hosts:
        assert host.domains() == set()
        assert host.volumes() == set()


def test_a_dead_hypervisor_stops_what_may_be_there(operator: Operator, hosts: list[Hypervisor]) -> None:
    """With a host down nothing new is made unless the user takes it for empty; the run says which host it is."""
    inventory = operator.directory / "inventory.yml"
    dead = '    host3:\n      ansible_connection: local\n      compute_uri: "qemu:///session?socket=/nonexistent"\n'
    interpreter = f"      ansible_python_interpreter: {sys.executable}\n"
    inventory.write_text(inventory.read_text().rstrip() + "\n" + dead + interpreter)
    operator.refused("may be running on host3")
    assert hosts[0].domains() | hosts[1].domains() == set()

    operator.fleet["fleet_assume_down_hosts_empty"] = True
    operator.refused("host3 is down")
    assert len(hosts[0].domains()) + len(hosts[1].domains()) == 3


def test_a_part_is_deployed_where_the_user_allows_it(operator: Operator, hosts: list[Hypervisor]) -> None:
    """What has no place is named, and the rest runs."""
    operator.fleet["fleet_flavors"].append({"name": "huge", "vcpus": 1, "memory_mb": 10**9, "disk_gb": 1})
    operator.fleet["fleet_instances"].append(declare("big", flavor="huge"))
    operator.fleet["fleet_allow_partial"] = True
    output = operator.deploy()
    assert "UNPLACED" in output
    assert {name for host in hosts for name in host.domains()} == {"web-1", "web-2", "db"}


def test_the_same_name_on_two_hosts_is_refused(operator: Operator, hosts: list[Hypervisor]) -> None:
    """Neither is guessed to be the right one."""
    operator.fleet["fleet_instances"] = [declare("twin", power_state="stopped")]
    operator.deploy("--limit", "host1", "-e", '{"fleet_hypervisors": ["host1"]}')
    operator.deploy("--limit", "host2", "-e", '{"fleet_hypervisors": ["host2"]}')
    assert all("twin" in host.domains() for host in hosts)
    operator.refused("twin", "on two hosts", "host1 and host2")
