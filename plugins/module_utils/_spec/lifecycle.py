# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""How instances are made, stopped and removed, and how much of a host may be promised to them."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._errors import SpecError
from .waiting import NO_WAIT, WaitSpec


@dataclass(frozen=True)
class Limits:
    """How much of a host may be promised; names and meaning are Nova's."""

    cpu_allocation_ratio: float
    ram_allocation_ratio: float
    disk_allocation_ratio: float
    reserved_host_cpus: int
    reserved_host_memory_mb: int
    reserved_host_disk_mb: int

    @classmethod
    def from_params(cls, params: dict[str, t.Any]) -> Limits:
        """Validate option ``limits``."""
        for key, value in params.items():
            if value < 0 or (key.endswith("ratio") and value == 0):
                raise SpecError(f"limits.{key}", f"{value} is too small", "ratios are above 0, reserves 0 or more")
        return cls(**params)


@dataclass(frozen=True)
class Lifecycle:
    """The options that compute_instance and compute_fleet share."""

    pool: str
    virt_type: str
    limits: Limits
    force: bool
    """Whether a guest may be switched off hard after ``shutdown_timeout`` seconds."""
    shutdown_timeout: int
    allow_power_cycle: bool = False
    """Whether a running guest may be powered off, as it likes, and on again for what can't be changed while it runs."""
    keep_disks: bool = False
    """Whether the disks stay when the instance is removed."""
    forget: bool = False
    """Whether all that is in pools stays then."""
    has_root_disk: bool = False
    """Whether the root disk of a new instance is the volume that is there under its name."""
    wait: WaitSpec = NO_WAIT
    """What is waited for of the instances that run."""

    @classmethod
    def from_params(cls, params: dict[str, t.Any]) -> Lifecycle:
        """Validate the options; compute_instance_action has not all of them."""
        timeout = params["shutdown_timeout"]
        if timeout < 0:
            raise SpecError("shutdown_timeout", f"{timeout} is too small", "it is in seconds, 0 or more")
        limits = Limits.from_params(params["limits"])
        return cls(
            pool=params["pool"],
            virt_type=params["virt_type"],
            limits=limits,
            force=params["force"],
            shutdown_timeout=timeout,
            allow_power_cycle=params.get("allow_power_cycle", False),
            keep_disks=params.get("keep_disks", False) or params.get("forget", False),
            forget=params.get("forget", False),
            has_root_disk=params.get("root_disk") == "existing",
            wait=WaitSpec.from_params(params) if "wait_for" in params else NO_WAIT,
        )
