# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of an instance as one item of a list."""

from __future__ import annotations

import typing as t
from dataclasses import replace

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._driver.addresses import GuestAddress
from ansible_collections.kilonova.compute.plugins.module_utils._driver.guests import BlockStats, GuestReading
from ansible_collections.kilonova.compute.plugins.module_utils._driver.usage import BlockUsage, NicUsage, Usage
from ansible_collections.kilonova.compute.plugins.module_utils._service.instance_row import instance_row
from ansible_collections.kilonova.compute.plugins.module_utils._service.present import Present
from ansible_collections.kilonova.compute.plugins.module_utils._spec.machine import Disk, Machine, Nic, OsBoot
from ansible_collections.kilonova.compute.plugins.module_utils._spec.record import InstanceRecord, OwnedDisk
from ansible_collections.kilonova.compute.plugins.module_utils._xml.runtime import Endpoint, Runtime

GIB = 1024**3
MAC = "52:54:00:00:00:01"
URI = "qemu:///system"
RECORD = InstanceRecord(
    fleet="shop",
    flavor="small",
    image="debian-12",
    image_digest="sha256:00",
    group="web",
    group_policy="anti-affinity",
    protected=True,
    created_at="2026-11-23T05:00:00Z",
    labels=(("role", "web"),),
    disks=(OwnedDisk("vda", "default", "a-vda.qcow2"),),
)
MACHINE = Machine(
    "kvm",
    "a",
    memory_kib=2048 * 1024,
    current_memory_kib=1024 * 1024 + 1,
    vcpus=4,
    current_vcpus=2,
    os=OsBoot(machine="pc-q35-7.2"),
    disks=(
        Disk("vda", bus="virtio", source="/pool/a-vda.qcow2", format="qcow2", serial="root"),
        Disk("sda", bus="sata", device="cdrom", readonly=True),
    ),
    nics=(Nic(MAC, "network", "default", model="virtio"), Nic("52:54:00:00:00:02", "user", link_state="down")),
)
READING = GuestReading(
    "a",
    "u-1",
    "running",
    False,
    "",
    (BlockStats("vda", "/pool/a-vda.qcow2", GIB + 1, 4096),),
    usage=Usage(
        5.64321,
        rss_kib=1025,
        balloon_kib=1024,
        blocks=(BlockUsage("vda", 1, 2, 3, 4, 5),),
        nics=(NicUsage("vnet0", 1, 2, 3, 4, 5, 6, 7, 8),),
    ),
)
RUNTIME = Runtime(
    endpoints=(Endpoint("vnc", "127.0.0.1", 5900),),
    console_log="/pool/a.console.log",
    nic_devices=((MAC, "vnet0"),),
    firmware="efi",
)
PRESENT = Present(READING, MACHINE, RUNTIME, RECORD)
ADDRESS = GuestAddress("192.0.2.7", 24, "ipv4", MAC, "vnet0", "lease")


def row_of(present: Present = PRESENT, autostarted: frozenset[str] | None = frozenset()) -> dict[str, t.Any]:
    """Return the row."""
    return instance_row(present, [ADDRESS], autostarted, URI)


def test_a_running_instance_of_ours() -> None:
    """Everything there is to know."""
    row = row_of(autostarted=frozenset({"u-1"}))
    disks, nics, usage = row.pop("disks"), row.pop("nics"), row.pop("usage")
    assert row == {
        "name": "a",
        "uuid": "u-1",
        "managed": True,
        "fleet": "shop",
        "flavor": "small",
        "image": "debian-12",
        "image_digest": "sha256:00",
        "labels": {"role": "web"},
        "group": "web",
        "group_policy": "anti-affinity",
        "protected": True,
        "created_at": "2026-11-23T05:00:00Z",
        "state": "running",
        "power_state": "running",
        "autostart": True,
        "vcpus": 2,
        "max_vcpus": 4,
        "memory_mb": 1025,
        "max_memory_mb": 2048,
        "virt_type": "kvm",
        "machine_type": "pc-q35-7.2",
        "firmware": "efi",
        "addresses": [
            {
                "address": "192.0.2.7",
                "prefix": 24,
                "family": "ipv4",
                "mac": MAC,
                "interface": "vnet0",
                "source": "lease",
            }
        ],
        "graphics": [
            {
                "type": "vnc",
                "host": "127.0.0.1",
                "port": 5900,
                "tls_port": None,
                "websocket": None,
                "socket": None,
                "uri": "vnc://127.0.0.1:5900",
            }
        ],
        "console_log": "/pool/a.console.log",
    }
    assert [disk["owned"] for disk in disks] == [True, False]
    assert [nic["device"] for nic in nics] == ["vnet0", None]
    assert usage["cpu_time_seconds"] == 5.643


def test_disks() -> None:
    """Sizes come from the statistics, rounded up; an empty drive has none."""
    assert row_of()["disks"] == [
        {
            "target": "vda",
            "device": "disk",
            "bus": "virtio",
            "type": "file",
            "source": "/pool/a-vda.qcow2",
            "format": "qcow2",
            "readonly": False,
            "serial": "root",
            "capacity_gb": 2,
            "capacity_bytes": GIB + 1,
            "allocation_bytes": 4096,
            "owned": True,
        },
        {
            "target": "sda",
            "device": "cdrom",
            "bus": "sata",
            "type": "file",
            "source": None,
            "format": None,
            "readonly": True,
            "serial": None,
            "capacity_gb": None,
            "capacity_bytes": None,
            "allocation_bytes": None,
            "owned": False,
        },
    ]


def test_nics() -> None:
    """Without a word about it the link is up."""
    assert row_of()["nics"] == [
        {
            "mac": MAC,
            "type": "network",
            "source": "default",
            "portgroup": None,
            "model": "virtio",
            "link_state": "up",
            "fixed_ip": None,
            "security_groups": [],
            "port_security": False,
            "device": "vnet0",
        },
        {
            "mac": "52:54:00:00:00:02",
            "type": "user",
            "source": None,
            "portgroup": None,
            "model": None,
            "link_state": "down",
            "fixed_ip": None,
            "security_groups": [],
            "port_security": False,
            "device": None,
        },
    ]


def test_usage() -> None:
    """Memory is rounded up, seconds to the millisecond; what is not known is null; NICs have their MAC addresses."""
    assert row_of()["usage"] == {
        "cpu_time_seconds": 5.643,
        "cpu_user_seconds": None,
        "cpu_system_seconds": None,
        "memory_rss_mb": 2,
        "memory_balloon_mb": 1,
        "memory_available_mb": None,
        "memory_unused_mb": None,
        "memory_usable_mb": None,
        "disks": [
            {
                "target": "vda",
                "read_bytes": 1,
                "read_requests": 2,
                "write_bytes": 3,
                "write_requests": 4,
                "flush_requests": 5,
            }
        ],
        "nics": [
            {
                "device": "vnet0",
                "mac": MAC,
                "received_bytes": 1,
                "received_packets": 2,
                "received_errors": 3,
                "received_drops": 4,
                "sent_bytes": 5,
                "sent_packets": 6,
                "sent_errors": 7,
                "sent_drops": 8,
            }
        ],
    }


def test_a_foreign_domain_that_is_off() -> None:
    """How it was made is not known; it uses nothing, and its screen is nowhere."""
    reading = replace(READING, state="shutoff", has_saved_memory=True)
    row = row_of(Present(reading, MACHINE, RUNTIME, None), None)
    assert (row["managed"], row["protected"], row["labels"]) == (False, False, {})
    assert (row["state"], row["power_state"], row["autostart"]) == ("shutoff", "suspended", None)
    assert (row["usage"], row["graphics"]) == (None, [])
    assert {key for key in ("fleet", "flavor", "image", "image_digest", "group", "created_at") if row[key]} == set()
    assert not any(disk["owned"] for disk in row["disks"])


@pytest.mark.parametrize("volume", ["b-vda.qcow2", "pool/a-vda.qcow2", ""])
def test_another_volume_is_not_owned(volume: str) -> None:
    """Somebody may have put another disk at the same target."""
    record = replace(RECORD, disks=(OwnedDisk("vda", "default", volume), OwnedDisk("sda", "default", "a-vda.qcow2")))
    assert [disk["owned"] for disk in row_of(replace(PRESENT, record=record))["disks"]] == [False, False]
