# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What guards an instance's NICs: decided with its design, made before its first step, and cleared up after the last."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ..._errors import ComputeError, NotFoundError, SpecError
from ..._plan import instance as verbs
from ..._plan.drift import ATTACH, DETACH
from ..._plan.power import START, STOP
from ..._spec.instance import InstanceSpec
from ..._spec.machine import Machine, Nic
from ..._spec.nic import NicSpec
from ..._spec.port_filter import PortFilter, read_port_filter
from ..group_members import groups_of
from ..lock import claims_lock
from ..port_filter import (
    follow_members,
    group_names,
    make_port_filters,
    sweep_port_filters,
    unused_port_filters,
)
from .host import Host
from .networks import has_linux_bridge
from .steps import Job

_JOINING = frozenset({verbs.DEFINE, verbs.UNDEFINE, START, STOP, ATTACH, DETACH})
"""Steps after which a security group may have other members, or the same at other addresses."""


def guarded(host: Host, spec: InstanceSpec, desired: Machine, existing: Machine | None, check: bool) -> Machine:
    """Return the machine with its NICs guarded as declared, and new ones that can be with port security.

    A NIC that is there and of which nothing is declared stays as it is. The groups of a new fleet are only defined by
    the run that check mode foretells.
    """
    present = {nic.mac: nic for nic in existing.nics} if existing else {}
    declared = {nic.mac: (index, nic) for index, nic in enumerate(spec.nics or ())}
    fixed = {one.mac: one.ip for one in (desired.record.fixed_ips if desired.record else ())}
    had = {one.mac for one in (existing.record.fixed_ips if existing and existing.record else ())}
    nics = []
    for nic in desired.nics:
        found = present.get(nic.mac)
        name = _filter(host, *declared[nic.mac], found, check)
        nics.append(replace(nic, filter=name, filter_ip=_told(name, found, fixed.get(nic.mac), nic.mac in had)))
    return replace(desired, nics=tuple(nics))


def _told(name: str | None, present: Nic | None, ip: str | None, had: bool) -> str | None:
    """Return the address that a NIC's filter is told of, which it else waits to see; None where nothing is said of it."""
    before = present.filter if present else None
    port = read_port_filter(before if name is None else name)
    if port is None:
        return None
    if port.port_security and ip:
        return ip
    is_other = present is not None and name is not None and name != (before or "")
    return "" if had or is_other else None


def _filter(host: Host, index: int, nic: NicSpec, present: Nic | None, check: bool) -> str | None:
    if nic.security_groups is None and nic.port_security is None:
        if present is not None and present.filter:
            _refuse_to_lose(host, index, nic, present)
        is_guarded = present is None and _obstacle(host, nic, present) is None
        return PortFilter(port_security=True).name if is_guarded else None
    kept = read_port_filter(present.filter) if present else None
    port = PortFilter(
        _either(nic.security_groups, kept.groups if kept else ()),
        _either(nic.port_security, kept.port_security if kept else True),
    )
    if port == PortFilter() and (present is None or not present.filter):
        return None
    option = f"networks[{index}].{'port_security' if nic.security_groups is None else 'security_groups'}"
    obstacle = _obstacle(host, nic, present)
    if obstacle is not None and port != PortFilter():
        raise SpecError(option, *obstacle)
    if not check:
        _refuse_unknown(host, option, port)
    return port.name


def _refuse_to_lose(host: Host, index: int, nic: NicSpec, present: Nic) -> None:
    """Refuse to plug a NIC with filters into what has none: the guest would not even start again."""
    where = nic.network or nic.bridge
    obstacle = _obstacle(host, nic, None) if (present.type, present.source) != (nic.kind, where) else None
    if obstacle is not None:
        raise SpecError(
            f"networks[{index}]",
            f"{obstacle[0]}, and NIC {nic.mac} has port security or security groups",
            "declare port_security: false and security_groups: [] to go without, or take another network",
        )


Value = t.TypeVar("Value")


def _either(declared: Value | None, kept: Value) -> Value:
    return kept if declared is None else declared


def _obstacle(host: Host, nic: NicSpec, present: Nic | None) -> tuple[str, str] | None:
    """Return why nothing can guard a NIC, and what would be right; None where something can."""
    if nic.user:
        return (
            "the user-mode network lets nothing in, and has no filters",
            "leave it out, or take a network or a bridge",
        )
    if host.filters.listed is None:
        return (
            f"the hypervisor at {host.connection.uri} has no network filters",
            "leave it out, or take one whose libvirt runs as the system's, such as qemu:///system",
        )
    network = host.networks.get(nic.network) if nic.network else None
    no_bridge = nic.network and not (network and has_linux_bridge(network))
    if no_bridge or (present is not None and present.virtualport):
        what = f"network {nic.network}" if nic.network else f"bridge {nic.bridge}"
        return f"{what} has no Linux bridge, where libvirt could filter", "leave it out, or take another network"
    return None


def _refuse_unknown(host: Host, option: str, port: PortFilter) -> None:
    known = group_names(host.filters.listed or {})
    for group in port.groups:
        if group not in known:
            raise NotFoundError(
                f"Option {option}: there is no security group {group} on this hypervisor; define it with"
                f" compute_security_group. There are: {', '.join(known) or 'none'}.",
                {"option": option},
            )


def make_guards(host: Host, jobs: t.Sequence[Job]) -> None:
    """Have the filters that these instances' NICs refer to; it is called under the host's lock."""
    ready = [job for job in jobs if job.error is None and job.desired and job.plan.changed]
    found = (read_port_filter(name) for job in ready for name in _filters(job))
    ports = {port for port in found if port and port.name}
    if not ports:
        return
    try:
        make_port_filters(host.connection, host.filters.listed or {}, ports)
    except ComputeError as exc:
        for job in ready:
            job.error = exc
    host.filters.forget()


def clear_up(host: Host, jobs: t.Sequence[Job]) -> None:
    """Let other groups' rules follow who joined a group or left it, and remove filters that nothing refers to any more."""
    joined = {group for job in jobs for group in _joined(job)}
    if not joined and not any(map(_frees, jobs)) and not _has_leftovers(host):
        return
    try:
        with claims_lock(host.uuid):
            host.read_again()
            guests = list(host.guests.values())
            sweep_port_filters(host.connection, host.filters.listed or {}, guests)
            if joined:
                follow_members(host.connection, guests, joined)
    except ComputeError as exc:
        for job in jobs:
            job.error = job.error or (exc if job.plan.changed else None)


def _filters(job: Job) -> set[str]:
    """Return the filters of an instance's NICs as they will be."""
    machines = (job.existing.machine if job.existing else None, job.desired)
    found = {nic.mac: nic.filter for machine in machines if machine for nic in machine.nics if nic.filter is not None}
    return {name for name in found.values() if name}


def _joined(job: Job) -> set[str]:
    """Return the groups that may have other members now."""
    has_moved = any(action.verb in _JOINING for action in job.plan.actions) or _has_other_nics(job)
    names = {*_filters(job), *_present(job)}
    return {group for name in names for group in groups_of(name)} if has_moved else set()


def _frees(job: Job) -> bool:
    """Tell whether a filter may have lost its last NIC."""
    is_less = job.plan.has(verbs.UNDEFINE) or _has_other_nics(job)
    return is_less and any((port := read_port_filter(name)) and port.name for name in _present(job))


def _has_other_nics(job: Job) -> bool:
    return any(change.path.startswith("nics[") for change in job.plan.changes)


def _present(job: Job) -> set[str]:
    machines = (job.existing.machine, job.existing.live) if job.existing else ()
    return {nic.filter for machine in machines if machine for nic in machine.nics if nic.filter}


def _has_leftovers(host: Host) -> bool:
    """Tell whether an interrupted run left filters, if somebody has listed them."""
    return host.filters.is_listed and bool(unused_port_filters(host.filters.listed or {}, host.guests.values()))
