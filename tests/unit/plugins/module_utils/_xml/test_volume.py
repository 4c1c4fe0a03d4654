# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests for volumes and pools between data and libvirt's XML."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._xml.document import XmlError
from ansible_collections.kilonova.compute.plugins.module_utils._xml.volume import (
    DiskSource,
    PoolDescription,
    VolumeDescription,
    read_disk_sources,
    read_pool,
    read_snapshot_sources,
    read_volume,
    write_volume,
)
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

XML_TEXT = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"), exclude_characters="\ufffe\uffff"), min_size=1
)

FROM_LIBVIRT = """
<volume type='file'>
  <name>overlay.qcow2</name>
  <key>/pool/overlay.qcow2</key>
  <capacity unit='bytes'>1073741824</capacity>
  <allocation unit='bytes'>200704</allocation>
  <physical unit='bytes'>196624</physical>
  <target>
    <path>/pool/overlay.qcow2</path>
    <format type='qcow2'/>
    <permissions><mode>0600</mode></permissions>
    <timestamps><atime>1.5</atime><mtime>1795410000.25</mtime></timestamps>
    <compat>1.1</compat>
  </target>
  <backingStore>
    <path>/pool/base.raw</path>
    <format type='raw'/>
    <permissions><mode>0600</mode></permissions>
  </backingStore>
</volume>
"""


def test_reads_what_libvirt_says() -> None:
    """Sizes, path, format and what lies below."""
    assert read_volume(FROM_LIBVIRT) == VolumeDescription(
        name="overlay.qcow2",
        capacity_bytes=1073741824,
        format="qcow2",
        allocation_bytes=200704,
        physical_bytes=196624,
        path="/pool/overlay.qcow2",
        modified="1795410000.25",
        backing_path="/pool/base.raw",
        backing_format="raw",
        mode=0o600,
        type="file",
        compat="1.1",
    )


def test_writes_an_overlay() -> None:
    """The format of what lies below is always said."""
    text = write_volume(VolumeDescription("a", 512, "qcow2", backing_path="/b<&'\"", backing_format="raw"))
    assert text == (
        '<volume><name>a</name><capacity unit="bytes">512</capacity><allocation unit="bytes">0</allocation>'
        '<target><format type="qcow2"/><compat>1.1</compat></target>'
        '<backingStore><path>/b&lt;&amp;\'"</path><format type="raw"/></backingStore></volume>'
    )


@given(
    name=XML_TEXT,
    path=st.none() | XML_TEXT,
    size=st.integers(0, 2**63),
    image_format=st.sampled_from(["raw", "qcow2"]),
    mode=st.none() | st.integers(0, 0o777),
)
def test_what_is_written_is_read(name: str, path: str | None, size: int, image_format: str, mode: int | None) -> None:
    """No text changes the shape of the XML."""
    below = image_format if path else None
    volume = VolumeDescription(name, size, image_format, size // 2, backing_path=path, backing_format=below, mode=mode)
    read = replace(volume, compat="1.1" if image_format == "qcow2" else None)
    assert read_volume(write_volume(volume)) == read


@pytest.fixture(scope="module")
def schema() -> etree.RelaxNG:
    """Return libvirt's own schema of volumes."""
    path = Path("/usr/share/libvirt/schemas/storagevol.rng")
    if not path.exists():
        pytest.fail(f"libvirt's schema {path} is missing: install libvirt-daemon or libvirt-common")
    return etree.RelaxNG(etree.parse(str(path)))


NAMES = st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9._-]{0,62}\Z")


@given(name=NAMES, below=st.none() | NAMES, mode=st.none() | st.integers(0, 0o777), size=st.integers(0, 2**63))
def test_what_is_written_is_valid(
    schema: etree.RelaxNG, name: str, below: str | None, mode: int | None, size: int
) -> None:
    """Libvirt's schema accepts every volume that is made."""
    path, below_format = (f"/pool/{below}", "raw") if below else (None, None)
    volume = VolumeDescription(name, size, "qcow2", backing_path=path, backing_format=below_format, mode=mode)
    schema.assertValid(etree.fromstring(write_volume(volume)))


def test_an_encrypted_volume(schema: etree.RelaxNG) -> None:
    """It names the secret that opens it, as far as there is one."""
    uuid = "86856312-8f70-5740-a102-117e4bae2e22"
    volume = VolumeDescription("a", 512, "raw", encryption="luks", secret_uuid=uuid)
    text = write_volume(volume)
    schema.assertValid(etree.fromstring(text))
    assert read_volume(text) == volume
    lost = VolumeDescription("a", 512, "raw", encryption="luks")
    assert read_volume(write_volume(lost)) == lost


def test_control_characters_are_refused() -> None:
    """What XML can't carry is told, not dropped."""
    with pytest.raises(XmlError):
        write_volume(VolumeDescription("a\x01", 1))


def test_reads_a_pool() -> None:
    """A pool of files has a path, others have none."""
    text = (
        "<pool type='{}'><name>default</name><uuid>u</uuid><capacity unit='bytes'>30</capacity>"
        "<allocation unit='bytes'>10</allocation><available unit='bytes'>20</available>{}</pool>"
    )
    path = "<target><path>/pool</path></target>"
    assert read_pool(text.format("dir", path)) == PoolDescription("default", "u", "dir", "/pool", 30, 10, 20)
    assert read_pool(text.format("rbd", "")).path is None
    assert [read_pool(text.format(kind, path)).holds_files for kind in ("netfs", "logical")] == [True, False]


def test_reads_all_a_domain_lies_on() -> None:
    """Files, block devices and volumes, with the chain below and the target of a copy; an empty drive is nothing."""
    text = """
    <domain><devices>
      <disk type='file'><driver type='qcow2'/><source file='/a'/>
        <backingStore type='file'><format type='raw'/><source file='/b'/>
          <backingStore type='block'><format type='qcow2'/><source dev='/dev/c'/><backingStore/></backingStore>
        </backingStore>
        <mirror type='file'><format type='qcow2'/><source file='/m'/></mirror>
      </disk>
      <disk type='volume'><source pool='p' volume='v'/></disk>
      <disk type='file' device='cdrom'><driver type='raw'/></disk>
    </devices></domain>
    """
    assert set(read_disk_sources(text)) == {
        DiskSource("/a", "qcow2"),
        DiskSource("/b", "raw"),
        DiskSource("/dev/c", "qcow2"),
        DiskSource("/m", "qcow2"),
        DiskSource(None, None, "p", "v"),
    }


def test_tells_what_libvirt_followed() -> None:
    """A chain that libvirt knows ends with an empty element; what is defined has none."""
    text = (
        "<domain><devices><disk type='file'><driver type='qcow2'/><source file='/a'/>{}</disk>"
        "<disk type='network'><driver type='raw'/><source protocol='rbd' name='pool/v'/></disk></devices></domain>"
    )
    for chain, followed in (("<backingStore/>", True), ("", False)):
        found = {source.path: source.is_followed for source in read_disk_sources(text.format(chain))}
        assert found == {"/a": followed, "pool/v": False}


def test_reads_all_a_snapshot_remembers() -> None:
    """The domain of then, as it ran and as it was defined, and where it went on."""
    disk = "<disk type='file'><driver type='qcow2'/><source file='{}'/></disk>"
    text = (
        f"<domainsnapshot><domain><devices>{disk.format('/ran')}</devices></domain>"
        f"<inactiveDomain><devices>{disk.format('/defined')}</devices></inactiveDomain>"
        f"<disks>{disk.format('/went-on')}<disk name='vdb' snapshot='no'/></disks></domainsnapshot>"
    )
    assert [source.path for source in read_snapshot_sources(text)] == ["/ran", "/defined", "/went-on"]
