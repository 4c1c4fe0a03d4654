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

from .conftest import Hypervisor, lab_tool, run_module, wait_until
from .people import Operator, changes_in, declare
from .subjects import SWITCHED_OFF, Subject, effects, removed_after, said


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
                "networks": [{"network": "default"}, {"bridge": "br0", "mtu": 1400}],
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
        assert "1400" in Hypervisor("host2", uri).inside(name, "cat /sys/class/net/*/mtu").split()
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


MACS = ("52:54:00:0c:00:01", "52:54:00:0c:00:02")
NETWORK = """
<network><name>{name}</name><bridge name='{name}'/>
<portgroup name='plain' default='yes'/><portgroup name='{group}'/></network>
"""


@pytest.fixture
def machine(whole_lab: str) -> t.Iterator[Subject]:
    """Return an instance on the second host, which has nothing to boot and is not made yet."""
    subject = Subject(Hypervisor("host2", lab_tool("uri", "host2", "--dir", whole_lab)), "geared")
    with removed_after(subject):
        yield subject


def nic_of(machine: Subject, mac: str, *arguments: str) -> t.Any:
    """Return a NIC's element."""
    return machine.tree(*arguments).find(f"devices/interface/mac[@address='{mac}']/..")


@pytest.fixture
def networks(machine: Subject, tmp_path: Path) -> None:
    """Have two networks with port groups of different names, each on a bridge of its own."""
    for name, group in (("lan", "blue"), ("other", "red")):
        file = tmp_path / f"{name}.xml"
        file.write_text(NETWORK.format(name=name, group=group), encoding="ascii")
        machine.host.virsh("net-define", str(file))
        machine.host.virsh("net-start", name)


@pytest.mark.usefixtures("networks")
def test_nics_on_bridges(whole_lab: str, machine: Subject) -> None:
    """What is declared of a NIC is so on the host's own devices; what this host can't do leaves nothing behind."""

    def link(mac: str) -> str:
        return on(whole_lab, "host2", "ip", "-d", "link", "show", nic_of(machine, mac).find("target").get("dev"))

    assert "vlan tag not supported" in machine.attempt(networks=[{"bridge": "br0", "vlan": 5}]).message
    assert machine.host.domains() == set()

    bridged = {"bridge": "br0", "mac": MACS[0], "mtu": 1400, "isolated": True}
    machine.declare(networks=[bridged, {"network": "lan", "portgroup": "blue", "mac": MACS[1]}])
    assert [word for word in ("mtu 1400", "isolated on", "master br0") if word not in link(MACS[0])] == []

    moved = machine.declare(networks=[bridged, {"network": "other", "mac": MACS[1]}])
    assert effects(moved) == {f"nics[{MACS[1]}].source": "live", f"nics[{MACS[1]}].portgroup": "live"}
    for arguments in ((), ("--inactive",)):
        source = nic_of(machine, MACS[1], *arguments).find("source")
        assert (source.get("network"), source.get("portgroup")) in (("other", None), ("other", "plain"))
    assert "master other" in link(MACS[1])

    limited = [bridged, {"network": "other", "mac": MACS[1], "inbound": {"average": 1000}}]
    result = machine.attempt(networks=limited)
    # Not every kernel can: then neither the guest nor its next boot shall have it.
    has_it = [nic_of(machine, MACS[1], *words).find("bandwidth") is not None for words in ((), ("--inactive",))]
    assert has_it == [not result.failed] * 2


def test_devices_of_the_host(whole_lab: str, machine: Subject) -> None:
    """A shared directory and a TPM are served by processes of the host; a PCI device is given to one instance alone."""
    on(whole_lab, "host2", "mkdir", "-p", "/srv/share")
    machine.declare(shares=[{"source": "/srv/share", "target": "srv"}], tpm={})
    served = on(whole_lab, "host2", "ps", "-eo", "args")
    assert "/virtiofsd " in served
    assert "/swtpm socket " in served
    assert not machine.absent(**SWITCHED_OFF).failed
    served = on(whole_lab, "host2", "ps", "-eo", "args")
    assert "/virtiofsd " not in served
    assert "/swtpm socket " not in served
    assert on(whole_lab, "host2", "find", "/var/lib/libvirt/swtpm", "-name", "tpm2-00.permall") == ""

    del machine.declared["shares"]
    # Never started with one: it would be taken from this machine.
    device = machine.host.virsh("nodedev-list", "--cap", "pci").split()[0]
    _pci, domain, bus, slot, function = device.split("_")
    address = f"{domain}:{bus}:{slot}.{function}"
    card = {"pci_devices": [{"address": address}], "tpm": None, "power_state": "stopped"}
    assert machine.declare(**card)["changed"]
    assert machine.tree().find("devices/hostdev") is not None
    other = Subject(machine.host, "other-machine", **card)
    refused = other.attempt(check=True)
    assert refused.data["error_code"] == "NO_CAPACITY"
    assert address in refused.message
    machine.absent()

    on(whole_lab, "host2", "rm", "/usr/bin/swtpm")
    del machine.declared["pci_devices"]
    refused = machine.attempt(check=True, tpm={})
    assert refused.data["error_code"] == "INVALID_OPTION"
    assert "install swtpm" in refused.message
    said(machine.attempt(check=True, tpm=None))
