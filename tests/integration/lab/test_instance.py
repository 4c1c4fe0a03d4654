# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""compute_instance against a real daemon and real guests; outcomes are read with virsh and from the console."""

from __future__ import annotations

import json
import subprocess
import typing as t
from pathlib import Path

import pytest

from .conftest import Hypervisor, Result, run_module, wait_until

FLAVOR = {"name": "tiny", "vcpus": 1, "memory_mb": 128, "disk_gb": 1}
IMAGE = "guest"
NO_MEMORY_RESERVE = {"reserved_host_memory_mb": 0}


@pytest.fixture
def host(hypervisor: Hypervisor, guest_image: Path) -> Hypervisor:
    """Return an empty hypervisor with the test guest's image published."""
    result = run_module("compute_image", uri=hypervisor.uri, name=IMAGE, src=str(guest_image))
    assert not result.failed, result.message
    return hypervisor


def instance(host: Hypervisor, name: str, *, check: bool = False, **changes: t.Any) -> Result:
    """Declare an instance as the tests like it."""
    declared: dict[str, t.Any] = {
        "name": name,
        "flavor": FLAVOR,
        "image": IMAGE,
        "virt_type": "qemu",
        "graphics": {"type": "none"},
        "networks": [{"user": True}],
        "limits": NO_MEMORY_RESERVE,
    }
    return run_module("compute_instance", check=check, diff=True, uri=host.uri, **{**declared, **changes})


def made(result: Result) -> Result:
    """Return a result that must not have failed."""
    assert not result.failed, result.message
    return result


def disk_of(host: Hypervisor, name: str) -> dict[str, t.Any]:
    """Return what qemu-img says of an instance's root disk."""
    path = host.pool_path() / f"{name}-vda.qcow2"
    shown = subprocess.run(
        ["qemu-img", "info", "-U", "--output=json", str(path)], check=True, capture_output=True, text=True
    )
    return t.cast("dict[str, t.Any]", json.loads(shown.stdout))


def test_life_of_an_instance(host: Hypervisor, name: str) -> None:
    """Check mode makes nothing; then it boots under its own name, stays as it is, stops when asked, and goes."""
    foretold = made(instance(host, name, check=True))
    assert foretold.changed
    assert host.domains() == set()

    created = made(instance(host, name))
    assert created.changed
    assert foretold.data["instance"]["actions"] == created.data["instance"]["actions"]
    assert host.state(name) == "running"
    host.wait_for_console(name, f"kilonova-guest ready: {name}")
    disk = disk_of(host, name)
    assert disk["virtual-size"] == 1024**3
    assert disk["backing-filename-format"] == "qcow2"

    domain_before = host.virsh("dumpxml", name)
    again = made(instance(host, name))
    assert not again.changed
    assert host.virsh("dumpxml", name) == domain_before

    assert made(instance(host, name, power_state="stopped")).changed
    assert host.state(name) == "shut off"
    assert not made(instance(host, name, power_state="stopped")).changed

    volumes = host.volumes()
    removed = made(run_module("compute_instance", uri=host.uri, name=name, state="absent"))
    assert removed.changed
    assert host.domains() == set()
    gone = volumes - host.volumes()
    assert gone == {f"{name}-vda.qcow2", f"{name}.console.log"}
    assert not made(run_module("compute_instance", uri=host.uri, name=name, state="absent")).changed


def test_more_memory_and_disk(host: Hypervisor, name: str) -> None:
    """Memory waits for the next boot and says so; the running guest's disk grows at once."""
    made(instance(host, name))
    bigger = {**FLAVOR, "memory_mb": 160, "disk_gb": 2}
    changed = made(instance(host, name, flavor=bigger))
    assert changed.data["instance"]["restart_required"]
    assert "<memory unit='KiB'>163840</memory>" in host.virsh("dumpxml", "--inactive", name)
    assert "<memory unit='KiB'>131072</memory>" in host.virsh("dumpxml", name)
    assert "Capacity:       2147483648" in host.virsh("domblkinfo", name, "vda")
    again = made(instance(host, name, flavor=bigger))
    assert not again.changed
    assert again.data["instance"]["restart_required"]


@pytest.mark.parametrize("bus", ["virtio", "scsi", "sata", "ide"])
@pytest.mark.parametrize("disk_format", ["qcow2", "raw"])
def test_disks_boot_on_every_bus(host: Hypervisor, name: str, bus: str, disk_format: str) -> None:
    """The guest's own boot loader and kernel come from the disk, so a ready line proves the bus and the format."""
    machine = "pc" if bus == "ide" else "q35"
    declared: dict[str, t.Any] = {"disk_bus": bus, "disk_format": disk_format, "machine_type": machine}
    made(instance(host, name, **declared))
    host.wait_for_console(name, f"kilonova-guest ready: {name}")
    assert not made(instance(host, name, **declared)).changed


def test_a_classic_definition_plans_no_second_change(host: Hypervisor, name: str) -> None:
    """What libvirt gives back for every option means the same to us."""
    iso = host.pool_path() / "seed.iso"
    iso.write_bytes(b"\0" * 4096)
    host.virsh("pool-refresh", "default")
    declared: dict[str, t.Any] = {
        "graphics": {"type": "vnc", "keymap": "de"},
        "video": "vga",
        "boot": {"devices": ["cdrom", "hd", "network"], "menu": True},
        "cpu": {"mode": "custom", "model": "qemu64"},
        "flavor": {**FLAVOR, "vcpus": 2, "extra_specs": {"hw:cpu_sockets": 1, "hw:cpu_cores": 2}},
        "features": {"acpi": True, "apic": True, "pae": True},
        "clock": "localtime",
        "on_crash": "restart",
        "on_reboot": "destroy",
        "cdroms": ["seed.iso"],
        "disk_cache": "none",
        "disk_discard": "unmap",
        "networks": [{"user": True, "mac": "52:54:00:12:34:56", "model": "e1000"}, {"user": True}],
        "metadata": {"owner": "<the & team>"},
        "power_state": "stopped",
    }
    made(instance(host, name, **declared))
    again = made(instance(host, name, **declared))
    assert again.data["instance"]["changes"] == []
    assert made(instance(host, name, **{**declared, "power_state": "running"})).changed
    running = made(instance(host, name, **{**declared, "power_state": "running"}))
    assert running.data["instance"]["changes"] == []
    listening = host.virsh("vncdisplay", name)
    assert listening.startswith("127.0.0.1:")
    made(run_module("compute_instance", uri=host.uri, name=name, state="absent", force=True, shutdown_timeout=1))
    assert iso.exists()


def test_uefi_is_kept_and_removed_whole(host: Hypervisor, name: str) -> None:
    """What libvirt picks for firmware and CPU is no drift, and its NVRAM does not stand against the removal."""
    declared: dict[str, t.Any] = {"boot": {"firmware": "efi"}, "cpu": {"mode": "host-model"}, "disk_bus": "scsi"}
    made(instance(host, name, **declared))
    assert "<nvram" in host.virsh("dumpxml", name)
    again = made(instance(host, name, **declared))
    assert again.data["instance"]["changes"] == []
    assert not again.data["instance"]["restart_required"]
    made(run_module("compute_instance", uri=host.uri, name=name, state="absent", force=True, shutdown_timeout=0))
    assert host.domains() == set()


def test_a_deaf_guest_is_not_switched_off_unless_forced(host: Hypervisor, name: str) -> None:
    """A guest that has nothing to boot never hears ACPI; only force may end it.

    terraform-provider-libvirt#356 is of guests that are switched off hard.
    """
    made(instance(host, name, image=None))
    refused = instance(host, name, image=None, power_state="stopped", shutdown_timeout=2)
    assert refused.failed
    assert "force: true" in refused.message
    assert host.state(name) == "running"
    made(instance(host, name, image=None, power_state="stopped", shutdown_timeout=1, force=True))
    assert host.state(name) == "shut off"


@pytest.fixture
def second_pool(host: Hypervisor, tmp_path: Path) -> t.Iterator[str]:
    """Return the name of another pool on the host."""
    (tmp_path / "fast").mkdir()
    host.virsh("pool-define-as", "fast", "dir", "--target", str(tmp_path / "fast"))
    host.virsh("pool-start", "fast")
    yield "fast"
    host.clear_domains()
    host.virsh("pool-destroy", "fast")
    host.virsh("pool-undefine", "fast")


def test_an_instance_stays_in_its_pool(host: Hypervisor, name: str, second_pool: str) -> None:
    """Named with another pool it is refused, and removed from its own: the other pool's volume is somebody's data."""
    made(instance(host, name, image=None, pool=second_pool, power_state="stopped"))
    host.virsh("vol-create-as", "default", f"{name}-vda.qcow2", "1M", "--format", "qcow2")
    refused = instance(host, name, image=None, power_state="stopped")
    assert refused.failed
    assert "declare pool: fast" in refused.message
    made(run_module("compute_instance", uri=host.uri, name=name, state="absent"))
    assert host.domains() == set()
    assert f"{name}-vda.qcow2" in host.volumes()
    assert host.volumes(second_pool) == set()


def test_a_snapshot_is_not_undone(host: Hypervisor, name: str) -> None:
    """The overlay stays what the guest boots from, and its base is not removed from below it."""
    made(instance(host, name, power_state="stopped"))
    host.virsh("snapshot-create-as", name, "s1", "--disk-only", "--no-metadata")
    before = host.virsh("dumpxml", name)
    assert f"{name}-vda.s1" in before
    assert not made(instance(host, name, power_state="stopped")).changed
    assert host.virsh("dumpxml", name) == before
    refused = run_module("compute_instance", uri=host.uri, name=name, state="absent")
    assert refused.failed
    assert "snapshot" in refused.message
    assert f"{name}-vda.qcow2" in host.volumes()


def test_a_disk_never_shrinks(host: Hypervisor, name: str) -> None:
    """A disk that was grown by hand is larger than its record, and stays so, in check mode and out of it."""
    made(instance(host, name))
    host.virsh("blockresize", name, "vda", "3G")
    for check in (True, False):
        refused = instance(host, name, check=check, flavor={**FLAVOR, "disk_gb": 2})
        assert refused.failed
        assert "at least 3" in refused.message
    assert "3221225472" in host.virsh("domblkinfo", name, "vda")


def test_a_paused_guest_can_be_stopped(host: Hypervisor, name: str) -> None:
    """It is woken, so that it hears that it shall power off."""
    made(instance(host, name))
    host.wait_for_console(name, f"kilonova-guest ready: {name}")
    host.virsh("suspend", name)
    made(instance(host, name, power_state="stopped"))
    assert host.state(name) == "shut off"


def test_a_failure_lists_only_what_was_done(host: Hypervisor, name: str) -> None:
    """Whoever reads that a disk was deleted must be able to believe it."""
    made(instance(host, name, image=None, fleet="t"))
    result = run_module(
        "compute_fleet", uri=host.uri, fleet="t", state="absent", instances=[{"name": name}], shutdown_timeout=1
    )
    assert result.failed
    assert result.data["instances"][0]["actions"] == []
    assert f"{name}-vda.qcow2" in host.volumes()


def test_emulation_and_pending_changes_are_told(host: Hypervisor, name: str) -> None:
    """Warnings say what a quiet result would hide, again on every run while it lasts."""
    created = made(instance(host, name, virt_type="auto"))
    if created.data["instance"]["virt_type"] == "qemu":
        assert "software emulation" in json.dumps(created.data["warnings"])
    for _run in range(2):
        result = made(instance(host, name, flavor={**FLAVOR, "memory_mb": 160}, virt_type="auto"))
        assert f"{name}: memory_mb will be" in json.dumps(result.data["warnings"])


def test_a_paused_guest_goes_on(host: Hypervisor, name: str) -> None:
    """Declared running means that the guest's CPUs run."""
    made(instance(host, name))
    host.virsh("suspend", name)
    assert made(instance(host, name)).changed
    assert host.state(name) == "running"


def test_a_foreign_domain_is_never_touched(host: Hypervisor, name: str) -> None:
    """The name is taken: neither declared nor removed, and its definition stays as it is."""
    foreign = f"<domain type='qemu'><name>{name}</name><memory>65536</memory><os><type>hvm</type></os></domain>"
    subprocess.run(["virsh", "-c", host.uri, "define", "/dev/stdin"], input=foreign, check=True, text=True)
    before = host.virsh("dumpxml", name)
    for result in (
        instance(host, name),
        run_module("compute_instance", uri=host.uri, name=name, state="absent"),
    ):
        assert result.failed
        assert "did not create" in result.message
    assert host.virsh("dumpxml", name) == before


def test_a_foreign_volume_is_never_taken(host: Hypervisor, name: str) -> None:
    """A volume with the root disk's name is somebody's data."""
    host.virsh("vol-create-as", "default", f"{name}-vda.qcow2", "1M", "--format", "qcow2")
    result = instance(host, name)
    assert result.failed
    assert "is in pool default already" in result.message
    assert host.domains() == set()
    assert f"{name}-vda.qcow2" in host.volumes()


def test_a_failed_start_is_taken_back(host: Hypervisor, name: str) -> None:
    """An instance that libvirt cannot start leaves neither a domain nor a disk."""
    before = host.volumes()
    result = instance(host, name, networks=[{"bridge": "nobr0"}])
    assert result.failed
    assert host.domains() == set()
    assert host.volumes() - before <= {f"{name}.console.log"}


def test_an_interrupted_creation_is_finished(host: Hypervisor, name: str) -> None:
    """A run that was killed after the definition left no disk; the next one makes it and boots."""
    made(instance(host, name, power_state="stopped"))
    host.virsh("vol-delete", f"{name}-vda.qcow2", "default")
    assert made(instance(host, name)).changed
    host.wait_for_console(name, f"kilonova-guest ready: {name}")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"image": "nosuch"}, ["nosuch", IMAGE]),
        ({"pool": "nosuch"}, ["pool", "nosuch", "default"]),
        ({"networks": [{"network": "nosuch"}]}, ["networks", "nosuch"]),
        ({"cdroms": ["nosuch.iso"]}, ["cdroms", "nosuch.iso"]),
        ({"machine_type": "nosuch"}, ["machine_type", "nosuch"]),
        ({"flavor": {**FLAVOR, "vcpus": 9999}}, ["flavor.vcpus", "9999"]),
        ({"flavor": {**FLAVOR, "memory_mb": 99999999}}, ["99999999 MiB"]),
        ({"flavor": {**FLAVOR, "disk_gb": 9999999}}, ["9999999 GiB"]),
        ({"disk_bus": "ide", "machine_type": "q35"}, ["disk_bus", "sata"]),
        ({"uri": "qemu:///session?socket=/nonexistent"}, ["uri", "/nonexistent"]),
    ],
)
def test_what_cannot_be_had_is_refused(
    host: Hypervisor, name: str, changes: dict[str, t.Any], words: list[str]
) -> None:
    """One sentence that names the option or the object; nothing is made."""
    before = host.volumes()
    arguments = {"flavor": FLAVOR, "image": IMAGE, "virt_type": "qemu", "graphics": {"type": "none"}, "uri": host.uri}
    result = run_module("compute_instance", **{**arguments, "name": name, **changes})
    assert result.failed
    for word in words:
        assert word in result.message
    assert host.domains() == set()
    assert host.volumes() == before


def test_a_protected_instance_stays(host: Hypervisor, name: str) -> None:
    """It goes only after it was declared unprotected."""
    made(instance(host, name, protected=True, power_state="stopped"))
    refused = run_module("compute_instance", uri=host.uri, name=name, state="absent")
    assert refused.failed
    assert "protected" in refused.message
    assert name in host.domains()
    made(instance(host, name, protected=False, power_state="stopped"))
    made(run_module("compute_instance", uri=host.uri, name=name, state="absent"))
    assert host.domains() == set()


def test_absent_needs_only_a_name_and_finishes_what_was_begun(host: Hypervisor, name: str) -> None:
    """A removal that was interrupted after the disk was deleted goes through.

    virt_cloud_instance of community.libvirt wants a base image and disks to remove a domain.
    """
    made(instance(host, name, power_state="stopped"))
    host.virsh("vol-delete", f"{name}-vda.qcow2", "default")
    made(run_module("compute_instance", uri=host.uri, name=name, state="absent"))
    assert host.domains() == set()


def test_a_guest_that_stops_by_itself_is_started_again(host: Hypervisor, name: str) -> None:
    """Out of band changes are drift, and the declaration wins."""
    made(instance(host, name))
    host.virsh("destroy", name)
    assert made(instance(host, name)).changed
    wait_until(lambda: host.state(name) == "running", f"{name} runs")
