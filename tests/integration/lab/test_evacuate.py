# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""The playbook evacuate: a host dies with all that runs on it, and comes back when that runs elsewhere."""

from __future__ import annotations

import os
import signal
import sys
import typing as t
from pathlib import Path

import pytest

from .conftest import Hypervisor, lab_tool, run_module, wait_until
from .people import Operator, changes_in
from .subjects import FLAVOR, LIMITS

POOL = "shared"
DEAD = ("-e", "fleet_evacuate=host2")
NAMES = ["kept", "lost"]


@pytest.fixture
def directory(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[str]:
    """Return the directory of a lab of two hosts, of which one is going to die."""
    path = str(tmp_path_factory.mktemp("two"))
    lab_tool("up", "--hosts", "2", "--dir", path)
    try:
        yield path
    finally:
        lab_tool("down", "--dir", path)


@pytest.fixture
def hosts(directory: str) -> list[Hypervisor]:
    """Return both, with a pool that they share."""
    found = [Hypervisor(name, lab_tool("uri", name, "--dir", directory)) for name in ("host1", "host2")]
    path = found[0].pool_path().parent.parent / POOL
    path.mkdir()
    # The hosts' daemons are those of another user.
    path.chmod(0o777)
    for host in found:
        host.virsh("pool-define-as", POOL, "dir", "--target", str(path))
        host.virsh(f"pool-start {POOL}; pool-autostart {POOL}")
    return found


@pytest.fixture
def operator(hosts: list[Hypervisor], directory: str, guest_image: Path, tmp_path: Path) -> Operator:
    """Return somebody with an inventory of both."""
    assert hosts
    inventory = lab_tool("inventory", "--dir", directory, "--python", sys.executable)
    operator = Operator(tmp_path, inventory, "", guest_image)
    operator.fleet.update(fleet_name="t", fleet_pool=POOL, fleet_limits=LIMITS, fleet_flavors=[FLAVOR], fleet_images=[])
    return operator


def member(name: str) -> dict[str, t.Any]:
    """Declare an instance with a blank disk, and a seed that knows it by its UUID."""
    small = {"flavor": "tiny", "graphics": {"type": "none"}, "boot": {"devices": ["network"]}}
    return {"name": name, **small, "hostname": name, "autostart": True}


def put_down(host: Hypervisor) -> None:
    """Kill the host's daemon and its guests at once, and with them what a boot would find gone."""
    place = Path(host.uri.split("socket=")[1]).parents[2]
    state = place / "run/libvirt/qemu/run"
    files = [place / "libvirtd.pid", *(path for path in state.glob("*.pid") if path.stem != "driver")]
    for process in [int(path.read_text()) for path in files]:
        os.kill(process, signal.SIGKILL)
    for path in state.iterdir():
        if path.is_file():
            path.unlink()
    wait_until(lambda: not host.virsh("uri", check=False), f"{host.name} to be dead")


def play(operator: Operator, *arguments: str, fails: bool = False) -> str:
    """Evacuate, which has to succeed unless it has to fail."""
    status, output = operator.play("evacuate", *DEAD, *arguments)
    assert bool(status) == fails, output
    return " ".join(output.replace("\\n", " ").split())


def confirm(sentence: str, **more: t.Any) -> tuple[str, str]:
    """Return the arguments with a user's word."""
    return "-e", str({"fleet_evacuate_confirm": sentence, **more}).replace("'", '"').replace("True", "true")


def test_evacuated_and_back(
    operator: Operator, hosts: list[Hypervisor], directory: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What shares storage restarts as what it was, the rest only when asked; a host that is back starts nothing twice."""
    monkeypatch.setenv("ANSIBLE_CACHE_PLUGIN", "jsonfile")
    monkeypatch.setenv("ANSIBLE_CACHE_PLUGIN_CONNECTION", str(tmp_path / "facts"))
    second = hosts[1]
    for fleet, names in (("t", NAMES), ("others", ["theirs"])):
        members = [{**member(name), "flavor": FLAVOR} for name in names]
        made = run_module(
            "compute_fleet", uri=second.uri, fleet=fleet, pool=POOL, instances=members, limits=LIMITS, virt_type="qemu"
        )
        assert not made.failed, made.message
    operator.fleet["fleet_instances"] = [member(name) for name in NAMES]
    assert changes_in(operator.deploy()) == 0
    pool = Path(second.virsh("pool-dumpxml", POOL).split("<path>")[1].split("</path>")[0])
    uuids = {name: second.virsh("domuuid", name) for name in NAMES}

    put_down(second)
    # As if it had lain on the host's own disks.
    (pool / "lost-vda.qcow2").unlink()
    restarted(operator, hosts[0], pool / "kept-vda.qcow2", uuids["kept"])
    rebuild = confirm("host2 is powered off.", fleet_evacuate_rebuild=True)
    play(operator, *rebuild)
    assert {name: hosts[0].virsh("domuuid", name) for name in hosts[0].domains()} == uuids
    assert changes_in(play(operator, *rebuild)) == 0

    lab_tool("up", "--hosts", "2", "--dir", directory)
    cleared_up(operator, hosts, pool)


def restarted(operator: Operator, host: Hypervisor, disk: Path, uuid: str) -> None:
    """Have back what has its disk, for which the user has to give the right word, and hear what becomes of the rest."""
    inode = disk.stat().st_ino
    told = play(operator, *confirm("host1 is powered off", fleet_evacuate_rebuild=True), fails=True)
    assert 'fleet_evacuate_confirm=\\"host2 is powered off\\"' in told
    assert host.domains() == set()
    told = play(operator, *confirm("host2 is powered off"), "--check", fails=True)
    assert host.domains() == set()
    for words in ("kept restarts on host1 from its disk", "lost stays lost", "theirs (fleet others)"):
        assert words in told
    assert "fleet_evacuate_rebuild: true" in play(operator, *confirm("host2 is powered off"), fails=True)
    assert host.domains() == {"kept"}
    assert (host.state("kept"), host.virsh("domuuid", "kept")) == ("running", uuid)
    assert disk.stat().st_ino == inode


def cleared_up(operator: Operator, hosts: list[Hypervisor], pool: Path) -> None:
    """Have a host forget what is elsewhere by now; not a volume goes."""
    first, second = hosts
    assert second.domains() == {*NAMES, "theirs"}
    # The host starts what has autostart, and QEMU lets nobody write to a disk that another one writes to.
    wait_until(lambda: second.state("theirs") == "running", "the host to start what it starts")
    assert {second.state(name) for name in NAMES} == {"shut off"}
    volumes = set(os.listdir(pool))
    assert "kept: what host2 has of it is stale" in play(operator, *confirm("host2 is stale"))
    assert second.domains() == {"theirs"}
    assert set(os.listdir(pool)) == volumes
    assert {first.state(name) for name in NAMES} == {"running"}
    assert changes_in(operator.deploy()) == 0
