# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of what guests take: as defined and declared, not as used at the moment."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._driver.guests import BlockStats, GuestReading
from ansible_collections.kilonova.compute.plugins.module_utils._service.facts_guests import (
    Guest,
    PoolPlace,
    growth_bytes,
    instance_row,
    pci_users,
    pinned_cpus,
    understand,
)
from ansible_collections.kilonova.compute.plugins.module_utils._spec.machine import Disk, Machine
from ansible_collections.kilonova.compute.plugins.module_utils._spec.record import InstanceRecord, OwnedDisk
from ansible_collections.kilonova.compute.plugins.module_utils._xml import domain
from ansible_collections.kilonova.compute.plugins.module_utils._xml.demand import HostDemand

GIB = 1024**3
POOL = PoolPlace("default", "/pool")
ROOT = Disk("vda", bus="virtio", source="/pool/a.qcow2", format="qcow2")
RECORD = InstanceRecord(
    fleet="demo",
    flavor="small",
    vcpus=2,
    memory_mb=512,
    disk_gb=7,
    image="debian",
    group="web",
    group_policy="anti-affinity",
    created_at="2026-11-23T05:00:00Z",
    disks=(OwnedDisk("vda", "default", "a.qcow2"),),
)


def block(path: str = "/pool/a.qcow2", capacity: int | None = 2 * GIB, allocation: int | None = GIB) -> BlockStats:
    """Return a disk's sizes."""
    return BlockStats("vda", path, capacity, allocation)


def guest(
    name: str = "a",
    *,
    state: str = "running",
    saved: bool = False,
    record: InstanceRecord | None = None,
    disks: tuple[Disk, ...] = (ROOT,),
    blocks: tuple[BlockStats, ...] = (block(),),
    demand: HostDemand | None = None,
) -> Guest:
    """Return a guest."""
    machine = Machine("qemu", name, memory_kib=512 * 1024, vcpus=2, disks=disks, record=record)
    reading = GuestReading(name, f"uuid-{name}", state, saved, "", blocks)
    return Guest(reading, machine, demand or HostDemand())


def test_definitions_are_read() -> None:
    """What libvirt gives becomes a guest with its record and its demands."""
    xml = domain.render(Machine("qemu", "a", memory_kib=1024, vcpus=3, record=RECORD))
    (found,) = understand([GuestReading("a", "u", "shutoff", False, xml)])
    assert found.record == RECORD
    assert found.machine.vcpus == 3
    assert found.demand == HostDemand()


def test_the_row_of_ours() -> None:
    """Everything but vCPUs, memory and state comes from the record."""
    assert instance_row(guest(record=RECORD)) == {
        "name": "a",
        "uuid": "uuid-a",
        "managed": True,
        "fleet": "demo",
        "flavor": "small",
        "image": "debian",
        "vcpus": 2,
        "memory_mb": 512,
        "disk_gb": 7,
        "power_state": "running",
        "group": "web",
        "group_policy": "anti-affinity",
        "created_at": "2026-11-23T05:00:00Z",
    }


@pytest.mark.parametrize(("state", "vcpus", "memory_mb"), [("shutoff", 0, 0), ("running", 2, 512), ("paused", 2, 512)])
def test_a_shelved_instance_claims_its_disk_alone(state: str, vcpus: int, memory_mb: int) -> None:
    """As long as it is off; what it is stays told."""
    shelved = guest(state=state, record=replace(RECORD, shelved=True))
    assert (shelved.claimed_vcpus, shelved.claimed_memory_mb) == (vcpus, memory_mb)
    assert shelved.disk_gb_in(PoolPlace("default", "/pool")) == 7
    assert (instance_row(shelved)["vcpus"], instance_row(shelved)["memory_mb"]) == (2, 512)
    off = guest(state="shutoff", record=RECORD)
    assert (off.claimed_vcpus, off.claimed_memory_mb) == (2, 512)


def test_the_row_of_a_foreign_guest() -> None:
    """How it was made is not known; its disk counts with what it can grow to, in whole GiB upwards."""
    row = instance_row(guest(blocks=(block(capacity=GIB + 1),)))
    assert row["disk_gb"] == 2
    assert row["managed"] is False
    assert {key for key, value in row.items() if value is None} == {
        "fleet",
        "flavor",
        "image",
        "group",
        "group_policy",
        "created_at",
    }


@pytest.mark.parametrize(
    ("state", "saved", "word"),
    [
        ("running", False, "running"),
        ("blocked", False, "running"),
        ("shutdown", False, "running"),
        ("paused", False, "paused"),
        ("pmsuspended", False, "suspended"),
        ("shutoff", False, "stopped"),
        ("shutoff", True, "suspended"),
        ("crashed", False, "crashed"),
        ("nostate", False, "nostate"),
    ],
)
def test_power_states(state: str, saved: bool, word: str) -> None:
    """Libvirt's words become Nova's."""
    assert guest(state=state, saved=saved).power_state == word


def test_disk_in_the_pool_of_ours() -> None:
    """The flavor's disk is promised of the pool that the disk was made in."""
    mine = guest(record=RECORD)
    assert mine.disk_gb_in(POOL) == 7
    assert mine.disk_gb_in(PoolPlace("other", "/other")) == 0


@pytest.mark.parametrize("path", ["/other/a.qcow2", "/pool2/a.qcow2", "", "/pool"])
def test_disk_elsewhere_of_foreign_guests(path: str) -> None:
    """Only what lies in the pool's directory is of the pool."""
    assert guest(blocks=(block(path),)).disk_gb_in(POOL) == 0
    assert guest().disk_gb_in(POOL) == 2


@pytest.mark.parametrize(
    "disk", [Disk("vda", device="cdrom", source="/pool/a.iso"), Disk("vda", source="/pool/a.raw", readonly=True)]
)
def test_what_cannot_grow_does_not_count(disk: Disk) -> None:
    """CD-ROMs and read-only disks take nothing."""
    still = guest(disks=(disk,))
    assert still.disk_gb() == still.disk_gb_in(POOL) == growth_bytes([still], POOL) == 0


def test_a_disk_whose_size_is_not_known_counts_as_nothing() -> None:
    """Some drivers tell no sizes."""
    assert guest(blocks=()).disk_gb() == guest(blocks=(block(capacity=None),)).disk_gb() == 0
    assert growth_bytes([guest(blocks=(block(capacity=None),))], POOL) == 0


def test_growth() -> None:
    """What may still be written counts, never below nothing, ours and others', a shared disk once."""
    guests = [
        guest("a", record=RECORD),
        guest("b", blocks=(block("/pool/b.qcow2", GIB, 2 * GIB),)),
        guest("c", blocks=(block("/pool/c.raw", 3 * GIB, None),)),
        guest("d", blocks=(block("/elsewhere/d", 9 * GIB, 0),)),
        guest("e", blocks=(block("/pool/a.qcow2"),)),
    ]
    assert growth_bytes(guests, POOL) == GIB + 3 * GIB
    assert growth_bytes(guests, PoolPlace("lun", None)) == 0


def test_pinned_cpus_and_pci_devices() -> None:
    """All guests' together; a device that two are defined with is said to be with the one that is there."""
    guests = [
        guest("a", state="shutoff", demand=HostDemand((1,), ("0000:01:00.0", "0000:02:00.0"))),
        guest("b", demand=HostDemand((1, 4), ("0000:01:00.0",))),
        guest("c", demand=HostDemand((), ("0000:01:00.0",))),
    ]
    assert pinned_cpus(guests) == {1, 4}
    assert pci_users(guests) == {"0000:01:00.0": "b", "0000:02:00.0": "a"}
