# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""An instance as one item of a list. Pure."""

from __future__ import annotations

import posixpath
import typing as t

from .._driver.addresses import GuestAddress
from .._driver.guests import BlockStats
from .._driver.usage import BlockUsage, NicUsage, Usage
from .._plan.memory import most_memory_kib
from .._spec.machine import Disk, Nic
from .._spec.port_filter import read_port_filter
from .._spec.record import InstanceRecord
from .facts_guests import GIB
from .present import Present, graphics_rows

_KIB_PER_MIB = 1024
_NO_RECORD = InstanceRecord()


def instance_row(
    present: Present, addresses: t.Sequence[GuestAddress], autostarted: frozenset[str] | None, uri: str
) -> dict[str, t.Any]:
    """Return all that is known of the instance; ``autostarted`` are UUIDs, None where nobody knows."""
    return {
        "name": present.reading.name,
        "uuid": present.reading.uuid,
        **_origin(present.record),
        **_state(present, autostarted),
        **_machine(present),
        "disks": _disks(present),
        "nics": _nics(present),
        "addresses": [_address(address) for address in addresses],
        "usage": _usage(present),
        "graphics": graphics_rows(present, uri),
        "console_log": present.runtime.console_log,
    }


def _origin(record: InstanceRecord | None) -> dict[str, t.Any]:
    known = record or _NO_RECORD
    return {
        "managed": record is not None,
        "fleet": known.fleet,
        "flavor": known.flavor or None,
        "image": known.image,
        "image_digest": known.image_digest,
        "labels": dict(known.labels),
        "group": known.group,
        "group_policy": known.group_policy,
        "protected": known.protected,
        "created_at": known.created_at or None,
    }


def _state(present: Present, autostarted: frozenset[str] | None) -> dict[str, t.Any]:
    return {
        "state": present.reading.state,
        "power_state": present.power_state,
        "autostart": None if autostarted is None else present.reading.uuid in autostarted,
    }


def _machine(present: Present) -> dict[str, t.Any]:
    machine = present.machine
    return {
        "vcpus": machine.vcpus if machine.current_vcpus is None else machine.current_vcpus,
        "max_vcpus": machine.vcpus,
        "memory_mb": _mib(machine.memory_kib if machine.current_memory_kib is None else machine.current_memory_kib),
        "max_memory_mb": _mib(most_memory_kib(machine)),
        "virt_type": machine.type,
        "machine_type": machine.os.machine,
        "firmware": present.runtime.firmware,
    }


def _disks(present: Present) -> list[dict[str, t.Any]]:
    blocks = {block.target: block for block in present.reading.blocks}
    return [_disk(disk, blocks.get(disk.target), present.record) for disk in present.machine.disks]


def _disk(disk: Disk, block: BlockStats | None, record: InstanceRecord | None) -> dict[str, t.Any]:
    capacity = block.capacity_bytes if block else None
    return {
        "target": disk.target,
        "device": disk.device,
        "bus": disk.bus,
        "type": disk.type,
        "source": disk.source,
        "format": disk.format,
        "readonly": bool(disk.readonly),
        "serial": disk.serial,
        # Up to whole GiB, as the facts count.
        "capacity_gb": None if capacity is None else -(-capacity // GIB),
        "capacity_bytes": capacity,
        "allocation_bytes": block.allocation_bytes if block else None,
        "owned": _is_owned(disk, record),
    }


def _is_owned(disk: Disk, record: InstanceRecord | None) -> bool:
    volume = posixpath.basename(disk.source or "")
    return any((owned.target, owned.volume) == (disk.target, volume) for owned in (record.disks if record else ()))


def _nics(present: Present) -> list[dict[str, t.Any]]:
    devices = dict(present.runtime.nic_devices)
    fixed = {one.mac: one.ip for one in (present.record or _NO_RECORD).fixed_ips}
    return [_nic(nic, devices, fixed.get(nic.mac)) for nic in present.machine.nics]


def _nic(nic: Nic, devices: dict[str, str], fixed_ip: str | None) -> dict[str, t.Any]:
    port = read_port_filter(nic.filter)
    return {
        "mac": nic.mac,
        "type": nic.type,
        "source": nic.source,
        "portgroup": nic.portgroup,
        "model": nic.model,
        # Without the element libvirt means up.
        "link_state": nic.link_state or "up",
        "fixed_ip": fixed_ip,
        "security_groups": list(port.groups) if port else [],
        "port_security": bool(port and port.port_security),
        "device": devices.get(nic.mac),
    }


def _address(address: GuestAddress) -> dict[str, t.Any]:
    return {
        "address": address.address,
        "prefix": address.prefix,
        "family": address.family,
        "mac": address.mac,
        "interface": address.interface,
        "source": address.source,
    }


def _usage(present: Present) -> dict[str, t.Any] | None:
    usage = present.reading.usage
    if usage is None or not present.reading.is_active:
        return None
    macs = {device: mac for mac, device in present.runtime.nic_devices}
    return {
        "cpu_time_seconds": _rounded(usage.cpu_seconds),
        "cpu_user_seconds": _rounded(usage.cpu_user_seconds),
        "cpu_system_seconds": _rounded(usage.cpu_system_seconds),
        **_memory_usage(usage),
        "disks": [_block_usage(block) for block in usage.blocks],
        "nics": [_nic_usage(nic, macs) for nic in usage.nics],
    }


def _memory_usage(usage: Usage) -> dict[str, t.Any]:
    return {
        "memory_rss_mb": _known_mib(usage.rss_kib),
        "memory_balloon_mb": _known_mib(usage.balloon_kib),
        "memory_available_mb": _known_mib(usage.available_kib),
        "memory_unused_mb": _known_mib(usage.unused_kib),
        "memory_usable_mb": _known_mib(usage.usable_kib),
    }


def _block_usage(block: BlockUsage) -> dict[str, t.Any]:
    return {
        "target": block.target,
        "read_bytes": block.read_bytes,
        "read_requests": block.read_requests,
        "write_bytes": block.write_bytes,
        "write_requests": block.write_requests,
        "flush_requests": block.flush_requests,
    }


def _nic_usage(nic: NicUsage, macs: dict[str, str]) -> dict[str, t.Any]:
    return {
        "device": nic.device,
        "mac": macs.get(nic.device),
        "received_bytes": nic.received_bytes,
        "received_packets": nic.received_packets,
        "received_errors": nic.received_errors,
        "received_drops": nic.received_drops,
        "sent_bytes": nic.sent_bytes,
        "sent_packets": nic.sent_packets,
        "sent_errors": nic.sent_errors,
        "sent_drops": nic.sent_drops,
    }


def _mib(kib: int) -> int:
    return -(-kib // _KIB_PER_MIB)


def _known_mib(kib: int | None) -> int | None:
    return None if kib is None else _mib(kib)


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
