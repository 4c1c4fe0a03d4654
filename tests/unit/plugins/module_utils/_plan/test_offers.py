# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of what is refused because the hypervisor does not offer it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._errors import SpecError
from ansible_collections.kilonova.compute.plugins.module_utils._plan.offers import refuse_machine_type, refuse_unoffered
from ansible_collections.kilonova.compute.plugins.module_utils._spec.capabilities import DomainCapabilities
from ansible_collections.kilonova.compute.plugins.module_utils._spec.machine import (
    Channel,
    Cpu,
    Disk,
    Filesystem,
    Graphics,
    Machine,
    OsBoot,
    Sev,
    Tpm,
)
from ansible_collections.kilonova.compute.plugins.module_utils._spec.tuning import MemoryBacking
from ansible_collections.kilonova.compute.plugins.module_utils._xml.capabilities import read_domain_capabilities

OFFERS = read_domain_capabilities(
    (Path(__file__).parents[1] / "_xml" / "data" / "domain-capabilities-q35.xml").read_text(encoding="utf-8")
)
"""A Debian host's, without swtpm."""
BARE = Machine("qemu", "m")
ORDINARY = replace(
    BARE,
    os=OsBoot(firmware="efi", secure_boot=True),
    cpu=Cpu(mode="custom", model="qemu64"),
    memory_backing=MemoryBacking(source="memfd"),
    disks=(Disk("vda", "virtio"), Disk("sda", "sata", device="cdrom")),
    graphics=(Graphics("spice"),),
    channels=(Channel("org.qemu.guest_agent.0"), Channel("com.redhat.spice.0", "spicevmc")),
    video="virtio",
    rng="/dev/urandom",
    filesystems=(Filesystem("tag", "/srv", driver="virtiofs"),),
)
UNOFFERED = [
    (replace(BARE, vcpus=289), "flavor.vcpus", "at most 288"),
    (replace(BARE, os=OsBoot(firmware="efi64")), "boot.firmware", "install it"),
    (replace(BARE, cpu=Cpu(mode="host-passthrough")), "cpu.mode", "it has maximum, host-model, custom"),
    (replace(BARE, cpu=Cpu(mode="custom", model="phenom")), "cpu.model", "it has qemu64, "),
    (replace(BARE, cpu=Cpu("custom", "M1", features=(("x", "disable"),))), "cpu.model", "it has qemu64, "),
    (replace(BARE, memory_backing=MemoryBacking(source="tape")), "shares", "it has file, anonymous, memfd"),
    (replace(BARE, disks=(Disk("hda", "ide"),)), "disk_bus", "it has fdc, scsi, virtio, usb, sata"),
    (replace(BARE, disks=(Disk("sda", "sata", device="tape"),)), "cdroms", "it has disk, cdrom, floppy, lun"),
    (replace(BARE, graphics=(Graphics("rdp"),)), "graphics.type", "it has sdl, vnc, spice"),
    (replace(BARE, channels=(Channel("c", "tin"),)), "guest_agent", "it has pty, unix, spicevmc"),
    (replace(BARE, video="hercules"), "video", "it has vga, "),
    (replace(BARE, tpm=Tpm("tpm-crb")), "tpm", "install swtpm"),
    (replace(BARE, filesystems=(Filesystem("t", "/", driver="nfs"),)), "shares", "leave shares out"),
    (replace(BARE, launch_security=Sev(3)), "sev", "take an AMD host"),
]


def test_takes_what_is_offered() -> None:
    """Everything at once."""
    refuse_unoffered(ORDINARY, OFFERS)
    refuse_unoffered(replace(ORDINARY, os=OsBoot(firmware="bios")), OFFERS)


@pytest.mark.parametrize(("machine", "option", "remedy"), UNOFFERED)
def test_refuses_what_is_not_offered(machine: Machine, option: str, remedy: str) -> None:
    """The option is named, and what would be right."""
    with pytest.raises(SpecError) as caught:
        refuse_unoffered(machine, OFFERS)
    assert caught.value.option == option
    assert remedy in caught.value.remedy


def test_says_it_in_one_sentence() -> None:
    """For people."""
    with pytest.raises(SpecError) as caught:
        refuse_unoffered(replace(BARE, disks=(Disk("hda", "ide"),)), OFFERS)
    assert str(caught.value) == (
        "Option disk_bus: this hypervisor has no disks on bus ide for a machine pc-q35-7.2 (qemu);"
        " it has fdc, scsi, virtio, usb, sata."
    )


def test_refuses_nothing_where_libvirt_tells_nothing() -> None:
    """Other drivers and older versions leave out nearly everything."""
    for machine, _option, _remedy in UNOFFERED:
        refuse_unoffered(replace(machine, vcpus=1), DomainCapabilities())


def test_a_model_that_lacks_a_feature_here_can_do_without_it() -> None:
    """Only the user knows which one."""
    refuse_unoffered(replace(BARE, cpu=Cpu("custom", "phenom", features=(("3dnow", "disable"),))), OFFERS)


def test_refuses_secure_boot_without_firmware_for_it() -> None:
    """An old machine type, or a host without the files."""
    with pytest.raises(SpecError, match=r"^Option secure_boot: "):
        refuse_unoffered(ORDINARY, replace(OFFERS, has_secure_boot=False))


def test_refuses_random_numbers_where_the_device_is_missing() -> None:
    """It is on by default, so the message must say how to turn it off."""
    with pytest.raises(SpecError, match=r"^Option rng: .* it has none\.$"):
        refuse_unoffered(ORDINARY, replace(OFFERS, rng_models=()))


def test_checks_models_and_versions_of_a_tpm() -> None:
    """Where there is an emulator; an old libvirt tells no versions."""
    with_tpm = replace(OFFERS, tpm_backends=("emulator",))
    refuse_unoffered(replace(BARE, tpm=Tpm("tpm-crb", "2.0")), with_tpm)
    with pytest.raises(SpecError, match=r"^Option tpm\.model: .* it has tpm-tis, tpm-crb\.$"):
        refuse_unoffered(replace(BARE, tpm=Tpm("tpm-spapr")), with_tpm)
    with pytest.raises(SpecError, match=r"^Option tpm\.version: .* it has 2\.0\.$"):
        refuse_unoffered(replace(BARE, tpm=Tpm("tpm-crb", "1.2")), replace(with_tpm, tpm_versions=("2.0",)))


def test_refuses_an_unknown_machine_type() -> None:
    """By name; a hypervisor without machine types refuses none."""
    refuse_machine_type("q35", "x86_64", ("pc", "q35"))
    refuse_machine_type(None, "x86_64", ("pc", "q35"))
    refuse_machine_type("q36", "x86_64", ())
    with pytest.raises(SpecError, match=r"^Option machine_type: this hypervisor has no machine type q36 of x86_64; it"):
        refuse_machine_type("q36", "x86_64", ("pc", "q35"))
