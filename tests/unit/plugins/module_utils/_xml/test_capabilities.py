# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of what is read from a host's capabilities: those of this project's lab, and those of a NUMA host."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._xml.capabilities import (
    HostCapabilities,
    PageTotal,
    Topology,
    read_cpu_features,
    read_domain_capabilities,
    read_host,
)
from ansible_collections.kilonova.compute.plugins.module_utils._xml.document import XmlError

DATA = Path(__file__).parent / "data"


def sample(name: str) -> str:
    """Return a sample document."""
    return (DATA / f"{name}.xml").read_text()


def test_a_qemu_host() -> None:
    """A small machine with one cell."""
    host = read_host(sample("capabilities-qemu"))
    assert host.uuid == "7dcfbca3-7929-5be0-9c4f-97145db2dfc0"
    assert (host.arch, host.cpu_model, host.cpu_vendor) == ("x86_64", "Broadwell", "Intel")
    assert {"vme", "umip", "taa-no"} <= set(host.cpu_features)
    assert host.topology == Topology(sockets=1, dies=1, cores=2, threads=1)
    assert [cpu.id for cell in host.cells for cpu in cell.cpus] == [0, 1]
    assert host.virt_types("x86_64") == ("qemu", "kvm")
    assert host.machines("x86_64") == ("pc-i440fx-7.2", "pc", "x-remote", "isapc", "pc-q35-7.2", "q35", "microvm")
    assert [guest.emulator for guest in host.guests_of("i686")] == ["/usr/bin/qemu-system-i386"]
    assert host.virt_types("s390x") == host.machines("s390x") == ()


def test_a_numa_host() -> None:
    """Cells need not be numbered without gaps, CPUs name their siblings, huge pages are told from the others."""
    host = read_host(sample("capabilities-numa"))
    first, second = host.cells
    assert (first.id, second.id) == (0, 2)
    assert (first.memory_kib, second.memory_kib) == (64 * 1024**2, 32 * 1024**2)
    assert first.pages == (PageTotal(4, 12582912), PageTotal(2048, 4096), PageTotal(1048576, 8))
    assert [(cpu.id, cpu.core_id, cpu.siblings) for cpu in first.cpus][:2] == [(0, 0, (0, 4)), (1, 0, (1, 5))]
    assert [(cpu.id, cpu.socket_id, cpu.siblings) for cpu in second.cpus] == [(8, 1, (8, 9)), (9, None, ())]
    assert host.page_kib == 4
    assert host.topology == Topology(sockets=1, dies=2, cores=1, threads=2)


def test_guests_of_one_architecture_are_put_together() -> None:
    """Containers beside machines, and machines that only one domain type has."""
    host = read_host(sample("capabilities-numa"))
    assert host.virt_types("x86_64") == ("qemu", "kvm", "lxc")
    assert host.machines("x86_64") == ("pc-q35-rhel9.2.0", "q35", "special")


def test_a_host_that_tells_nothing() -> None:
    """Drivers may leave out nearly everything."""
    assert read_host("<capabilities><host/></capabilities>") == HostCapabilities()


def test_the_cpu_goes_back_to_libvirt_as_it_came() -> None:
    """The element is kept as text, and is a document of its own."""
    cpu = read_host(sample("capabilities-numa")).cpu_xml
    assert cpu.startswith("<cpu>")
    assert read_cpu_features(cpu) == ("vmx",)


def test_features_that_a_cpu_must_not_have_are_left_out() -> None:
    """Only what is required is there."""
    text = (
        "<cpu><feature policy='require' name='avx'/><feature policy='disable' name='sse'/><feature name='aes'/></cpu>"
    )
    assert read_cpu_features(text) == ("avx", "aes")


def test_domain_capabilities() -> None:
    """What guests of one kind may be made of."""
    known = read_domain_capabilities(sample("domain-capabilities-q35"))
    assert (known.emulator, known.virt_type) == ("/usr/bin/qemu-system-x86_64", "qemu")
    assert (known.machine, known.arch, known.max_vcpus) == ("pc-q35-7.2", "x86_64", 288)
    assert known.firmwares == ("efi",)
    assert "/usr/share/OVMF/OVMF_CODE_4M.fd" in known.loaders
    assert known.has_secure_boot
    assert known.cpu_modes == ("maximum", "host-model", "custom")
    assert "qemu64" in known.cpu_models
    assert known.disk_buses == ("fdc", "scsi", "virtio", "usb", "sata")
    assert known.disk_devices == ("disk", "cdrom", "floppy", "lun")
    assert {"vnc", "spice"} <= set(known.graphics_types)
    assert {"virtio", "qxl", "none"} <= set(known.video_models)
    assert "virtio" in known.rng_models
    assert "random" in known.rng_backends
    assert known.tpm_models == ("tpm-tis", "tpm-crb")
    assert known.tpm_backends == ("passthrough",)
    assert "phenom" in known.blocked_cpu_models
    assert "virtiofs" in known.filesystem_drivers
    assert known.memory_sources == ("file", "anonymous", "memfd")
    assert "spicevmc" in known.channel_types
    assert not known.has_sev
    assert {"os", "cpu", "disk", "tpm", "sev", "memoryBacking"} <= set(known.sections)


def test_what_is_not_supported_has_no_values() -> None:
    """Libvirt lists an enum's values also of a device that this guest cannot have."""
    text = (
        "<domainCapabilities><path>/x</path><devices><video supported='no'><enum name='modelType'>"
        "<value>vga</value></enum></video></devices></domainCapabilities>"
    )
    known = read_domain_capabilities(text)
    assert known.video_models == known.firmwares == known.cpu_modes == ()
    assert (known.machine, known.max_vcpus) == (None, None)
    assert not known.has_secure_boot
    assert known.sections == ("path", "devices", "video")


@pytest.mark.parametrize("read", [read_host, read_domain_capabilities, read_cpu_features])
def test_another_document_is_refused(read: object) -> None:
    """What is read must be what was asked for."""
    assert callable(read)
    with pytest.raises(XmlError, match="it is <pool>"):
        read("<pool/>")
