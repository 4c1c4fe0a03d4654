# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Encrypted volumes on a real daemon: what lies on the disk, what the guest sees, and what becomes of the passphrase.

To make a LUKS key takes seconds by design. Where the key itself is not looked at, one is taken that was made in no time.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import typing as t
from pathlib import Path

import pytest

from .conftest import Hypervisor, Result, run_module, wait_until
from .killing import Runs
from .subjects import BOOTING, SWITCHED_OFF, Subject, removed_after

MIB = 1024**2
PASSPHRASE = "Tuberose & <Ähre>, 17"
OTHER = "petrichor"
ENCRYPTED: dict[str, t.Any] = {"encryption": {"passphrase": PASSPHRASE}}
WRITTEN = b"what the guest wrote in the clear"


def volume(host: Hypervisor, name: str, **declared: t.Any) -> Result:
    """Declare a volume, and look for its passphrase in all that is returned."""
    result = run_module("compute_volume", uri=host.uri, name=name, diff=True, **declared)
    told = json.dumps(result.data, ensure_ascii=False)
    assert not any(word in told for word in (PASSPHRASE, "Tuberose", OTHER))
    return result


def made(host: Hypervisor, name: str, **declared: t.Any) -> Result:
    """Declare a volume; a second run does nothing."""
    done = volume(host, name, **declared)
    assert not done.failed, done.message
    again = volume(host, name, **declared)
    assert (again.failed, again.changed) == (False, False), again.message
    return done


def qemu_img(*arguments: str) -> str | None:
    """Run qemu-img; None where it fails."""
    done = subprocess.run(["qemu-img", *arguments], check=False, capture_output=True, text=True, timeout=120)
    return done.stdout if done.returncode == 0 else None


def image(path: Path) -> dict[str, t.Any]:
    """Return what QEMU finds in a file, be it in use."""
    return t.cast("dict[str, t.Any]", json.loads(qemu_img("info", "-U", "--output=json", str(path)) or "{}"))


def opened(path: Path, passphrase: str = PASSPHRASE) -> list[str]:
    """Return how qemu-img opens an encrypted file, as arguments."""
    kind = image(path)["format"]
    key = "key-secret" if kind == "luks" else "encrypt.key-secret"
    return ["--object", f"secret,id=key,data={passphrase.replace(',', ',,')}", "--image-opts",
            f"driver={kind},{key}=key,file.filename={path}"]  # fmt: skip


def sealed(host: Hypervisor, name: str) -> Path:
    """Have an encrypted volume in the pool of which no secret is known, and whose key is quickly opened."""
    path = host.pool_path() / name
    options = ("-o", "key-secret=key,iter-time=10", str(path), "8M")
    secret = f"secret,id=key,data={PASSPHRASE.replace(',', ',,')}"
    # Some QEMUs fail at it now and then, as Pool of the driver knows.
    wait_until(
        lambda: qemu_img("create", "-q", "--object", secret, "-f", "luks", *options) is not None, "a key is made"
    )
    host.virsh("pool-refresh", "default")
    return path


def secrets(host: Hypervisor) -> dict[str, str]:
    """Return the secrets for volumes: the volume's name and the UUID."""
    lines = [line.split() for line in host.virsh("secret-list").splitlines() if line.strip()]
    return {path.rpartition("/")[2]: uuid for uuid, _kind, path in lines}


@pytest.fixture(autouse=True)
def no_secrets(shared_host: Hypervisor) -> t.Iterator[None]:
    """Leave no secret to the next test."""
    yield
    for uuid in secrets(shared_host).values():
        shared_host.virsh("secret-undefine", uuid)


def test_a_guest_sees_a_plain_disk(shared_host: Hypervisor, name: str) -> None:
    """What it writes is not on the host's disk in the clear, in raw as in qcow2, declared here or there, grown while it runs."""
    raw, copy = f"luks-{name}", f"luks-{name}-copy"
    sealed(shared_host, raw)
    made(shared_host, raw, **ENCRYPTED)
    new: dict[str, t.Any] = {"size": "8M", "encryption": {"passphrase": OTHER}}
    assert volume(shared_host, copy, check=True, **new).changed
    assert set(secrets(shared_host)) == {raw}
    first = made(shared_host, copy, **new)
    assert first.data["actions"] == [f"set_passphrase {copy}", f"create_volume {copy}"]
    assert first.data["volume"]["encryption"] == "luks"
    with removed_after(Subject(shared_host, name, **BOOTING, volumes=[{"name": raw, "serial": "raw"}])) as subject:
        subject.run()
        assert not subject.run()["changed"]
        subject.wait_for_boot()
        made(shared_host, copy, **new, attached_to=name, serial="qcow2")
        assert not subject.run()["changed"]
        wait_until(lambda: "qcow2" in subject.inside("cat /sys/block/vd?/serial"), "the second volume in the guest")
        for disk, volume_name in (("vdb", raw), ("vdc", copy)):
            subject.inside(f"echo {WRITTEN.decode()} | dd of=/dev/{disk} conv=fsync")
            path = shared_host.pool_path() / volume_name
            assert image(path)["encrypted"]
            assert WRITTEN not in path.read_bytes()
            assert subject.inside(f"head -c {len(WRITTEN)} /dev/{disk}") == WRITTEN.decode()
            made(shared_host, volume_name, size="16M")
            assert subject.inside(f"cat /sys/block/{disk}/size") == str(16 * MIB // 512)
        made(shared_host, copy, attached_to="")
        assert not subject.absent(**SWITCHED_OFF).failed
    for volume_name, passphrase in ((raw, PASSPHRASE), (copy, OTHER)):
        path = shared_host.pool_path() / volume_name
        assert image(path)["virtual-size"] == 16 * MIB
        plain = path.with_name(f"{volume_name}.plain")
        assert qemu_img("convert", *opened(path, passphrase), "-O", "raw", str(plain)) is not None
        assert plain.read_bytes().startswith(WRITTEN)
        plain.unlink()
        made(shared_host, volume_name, state="absent")
    assert secrets(shared_host) == {}


def test_a_lost_passphrase_is_set_again(shared_host: Hypervisor, name: str) -> None:
    """If it opens the volume; and libvirt tells it to nobody, nor is it in what is returned or written down."""
    path = sealed(shared_host, name)
    assert (
        "its passphrase is not on this host"
        in Subject(shared_host, f"{name}-1", volumes=[{"name": name}]).attempt().message
    )
    assert "declare it to have it set again" in volume(shared_host, name, size="16M").message
    for check in (True, False):
        wrong = volume(shared_host, name, encryption={"passphrase": OTHER}, check=check)
        assert wrong.failed is not check
    assert f"it does not open volume {name}" in wrong.message
    assert secrets(shared_host) == {}
    assert made(shared_host, name, **ENCRYPTED).data["actions"] == [f"set_passphrase {name}"]
    uuid = secrets(shared_host)[name]
    assert shared_host.virsh("secret-get-value", uuid, check=False) == ""
    assert "private='yes'" in shared_host.virsh("secret-dumpxml", uuid)
    assert "is not the one that volume" in volume(shared_host, name, encryption={"passphrase": OTHER}).message
    assert secrets(shared_host) == {name: uuid}
    assert made(shared_host, name, size="16M", **ENCRYPTED).data["actions"] == [f"grow_volume {name}"]
    assert image(path)["virtual-size"] == 16 * MIB
    made(shared_host, name, state="absent", wipe=True)
    assert secrets(shared_host) == {}


def test_copies_hold_the_same(shared_host: Hypervisor, name: str, tmp_path: Path) -> None:
    """From plain to encrypted and back; what is downloaded is encrypted; what can't be done is refused."""
    source = tmp_path / "disk.raw"
    source.write_bytes(WRITTEN + bytes(2 * MIB - len(WRITTEN)))
    plain, copy, back, dest = f"{name}-plain", f"{name}-copy", f"{name}-back", tmp_path / "copy"
    made(shared_host, plain, src=str(source))
    assert "can't become it in place" in volume(shared_host, plain, **ENCRYPTED).message
    assert "which is not encrypted" in volume(shared_host, f"{name}-up", src=str(source), **ENCRYPTED).message
    made(shared_host, copy, source={"name": plain}, **ENCRYPTED, dest=str(dest))
    assert WRITTEN not in (shared_host.pool_path() / copy).read_bytes()
    assert dest.read_bytes() == (shared_host.pool_path() / copy).read_bytes()
    assert image(dest)["encrypted"]
    made(shared_host, back, source={"name": copy}, format="raw")
    assert (shared_host.pool_path() / back).read_bytes() == source.read_bytes()
    assert "encrypted" not in image(shared_host.pool_path() / back)
    for one in (plain, copy, back):
        made(shared_host, one, state="absent")


def test_a_run_with_a_passphrase_can_be_killed_anywhere(shared_host: Hypervisor, name: str, tmp_path: Path) -> None:
    """While it is set again, while the volume is made, and while it is removed: the next run finishes, and nothing is left."""
    target: dict[str, t.Any] = {"uri": shared_host.uri, "name": name}
    path, kept = sealed(shared_host, name), tmp_path / "kept"
    shutil.copy(path, kept)

    with Runs("compute_volume") as runs:

        def run(**declared: t.Any) -> Result:
            return runs.run("compute_volume", **target, **declared).done

        def nothing() -> None:
            run(state="absent")
            assert secrets(shared_host) == {}

        def volume_alone() -> None:
            nothing()
            shutil.copy(kept, path)
            shared_host.virsh("pool-refresh", "default")

        def both() -> None:
            volume_alone()
            run(**ENCRYPTED)

        deaths: dict[str, list[str]] = {"again": [], "new": [], "gone": []}
        for death in runs.killed_everywhere("compute_volume", volume_alone, **target, **ENCRYPTED):
            deaths["again"].append(death)
            run(**ENCRYPTED)
            assert not run(**ENCRYPTED, size="8M").changed
        for death in runs.killed_everywhere("compute_volume", nothing, **target, **ENCRYPTED, size="1M"):
            deaths["new"].append(death)
            if death in ("setValue", "createXML"):
                run(**ENCRYPTED, size="1M")
                assert (name in shared_host.volumes(), set(secrets(shared_host))) == (True, {name})
        for death in runs.killed_everywhere("compute_volume", both, **target, state="absent"):
            deaths["gone"].append(death)
            nothing()
            assert name not in shared_host.volumes()
    # QEMU at times makes no key, and then the call is made again.
    for key, least in {"again": 6, "new": 5, "gone": 3}.items():
        assert len(deaths[key]) >= least, deaths
