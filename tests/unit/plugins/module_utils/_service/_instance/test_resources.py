# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests for what instances get of a host to themselves, on libvirt's test driver with a made-up host."""

from __future__ import annotations

import typing as t
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._driver import host as host_driver
from ansible_collections.kilonova.compute.plugins.module_utils._driver.capabilities import once
from ansible_collections.kilonova.compute.plugins.module_utils._driver.connection import Connection
from ansible_collections.kilonova.compute.plugins.module_utils._driver.guests import GuestReading
from ansible_collections.kilonova.compute.plugins.module_utils._errors import CapacityError
from ansible_collections.kilonova.compute.plugins.module_utils._plan.allocate import Demand
from ansible_collections.kilonova.compute.plugins.module_utils._plan.machine import differences
from ansible_collections.kilonova.compute.plugins.module_utils._service._instance.resources import (
    Holder,
    Ledger,
    free_host,
)
from ansible_collections.kilonova.compute.plugins.module_utils._service.facts_guests import Guest, understand
from ansible_collections.kilonova.compute.plugins.module_utils._spec.hardware import PciRequest
from ansible_collections.kilonova.compute.plugins.module_utils._spec.machine import Cpu, Hostdev, Machine
from ansible_collections.kilonova.compute.plugins.module_utils._spec.placement import CellDemand, Placement
from ansible_collections.kilonova.compute.plugins.module_utils._spec.record import InstanceRecord
from ansible_collections.kilonova.compute.plugins.module_utils._spec.tuning import (
    CpuTune,
    MemoryBacking,
    MemoryNode,
    NumaCell,
    NumaTune,
    Pages,
)
from ansible_collections.kilonova.compute.plugins.module_utils._xml.capabilities import (
    Cell,
    HostCapabilities,
    HostCpu,
    PageTotal,
)
from ansible_collections.kilonova.compute.plugins.module_utils._xml.domain import read, render
from ansible_collections.kilonova.compute.tests.unit.plugins.module_utils.factories import (
    FLAVOR,
    instance_spec,
    machine_of,
)

MDEV = "4b20d080-1b54-4048-85b3-a6a62d165c01"
OTHER_MDEV = "4b20d080-1b54-4048-85b3-a6a62d165c02"
HUGE = 2048
NODE = f"""
<node>
  <device><name>computer</name><capability type='system'><hardware><uuid>c7a5fdbd-edaf-9455-926a-d65c16db1809</uuid></hardware><firmware/></capability></device>
  <device><name>pci_0000_3b_00_0</name><parent>computer</parent><capability type='pci'>
    <domain>0</domain><bus>59</bus><slot>0</slot><function>0</function><product id='0x10fb'/><vendor id='0x8086'/>
  </capability></device>
  <device><name>pci_0000_3b_00_1</name><parent>computer</parent><capability type='pci'>
    <domain>0</domain><bus>59</bus><slot>0</slot><function>1</function><product id='0x10fb'/><vendor id='0x8086'/>
  </capability></device>
  <device><name>mdev_{MDEV.replace("-", "_")}</name><parent>computer</parent><capability type='mdev'>
    <type id='nvidia-11'/><iommuGroup number='12'/></capability></device>
  <device><name>mdev_{OTHER_MDEV.replace("-", "_")}</name><parent>computer</parent><capability type='mdev'>
    <type id='nvidia-11'/><uuid>{OTHER_MDEV}</uuid><iommuGroup number='13'/></capability></device>
</node>
"""


def _cell(number: int) -> Cell:
    first = number * 4
    cores = ((first, first + 1), (first + 2, first + 3))
    cpus = tuple(HostCpu(cpu, siblings=core) for core in cores for cpu in core)
    return Cell(number, 1024 * 1024, cpus, (PageTotal(4, 131072), PageTotal(HUGE, 256)))


@pytest.fixture
def connection(tmp_path: Path) -> t.Iterator[Connection]:
    """Return a connection to a host of two cells with two cores of two threads each, with devices."""
    node = tmp_path / "node.xml"
    node.write_text(NODE)
    host = HostCapabilities(uuid="u", arch="x86_64", cells=(_cell(0), _cell(1)))
    with Connection(f"test://{node}") as opened:
        once(opened, "capabilities", lambda: host)
        once(opened, ("lacks", "getFreePages"), lambda: [True])
        yield opened


def _guest(machine: Machine) -> Guest:
    reading = GuestReading(machine.name, machine.uuid or "", "shutoff", False, render(machine))
    return next(iter(understand([reading])))


class Run:
    """One run over several instances."""

    def __init__(self, connection: Connection, *guests: Machine) -> None:
        """Begin with the domains that are there."""
        self.guests = {machine.name: _guest(machine) for machine in guests}
        self.ledger = Ledger(connection, lambda: self.guests)

    def plan(self, name: str, **declared: t.Any) -> Machine:
        """Plan an instance and claim what it gets."""
        existing = self.guests[name].machine if name in self.guests else None
        spec = instance_spec(name=name, **declared)
        machine = self.ledger.place(spec, machine_of(spec, existing=existing), existing)
        self.ledger.claim(name, machine)
        return machine

    def define(self, machine: Machine) -> None:
        """Have the machine as a domain in later runs."""
        self.guests[machine.name] = _guest(machine)
        self.ledger.forget()


def _pins(machine: Machine) -> list[int]:
    return [cpu for pin in machine.cpu_tune.vcpu_pins or () for cpu in pin.cpus]


def test_nothing_is_asked_where_nothing_is_wanted() -> None:
    """Plain instances cost no call; there is no connection to ask, and no domain is looked at."""

    def guests() -> t.Mapping[str, Guest]:
        raise AssertionError

    spec = instance_spec()
    machine = machine_of(spec)
    assert Ledger(t.cast(Connection, None), guests).place(spec, machine, None) is machine


def test_instances_of_one_run_get_different_cpus(connection: Connection) -> None:
    """Until there are none, and a claim that is forgotten is free."""
    run = Run(connection)
    two = {"flavor": {**FLAVOR, "vcpus": 2}, "cpu_policy": "dedicated"}
    given = [_pins(run.plan(name, **two)) for name in ("a", "b", "c", "d")]
    assert sorted(cpu for pins in given for cpu in pins) == list(range(8))
    with pytest.raises(CapacityError, match=r"cell 0 has 0 of 2 free CPUs; cell 1 has 0 of 2 free CPUs"):
        run.plan("e", **two)
    run.ledger.forget()
    assert _pins(run.plan("e", **two)) == [0, 1]


def test_an_instance_keeps_what_it_has(connection: Connection) -> None:
    """Also where CPUs before its own have become free; its own count as free."""
    run = Run(connection)
    first, second = (run.plan(name, cpu_policy="dedicated") for name in ("a", "b"))
    assert (_pins(first), _pins(second)) == ([0], [2])
    run.define(second)
    again = run.plan("b", cpu_policy="dedicated")
    assert differences(again, run.guests["b"].machine) == ()
    assert (_pins(again), _pins(run.plan("a", cpu_policy="dedicated"))) == ([2], [0])


def test_a_lonely_instance_has_whole_cores(connection: Connection) -> None:
    """Its XML tells of one thread of each, its record that nobody gets the other."""
    run = Run(connection)
    lonely = run.plan("a", cpu_policy="dedicated", cpu_thread_policy="isolate", emulator_threads_policy="isolate")
    assert (_pins(lonely), lonely.cpu_tune.emulator_cpus) == ([0], (2,))
    assert _pins(run.plan("b", cpu_policy="dedicated")) == [4]
    run.define(lonely)
    assert _pins(run.plan("b", cpu_policy="dedicated")) == [4]


def test_others_pins_are_taken(connection: Connection) -> None:
    """Those of domains that are not ours, to several CPUs as well."""
    foreign = Machine("qemu", "x", uuid="x", memory_kib=1024, cpu_tune=CpuTune(vcpu_pins=()))
    text = render(foreign).replace("</domain>", "<cputune><vcpupin vcpu='0' cpuset='0-2'/></cputune></domain>")
    run = Run(connection, read(text))
    assert [_pins(run.plan(name, cpu_policy="dedicated")) for name in ("a", "b")] == [[3], [4]]


def test_memory_is_what_is_promised(connection: Connection) -> None:
    """A cell has 1024 MiB, of which 512 are huge pages; instances that are off count too."""
    run = Run(connection)
    small = {"flavor": {**FLAVOR, "memory_mb": 300}, "hugepages": "small"}
    placed = [run.plan(name, **small) for name in ("a", "b")]
    assert [machine.numa_tune.host_cells for machine in placed] == [(0,), (1,)]
    with pytest.raises(CapacityError, match="cell 0 has 212 of 300 MiB of memory; cell 1 has 212"):
        run.plan("c", **small)
    huge = {"flavor": {**FLAVOR, "memory_mb": 300}, "hugepages": "2MB"}
    placed = [run.plan(name, **huge) for name in ("d", "e")]
    assert [machine.numa_tune.host_cells for machine in placed] == [(0,), (1,)]
    assert placed[0].memory_backing.hugepages == (Pages(HUGE, (0,)),)
    with pytest.raises(CapacityError, match="free huge pages: 106 of 2048 KiB"):
        run.plan("f", **huge)
    run.define(placed[0])
    assert differences(run.plan("d", **huge), run.guests["d"].machine) == ()


def test_what_is_planned_is_taken_where_it_is_free(connection: Connection) -> None:
    """The host looks again: what others have by then is not given, and what an instance has it keeps."""
    run = Run(connection)
    wish = {"cells": [{"host_cell": 1, "cpus": [6]}], "pci_devices": ["0000:3b:00.1"]}
    own = {"cpu_policy": "dedicated", "pci_devices": [{"vendor_id": "8086", "product_id": "10fb"}]}
    first = run.plan("a", **own, placement=wish)
    assert (_pins(first), [device.address for device in first.hostdevs]) == ([6], ["0000:3b:00.1"])
    second = run.plan("b", **own, placement=wish)
    assert (_pins(second), [device.address for device in second.hostdevs]) == ([0], ["0000:3b:00.0"])
    run.define(first)
    other = {"cells": [{"host_cell": 0, "cpus": [3]}], "pci_devices": ["0000:3b:00.0"]}
    assert differences(run.plan("a", **own, placement=other), run.guests["a"].machine) == ()
    assert differences(run.plan("a", **own), run.guests["a"].machine) == ()


def test_devices_go_to_one_each(connection: Connection) -> None:
    """By product and by address, across one run and in later ones."""
    run = Run(connection)
    first = run.plan("a", pci_devices=[{"vendor_id": "8086", "product_id": "10fb"}], mdevs=[MDEV])
    assert [device.address for device in first.hostdevs] == ["0000:3b:00.0", MDEV]
    assert first.record is not None
    assert first.record.hostdevs == ("0000:3b:00.0", MDEV)
    with pytest.raises(CapacityError, match=r"0000:3b:00\.0 \(pci_devices\[0\]\)"):
        run.plan("b", pci_devices=[{"address": "0000:3b:00.0"}])
    with pytest.raises(CapacityError, match=MDEV):
        run.plan("b", mdevs=[MDEV])
    second = run.plan("b", pci_devices=[{"vendor_id": "8086", "product_id": "10fb"}], mdevs=[OTHER_MDEV])
    assert [device.address for device in second.hostdevs] == ["0000:3b:00.1", OTHER_MDEV]
    run.define(second)
    again = run.plan("b", pci_devices=[{"vendor_id": "8086", "product_id": "10fb"}])
    assert [device.address for device in again.hostdevs] == ["0000:3b:00.1"]
    assert again.record is not None
    assert again.record.hostdevs == (OTHER_MDEV, "0000:3b:00.1")


def test_devices_that_were_plugged_by_hand_are_not_ours(connection: Connection) -> None:
    """They count as used by their domain, are not in the way of what is declared, and stay out of the record."""
    run = Run(connection)
    run.define(replace(run.plan("a"), hostdevs=(Hostdev("0000:3b:00.0", managed=True),)))
    given = run.plan("a", pci_devices=[{"address": "0000:3b:00.1"}])
    assert [device.address for device in given.hostdevs] == ["0000:3b:00.1"]
    assert given.record is not None
    assert given.record.hostdevs == ("0000:3b:00.1",)
    with pytest.raises(CapacityError):
        run.plan("b", pci_devices=[{"vendor_id": "8086", "product_id": "10fb"}])


def test_pages_that_something_else_holds(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are promised to nobody, also while an instance that is off has not taken its own yet."""
    machine = Machine(
        "qemu",
        "b",
        cpu=Cpu(cells=(NumaCell(0, 64 * 1024, (0,)),)),
        numa_tune=NumaTune("strict", (0,), (MemoryNode(0, (0,)),)),
        memory_backing=MemoryBacking(hugepages=(Pages(HUGE),)),
    )
    monkeypatch.setattr(host_driver, "free_pages", lambda *_unused: {0: {HUGE: 200}})
    demand = Demand(Placement((CellDemand((0,), 64),), pages="large"))
    for is_active, free in ((False, 200 - 32), (True, 200)):
        host = free_host(connection, demand, [Holder("b", machine, is_active=is_active)], None)
        assert [dict(cell.free_pages) for cell in host.cells] == [{HUGE: free}, {HUGE: 256}]


def test_free_pages_that_are_in_use_by_the_instance_itself(connection: Connection) -> None:
    """What the kernel has free now and what the instance holds is there for it."""
    machine = Machine(
        "qemu",
        "a",
        cpu=Cpu(cells=(NumaCell(0, 64 * 1024, (0,)),)),
        numa_tune=NumaTune("strict", (1,), (MemoryNode(0, (1,)),)),
        memory_backing=MemoryBacking(hugepages=(Pages(HUGE),)),
        record=InstanceRecord(),
    )
    demand = Demand(Placement((CellDemand((0,), 64),), pages="large"), (PciRequest("pci_devices[0]", "8086", "10fb"),))
    host = free_host(connection, demand, [Holder("b", machine)], Holder("a", machine, is_active=True))
    assert [dict(cell.free_pages) for cell in host.cells] == [{HUGE: 256}, {HUGE: 224}]
    assert [cell.free_memory_mb for cell in host.cells] == [512, 512]
    assert [device.address for device in host.devices] == ["0000:3b:00.0", "0000:3b:00.1"]
    assert host.mdevs == ()
