# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of libvirt's XML of backups and checkpoints."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._spec.checkpoint import Checkpoint
from ansible_collections.kilonova.compute.plugins.module_utils._xml.backup import (
    BackupTarget,
    read_backup_paths,
    write_backup,
)
from ansible_collections.kilonova.compute.plugins.module_utils._xml.checkpoint import (
    read_checkpoint,
    without_disk,
    write_checkpoint,
)
from ansible_collections.kilonova.compute.plugins.module_utils._xml.document import XmlError
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

SCHEMAS = Path("/usr/share/libvirt/schemas")
TARGETS = (BackupTarget("vda", "/p/a <&> b", "c0"), BackupTarget("vdb", "/p/b"))
TOLD = """<domaincheckpoint><name>c1</name><creationTime>7</creationTime><disks>
  <disk name='vda' checkpoint='bitmap' bitmap='c1' size='65536'/><disk name='vdb' checkpoint='bitmap' bitmap='c1'/>
  <disk name='sda' checkpoint='no'/></disks></domaincheckpoint>"""


def check(schema: str, text: str) -> None:
    """Have libvirt's schema look at a text."""
    etree.RelaxNG(etree.parse(str(SCHEMAS / schema))).assertValid(etree.fromstring(text))


def test_libvirts_schemas_take_what_is_written() -> None:
    """With disks that are whole, incremental and left out."""
    text = write_backup(TARGETS, ("sda",))
    check("domainbackup.rng", text)
    assert read_backup_paths(text) == {"/p/a <&> b", "/p/b"}
    modes = {disk.get("name"): disk.get("backupmode") for disk in etree.fromstring(text).iter("disk")}
    assert modes == {"vda": "incremental", "vdb": "full", "sda": None}
    check("domaincheckpoint.rng", write_checkpoint("c1", ("vda",), ("vdb", "sda")))


@given(
    st.text(
        st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff"), min_size=1
    )
)
def test_any_path_comes_back(path: str) -> None:
    """What is written is read."""
    assert read_backup_paths(write_backup((BackupTarget("vda", path),), ())) == {path}


def test_a_job_that_writes_to_no_files_has_no_paths() -> None:
    """As one of somebody else that others pull from."""
    assert (
        read_backup_paths("<domainbackup mode='pull'><disks><disk name='vda'/></disks></domainbackup>") == frozenset()
    )


def test_reads_what_can_be_relied_on() -> None:
    """A disk without a size has forgotten, if it was asked for sizes at all."""
    assert read_checkpoint(TOLD, sized=True) == Checkpoint("c1", frozenset({"vda"}))
    assert read_checkpoint(TOLD, sized=False).targets == {"vda", "vdb"}
    with pytest.raises(XmlError):
        read_checkpoint("<domain/>", sized=False)


def test_a_disk_is_left_out_of_a_description() -> None:
    """What is written reads back so, and the schema takes it; the others stay."""
    less = without_disk(TOLD, "vdb")
    check("domaincheckpoint.rng", less)
    assert read_checkpoint(less, sized=False).targets == {"vda"}
    assert etree.fromstring(without_disk(TOLD, "vdz")).findall("disks/disk[@checkpoint='no']")[0].get("name") == "sda"
