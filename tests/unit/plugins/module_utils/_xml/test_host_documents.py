# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of what is read from PCI devices, networks and the demands of domains, and of the probe guest."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._spec.machine import Disk
from ansible_collections.kilonova.compute.plugins.module_utils._xml import domain
from ansible_collections.kilonova.compute.plugins.module_utils._xml.demand import HostDemand, read_host_demand
from ansible_collections.kilonova.compute.plugins.module_utils._xml.network import NetworkDescription, read_network
from ansible_collections.kilonova.compute.plugins.module_utils._xml.nodedev import PciDevice, read_pci_device
from ansible_collections.kilonova.compute.plugins.module_utils._xml.probe import (
    ProbeGuest,
    render_opener,
    render_probe,
)
from lxml import etree

SCHEMA = Path("/usr/share/libvirt/schemas/domain.rng")
NIC = """
<device>
  <name>pci_0000_3b_00_1</name>
  <path>/sys/devices/pci0000:3a/0000:3a:00.0/0000:3b:00.1</path>
  <parent>pci_0000_3a_00_0</parent>
  <driver><name>ixgbe</name></driver>
  <capability type='pci'>
    <class>0x020000</class>
    <domain>0</domain><bus>59</bus><slot>0</slot><function>1</function>
    <product id='0x10fb'>82599ES 10-Gigabit</product>
    <vendor id='0x8086'>Intel Corporation</vendor>
    <capability type='virt_functions' maxCount='63'/>
    <iommuGroup number='31'/>
    <numa node='1'/>
  </capability>
</device>
"""
BRIDGE = """
<device><name>pci_0000_00_1c_0</name><capability type='pci'><domain>0</domain><bus>0</bus><slot>28</slot>
<function>0</function><product id='0xa110'/><vendor id='0x8086'/><capability type='pci-bridge'/></capability></device>
"""


def test_a_pci_device() -> None:
    """Its address is the kernel's, its ids are lspci's."""
    assert read_pci_device(NIC) == PciDevice(
        address="0000:3b:00.1",
        vendor_id="8086",
        product_id="10fb",
        device_class="020000",
        driver="ixgbe",
        numa_node=1,
    )


def test_a_bridge() -> None:
    """What is not told is None."""
    assert read_pci_device(BRIDGE) == PciDevice("0000:00:1c.0", "8086", "a110", is_bridge=True)


def test_a_device_of_another_kind() -> None:
    """It is no PCI device."""
    assert read_pci_device("<device><name>usb_1</name><capability type='usb'/></device>") is None


@pytest.mark.parametrize(
    ("text", "described"),
    [
        (
            "<network><name>a</name><forward mode='nat'/><bridge name='virbr0'/></network>",
            NetworkDescription("a", "nat", "virbr0"),
        ),
        (
            "<network><name>a</name><ip address='192.0.2.1'><dhcp><host mac='52:54:00:00:00:0A' ip='192.0.2.9'/>"
            "<host name='b' ip='192.0.2.8'/><host mac='52:54:00:00:00:0b' name='c'/></dhcp></ip><ip family='ipv6'/>"
            "<ip address='2001:db8::1' prefix='60'/><ip address='10.0.0.1' netmask='255.0.0.0'/><ip address='fd00::1'/></network>",
            NetworkDescription(
                "a",
                addresses=("192.0.2.1", "2001:db8::1", "10.0.0.1", "fd00::1"),
                subnets=("192.0.2.1/24", "2001:db8::1/60", "10.0.0.1/255.0.0.0", "fd00::1/64"),
                reservations=(("192.0.2.9", "52:54:00:00:00:0a"), ("192.0.2.8", "")),
            ),
        ),
        ("<network><name>a</name><forward/></network>", NetworkDescription("a", "nat")),
        ("<network><name>a</name><bridge name='virbr1'/></network>", NetworkDescription("a", None, "virbr1")),
    ],
)
def test_networks(text: str, described: NetworkDescription) -> None:
    """An isolated one has no forward mode; libvirt's default for one that has is nat."""
    assert read_network(text) == described


def test_what_a_domain_takes() -> None:
    """CPUs that vCPUs are pinned to, and PCI devices in both ways libvirt knows, each once."""
    address = "<address type='pci' domain='0x0000' bus='0x3b' slot='0x10' function='0x2'/>"
    text = f"""
    <domain type='kvm'><name>d</name>
      <cputune><vcpupin vcpu='0' cpuset='2-3'/><vcpupin vcpu='1' cpuset='3,7'/><emulatorpin cpuset='0'/></cputune>
      <devices>
        <hostdev mode='subsystem' type='pci'><source>{address}</source></hostdev>
        <hostdev mode='subsystem' type='pci'><source>{address}</source></hostdev>
        <hostdev mode='subsystem' type='usb'><source><address bus='1' device='2'/></source></hostdev>
        <interface type='hostdev'><source><address type='pci' bus='0x05' slot='0x0' function='0x0'/></source></interface>
      </devices>
    </domain>"""
    assert read_host_demand(text) == HostDemand((2, 3, 7), ("0000:3b:10.2", "0000:05:00.0"))
    assert read_host_demand("<domain/>") == HostDemand()


@pytest.mark.parametrize(
    "guest", [ProbeGuest("qemu", "x86_64"), ProbeGuest("kvm", "x86_64", "q35", "/firmware/CODE & more.fd")]
)
def test_the_probe_guest(guest: ProbeGuest) -> None:
    """Libvirt's own schema takes it; it has no disk, no NIC, and keeps no firmware variables."""
    text = render_probe(guest, "kilonova-probe-1")
    etree.RelaxNG(etree.parse(SCHEMA)).assertValid(etree.fromstring(text))
    machine = domain.read(text)
    assert (machine.type, machine.name, machine.os.machine) == (guest.virt_type, "kilonova-probe-1", guest.machine)
    assert (machine.disks, machine.nics) == ((), ())
    loader = etree.fromstring(text).find("os/loader")
    if guest.loader is None:
        assert loader is None
    else:
        assert loader is not None
        assert (loader.text, loader.get("stateless")) == (guest.loader, "yes")


def test_the_guest_that_opens_a_disk() -> None:
    """It has the disk, and nothing that says more of its machine."""
    disk = Disk(
        "vda", "virtio", source="/a", format="raw", readonly=True, secret="86856312-8f70-5740-a102-117e4bae2e22"
    )
    text = render_opener(ProbeGuest("qemu", "aarch64"), disk, "kilonova-probe-1")
    etree.RelaxNG(etree.parse(SCHEMA)).assertValid(etree.fromstring(text))
    found = domain.read(text).disks[0]
    assert (found.source, found.secret, found.readonly) == ("/a", disk.secret, True)
