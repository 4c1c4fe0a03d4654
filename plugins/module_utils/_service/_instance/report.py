# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What a task returns of an instance."""

from __future__ import annotations

import typing as t

from ..._errors import BatchError, ComputeError
from ..._plan.machine import merged
from ..._plan.memory import most_memory_kib
from ..._plan.plan import Plan
from ..._plan.power import RUNNING, power_state_of
from ..._spec.machine import Machine, Nic
from ..._spec.port_filter import read_port_filter
from .host import Host
from .steps import Job

_KIB_PER_MIB = 1024


def report(host: Host, job: Job) -> dict[str, t.Any]:
    """Return one instance's part of the result; ``failed`` and ``msg`` say what went wrong."""
    result: dict[str, t.Any] = {"name": job.name, **_happened(job).as_result()}
    if job.error is not None:
        result.update(failed=True, msg=str(job.error), error_code=getattr(job.error, "code", ComputeError.code))
        return result
    if job.desired is None or job.spec is None:
        return {**result, "state": "absent", "uuid": _uuid(job)}
    result["state"] = "present"
    result["power_state"] = job.spec.power_state or _found_state(job)
    result["restart_required"] = bool(job.waiting)
    result.update(_describe(job.desired, job.existing.machine if job.existing else None))
    result["uuid"] = _uuid(job)
    if job.waited is not None:
        result.update(job.waited.as_result())
    if job.existing is None:
        result["virt_type_reason"] = _virt_reason(host, job.desired)
    return result


def summary(host: Host, jobs: t.Sequence[Job]) -> dict[str, t.Any]:
    """Return what a task over ``jobs`` returns, or raise :class:`BatchError` when instances failed."""
    results = [report(host, job) for job in jobs]
    failures = [(job.name, str(job.error)) for job in jobs if job.error is not None]
    total = {
        "changed": any(result["changed"] for result in results),
        "instances": results,
        "diff": [plan.as_diff() for plan in map(_happened, jobs) if plan.changed],
    }
    if failures:
        listed = " ".join(f"{name}: {message}" for name, message in failures)
        raise BatchError(f"{len(failures)} of {len(jobs)} instances failed. {listed}", total)
    return {**total, "warnings": warnings(host, jobs)}


def warnings(host: Host, jobs: t.Sequence[Job]) -> list[str]:
    """Return what the user should hear of even when nothing failed."""
    found = []
    emulated = [job for job in jobs if job.existing is None and job.desired and job.desired.type == "qemu"]
    if emulated and host.lifecycle.virt_type == "auto":
        reason = _virt_reason(host, emulated[0].desired)
        found.append(f"New instances run under software emulation, which is slow. {reason}.")
    found += [warning for job in jobs if job.waited for warning in job.waited.warnings]
    names: dict[tuple[str, ...], list[str]] = {}
    for job in jobs:
        if paths := job.waiting:
            names.setdefault(paths, []).append(job.name)
    found += [note for job in jobs for note in job.notes]
    for paths, waiting in names.items():
        found.append(f"{', '.join(waiting)}: {', '.join(paths)} will be as declared after the next power cycle.")
    return found


def _found_state(job: Job) -> str:
    """Return the state of an instance for which none is declared: it runs, or stays as it was adopted or shelved."""
    record = job.existing.record if job.existing else None
    stays = job.existing is not None and (record is None or record.adopted or record.shelved)
    return power_state_of(job.existing) if job.existing and stays else RUNNING


def _happened(job: Job) -> Plan:
    """Return the plan, or the part of it that was done before it failed."""
    return job.plan if job.error is None else job.plan.first(job.done)


def _virt_reason(host: Host, machine: Machine | None) -> str:
    if machine is None or machine.type == host.virt.type:
        return host.virt.reason
    return f"{machine.type}: guests of {machine.os.arch} are emulated here"


def _uuid(job: Job) -> str | None:
    if job.existing is not None:
        return job.existing.machine.uuid
    return job.handle.UUIDString() if job.handle is not None else None


def _describe_nic(nic: Nic, fixed_ip: str | None) -> dict[str, t.Any]:
    port = read_port_filter(nic.filter)
    return {
        "mac": nic.mac,
        "type": nic.type,
        "source": nic.source,
        "model": nic.model,
        "fixed_ip": fixed_ip,
        "security_groups": list(port.groups) if port else [],
        "port_security": bool(port and port.port_security),
    }


def _describe(machine: Machine, existing: Machine | None) -> dict[str, t.Any]:
    record = machine.record
    disks = {disk.target: disk for disk in (existing.disks if existing else ())}
    disks.update({disk.target: merged(disk, disks.get(disk.target)) for disk in machine.disks})
    nics = {nic.mac: nic for nic in (existing.nics if existing else ())}
    nics.update({nic.mac: merged(nic, nics.get(nic.mac)) for nic in machine.nics})
    fixed = {one.mac: one.ip for one in (record.fixed_ips if record else ())}
    logs = [serial.log for source in (machine, existing) if source for serial in source.serials if serial.log]
    return {
        "fleet": record.fleet if record else None,
        "flavor": record.flavor if record else None,
        "image": record.image if record else None,
        "vcpus": machine.current_vcpus,
        "max_vcpus": machine.vcpus,
        "memory_mb": (machine.current_memory_kib or 0) // _KIB_PER_MIB,
        "max_memory_mb": most_memory_kib(machine) // _KIB_PER_MIB,
        "disk_gb": record.disk_gb if record else None,
        "virt_type": machine.type,
        "machine_type": machine.os.machine,
        "disks": [
            {"target": disk.target, "bus": disk.bus, "device": disk.device, "source": disk.source}
            for disk in disks.values()
        ],
        "nics": [_describe_nic(nic, fixed.get(nic.mac)) for nic in nics.values()],
        "console_log": next(iter(logs), None),
        "created_at": record.created_at if record else None,
    }
