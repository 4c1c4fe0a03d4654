# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Makers of declared instances and machines for the tests."""

from __future__ import annotations

import typing as t

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.kilonova.compute.plugins.module_utils._options import instance_options
from ansible_collections.kilonova.compute.plugins.module_utils._service._instance.design import design
from ansible_collections.kilonova.compute.plugins.module_utils._service._instance.design_disks import (
    Storage,
    VolumePlace,
    root_volume_name,
)
from ansible_collections.kilonova.compute.plugins.module_utils._service._instance.platforms import Platform
from ansible_collections.kilonova.compute.plugins.module_utils._spec.instance import InstanceSpec
from ansible_collections.kilonova.compute.plugins.module_utils._spec.machine import Machine

NOW = "2026-11-23T05:00:00Z"
FLAVOR = {"name": "small", "vcpus": 1, "memory_mb": 128, "disk_gb": 1}
Q35 = Platform("qemu", "x86_64", "pc-q35-7.2", "/usr/bin/qemu-system-x86_64", "virtio", 8)


def instance_params(**changes: t.Any) -> dict[str, t.Any]:
    """Return an instance's options with Ansible's own defaults filled in."""
    return validated({"name": "web-1", "flavor": FLAVOR, "image": "tiny", **changes})


def validated(declared: dict[str, t.Any]) -> dict[str, t.Any]:
    """Return what Ansible makes of the options that a user wrote."""
    result = ArgumentSpecValidator(instance_options()).validate(declared)
    if result.error_messages:
        raise ValueError("; ".join(result.error_messages))
    return result.validated_parameters


def instance_spec(fleet: str | None = "demo", **changes: t.Any) -> InstanceSpec:
    """Return a declared instance."""
    return InstanceSpec.from_params(instance_params(**changes), fleet)


def storage_of(spec: InstanceSpec) -> Storage:
    """Return a file pool with a root volume for the instance."""
    places = (VolumePlace("default", f"/pool/{volume.name}", False, None) for volume in spec.volumes or ())
    return Storage("default", "/pool", False, root_volume_name(spec), "sha256:" + "0" * 64, tuple(places))


def machine_of(spec: InstanceSpec, platform: Platform = Q35, existing: Machine | None = None) -> Machine:
    """Return the machine designed for the instance."""
    spec = spec if existing else spec.completed()
    return design(spec, platform, storage_of(spec), existing, NOW)
