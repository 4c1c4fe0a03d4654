# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Storage pools on a real daemon, read with virsh and in the directory itself."""

from __future__ import annotations

import stat
import typing as t
from pathlib import Path

import pytest

from .conftest import Hypervisor, Result, run_module
from .killing import Runs

FILE = "kept.raw"


def pool(host: Hypervisor, name: str, **declared: t.Any) -> Result:
    """Declare a pool."""
    return run_module("compute_pool", uri=host.uri, name=name, **declared)


def made(result: Result) -> Result:
    """Return the result of a run that did not fail."""
    assert not result.failed, result.message
    return result


def pools(host: Hypervisor) -> set[str]:
    """Return the names of all pools."""
    return set(host.virsh("pool-list", "--all", "--name").split())


def facts(host: Hypervisor, name: str) -> dict[str, str]:
    """Return what virsh says of a pool."""
    lines = host.virsh("pool-info", name).splitlines()
    return {key.strip(): value.strip() for key, _colon, value in (line.partition(":") for line in lines)}


@pytest.fixture
def place(hypervisor: Hypervisor, name: str, tmp_path: Path) -> t.Iterator[Path]:
    """Return where a pool can be; the pool ``name`` is forgotten afterwards."""
    yield tmp_path / "pool"
    forget(hypervisor, name)


def forget(host: Hypervisor, name: str) -> None:
    """Remove a pool behind our back."""
    host.virsh("pool-destroy", name, check=False)
    host.virsh("pool-undefine", name, check=False)


def test_a_directory_becomes_a_pool_and_outlives_it(hypervisor: Hypervisor, name: str, place: Path) -> None:
    """Made where it is missing, started with its host; removed, its volumes stay and come back with it."""
    declared = {"type": "dir", "path": str(place)}
    planned = made(pool(hypervisor, name, check=True, **declared))
    assert (planned.changed, planned.data["pool"]) == (True, None)
    assert name not in pools(hypervisor)

    first = made(pool(hypervisor, name, **declared))
    assert first.data["actions"] == planned.data["actions"]
    assert facts(hypervisor, name).items() >= {"State": "running", "Persistent": "yes", "Autostart": "yes"}.items()
    assert not made(pool(hypervisor, name, **declared)).changed

    hypervisor.virsh("vol-create-as", name, FILE, "64k")
    (place / "by-hand.raw").write_bytes(b"x")
    assert not made(pool(hypervisor, name, refresh=True)).changed
    assert "by-hand.raw" in hypervisor.virsh("vol-list", name)

    assert made(pool(hypervisor, name, active=False, autostart=False)).changed
    assert facts(hypervisor, name).items() >= {"State": "inactive", "Autostart": "no"}.items()
    assert made(pool(hypervisor, name, state="absent", check=True)).changed
    assert name in pools(hypervisor)
    assert made(pool(hypervisor, name, state="absent")).changed
    assert name not in pools(hypervisor)
    assert not made(pool(hypervisor, name, state="absent")).changed
    assert (place / FILE).exists()

    made(pool(hypervisor, name, **declared))
    assert FILE in hypervisor.virsh("vol-list", name)


def test_a_directory_that_is_there_is_not_touched(hypervisor: Hypervisor, name: str, place: Path) -> None:
    """Neither what it holds nor who may enter."""
    place.mkdir(mode=0o751)
    (place / FILE).write_bytes(b"data")
    made(pool(hypervisor, name, type="dir", path=str(place)))
    assert (place / FILE).read_bytes() == b"data"
    assert stat.S_IMODE(place.stat().st_mode) == 0o751


def test_a_pool_is_not_moved(hypervisor: Hypervisor, name: str, place: Path) -> None:
    """Another directory is refused before anything is done, in check mode too."""
    made(pool(hypervisor, name, type="dir", path=str(place)))
    for check in (True, False):
        refused = pool(hypervisor, name, type="dir", path=f"{place}2", active=False, check=check)
        assert refused.failed
        assert f"has {place}, and {place}2 is declared" in refused.message
    assert facts(hypervisor, name)["State"] == "running"


def test_a_pool_in_use_stays(hypervisor: Hypervisor, name: str, place: Path) -> None:
    """While a domain that does not even run has a disk in it, by its path or by the names of pool and volume."""
    made(pool(hypervisor, name, type="dir", path=str(place)))
    hypervisor.virsh("vol-create-as", name, FILE, "64k")
    for kind, source in (("file", f"file='{place / FILE}'"), ("volume", f"pool='{name}' volume='{FILE}'")):
        definition = place.with_name("domain.xml")
        definition.write_text(
            f"<domain type='qemu'><name>user</name><memory>65536</memory><os><type>hvm</type></os><devices>"
            f"<disk type='{kind}'><source {source}/><target dev='vda' bus='virtio'/></disk></devices></domain>"
        )
        hypervisor.virsh("define", str(definition))
        for declared in ({"state": "absent"}, {"active": False}):
            refused = pool(hypervisor, name, **declared)
            assert refused.failed
            assert "it holds disks of domain user" in refused.message
        hypervisor.virsh("undefine", "user")
    assert facts(hypervisor, name)["State"] == "running"


def test_a_pool_that_cannot_start_leaves_nothing(hypervisor: Hypervisor, name: str, place: Path) -> None:
    """So that the declaration can be put right and run again."""
    place.write_bytes(b"no directory")
    failed = pool(hypervisor, name, type="dir", path=str(place))
    assert failed.failed
    assert name not in pools(hypervisor)
    assert place.read_bytes() == b"no directory"
    source = {"name": name, "devices": [str(place)]}
    failed = pool(hypervisor, name, type="logical", source=source)
    assert failed.failed
    assert "declare build: true" in failed.message
    assert name not in pools(hypervisor)


@pytest.mark.parametrize(
    ("pool_type", "declared"),
    [
        ("fs", {"path": "/srv/x", "source": {"devices": ["/dev/sdx"], "format": "xfs"}}),
        ("netfs", {"path": "/srv/x", "source": {"hosts": [{"name": "a.example.com"}], "dir": "/e", "format": "nfs"}}),
        ("logical", {"source": {"name": "vg", "devices": ["/dev/sdx", "/dev/sdy"], "format": "lvm2"}}),
        (
            "iscsi",
            {
                "source": {
                    "hosts": [{"name": "a.example.com", "port": 3260}],
                    "devices": ["iqn.2026-01.com.example:disks"],
                    "initiator": "iqn.2026-01.com.example:me",
                    "auth": {"username": "me", "secret_usage": "disks"},
                }
            },
        ),
        ("rbd", {"source": {"name": "x", "hosts": [{"name": "a.example.com"}]}}),
        ("zfs", {"source": {"name": "tank/x"}}),
    ],
)
def test_other_types_are_defined_or_refused(
    hypervisor: Hypervisor, name: str, pool_type: str, declared: dict[str, t.Any]
) -> None:
    """What libvirt keeps of a definition is what was declared; a type without backend is refused in one sentence."""
    declared = {"type": pool_type, "active": False, "autostart": False, **declared}
    supported = f"<pool type='{pool_type}' supported='yes'>" in hypervisor.virsh("pool-capabilities")
    try:
        first = pool(hypervisor, name, **declared)
        if not supported:
            assert first.failed
            assert f"no backend for storage pools of type {pool_type}" in first.message
            assert name not in pools(hypervisor)
            return
        assert made(first).data["actions"] == [f"define_pool {name}"]
        assert facts(hypervisor, name)["State"] == "inactive"
        assert not made(pool(hypervisor, name, **declared)).changed
    finally:
        forget(hypervisor, name)


def test_a_run_can_be_killed_anywhere(hypervisor: Hypervisor, name: str, place: Path) -> None:
    """Whatever call it dies before: the next run makes or forgets the pool, and its volumes stay."""
    declared: dict[str, t.Any] = {"uri": hypervisor.uri, "name": name}
    made_of: dict[str, t.Any] = {"type": "dir", "path": str(place)}
    with Runs("compute_pool") as runs:
        deaths = []
        for death in runs.killed_everywhere("compute_pool", lambda: forget(hypervisor, name), **declared, **made_of):
            deaths.append(death)
            assert not runs.run("compute_pool", **declared, **made_of).done.failed
            assert facts(hypervisor, name).items() >= {"State": "running", "Autostart": "yes"}.items()
            assert not runs.run("compute_pool", **declared, **made_of).done.changed
        assert {"storagePoolDefineXML", "create", "setAutostart"} <= set(deaths)

        def begin() -> None:
            made(pool(hypervisor, name, **made_of))
            (place / FILE).write_bytes(b"data")

        deaths = []
        for death in runs.killed_everywhere("compute_pool", begin, state="absent", **declared):
            deaths.append(death)
            runs.run("compute_pool", state="absent", **declared)
            assert name not in pools(hypervisor)
            assert (place / FILE).read_bytes() == b"data"
        assert {"destroy", "undefine"} <= set(deaths)
