# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""compute_image with images of other formats against a real daemon: QEMU reads in the pool what the image held."""

from __future__ import annotations

import subprocess
import typing as t
from pathlib import Path

import pytest
from ansible_collections.kilonova.compute.tests.unit.plugins.module_utils import disk_images, zstd_libraries

from .conftest import Hypervisor, Result, run_module
from .test_image import data_volume, made, record_volume, sha256


def image(host: Hypervisor, source: Path, name: str = "appliance", **options: t.Any) -> Result:
    """Run compute_image on a file."""
    return run_module("compute_image", uri=host.uri, name=name, src=str(source), **options)


@pytest.mark.parametrize(
    ("make", "source_format"),
    [
        (disk_images.vmdk, "vmdk"),
        (disk_images.streamed_vmdk, "vmdk"),
        (disk_images.vhd, "vhd"),
        (disk_images.fixed_vhd, "vhd"),
        (disk_images.vhdx_image, "vhdx"),
    ],
)
def test_is_published_as_qcow2(
    hypervisor: Hypervisor, tmp_path: Path, make: t.Callable[[], bytes], source_format: str
) -> None:
    """In the pool is a qcow2 with the same disk, and libvirt says so; the next run does nothing."""
    source, plain = tmp_path / "source", tmp_path / "plain"
    source.write_bytes(make())
    plain.write_bytes(disk_images.disk())
    declared = {"format": source_format, "checksum": sha256(make())}
    published = made(image(hypervisor, source, **declared)).data["image"]
    assert published["format"] == "qcow2"
    assert published["source_format"] == source_format
    assert published["source_digest"] == sha256(make())
    assert published["virtual_size_bytes"] == disk_images.DISK_BYTES
    assert hypervisor.volumes() == {record_volume("appliance"), published["volume"]}
    assert "<format type='qcow2'/>" in hypervisor.virsh("vol-dumpxml", published["volume"], "default")
    compare = ["qemu-img", "compare", "-f", "raw", "-F", "qcow2", str(plain), published["path"]]
    subprocess.run(compare, check=True)
    assert not made(image(hypervisor, source, **declared)).changed
    assert not made(image(hypervisor, source, convert_to="qcow2")).changed


def test_format_can_be_asked_for(hypervisor: Hypervisor, tmp_path: Path) -> None:
    """The other format replaces the first, and a second name takes the data that is there in the format it wants."""
    source = tmp_path / "source.qcow2"
    source.write_bytes(disk_images.qcow2())
    declared = {"checksum": sha256(disk_images.qcow2())}
    made(image(hypervisor, source, **declared))
    result = made(image(hypervisor, source, convert_to="raw", **declared))
    assert "image.format: raw" in "".join(f"{change['path']}: {change['after']}" for change in result.data["changes"])
    assert hypervisor.volumes() == {record_volume("appliance"), data_volume(disk_images.disk(), "raw")}

    again = made(image(hypervisor, tmp_path / "gone", name="other", convert_to="raw", **declared))
    assert again.data["image"]["volume"] == data_volume(disk_images.disk(), "raw")
    as_it_is = made(image(hypervisor, source, name="third", **declared))
    assert as_it_is.data["image"]["volume"] == data_volume(disk_images.qcow2())


def test_zstd_clusters(hypervisor: Hypervisor, tmp_path: Path) -> None:
    """They are unpacked where something can; otherwise the error says what to install, and what is published stays."""
    source = tmp_path / "source.qcow2"
    source.write_bytes(disk_images.made("qcow2", "compression_type=zstd", packed=True))
    as_it_is = made(image(hypervisor, source)).data["image"]
    assert as_it_is["volume"] == data_volume(source.read_bytes())
    result = image(hypervisor, source, convert_to="raw")
    if zstd_libraries.INSTALLED:
        assert made(result).data["image"]["volume"] == data_volume(disk_images.disk(), "raw")
        assert not made(image(hypervisor, source, convert_to="raw")).changed
    else:
        assert "install python3-zstandard" in result.message
        assert hypervisor.volumes() == {record_volume("appliance"), as_it_is["volume"]}


def test_disc_is_published_as_it_is(hypervisor: Hypervisor, tmp_path: Path) -> None:
    """A guest finds in its drive what was published, and no disk is made of it."""
    source = tmp_path / "source.iso"
    source.write_bytes(disk_images.iso())
    published = made(image(hypervisor, source, format="iso")).data["image"]
    assert (published["format"], published["source_format"]) == ("raw", "iso")
    assert Path(published["path"]).read_bytes() == disk_images.iso()
    assert not made(image(hypervisor, source)).changed


def test_wrong_format_is_refused(hypervisor: Hypervisor, tmp_path: Path) -> None:
    """What is declared must be what is found, with other formats as well."""
    source = tmp_path / "source"
    source.write_bytes(disk_images.vhdx_image())
    result = image(hypervisor, source, format="vhd")
    assert result.failed
    assert "declared vhd but is of format vhdx" in result.message
    assert hypervisor.volumes() == set()
