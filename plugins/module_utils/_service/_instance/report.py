# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What a task returns of an instance."""

from __future__ import annotations

import typing as t

from ..._errors import BatchError, ComputeError
from ..._plan import instance as planner
from ..._spec.machine import Machine
from .host import Host
from .steps import Job

_KIB_PER_MIB = 1024


def report(host: Host, job: Job) -> dict[str, t.Any]:
    """Return one instance's part of the result; ``failed`` and ``msg`` say what went wrong."""
    result: dict[str, t.Any] = {"name": job.name, **job.plan.as_result()}
    if job.error is not None:
        result.update(failed=True, msg=str(job.error), error_code=getattr(job.error, "code", ComputeError.code))
        result["changed"] = False
        return result
    if job.desired is None or job.spec is None:
        return {**result, "state": "absent"}
    result["state"] = "present"
    result["power_state"] = job.spec.power_state
    result["restart_required"] = (
        planner.restart_required(job.desired, job.existing, job.plan) if job.existing else False
    )
    result.update(_describe(job.desired))
    result["uuid"] = _uuid(job)
    if job.existing is None:
        result["virt_type_reason"] = host.virt.reason
    return result


def summary(jobs: t.Sequence[Job], results: t.Sequence[dict[str, t.Any]]) -> dict[str, t.Any]:
    """Return the whole task's result, or raise :class:`BatchError` when instances failed."""
    failures = [(job.name, str(job.error)) for job in jobs if job.error is not None]
    total = {
        "changed": any(result["changed"] for result in results),
        "instances": list(results),
        "diff": [job.plan.as_diff() for job in jobs if job.plan.changed],
    }
    if failures:
        listed = " ".join(f"{name}: {message}" for name, message in failures)
        raise BatchError(f"{len(failures)} of {len(jobs)} instances failed. {listed}", total)
    return total


def _uuid(job: Job) -> str | None:
    if job.existing is not None:
        return job.existing.machine.uuid
    return job.handle.UUIDString() if job.handle is not None else None


def _describe(machine: Machine) -> dict[str, t.Any]:
    record = machine.record
    return {
        "fleet": record.fleet if record else None,
        "flavor": record.flavor if record else None,
        "image": record.image if record else None,
        "vcpus": machine.vcpus,
        "memory_mb": machine.memory_kib // _KIB_PER_MIB,
        "disk_gb": record.disk_gb if record else None,
        "virt_type": machine.type,
        "machine_type": machine.os.machine,
        "disks": [
            {"target": disk.target, "bus": disk.bus, "device": disk.device, "source": disk.source}
            for disk in machine.disks
        ],
        "nics": [{"mac": nic.mac, "type": nic.type, "source": nic.source, "model": nic.model} for nic in machine.nics],
        "console_log": next((serial.log for serial in machine.serials), None),
        "created_at": record.created_at if record else None,
    }
