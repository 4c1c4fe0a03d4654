# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of hardware as a user declares it, and of Nova's extra specs that mean the same."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._errors import SpecError
from ansible_collections.kilonova.compute.plugins.module_utils._options_hardware import (
    hardware_cpu_options,
    hardware_nic_options,
    hardware_options,
)
from ansible_collections.kilonova.compute.plugins.module_utils._spec.hardware import (
    DiskTuning,
    Hardware,
    NicTuning,
    PciRequest,
)
from ansible_collections.kilonova.compute.plugins.module_utils._spec.machine import Filesystem, Sev, Tpm
from ansible_collections.kilonova.compute.plugins.module_utils._spec.placement import CellDemand, Placement
from ansible_collections.kilonova.compute.plugins.module_utils._spec.tuning import IoTune, Rate

UUID = "4b20d080-1b54-4048-85b3-a6a62d165c01"


def _none(options: dict[str, t.Any]) -> dict[str, t.Any]:
    return dict.fromkeys(options)


def _params(specs: dict[str, t.Any] | None = None, **declared: t.Any) -> dict[str, t.Any]:
    cpu = {"mode": None, "model": None, **_none(hardware_cpu_options()), **declared.pop("cpu", {})}
    return {**_none(hardware_options()), "cpu": cpu, "flavor": {"extra_specs": specs or {}}, **declared}


def _made(specs: dict[str, t.Any] | None = None, **declared: t.Any) -> Hardware:
    return Hardware.from_params(_params(specs, **declared), vcpus=4, memory_mb=1024)


def test_nothing_declared_is_nothing() -> None:
    """Everything is left alone."""
    assert _made() == Hardware(Placement())


def test_everything_declared() -> None:
    """Option by option."""
    hardware = _made(
        cpu={
            "features": {"vmx": "disable", "aes": "require"},
            "topology": {"sockets": None, "dies": None, "cores": 2, "threads": 2},
            "migratable": False,
            "pmu": True,
        },
        cpu_limits={"shares": 1024, "period": 100000, "quota": -1},
        iothreads=1,
        secure_boot=True,
        tpm={"model": None, "version": None},
        watchdog="poweroff",
        sound="ich9",
        tablet="usb",
        serial_ports=2,
        rng_rate={"bytes": 1024, "period_ms": None},
        disk_io="native",
        disk_detect_zeroes="unmap",
        disk_queues=4,
        disk_limits={"total_iops_sec": 100},
        pci_devices=[{"vendor_id": "8086", "product_id": "10FB", "count": 2}, {"address": "0000:3B:00.1"}],
        mdevs=[UUID.upper()],
        shares=[{"source": "/srv", "target": "srv", "readonly": True}],
        sev={"policy": 3, "cbitpos": 47, "reduced_phys_bits": 1, "kernel_hashes": None},
    )
    assert hardware == Hardware(
        Placement(),
        cpu_features=(("aes", "require"), ("vmx", "disable")),
        sockets=1,
        cores=2,
        threads=2,
        migratable=False,
        pmu=True,
        cpu_shares=1024,
        cpu_period=100000,
        cpu_quota=-1,
        iothreads=1,
        secure_boot=True,
        tpm=Tpm("tpm-crb", "2.0"),
        watchdog="poweroff",
        sound="ich9",
        tablet="usb",
        serial_ports=2,
        rng_rate_bytes=1024,
        disk=DiskTuning("native", "unmap", 4, IoTune(total_iops_sec=100)),
        pci=(
            PciRequest("pci_devices[0]", "8086", "10fb", count=2),
            PciRequest("pci_devices[1]", address="0000:3b:00.1"),
        ),
        mdevs=(UUID,),
        shares=(Filesystem("srv", "/srv", "virtiofs", readonly=True),),
        sev=Sev(3, 47, 1),
    )


def test_extra_specs_are_options() -> None:
    """Every key that Nova knows and we support, with the strings that people write."""
    hardware = _made(
        {
            "hw:cpu_cores": "2",
            "hw:cpu_threads": 2,
            "hw:pmu": "False",
            "hw:watchdog_action": "reset",
            "hw:tpm_version": "1.2",
            "os:secure_boot": "required",
            "hw:serial_port_count": "2",
            "hw:vif_multiqueue_enabled": True,
            "hw_rng:allowed": "no",
            "hw_rng:rate_bytes": "10",
            "hw_rng:rate_period": "20",
            "quota:cpu_shares": "512",
            "quota:disk_read_iops_sec": "10",
            "quota:vif_inbound_average": "100",
            "quota:vif_outbound_average": "200",
            "quota:vif_outbound_peak": "300",
        }
    )
    assert hardware == Hardware(
        Placement(),
        sockets=1,
        cores=2,
        threads=2,
        pmu=False,
        watchdog="reset",
        tpm=Tpm("tpm-tis", "1.2"),
        secure_boot=True,
        serial_ports=2,
        nic_multiqueue=True,
        rng_allowed=False,
        rng_rate_bytes=10,
        rng_rate_period_ms=20,
        cpu_shares=512,
        disk=DiskTuning(limits=IoTune(read_iops_sec=10)),
        nic_inbound=Rate(100),
        nic_outbound=Rate(200, 300),
    )


@pytest.mark.parametrize(("word", "expected"), [("required", True), ("disabled", False), ("optional", None)])
def test_secure_boot_in_novas_words(word: str, expected: bool | None) -> None:
    """Optional says nothing."""
    assert _made({"os:secure_boot": word}).secure_boot is expected


def test_a_declared_option_wins() -> None:
    """The flavor is for many; a group that an instance declares is its own as a whole, the CPU part by part."""
    specs = {
        "hw:watchdog_action": "reset",
        "hw:numa_nodes": "2",
        "hw:cpu_cores": "4",
        "hw:pmu": "true",
        "quota:disk_total_iops_sec": "10",
        "hw:tpm_version": "1.2",
    }
    hardware = _made(
        specs,
        watchdog="disabled",
        numa={"nodes": None, "cells": [{"vcpus": [3, 2, 1, 0], "memory_mb": 1024}]},
        disk_limits={"total_iops_sec": None, "read_iops_sec": 5},
        cpu={"topology": {"sockets": 4, "dies": None, "cores": None, "threads": None}},
        tpm={"model": "tpm-crb", "version": None},
    )
    assert hardware.watchdog == "disabled"
    assert hardware.placement.cells == (CellDemand((0, 1, 2, 3), 1024),)
    assert hardware.disk.limits == IoTune(read_iops_sec=5)
    assert (hardware.sockets, hardware.cores, hardware.pmu) == (4, 1, True)
    assert hardware.tpm == Tpm("tpm-crb", "2.0")


@pytest.mark.parametrize(
    ("specs", "declared", "expected"),
    [
        ({"hw:numa_nodes": "2"}, {}, Placement((CellDemand((0, 1), 512), CellDemand((2, 3), 512)))),
        (
            {
                "hw:numa_nodes": "2",
                "hw:numa_cpus.0": "0-2",
                "hw:numa_mem.0": "768",
                "hw:numa_cpus.1": "0-3,^0-2",
                "hw:numa_mem.1": "256",
            },
            {},
            Placement((CellDemand((0, 1, 2), 768), CellDemand((3,), 256))),
        ),
        ({"hw:cpu_policy": "dedicated"}, {}, Placement((CellDemand((0, 1, 2, 3), 1024),), dedicated=True)),
        ({"hw:cpu_policy": "dedicated"}, {"cpu_policy": "shared"}, Placement(is_shared=True)),
        (
            {"hw:cpu_policy": "dedicated", "hw:cpu_thread_policy": "isolate"},
            {"emulator_threads_policy": "isolate"},
            Placement((CellDemand((0, 1, 2, 3), 1024),), True, "isolate", True),
        ),
        (
            {"hw:cpu_policy": "mixed", "hw:cpu_dedicated_mask": "^0-1"},
            {},
            Placement((CellDemand((0, 1, 2, 3), 1024, (0, 1)),), dedicated=True),
        ),
        (
            {"hw:cpu_policy": "mixed", "hw:cpu_dedicated_mask": "0", "hw:numa_nodes": "2"},
            {"cpu_thread_policy": "isolate"},
            Placement((CellDemand((0, 1), 512, (1,)), CellDemand((2, 3), 512, (2, 3))), True, "isolate"),
        ),
        ({"hw:mem_page_size": "large"}, {}, Placement((CellDemand((0, 1, 2, 3), 1024),), pages="large")),
        ({}, {"hugepages": "2MB"}, Placement((CellDemand((0, 1, 2, 3), 1024),), pages=2048)),
        ({}, {"hugepages": "1 GiB"}, Placement((CellDemand((0, 1, 2, 3), 1024),), pages=1048576)),
        ({}, {"hugepages": "2048"}, Placement((CellDemand((0, 1, 2, 3), 1024),), pages=2048)),
    ],
)
def test_placement(specs: dict[str, str], declared: dict[str, t.Any], expected: Placement) -> None:
    """What lies somewhere lies in one cell, unless it is said otherwise."""
    assert _made(specs, **declared).placement == expected


_MASK = "flavor.extra_specs[hw:cpu_dedicated_mask]"


@pytest.mark.parametrize(
    ("specs", "declared", "option"),
    [
        ({"hw:magic": "1"}, {}, "flavor.extra_specs"),
        ({"hw:cpu_policy": "mine"}, {}, "flavor.extra_specs[hw:cpu_policy]"),
        ({"hw:pci_numa_affinity_policy": "near"}, {}, "flavor.extra_specs[hw:pci_numa_affinity_policy]"),
        ({"hw:cpu_policy": "mixed"}, {}, _MASK),
        ({"hw:cpu_dedicated_mask": "0"}, {}, _MASK),
        ({"hw:cpu_policy": "dedicated", "hw:cpu_dedicated_mask": "0"}, {}, _MASK),
        ({"hw:cpu_policy": "mixed", "hw:cpu_dedicated_mask": "0"}, {"cpu_policy": "shared"}, _MASK),
        ({"hw:cpu_policy": "mixed", "hw:cpu_dedicated_mask": "0-3"}, {}, _MASK),
        ({"hw:cpu_policy": "mixed", "hw:cpu_dedicated_mask": "^0-3"}, {}, _MASK),
        ({"hw:cpu_policy": "mixed", "hw:cpu_dedicated_mask": "3-4"}, {}, _MASK),
        ({"hw:cpu_policy": "mixed", "hw:cpu_dedicated_mask": "all"}, {}, _MASK),
        ({"hw:numa_nodes": "two"}, {}, "flavor.extra_specs[hw:numa_nodes]"),
        ({"hw:pmu": "perhaps"}, {}, "flavor.extra_specs[hw:pmu]"),
        ({"os:secure_boot": "true"}, {}, "flavor.extra_specs[os:secure_boot]"),
        (
            {"hw:numa_nodes": "1", "hw:numa_cpus.0": "0-x", "hw:numa_mem.0": "1"},
            {},
            "flavor.extra_specs[hw:numa_cpus.0]",
        ),
        ({"hw:numa_nodes": "1", "hw:numa_cpus.0": "0-3"}, {}, "flavor.extra_specs[hw:numa_mem.0]"),
        ({"hw:numa_nodes": "1", "hw:numa_mem.0": "3"}, {}, "flavor.extra_specs[hw:numa_cpus.0]"),
        ({"hw:numa_cpus.0": "0-3", "hw:numa_mem.0": "1024"}, {}, "flavor.extra_specs"),
        ({"hw:numa_nodes": "1", "hw:numa_cpus.1": "0-3", "hw:numa_mem.1": "1024"}, {}, "flavor.extra_specs"),
        ({"hw:numa_nodes": "3"}, {}, "numa.nodes"),
        ({"hw:numa_nodes": "0"}, {}, "numa.nodes"),
        ({"hw:cpu_cores": "3"}, {}, "cpu.topology"),
        ({"hw:cpu_cores": "0"}, {}, "cpu.topology.cores"),
        ({"hw:cpu_thread_policy": "isolate"}, {}, "cpu_thread_policy"),
        ({"hw:emulator_threads_policy": "isolate"}, {"cpu_policy": "shared"}, "emulator_threads_policy"),
        ({"hw:mem_page_size": "huge"}, {}, "hugepages"),
        ({}, {"hugepages": "0"}, "hugepages"),
        ({"hw:tpm_model": "tpm-crb", "hw:tpm_version": "1.2"}, {}, "tpm"),
        ({"quota:cpu_shares": "1"}, {}, "cpu_limits.shares"),
        ({"quota:cpu_quota": "999"}, {}, "cpu_limits.quota"),
        (
            {"quota:disk_total_bytes_sec": "1", "quota:disk_write_bytes_sec": "1"},
            {},
            "disk_limits.total_bytes_sec",
        ),
        ({"quota:disk_total_bytes_sec": "-1"}, {}, "disk_limits.total_bytes_sec"),
        ({"quota:vif_inbound_peak": "1"}, {}, "flavor.extra_specs[quota:vif_inbound].average"),
        ({}, {"numa": {"nodes": 2, "cells": [{"vcpus": [0, 1, 2, 3], "memory_mb": 1024}]}}, "numa.nodes"),
        ({}, {"numa": {"nodes": None, "cells": [{"vcpus": [0, 1, 2], "memory_mb": 1024}]}}, "numa.cells"),
        ({}, {"numa": {"nodes": None, "cells": [{"vcpus": [0, 1, 2, 3], "memory_mb": 1000}]}}, "numa.cells"),
        (
            {},
            {
                "numa": {
                    "nodes": None,
                    "cells": [{"vcpus": [0, 1, 2, 3], "memory_mb": 1024}, {"vcpus": [], "memory_mb": 0}],
                }
            },
            "numa.cells[1].memory_mb",
        ),
        ({}, {"cpu": {"features": {"a b": "require"}}}, "cpu.features"),
        ({}, {"cpu": {"features": {"aes": True}}}, "cpu.features[aes]"),
        ({}, {"serial_ports": 0}, "serial_ports"),
        ({}, {"iothreads": 65}, "iothreads"),
        ({}, {"disk_queues": 0}, "disk_queues"),
        ({}, {"pci_devices": [{}]}, "pci_devices[0]"),
        ({}, {"pci_devices": [{"address": "0000:3b:00.1", "vendor_id": "8086"}]}, "pci_devices[0]"),
        ({}, {"pci_devices": [{"address": "3b:00.1"}]}, "pci_devices[0].address"),
        ({}, {"pci_devices": [{"address": "0000:3b:00.1", "count": 1}]}, "pci_devices[0].count"),
        ({}, {"pci_devices": [{"vendor_id": "8086"}]}, "pci_devices[0].product_id"),
        ({}, {"pci_devices": [{"vendor_id": "0x8086", "product_id": "10fb"}]}, "pci_devices[0].vendor_id"),
        ({}, {"pci_devices": [{"vendor_id": "8086", "product_id": "10fb", "count": 0}]}, "pci_devices[0].count"),
        ({}, {"pci_devices": [{"address": "0000:3b:00.1"}, {"address": "0000:3B:00.1"}]}, "pci_devices[1]"),
        ({}, {"mdevs": ["gpu"]}, "mdevs[0]"),
        ({}, {"mdevs": [UUID, UUID.upper()]}, "mdevs[1]"),
        ({}, {"shares": [{"source": "srv", "target": "srv"}]}, "shares[0].source"),
        ({}, {"shares": [{"source": "/srv", "target": ""}]}, "shares[0].target"),
        ({}, {"shares": [{"source": "/a", "target": "t"}, {"source": "/b", "target": "t"}]}, "shares[1]"),
        ({}, {"sev": {"policy": 65536}}, "sev.policy"),
    ],
)
def test_refuses_what_cannot_be(specs: dict[str, str], declared: dict[str, t.Any], option: str) -> None:
    """The option is named, and what would be right."""
    with pytest.raises(SpecError) as caught:
        _made(specs, **declared)
    assert caught.value.option == option
    assert caught.value.remedy


def test_a_nic_is_tuned() -> None:
    """Nothing declared is nothing; 0 takes a limit away."""
    nothing = _none(hardware_nic_options())
    assert NicTuning.from_params(nothing, "networks[0]") == NicTuning()
    declared = {**nothing, "queues": 4, "mtu": 9000, "vlan": 7, "inbound": {"average": 0, "peak": None, "burst": None}}
    assert NicTuning.from_params(declared, "networks[0]") == NicTuning(4, 9000, vlan=7, inbound=Rate(0, 0, 0))


@pytest.mark.parametrize(
    ("declared", "model", "option"),
    [
        ({"queues": 2}, "e1000", "networks[0].queues"),
        ({"queues": 257}, "virtio", "networks[0].queues"),
        ({"mtu": 1}, "virtio", "networks[0].mtu"),
        ({"vlan": 4095}, "virtio", "networks[0].vlan"),
        ({"outbound": {"burst": 5}}, "virtio", "networks[0].outbound.average"),
        ({"outbound": {"average": -5}}, "virtio", "networks[0].outbound.average"),
    ],
)
def test_refuses_a_nic_that_cannot_be(declared: dict[str, t.Any], model: str, option: str) -> None:
    """The option is named."""
    with pytest.raises(SpecError) as caught:
        NicTuning.from_params(declared, "networks[0]", model)
    assert caught.value.option == option
