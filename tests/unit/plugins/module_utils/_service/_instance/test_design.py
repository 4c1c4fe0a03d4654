# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests for the policy of what libvirt is asked for."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._errors import SpecError
from ansible_collections.kilonova.compute.plugins.module_utils._plan.machine import differences
from ansible_collections.kilonova.compute.plugins.module_utils._service._instance.platforms import Platform
from ansible_collections.kilonova.compute.plugins.module_utils._spec.machine import Serial
from ansible_collections.kilonova.compute.tests.unit.plugins.module_utils.factories import (
    FLAVOR,
    NOW,
    Q35,
    instance_spec,
    machine_of,
)


def test_the_root_disk_is_an_overlay_in_the_pool() -> None:
    """Its path, its record and its name follow from the declaration."""
    machine = machine_of(instance_spec())
    assert machine.disks[0].source == "/pool/web-1-vda.qcow2"
    assert machine.record is not None
    assert [(disk.target, disk.pool, disk.volume) for disk in machine.record.disks] == [
        ("vda", "default", "web-1-vda.qcow2")
    ]
    assert machine.record.created_at == NOW


@pytest.mark.parametrize(("bus", "target"), [("virtio", "vda"), ("scsi", "sda"), ("sata", "sda")])
def test_cdroms_take_the_next_free_target(bus: str, target: str) -> None:
    """Two drives never share a target, and a CD-ROM is read-only."""
    machine = machine_of(instance_spec(disk_bus=bus, cdroms=["a.iso", "b.iso"]))
    targets = [disk.target for disk in machine.disks]
    assert targets[0] == target
    assert len(set(targets)) == 3
    assert [disk.readonly for disk in machine.disks[1:]] == [True, True]
    assert {disk.bus for disk in machine.disks[1:]} == {"sata"}


@pytest.mark.parametrize(
    ("place", "port_group"),
    [
        ({"network": "lan"}, None),
        ({"network": "lan", "portgroup": "blue"}, "blue"),
        ({"network": "other"}, ""),
        ({"network": "other", "portgroup": "blue"}, "blue"),
        ({"bridge": "lan"}, ""),
    ],
)
def test_a_port_group_does_not_go_along_to_another_network(place: dict[str, str], port_group: str | None) -> None:
    """It is one of its network; where the network stays and it is not declared, it is left alone."""
    mac = "52:54:00:00:00:01"
    existing = machine_of(instance_spec(networks=[{"network": "lan", "portgroup": "blue", "mac": mac}]))
    (nic,) = machine_of(instance_spec(networks=[{**place, "mac": mac}]), existing=existing).nics
    assert nic.portgroup == port_group


def test_ide_is_refused_where_the_machine_has_none() -> None:
    """The message names a way out."""
    with pytest.raises(SpecError, match="machine_type: pc"):
        machine_of(instance_spec(disk_bus="ide"))
    assert machine_of(instance_spec(disk_bus="ide"), replace(Q35, machine="pc-i440fx-7.2")).disks[0].target == "hda"


def test_consoles_listen_on_this_host_only() -> None:
    """VNC has no password, so it is not open by itself."""
    assert machine_of(instance_spec()).graphics[0].listen == "127.0.0.1"


def test_kvm_gets_the_hosts_cpu_and_emulation_does_not() -> None:
    """Nova's default."""
    assert machine_of(instance_spec()).cpu is None
    cpu = machine_of(instance_spec(), replace(Q35, virt_type="kvm")).cpu
    assert cpu is not None
    assert cpu.mode == "host-model"


def test_arm_has_no_smbios_and_no_apic() -> None:
    """What only x86 has is left out elsewhere."""
    machine = machine_of(instance_spec(), Platform("qemu", "aarch64", "virt-7.2", None, None, 8))
    assert machine.sysinfo == ()
    assert machine.features.apic is None


def test_the_name_reaches_the_guest_without_a_seed() -> None:
    """cloud-init and the test guest read the serial number."""
    assert machine_of(instance_spec()).sysinfo == (("serial", "ds=nocloud;h=web-1"),)


def test_what_was_recorded_stays() -> None:
    """Creation time, image digest and disks are those of the creation."""
    spec = instance_spec()
    first = replace(machine_of(spec), uuid="u-1")
    later = machine_of(instance_spec(flavor={**FLAVOR, "memory_mb": 256}), existing=first)
    assert later.uuid == "u-1"
    assert first.record is not None
    assert later.record is not None
    assert (later.record.created_at, later.record.image_digest, later.record.disks) == (
        first.record.created_at,
        first.record.image_digest,
        first.record.disks,
    )
    assert [change.path for change in differences(later, first)] == ["max_memory_mb", "memory_mb"]


def test_a_topology_fits_the_vcpus_and_stays_otherwise() -> None:
    """What was made to fit is still wanted at the next run, when a guest that runs has another one yet."""
    flavor = {**FLAVOR, "vcpus": 2, "extra_specs": {"hw:cpu_sockets": "1", "hw:cpu_cores": "2"}}
    made = machine_of(instance_spec(flavor=flavor))
    larger = instance_spec(flavor={**FLAVOR, "vcpus": 2}, max_vcpus=4)
    flat = machine_of(larger, existing=made).cpu
    assert flat is not None
    assert (flat.sockets, flat.cores, flat.threads, flat.dies) == (4, 1, 1, None)
    made = replace(made, vcpus=4, cpu=flat)
    assert machine_of(larger, existing=made).cpu == flat
    assert machine_of(instance_spec(flavor=None), existing=made).cpu is None
    dies = replace(made, cpu=replace(flat, sockets=2, dies=2))
    assert machine_of(larger, existing=dies).cpu == dies.cpu
    most = instance_spec(flavor={**FLAVOR, "vcpus": 2}, max_vcpus=6)
    assert machine_of(most, existing=dies).cpu == replace(flat, sockets=6, dies=1)


def test_what_a_definition_has_is_still_wanted() -> None:
    """A guest that runs may not have it yet."""
    spec = instance_spec(serial_ports=2, rng_rate={"bytes": 1024})
    made = machine_of(spec)
    again = machine_of(spec, existing=replace(made, serials=(made.serials[0], Serial("file", 1)), rng="/dev/random"))
    assert again.serials[-1] == Serial("file", 1)
    assert again.rng == "/dev/random"
