# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""UEFI, secure boot and emulated TPMs: guests really start with them, and what they keep on the host goes or stays.

What they keep lies outside of all pools, so that is looked for in the files of the lab's hypervisor.
"""

from __future__ import annotations

import os
import subprocess
import typing as t
from pathlib import Path

import pytest

from .conftest import Hypervisor, run_module
from .killing import Runs
from .subjects import BOOTING, SWITCHED_OFF, Subject, effects, removed_after, said

UEFI: dict[str, t.Any] = {"boot": {"firmware": "efi"}, "secure_boot": True, "tpm": {}}
ENDORSEMENT_KEY = r"""
exec 3<>/dev/tpm0
printf '\200\001\000\000\000\016\000\000\001\163\201\001\000\001' >&3
dd bs=4096 count=1 <&3 2>/dev/null | sha256sum
"""
"""Asks a TPM of version 2.0 for the public part of the key it was made with (TPM2_ReadPublic of 0x81010001)."""
FIRST_PARTITION = 1024**2


class Firmware:
    """What a hypervisor keeps for its guests' firmware and TPMs."""

    def __init__(self, directory: str, host: Hypervisor) -> None:
        """Look at ``host`` of the lab in ``directory``."""
        self._kept = Path(directory) / host.name / "config" / "libvirt" / "qemu"

    def variables(self) -> set[str]:
        """Return the files with the variables of a firmware."""
        return {path.name for path in (self._kept / "nvram").glob("*")}

    def tpms(self) -> set[str]:
        """Return the UUIDs that the state of a TPM is kept for."""
        return {path.name for path in (self._kept / "swtpm").glob("*") if any(path.rglob("*"))}

    def nothing(self, name: str) -> bool:
        """Tell whether nothing is kept, be it memory, a snapshot or a definition."""
        named = {path.name for path in self._kept.rglob("*") if path.name.startswith(name)}
        return (self.variables(), self.tpms(), named) == (set(), set(), set())


def emulators(uuid: str) -> list[int]:
    """Return the processes that emulate the TPM of a domain."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0") if entry.name.isdigit() else []
        except OSError:
            continue
        if os.path.basename(words[0] if words else b"") == b"swtpm" and any(uuid.encode() in word for word in words):
            found.append(int(entry.name))
    return found


@pytest.fixture
def firmware(lab_directory: str, shared_host: Hypervisor) -> t.Iterator[Firmware]:
    """Return what the shared hypervisor keeps, which is nothing before and after."""
    shared_host.clear_domains()
    kept = Firmware(lab_directory, shared_host)
    assert kept.nothing("t-")
    yield kept
    shared_host.clear_domains()


def booting_by_uefi(image: Path, directory: Path) -> Path:
    """Return the test guest's image with its kernel, which nobody signed for UEFI, as what the firmware boots."""
    disk, kernel = directory / "uefi.raw", directory / "vmlinuz"
    part = ["-i", f"{disk}@@{FIRST_PARTITION}"]
    for command in (
        ["qemu-img", "convert", "-O", "raw", str(image), str(disk)],
        ["mcopy", *part, "::vmlinuz", str(kernel)],
        ["mdel", *part, "::initrd", "::vmlinuz"],
        ["mmd", *part, "::EFI", "::EFI/BOOT"],
        ["mcopy", *part, str(kernel), "::EFI/BOOT/BOOTX64.EFI"],
    ):
        subprocess.run(command, check=True, capture_output=True)
    return disk


def test_secure_boot_starts_nothing_that_is_not_signed(
    shared_host: Hypervisor, firmware: Firmware, guest_image: Path, name: str, tmp_path: Path
) -> None:
    """The same disk is started without it, which is what an instance has by itself; the firmware says so on the console."""
    disk = booting_by_uefi(guest_image, tmp_path)
    published = run_module("compute_image", uri=shared_host.uri, name="uefi", src=str(disk))
    assert not published.failed, published.message
    flavor = {"name": "tiny", "vcpus": 1, "memory_mb": 128, "disk_gb": 1}
    guests = {}
    for word, declared in (("secure", {"secure_boot": True}), ("plain", {})):
        guest = Subject(
            shared_host, f"{name}-{word}", image="uefi", flavor=flavor, boot={"firmware": "efi"}, **declared
        )
        said(guest.attempt())
        guests[word] = guest
    shared_host.wait_for_console(guests["plain"].name, "BdsDxe: starting Boot0001")
    refused = shared_host.wait_for_console(guests["secure"].name, "No bootable option or device was found")
    assert "Access Denied" in refused
    assert "BdsDxe: starting Boot0001" not in refused
    for guest in guests.values():
        assert "OVMF" in guest.xml()
        assert not said(guest.attempt())["changed"]
        assert guest.absent(**SWITCHED_OFF).changed
    assert firmware.nothing(name)


def test_a_tpm_is_the_guests_own_for_good(shared_host: Hypervisor, firmware: Firmware, name: str) -> None:
    """The guest finds it, and the same again after it was off, after a change, and when it is made anew from kept disks."""
    guest = Subject(shared_host, name, **BOOTING, tpm={})
    uuid = said(guest.attempt())["uuid"]
    guest.wait_for_boot()
    assert guest.inside("cat /sys/class/tpm/tpm0/tpm_version_major") == "2"
    assert guest.tree().find("devices/tpm/backend").attrib == {"type": "emulator", "version": "2.0"}  # type: ignore[union-attr]
    key = guest.inside(ENDORSEMENT_KEY)
    assert len(emulators(uuid)) == 1

    guest.run(power_state="stopped")
    assert emulators(uuid) == []
    assert firmware.tpms() == {uuid}
    assert effects(guest.run(power_state="running", watchdog="reset")).keys() == {"watchdogs[i6300esb]", "power_state"}
    guest.wait_for_boot(2)
    assert guest.inside(ENDORSEMENT_KEY) == key

    removed = guest.absent(keep_disks=True)
    assert said(removed)["uuid"] == uuid
    assert firmware.tpms() == {uuid}
    del guest.declared["image"]
    said(guest.attempt(uuid=uuid, flavor={**BOOTING["flavor"], "disk_gb": 0}, volumes=[{"name": f"{name}-vda.qcow2"}]))
    guest.wait_for_boot()
    assert guest.boots() == 3
    assert guest.inside(ENDORSEMENT_KEY) == key
    assert guest.absent().changed
    assert firmware.nothing(name)
    assert emulators(uuid) == []
    assert f"{name}-vda.qcow2" in shared_host.volumes()


def _save(guest: Subject) -> None:
    said(guest.attempt(power_state="suspended"))


def _snapshot(guest: Subject) -> None:
    said(guest.attempt(power_state="stopped", **SWITCHED_OFF))
    guest.host.virsh("snapshot-create-as", guest.name, "by-hand")


@pytest.mark.parametrize("happened", [None, _save, _snapshot])
def test_its_name_is_enough_to_remove_all(
    shared_host: Hypervisor, firmware: Firmware, name: str, happened: t.Callable[[Subject], None] | None
) -> None:
    """Domain, disk, variables of the firmware, state of the TPM, saved memory and snapshots are gone."""
    with removed_after(Subject(shared_host, name, **UEFI)) as guest:
        uuid = said(guest.attempt())["uuid"]
        assert len(emulators(uuid)) == 1
        if happened is not None:
            happened(guest)
        assert firmware.variables() == {f"{name}_VARS.fd"}
        assert firmware.tpms() == {uuid}
        assert guest.absent(**SWITCHED_OFF).changed
        assert name not in shared_host.domains()
        assert not [volume for volume in shared_host.volumes() if volume.startswith(name)]
        assert firmware.nothing(name)
        assert emulators(uuid) == []
        assert not guest.absent().changed


def test_variables_are_kept_with_the_disks(shared_host: Hypervisor, firmware: Firmware, name: str) -> None:
    """A firmware finds its boot entries and keys again, by the instance's name."""
    with removed_after(Subject(shared_host, name, **UEFI)) as guest:
        uuid = said(guest.attempt())["uuid"]
        kept = guest.absent(keep_disks=True, **SWITCHED_OFF)
        assert said(kept)["uuid"] == uuid
        assert (firmware.variables(), firmware.tpms()) == ({f"{name}_VARS.fd"}, {uuid})
        guest.declared.update(flavor={**guest.declared["flavor"], "disk_gb": 0}, uuid=uuid)
        said(guest.attempt(volumes=[{"name": f"{name}-vda.qcow2"}]))
        assert "is the UUID of" in Subject(shared_host, f"{name}-2", uuid=uuid).attempt().message
        assert "can't become" in guest.attempt(uuid="4b20d080-1b54-4048-85b3-a6a62d165c01").message
        assert guest.absent(**SWITCHED_OFF).changed
        assert firmware.nothing(name)


def test_half_made_instances_are_removed_whole(shared_host: Hypervisor, firmware: Firmware, name: str) -> None:
    """Whichever call a run that makes or removes one was killed at, with nothing but the name."""
    guest = Subject(shared_host, name, **UEFI)
    declared = {"uri": shared_host.uri, "name": name, **guest.declared}
    removal = {"uri": shared_host.uri, "name": name, "state": "absent", **SWITCHED_OFF}
    with Runs("compute_instance") as runs, removed_after(guest):

        def gone() -> None:
            assert not runs.run("compute_instance", **removal).done.failed
            assert firmware.nothing(name)
            assert not [volume for volume in shared_host.volumes() if volume.startswith(name)]

        def there() -> None:
            gone()
            assert runs.run("compute_instance", **declared).done.changed

        for begin, killed, call in ((gone, declared, "create"), (there, removal, "undefineFlags")):
            assert call in list(runs.killed_everywhere("compute_instance", begin, **killed))
        gone()
