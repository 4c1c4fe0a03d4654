# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Whole hosts over SSH: modules run on the hypervisors, guests on their networks, and a host that crashes."""

from __future__ import annotations

import sys
import typing as t
from pathlib import Path

import pytest

from .conftest import lab_tool, wait_until
from .people import Operator, changes_in, declare


@pytest.fixture(scope="module")
def whole_lab(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[str]:
    """Return the directory of a lab of two whole hosts."""
    directory = str(tmp_path_factory.mktemp("whole"))
    try:
        lab_tool("up", "--kind", "whole", "--hosts", "2", "--dir", directory)
        yield directory
    finally:
        lab_tool("down", "--dir", directory)


def on(lab: str, host: str, *command: str) -> str:
    """Run a command on a whole host."""
    return lab_tool("exec", "--dir", lab, host, "--", *command)


@pytest.fixture(scope="module")
def images_url(whole_lab: str, guest_image: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Serve the image where the hosts can reach it and return the address."""
    root = tmp_path_factory.mktemp("www")
    (root / "guest.qcow2").write_bytes(guest_image.read_bytes())
    return lab_tool("serve", "--dir", whole_lab, "--root", str(root)).splitlines()[-1].rstrip("/")


def wait_for_greeting(lab: str, host: str, name: str) -> None:
    """Wait until the guest's web server tells the guest's own name."""
    wait_until(lambda: name in greeting(lab, host, "default", name), f"{name} answers HTTP with its name")


def greeting(lab: str, host: str, network: str, name: str) -> str:
    """Return what the guest's web server says to its own hypervisor, asked at its leased address."""
    leases = on(lab, host, "virsh", "-q", "net-dhcp-leases", network)
    for line in leases.splitlines():
        if name in line.split():
            address = line.split()[4].split("/")[0]
            return on(lab, host, "sh", "-c", f"wget -qO- -T 2 http://{address}/ || true")
    return ""


def test_a_fleet_over_ssh_survives_a_crash(whole_lab: str, images_url: str, guest_image: Path, tmp_path: Path) -> None:
    """Guests answer on their network; a dead host is not guessed about; after its reboot the declaration holds again."""
    inventory = lab_tool("inventory", "--dir", whole_lab, "--python", sys.executable)
    operator = Operator(tmp_path, inventory, images_url, guest_image)
    operator.fleet["fleet_instances"] = [
        declare(f"net-{number}", host=f"host{number}", networks=[{"network": "default"}]) for number in (1, 2)
    ]
    operator.deploy()
    for number in (1, 2):
        wait_for_greeting(whole_lab, f"host{number}", f"net-{number}")
    assert changes_in(operator.deploy()) == 0

    lab_tool("crash", "--dir", whole_lab, "host1")
    operator.fleet["fleet_instances"].append(declare("new", power_state="stopped"))
    operator.refused("host1", "may be running on host1")
    assert "new" not in on(whole_lab, "host2", "virsh", "-q", "list", "--all", "--name").split()

    lab_tool("up", "--kind", "whole", "--hosts", "2", "--dir", whole_lab)
    assert on(whole_lab, "host1", "virsh", "domstate", "net-1") == "shut off"
    operator.deploy()
    wait_for_greeting(whole_lab, "host1", "net-1")
    assert changes_in(operator.deploy()) == 0
    assert operator.play("destroy")[0] == 0
    assert on(whole_lab, "host1", "virsh", "-q", "list", "--all", "--name") == ""
