# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Images that want another file to be read: compute_image refuses them, and nobody reads it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from ansible_collections.kilonova.compute.tests.unit.plugins.module_utils import disk_images
from ansible_collections.kilonova.compute.tests.unit.plugins.module_utils.disk_images import Hostile

from .conftest import Hypervisor, run_module
from .watching import watch


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """Return a file that an image has no business with."""
    path = tmp_path / "secret"
    path.write_bytes(b"root:secret\n".ljust(disk_images.MIB))
    return path


def test_opening_is_seen(tmp_path: Path, secret: Path) -> None:
    """A tool that does open such an image reads the file, and that is seen."""
    image = tmp_path / "backed.qcow2"
    image.write_bytes(disk_images.REFERRING[0].make(str(secret)))
    with watch(secret) as watched:
        assert not watched.opened()
        subprocess.run(["qemu-img", "info", "--backing-chain", str(image)], check=False, capture_output=True)
        assert watched.opened()


@pytest.mark.parametrize("hostile", disk_images.REFERRING, ids=lambda hostile: hostile.name.replace(" ", "-"))
def test_nobody_reads_the_other_file(hypervisor: Hypervisor, tmp_path: Path, secret: Path, hostile: Hostile) -> None:
    """The image is refused for its reason, nothing comes into the pool, and the other file is not opened by anybody."""
    image = tmp_path / "image"
    image.write_bytes(hostile.make(str(secret)))
    with watch(secret) as watched:
        result = run_module("compute_image", uri=hypervisor.uri, name="hostile", src=str(image))
        assert result.failed
        assert hostile.words in result.message
        assert hypervisor.volumes() == set()
        assert not watched.opened()
