# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""A pool for backups that runs full, which takes root to mount a small one."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from .conftest import Hypervisor, Result, lab_tool, run_module
from .subjects import LIMITS, Subject, removed_after

SMALL = "/srv/small"


@pytest.fixture
def host(tmp_path: Path) -> t.Iterator[Hypervisor]:
    """Return a whole host with a pool of 8 MiB beside its own."""
    directory = str(tmp_path / "lab")
    try:
        lab_tool("up", "--kind", "whole", "--hosts", "1", "--dir", directory)
        mount = f"mkdir {SMALL} && mount -t tmpfs -o size=8m small {SMALL}"
        lab_tool("exec", "--dir", directory, "host1", "--", "sh", "-c", mount)
        yield Hypervisor("host1", lab_tool("uri", "host1", "--dir", directory))
    finally:
        lab_tool("down", "--dir", directory)


def make_volumes(host: Hypervisor, name: str, content: Path) -> None:
    """Make a small volume, and one whose content is larger than the pool for backups."""
    content.write_bytes(b"x" * 16 * 1024**2)
    sources: dict[str, dict[str, t.Any]] = {
        f"{name}-a": {"size": "4MiB", "format": "qcow2"},
        f"{name}-b": {"src": str(content)},
    }
    for volume, source in sources.items():
        result = run_module("compute_volume", uri=host.uri, name=volume, pool="default", **source)
        assert not result.failed, result.message


def test_a_full_pool(host: Hypervisor, tmp_path: Path) -> None:
    """One sentence says so, the guest goes on, nothing is left, and what is remembered since the last backup is kept."""
    made = run_module("compute_pool", uri=host.uri, name="small", type="dir", path=SMALL)
    assert not made.failed, made.message
    name = "t-full"
    make_volumes(host, name, tmp_path / "content")
    subject = Subject(host, name, volumes=[{"name": f"{name}-a"}, {"name": f"{name}-b", "format": "raw"}])

    def backup(backup: str, **options: t.Any) -> Result:
        return run_module("compute_backup", uri=host.uri, name=name, backup=backup, pool="small", **options)

    with removed_after(subject):
        subject.run()
        number = subject.number
        assert backup("b1", disks=["vda", "vdb"]).changed
        before = host.volumes("small"), host.virsh("checkpoint-list", name, "--name")
        for kind in ("auto", "incremental"):
            full = backup("b2", type=kind)
            assert full.data["error_code"] == "NO_CAPACITY", full.message
            assert "ran full" in full.message
            assert (subject.state, subject.number) == ("running", number)
            assert (host.volumes("small"), host.virsh("checkpoint-list", name, "--name")) == before
        assert backup("b2", disks=["vda", "vdb"], type="incremental").changed
        as_new: dict[str, t.Any] = {"state": "restored", "restore_as": f"{name}-new", "limits": LIMITS}
        full = backup("b2", **as_new)
        assert full.failed
        assert host.domains() == {name}
        assert backup("b2", **as_new, restore_pool="default").changed
        assert run_module("compute_instance", uri=host.uri, name=f"{name}-new", state="absent").changed
