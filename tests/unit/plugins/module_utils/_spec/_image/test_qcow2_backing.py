# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of a qcow2 image that is told another backing file, read back by QEMU's own tool."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._spec._image.qcow2_backing import (
    LONGEST_BACKING,
    header_bytes,
    with_backing,
)
from hypothesis import given
from hypothesis import strategies as st

CLUSTER = 4096


@pytest.fixture(scope="module")
def overlay(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return an overlay as qemu-img makes it."""
    directory = tmp_path_factory.mktemp("overlay")
    line = ["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw"]
    base = str(directory / "base")
    subprocess.run(["qemu-img", "create", "-q", "-f", "raw", base, "1M"], check=True)
    subprocess.run([*line, "-b", base, "-o", f"cluster_size={CLUSTER}", str(directory / "top")], check=True)
    return (directory / "top").read_bytes()


def told(content: bytes, place: Path) -> dict[str, object]:
    """Return what qemu-img says of an image."""
    place.write_bytes(content)
    line = ["qemu-img", "info", "--output", "json", str(place)]
    return dict(json.loads(subprocess.run(line, check=True, capture_output=True).stdout))


@pytest.mark.parametrize("path", ["/b", "/pool/of/the/other/host/" + "x" * 700 + ".qcow2"])
def test_qemu_reads_the_other_path(overlay: bytes, tmp_path: Path, path: str) -> None:
    """A shorter or a longer one; the rest of the image stays as it is, byte for byte."""
    head = overlay[: header_bytes(overlay[:512])]
    assert len(head) == CLUSTER
    changed = with_backing(head, path)
    before, after = (told(one + overlay[CLUSTER:], tmp_path / "image") for one in (head, changed))
    assert after["backing-filename"] == path
    assert {**before, "backing-filename": path, "full-backing-filename": path} == after
    assert (len(changed), with_backing(changed, str(before["backing-filename"]))) == (CLUSTER, head)


@given(st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=1200))
def test_any_path_is_taken_or_refused(overlay: bytes, path: str) -> None:
    """What does not fit is refused, and what does leaves all that comes before the name alone."""
    length = len(path.encode())
    if length > LONGEST_BACKING:
        with pytest.raises(ValueError, match="too long"):
            with_backing(overlay[:CLUSTER], path)
    else:
        changed = with_backing(overlay[:CLUSTER], path)
        assert path.encode() in changed
        assert changed[20:112] == overlay[20:112]


def test_image_without_a_backing_file(tmp_path: Path) -> None:
    """It has no place for one."""
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", str(tmp_path / "i"), "1M"], check=True)
    with pytest.raises(ValueError, match="no backing file"):
        with_backing((tmp_path / "i").read_bytes()[:65536], "/b")
