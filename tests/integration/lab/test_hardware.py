# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Hardware in detail on a real daemon: what is declared is there, a second run does nothing, and it can be changed.

What is declared is read from libvirt's own XML, mostly of instances that are off, since there it is all the same.
"""

from __future__ import annotations

import typing as t
from xml.etree import ElementTree

from ansible_collections.kilonova.compute.plugins.plugin_utils._scheduler.answer import answer
from ansible_collections.kilonova.compute.plugins.plugin_utils._scheduler.intake.question import Question

from .conftest import Hypervisor, Result, run_module

FLAVOR = {"name": "tiny", "vcpus": 2, "memory_mb": 64, "disk_gb": 1}
IMAGE = "guest"
MAC = "52:54:00:00:00:77"
UUID = "4b20d080-1b54-4048-85b3-a6a62d165c01"
REFUSED: list[tuple[dict[str, t.Any], list[str]]] = [
    ({"cpu": {"mode": "custom", "model": "nosuch"}}, ["INVALID_OPTION", "cpu.model", "nosuch", "qemu64"]),
    ({"machine_type": "pc-nosuch"}, ["INVALID_OPTION", "machine_type", "pc-nosuch"]),
    ({"flavor": {**FLAVOR, "vcpus": 4}, "cpu_policy": "dedicated"}, ["NO_CAPACITY", "2 of 4 free CPUs"]),
    ({"numa": {"nodes": 2}}, ["NO_CAPACITY", "2 NUMA cells", "has 1"]),
    ({"hugepages": "2MB"}, ["NO_CAPACITY", "pages (2048 KiB)"]),
    ({"cpu_policy": "dedicated", "cpu_thread_policy": "require"}, ["NO_CAPACITY", "sibling"]),
    ({"secure_boot": True}, ["INVALID_OPTION", "secure_boot", "boot.firmware: efi"]),
    ({"secure_boot": True, "boot": {"firmware": "efi"}, "machine_type": "pc"}, ["secure_boot", "q35"]),
    ({"tpm": {"version": "1.2", "model": "tpm-crb"}}, ["INVALID_OPTION", "tpm"]),
    ({"sev": {"policy": 3}}, ["INVALID_OPTION", "sev"]),
    ({"pci_devices": [{"vendor_id": "8086", "product_id": "ffff"}]}, ["NO_CAPACITY", "8086:ffff", "pci_devices[0]"]),
    ({"mdevs": [UUID]}, ["NO_CAPACITY", UUID]),
    ({"disk_io": "native"}, ["INVALID_OPTION", "disk_io", "disk_cache: none"]),
    ({"disk_bus": "sata", "disk_queues": 2}, ["INVALID_OPTION", "disk_queues", "virtio"]),
    ({"cpu": {"migratable": True}}, ["INVALID_OPTION", "cpu.migratable", "maximum"]),
    ({"rng": False, "rng_rate": {"bytes": 1}}, ["INVALID_OPTION", "rng_rate", "rng: true"]),
    ({"shares": [{"source": "/srv", "target": "srv"}]}, ["virtiofs is not yet supported in session mode"]),
]


class Subject:
    """One instance, declared again and again."""

    def __init__(self, host: Hypervisor, name: str, **declared: t.Any) -> None:
        """Take what is declared all the time."""
        self.host = host
        self.name = name
        self.declared: dict[str, t.Any] = {
            "name": name,
            "flavor": FLAVOR,
            "virt_type": "qemu",
            "power_state": "stopped",
            "limits": {"reserved_host_memory_mb": 0},
            **declared,
        }

    def declare(self, **changes: t.Any) -> dict[str, str]:
        """Change the declaration, see that a second run does nothing, and return the effects of the first by path."""
        self.declared.update(changes)
        foretold, done, again = self.run(check=True), self.run(), self.run()
        for result in (foretold, done, again):
            assert not result.failed, result.message
        assert foretold.data["instance"]["changes"] == done.data["instance"]["changes"]
        assert again.data["instance"]["changes"] == []
        assert again.data["instance"]["restart_required"] == done.data["instance"]["restart_required"]
        return {change["path"]: change["effect"] for change in done.data["instance"]["changes"]}

    def refused(self, **changes: t.Any) -> str:
        """Return why a declaration is refused, of which nothing is left."""
        before = (self.host.domains(), self.host.volumes())
        result = run_module("compute_instance", uri=self.host.uri, **{**self.declared, **changes})
        assert result.failed, changes
        assert (self.host.domains(), self.host.volumes()) == before
        return f"{result.data['error_code']}: {result.message}"

    def run(self, check: bool = False) -> Result:
        """Run the module."""
        return run_module("compute_instance", check=check, uri=self.host.uri, **self.declared)

    def xml(self, *arguments: str) -> ElementTree.Element:
        """Return the domain's XML."""
        return ElementTree.fromstring(self.host.virsh("dumpxml", *arguments, self.name))

    def shown(self, path: str, *names: str) -> list[tuple[str | None, ...]]:
        """Return attributes of the definition's elements at ``path``, or their texts."""
        elements = self.xml("--inactive").findall(path)
        return [tuple(one.get(name) for name in names) if names else (one.text,) for one in elements]


def test_everything_at_once_and_changed(hypervisor: Hypervisor, name: str) -> None:
    """All that this QEMU offers to an instance on virtio, and then all of it otherwise."""
    subject = Subject(hypervisor, name)
    subject.declare(
        cpu={
            "mode": "custom",
            "model": "qemu64",
            "features": {"aes": "require", "svm": "disable"},
            "topology": {"cores": 2},
            "pmu": False,
        },
        cpu_limits={"shares": 512, "period": 50000, "quota": 20000},
        iothreads=2,
        watchdog="reset",
        sound="ich9",
        tablet="usb",
        serial_ports=3,
        rng_rate={"bytes": 1024, "period_ms": 2000},
        disk_io="threads",
        disk_detect_zeroes="unmap",
        disk_discard="unmap",
        disk_queues=2,
        disk_limits={"total_bytes_sec": 1000000, "read_iops_sec": 100},
        networks=[
            {
                "user": True,
                "mac": MAC,
                "queues": 2,
                "inbound": {"average": 100, "peak": 200, "burst": 50},
                "outbound": {"average": 10},
            }
        ],
    )
    assert subject.shown("cpu/feature", "name", "policy") == [("aes", "require"), ("svm", "disable")]
    assert subject.shown("cpu/topology", "sockets", "cores", "threads") == [("1", "2", "1")]
    assert subject.shown("features/pmu", "state") == [("off",)]
    assert subject.shown("cputune/*") == [("512",), ("50000",), ("20000",)]
    assert subject.shown("iothreads") == [("2",)]
    names = ("io", "discard", "iothread", "detect_zeroes", "queues")
    assert subject.shown("devices/disk/driver", *names) == [("threads", "unmap", "1", "unmap", "2")]
    assert subject.shown("devices/disk/iotune/*") == [("1000000",), ("100",)]
    assert subject.shown("devices/interface/driver", "queues") == [("2",)]
    assert subject.shown("devices/interface/bandwidth/*", "average", "peak", "burst") == [
        ("100", "200", "50"),
        ("10", None, None),
    ]
    assert subject.shown("devices/watchdog", "model", "action") == [("i6300esb", "reset")]
    assert subject.shown("devices/sound", "model") == [("ich9",)]
    assert ("tablet", "usb") in subject.shown("devices/input", "type", "bus")
    assert len(subject.shown("devices/serial")) == 3
    assert subject.shown("devices/rng/rate", "bytes", "period") == [("1024", "2000")]

    subject.declare(
        cpu={"mode": "maximum", "features": {"aes": "disable"}, "migratable": False, "topology": {"sockets": 2}},
        cpu_limits={"quota": -1},
        iothreads=0,
        watchdog="disabled",
        sound="ac97",
        tablet="virtio",
        serial_ports=1,
        rng_rate={"bytes": 10},
        disk_io="native",
        disk_cache="none",
        disk_detect_zeroes="off",
        disk_limits={"read_bytes_sec": 5000, "read_iops_sec": 0},
        networks=[{"user": True, "mac": MAC, "queues": 1, "inbound": {"average": 0}}],
    )
    assert subject.shown("cpu", "mode", "migratable") == [("maximum", "off")]
    assert subject.shown("cpu/feature", "name", "policy") == [("aes", "disable")]
    assert subject.shown("cputune/quota") == [("-1",)]
    assert subject.shown("iothreads") == []
    assert subject.shown("devices/disk/driver", "io", "iothread", "detect_zeroes") == [("native", None, "off")]
    assert subject.shown("devices/disk/iotune/*") == [("5000",)]
    assert subject.shown("devices/interface/bandwidth/*", "average") == [("10",)]
    assert subject.shown("devices/watchdog") == []
    assert len(subject.shown("devices/serial")) == 1
    assert ("tablet", "virtio") in subject.shown("devices/input", "type", "bus")


def test_a_flavor_says_the_same(hypervisor: Hypervisor, name: str) -> None:
    """Nova's words; what is plugged by hand stays."""
    specs = {
        "hw:cpu_sockets": "2",
        "hw:watchdog_action": "poweroff",
        "hw:serial_port_count": "2",
        "hw_rng:allowed": "false",
        "hw:vif_multiqueue_enabled": "true",
        "quota:disk_write_iops_sec": "70",
        "quota:vif_inbound_average": "33",
    }
    subject = Subject(hypervisor, name, flavor={**FLAVOR, "extra_specs": specs})
    subject.declare(networks=[{"user": True}, {"user": True, "queues": 1, "inbound": {"average": 44}}])
    assert subject.shown("cpu/topology", "sockets") == [("2",)]
    assert subject.shown("devices/watchdog", "action") == [("poweroff",)]
    assert subject.shown("devices/rng") == []
    assert subject.shown("devices/disk/iotune/*") == [("70",)]
    assert subject.shown("devices/interface/driver", "queues") == [("2",)]
    assert subject.shown("devices/interface/bandwidth/inbound", "average") == [("33",), ("44",)]
    assert subject.declare(rng=True) == {"rng": "live"}
    assert subject.declare(watchdog="pause") == {"watchdogs[i6300esb].action": "live"}


def test_secure_boot_on_scsi(hypervisor: Hypervisor, name: str) -> None:
    """Firmware is chosen once; a disk on SCSI has its I/O thread and queues at its controller."""
    subject = Subject(hypervisor, name, disk_bus="scsi", iothreads=1, disk_queues=2)
    subject.declare(boot={"firmware": "efi"}, secure_boot=True)
    assert subject.shown("os", "firmware") == [("efi",)]
    assert ("yes", "secure-boot") in subject.shown("os/firmware/feature", "enabled", "name")
    assert subject.shown("features/smm", "state") == [("on",)]
    assert ("2", "1") in subject.shown("devices/controller[@type='scsi']/driver", "queues", "iothread")
    assert "INVALID_OPTION: Option secure_boot" in subject.refused(secure_boot=False)
    del subject.declared["secure_boot"]
    assert subject.declare() == {}


def test_dedicated_cpus(hypervisor: Hypervisor, name: str) -> None:
    """On two CPUs there is room for one; instances of one task do not get the same, nor does one that comes later."""
    subject = Subject(hypervisor, name, flavor={**FLAVOR, "vcpus": 1})
    subject.declare(cpu_policy="dedicated")
    assert subject.shown("cputune/vcpupin", "vcpu", "cpuset") == [("0", "0")]
    assert subject.shown("numatune/memnode", "cellid", "mode", "nodeset") == [("0", "strict", "0")]
    assert subject.shown("vcpu") == [("1",)]

    fleet: dict[str, t.Any] = {
        "uri": hypervisor.uri,
        "fleet": "f",
        "virt_type": "qemu",
        "limits": {"reserved_host_memory_mb": 0},
        "instances": [
            {
                "name": f"{name}-{number}",
                "flavor": {**FLAVOR, "vcpus": 1},
                "power_state": "stopped",
                "cpu_policy": "dedicated",
            }
            for number in (1, 2)
        ],
    }
    for check in (True, False):
        failed = run_module("compute_fleet", check=check, **fleet)
        assert failed.failed
        assert f"{name}-2 fits nowhere on this host: cell 0 has 0 of 1 free CPUs" in str(failed.data)
    assert hypervisor.domains() == {name, f"{name}-1"}
    assert "'1'" in hypervisor.virsh("dumpxml", f"{name}-1").split("<vcpupin", 1)[1].split("/>")[0]

    assert set(subject.declare(cpu_policy="shared")) == {"cpu_tune.vcpu_pins", "cpu_tune.emulator_cpus"}
    assert subject.shown("cputune/*") == []
    assert not run_module("compute_fleet", **fleet).failed
    assert "'0'" in hypervisor.virsh("dumpxml", f"{name}-2").split("<vcpupin", 1)[1].split("/>")[0]
    again = run_module("compute_fleet", **fleet)
    assert not again.failed
    assert not again.changed
    assert "NO_CAPACITY" in subject.refused(cpu_policy="dedicated")


def test_instances_lie_where_the_plan_says(hypervisor: Hypervisor, name: str) -> None:
    """Facts tell the plan what is free, the host takes the CPU that was planned, and a second plan keeps it."""
    subject = Subject(hypervisor, name, flavor={**FLAVOR, "vcpus": 1}, fleet="f", cpu_policy="dedicated")
    subject.declare(placement={"cells": [{"host_cell": 0, "cpus": [1]}]})
    assert subject.shown("cputune/vcpupin", "vcpu", "cpuset") == [("0", "1")]
    subject.declare(placement={"cells": [{"host_cell": 0, "cpus": [0]}]})
    assert subject.shown("cputune/vcpupin", "vcpu", "cpuset") == [("0", "1")]

    def plan() -> dict[str, t.Any]:
        node = run_module("compute_facts", uri=hypervisor.uri).data["ansible_facts"]["compute_node"]
        flavor = {**FLAVOR, "vcpus": 1, "extra_specs": {"hw:cpu_policy": "dedicated"}}
        instances = [{"name": f"{name}{end}", "flavor": flavor, "power_state": "stopped"} for end in ("", "-1", "-2")]
        return answer(Question("f", instances, {"hv": node}, limits={"reserved_host_memory_mb": 0}))

    first = plan()
    told = first["by_host"]["hv"]
    assert [one.get("placement", {}).get("cells") for one in told] == [
        None,
        [{"host_cell": 0, "cpus": [0], "page_kb": None}],
    ]
    assert (
        "NUMATopologyFilter removed 1 host (hv needs 1 free CPUs in one cell, most are 0 in cell 0)" in first["problem"]
    )
    fleet: dict[str, t.Any] = {"uri": hypervisor.uri, "fleet": "f", "virt_type": "qemu"}
    fleet["limits"] = {"reserved_host_memory_mb": 0}
    for is_changed in (True, False):
        done = run_module("compute_fleet", **fleet, instances=told)
        assert not done.failed, done.message
        assert done.changed is is_changed
        told = plan()["by_host"]["hv"]
        assert not any("placement" in one for one in told)
    assert "'0'" in hypervisor.virsh("dumpxml", f"{name}-1").split("<vcpupin", 1)[1].split("/>")[0]


def test_what_the_host_has_not_is_refused(hypervisor: Hypervisor, name: str) -> None:
    """Before anything is made, by the option's name."""
    subject = Subject(hypervisor, name)
    for declared, words in REFUSED:
        problem = subject.refused(**declared)
        assert [word for word in words if word not in problem] == [], problem


def test_a_watchdog_is_plugged_in_where_there_is_a_slot(hypervisor: Hypervisor, name: str) -> None:
    """On a machine of plain PCI it is there at once; on PCI Express it waits."""
    for number, (machine, effect) in enumerate([("pc", "live"), ("q35", "next_boot")]):
        subject = Subject(hypervisor, f"{name}-{number}", machine_type=machine, power_state="running")
        subject.declare()
        assert subject.declare(watchdog="poweroff") == {"watchdogs[i6300esb]": effect}
        assert (subject.xml().find("devices/watchdog") is not None) == (effect == "live")
        assert subject.shown("devices/watchdog", "action") == [("poweroff",)]


def test_a_running_guest(hypervisor: Hypervisor, guest_image: t.Any, name: str) -> None:
    """Limits of a disk are in force at once; what is not pluggable waits for the next boot, and is there after it."""
    image = run_module("compute_image", uri=hypervisor.uri, name=IMAGE, src=str(guest_image))
    assert not image.failed, image.message
    flavor = {**FLAVOR, "vcpus": 1, "memory_mb": 128}
    subject = Subject(hypervisor, name, flavor=flavor, image=IMAGE, power_state="running")
    subject.declare(
        disk_limits={"total_bytes_sec": 50000000},
        networks=[{"user": True, "mac": MAC}],
        cpu={"mode": "custom", "model": "qemu64", "features": {"svm": "disable"}},
        wait_for=["running", "agent"],
        wait_timeout=180,
    )
    del subject.declared["wait_for"]
    assert _tuned(hypervisor, name) == {"total_bytes_sec": "50000000"}
    boots = hypervisor.inside(name, "cat /www/boots")

    effects = subject.declare(disk_limits={"read_bytes_sec": 40000000, "write_iops_sec": 5000})
    assert effects == {"disks[vda].iotune.read_bytes_sec": "live", "disks[vda].iotune.write_iops_sec": "live"}
    assert _tuned(hypervisor, name) == {"read_bytes_sec": "40000000", "write_iops_sec": "5000"}
    # Those who set it behind our back are overruled in the guest alone.
    hypervisor.virsh("blkdeviotune", name, "vda", "--live", "--read-bytes-sec", "1000000")
    assert subject.declare() == {"disks[vda].iotune.read_bytes_sec": "live"}
    assert _tuned(hypervisor, name)["read_bytes_sec"] == "40000000"

    effects = subject.declare(
        watchdog="reset",
        sound="ich9",
        tablet="usb",
        serial_ports=2,
        rng_rate={"bytes": 1024},
        cpu={"mode": "custom", "model": "qemu64", "features": {"svm": "disable", "aes": "require"}},
        networks=[{"user": True, "mac": MAC, "inbound": {"average": 1000}}],
    )
    assert set(effects.values()) == {"next_boot"}
    assert hypervisor.inside(name, "cat /www/boots") == boots

    result = run_module("compute_instance", uri=hypervisor.uri, **{**subject.declared, "cpu_limits": {"shares": 512}})
    assert "no control group for CPUs" in result.message

    effects = subject.declare(allow_power_cycle=True, cpu_policy="dedicated", iothreads=1)
    assert {"power_cycle"} <= set(effects.values()) <= {"power_cycle", "next_boot"}
    live = subject.xml()
    for path in (
        "devices/watchdog",
        "devices/sound",
        "devices/serial[2]",
        "devices/rng/rate",
        "cpu/feature[@name='aes']",
    ):
        assert live.find(path) is not None, path
    assert live.find("devices/disk/driver").get("iothread") == "1"  # type: ignore[union-attr]
    assert hypervisor.virsh("vcpupin", name).split() == ["0", "0"]
    assert "aes" in hypervisor.inside(name, "grep flags /proc/cpuinfo")
    assert "svm" not in hypervisor.inside(name, "grep flags /proc/cpuinfo").split()


def _tuned(host: Hypervisor, name: str) -> dict[str, str]:
    rows = (line.partition(":") for line in host.virsh("blkdeviotune", name, "vda").splitlines())
    return {
        key.strip(): value.strip() for key, _colon, value in rows if value.strip() != "0" and "group_name" not in key
    }
