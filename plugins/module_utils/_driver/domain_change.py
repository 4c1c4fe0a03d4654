# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What of a domain changes without a new definition: devices, and numbers that libvirt can set in a running guest."""

from __future__ import annotations

import typing as t

from .._errors import DriverError, NotFoundError
from .._xml.record import NAMESPACE, PREFIX
from .capabilities import once
from .connection import Connection, libvirt
from .domain import Domain


class Scope(t.NamedTuple):
    """What is changed: the running guest, the definition for the next boot, or both."""

    live: bool
    persistent: bool

    @property
    def flags(self) -> int:
        """Return libvirt's flags."""
        live = libvirt.VIR_DOMAIN_AFFECT_LIVE if self.live else 0
        return int(live | (libvirt.VIR_DOMAIN_AFFECT_CONFIG if self.persistent else 0))


def attach_device(connection: Connection, domain: Domain, xml: str, scope: Scope) -> None:
    """Add a device."""
    doing = f"attach a device to {domain.name}"
    connection.call(doing, domain.handle.attachDeviceFlags, xml, scope.flags)


def detach_device(connection: Connection, domain: Domain, xml: str, scope: Scope) -> None:
    """Remove the device that ``xml`` describes; a running guest gives it up later, see ``events.DEVICE_REMOVED``."""
    doing = f"detach a device from {domain.name}"
    connection.call(doing, domain.handle.detachDeviceFlags, xml, scope.flags)


def detach_alias(connection: Connection, domain: Domain, alias: str, scope: Scope) -> None:
    """Remove the device with that alias; it is gone from a running guest once the event says so."""
    doing = f"detach device {alias} from {domain.name}"
    connection.call(doing, domain.handle.detachDeviceAlias, alias, scope.flags)


def update_device(connection: Connection, domain: Domain, xml: str, scope: Scope) -> None:
    """Change a device in place, as far as its kind allows: a CD-ROM's medium, a NIC's link, graphics."""
    doing = f"change a device of {domain.name}"
    connection.call(doing, domain.handle.updateDeviceFlags, xml, scope.flags)


def set_vcpus(connection: Connection, domain: Domain, vcpus: int, scope: Scope) -> None:
    """Set how many vCPUs are plugged in, up to the most that the definition allows."""
    doing = f"set {vcpus} vCPUs for {domain.name}"
    connection.call(doing, domain.handle.setVcpusFlags, vcpus, scope.flags)


def set_most_vcpus(connection: Connection, domain: Domain, vcpus: int) -> None:
    """Set the most vCPUs of the next boot."""
    flags = libvirt.VIR_DOMAIN_AFFECT_CONFIG | libvirt.VIR_DOMAIN_VCPU_MAXIMUM
    connection.call(f"allow {vcpus} vCPUs for {domain.name}", domain.handle.setVcpusFlags, vcpus, flags)


def set_memory(connection: Connection, domain: Domain, memory_kib: int, scope: Scope) -> None:
    """Set the memory that the balloon leaves to the guest, up to the most that the definition allows."""
    doing = f"set {memory_kib} KiB of memory for {domain.name}"
    connection.call(doing, domain.handle.setMemoryFlags, memory_kib, scope.flags)


def set_most_memory(connection: Connection, domain: Domain, memory_kib: int) -> None:
    """Set the most memory of the next boot."""
    flags = libvirt.VIR_DOMAIN_AFFECT_CONFIG | libvirt.VIR_DOMAIN_MEM_MAXIMUM
    connection.call(
        f"allow {memory_kib} KiB of memory for {domain.name}", domain.handle.setMemoryFlags, memory_kib, flags
    )


def set_record(connection: Connection, domain: Domain, element: str, scope: Scope) -> None:
    """Replace the collection's element in the metadata."""
    kind = libvirt.VIR_DOMAIN_METADATA_ELEMENT
    doing = f"write the record of {domain.name}"
    connection.call(doing, domain.handle.setMetadata, kind, element, PREFIX, NAMESPACE, scope.flags)


def set_title(connection: Connection, domain: Domain, title: str | None, scope: Scope) -> None:
    """Set the title; None removes it."""
    kind, flags = libvirt.VIR_DOMAIN_METADATA_TITLE, scope.flags
    connection.call(f"set the title of {domain.name}", domain.handle.setMetadata, kind, title, None, None, flags)


def set_block_iotune(
    connection: Connection, domain: Domain, target: str, limits: t.Mapping[str, int], scope: Scope
) -> None:
    """Throttle a disk; the names are libvirt's, such as total_bytes_sec, and 0 is no limit."""
    doing = f"throttle disk {target} of {domain.name}"
    connection.call(doing, domain.handle.setBlockIoTune, target, dict(limits), scope.flags)


def set_interface_parameters(
    connection: Connection, domain: Domain, device: str, limits: t.Mapping[str, int], scope: Scope
) -> None:
    """Throttle a NIC, named by MAC or host device; the names are libvirt's, such as inbound.average."""
    doing = f"throttle NIC {device} of {domain.name}"
    connection.call(doing, domain.handle.setInterfaceParameters, device, dict(limits), scope.flags)


def has_scheduler(connection: Connection, domain: Domain) -> bool:
    """Tell whether the host can share its CPUs out among running guests: without a CPU cgroup it can't."""

    def ask() -> bool:
        doing = f"read the CPU shares of {domain.name}"
        try:
            connection.call(doing, domain.handle.schedulerParametersFlags, libvirt.VIR_DOMAIN_AFFECT_LIVE)
        except NotFoundError:
            raise
        except DriverError:
            return False
        return True

    return once(connection, "CPU shares", ask)


def set_scheduler_parameters(
    connection: Connection, domain: Domain, parameters: t.Mapping[str, int], scope: Scope
) -> None:
    """Set CPU shares, periods and quotas; the names are libvirt's, such as cpu_shares and vcpu_quota."""
    doing = f"set the CPU shares of {domain.name}"
    connection.call(doing, domain.handle.setSchedulerParametersFlags, dict(parameters), scope.flags)
