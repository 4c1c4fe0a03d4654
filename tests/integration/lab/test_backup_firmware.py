# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Backups of instances with UEFI and a TPM: what comes back boots, and what does not come back is told."""

from __future__ import annotations

import typing as t
from pathlib import Path

from .conftest import Hypervisor, run_module
from .subjects import SWITCHED_OFF, Subject, said
from .test_firmware import booting_by_uefi


def test_restored_instance_boots_by_uefi(shared_host: Hypervisor, guest_image: Path, name: str, tmp_path: Path) -> None:
    """With variables of its own, which are new, and an empty TPM; both losses are told, of the TPM before it is too late."""
    disk = booting_by_uefi(guest_image, tmp_path)
    published = run_module("compute_image", uri=shared_host.uri, name=f"{name}-image", src=str(disk))
    assert not published.failed, published.message
    flavor = {"name": "tiny", "vcpus": 1, "memory_mb": 128, "disk_gb": 1}
    old = Subject(shared_host, name, image=f"{name}-image", flavor=flavor, boot={"firmware": "efi"}, tpm={})
    said(old.attempt(power_state="stopped"))
    declared: dict[str, t.Any] = {"uri": shared_host.uri, "name": name, "backup": "one"}
    taken = run_module("compute_backup", **declared)
    assert taken.changed, taken.message
    assert f"The state of the TPM of instance {name} is not in backup one" in str(taken.data["warnings"])
    again = run_module("compute_backup", **declared)
    assert (again.changed, again.data.get("warnings", [])) == (False, [])

    new = Subject(shared_host, f"{name}-new")
    restored = run_module("compute_backup", state="restored", restore_as=new.name, **declared)
    assert restored.changed, restored.message
    told = str(restored.data["warnings"])
    assert f"variables of the UEFI firmware of instance {name} are in no backup" in told
    assert "what was encrypted with keys in it takes another key to be read" in told
    assert old.absent(**SWITCHED_OFF).changed
    shared_host.virsh("start", new.name)
    shared_host.wait_for_console(new.name, "BdsDxe: starting Boot0001")
    assert "OVMF" in new.xml()
    assert new.tree().find("devices/tpm/backend") is not None
    assert new.absent(**SWITCHED_OFF).changed
    assert run_module("compute_backup", state="absent", **declared).changed
    assert run_module("compute_image", uri=shared_host.uri, name=f"{name}-image", state="absent").changed
