# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Whole hosts over SSH: modules run on the hypervisors, guests on their networks, and a host that crashes."""

from __future__ import annotations

import sys
import typing as t
from pathlib import Path

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._driver.connection import Connection
from ansible_collections.kilonova.compute.plugins.module_utils._errors import WaitTimeoutError
from ansible_collections.kilonova.compute.plugins.module_utils._service._guest.wait import wait_for
from ansible_collections.kilonova.compute.plugins.module_utils._spec.waiting import AddressChoice, WaitSpec

from .conftest import lab_tool, run_module, wait_until
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


def test_a_guest_is_waited_for_from_elsewhere(whole_lab: str, guest_image: Path) -> None:
    """Leases are the hypervisor's, an address of another network is the agent's; a port is seen from where one waits."""
    name, uri = "awaited", lab_tool("uri", "host2", "--dir", whole_lab)
    steps: list[tuple[str, dict[str, t.Any]]] = [
        ("compute_image", {"name": "awaited", "src": str(guest_image)}),
        (
            "compute_instance",
            {
                "name": name,
                "flavor": {"vcpus": 1, "memory_mb": 128, "disk_gb": 1},
                "image": "awaited",
                "virt_type": "qemu",
                "graphics": {"type": "none"},
                "networks": [{"network": "default"}, {"bridge": "br0"}],
                "limits": {"reserved_host_memory_mb": 0},
            },
        ),
    ]
    for module, arguments in steps:
        result = run_module(module, uri=uri, **arguments)
        assert not result.failed, result.message
    with Connection(uri) as connection:
        handle = connection.raw.lookupByName(name)

        def address(*conditions: str, port: int = 80, timeout: int = 180, **choice: t.Any) -> str:
            spec = WaitSpec(conditions, timeout, port, AddressChoice(**choice))
            found = wait_for(connection, handle, name, spec).address
            assert found is not None
            return found.address

        leased = address("ip", sources=("lease",))
        assert f"{leased}/" in on(whole_lab, "host2", "virsh", "-q", "net-dhcp-leases", "default")
        assert address("ip") == leased
        outside = address("ip", "port", nic=1)
        assert outside in on(whole_lab, "host2", "virsh", "domifaddr", name, "--source", "agent")
        assert outside != leased
        with pytest.raises(WaitTimeoutError, match=f"port: {outside} port 81: Connection refused"):
            address("port", port=81, timeout=1, nic=1)
    refuses_what_is_taken(whole_lab, uri, steps[1][1], leased)
    result = run_module("compute_instance", uri=uri, name=name, state="absent", force=True, shutdown_timeout=0)
    assert not result.failed, result.message


def refuses_what_is_taken(lab: str, uri: str, declared: dict[str, t.Any], leased: str) -> None:
    """Assert that a static address is refused which a guest, the host or a reservation has."""
    subnet = leased.rpartition(".")[0]
    reserved, mac = f"{subnet}.{4 if leased.endswith('.3') else 3}", "52:54:00:00:00:77"
    xml = f"<host mac='{mac}' ip='{reserved}'/>"
    on(lab, "host2", "virsh", "net-update", "default", "add", "ip-dhcp-host", xml, "--live", "--config")
    for taken, owner in ((leased, declared["name"]), (f"{subnet}.1", "the host"), (reserved, mac)):
        config = {"version": 2, "ethernets": {"nic0": {"addresses": [f"{taken}/24"]}}}
        other = {**declared, "name": "other", "network_config": config}
        refused = run_module("compute_instance", uri=uri, check=True, **other)
        assert refused.failed
        assert f"network_config: {taken} is the address of {owner} in network default" in refused.message
