# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Find PCI devices of a host for an instance, as near to its NUMA cells as its flavor wants them. Deterministic.

The policies are Nova's ``hw:pci_numa_affinity_policy``. ``required`` takes devices of the cells that the instance lies in,
``legacy`` also those of which nobody knows where they are, ``socket`` those of the cells' sockets, and ``preferred`` any.
An instance that lies in no cell takes any device.
"""

from __future__ import annotations

import typing as t

from .._spec.hardware import PciRequest
from .topology import FreeDevice, Host

_NOWHERE: frozenset[int] = frozenset()


class NoDevicesError(Exception):
    """Fewer devices are free than are asked for."""

    def __init__(self, request: PciRequest, found: int) -> None:
        """Take what was asked for and what there is."""
        super().__init__(request.option)
        self.request, self.found = request, found
        self.what = request.address or f"{request.count} of {request.vendor_id}:{request.product_id}"


def matches(device: FreeDevice, request: PciRequest) -> bool:
    """Tell whether a device is what is asked for."""
    if request.address is not None:
        return device.address == request.address
    return (device.vendor_id, device.product_id) == (request.vendor_id, request.product_id)


def find_devices(
    requests: t.Sequence[PciRequest], affinity: str | None, host: Host, cells: frozenset[int]
) -> tuple[str, ...]:
    """Return addresses in the order of requests: those of ``cells`` first, then those of no known cell.

    Raise :class:`NoDevicesError` where there are too few.
    """
    devices = _suitable(affinity, host, cells)
    free = sorted(devices, key=lambda device: (device.cell not in cells, device.cell is not None, device.address))
    given: dict[int, list[str]] = {}
    # What is asked for by address is taken before others may get it.
    for index in sorted(range(len(requests)), key=lambda index: requests[index].address is None):
        request = requests[index]
        found = [device for device in free if matches(device, request)][: request.count]
        if len(found) < request.count:
            taken = {address for addresses in given.values() for address in addresses}
            free_at_all = [one for one in host.devices if one.address not in taken and matches(one, request)]
            raise NoDevicesError(request, len(free_at_all))
        given[index] = [device.address for device in found]
        free = [device for device in free if device not in found]
    return tuple(address for index in sorted(given) for address in given[index])


def are_near(requests: t.Sequence[PciRequest], affinity: str | None, host: Host, cells: frozenset[int]) -> bool:
    """Tell whether devices are near enough to ``cells``; where too few are free at all, that is another matter."""
    if not requests or affinity in (None, "preferred"):
        return True
    return _are_found(requests, affinity, host, cells) or not _are_found(requests, affinity, host, _NOWHERE)


def are_asked_for(
    kept: tuple[str, ...], requests: t.Sequence[PciRequest], affinity: str | None, host: Host, cells: frozenset[int]
) -> bool:
    """Tell whether devices are what is asked for, free, and near enough to ``cells``."""
    here = {device.address: device for device in _suitable(affinity, host, cells)}
    if len(set(kept)) != len(kept) or len(kept) != sum(request.count for request in requests):
        return False
    if not here.keys() >= set(kept):
        return False
    wanted = [request for request in requests for _one in range(request.count)]
    return all(matches(here[address], request) for address, request in zip(kept, wanted))


def _are_found(requests: t.Sequence[PciRequest], affinity: str | None, host: Host, cells: frozenset[int]) -> bool:
    try:
        find_devices(requests, affinity, host, cells)
    except NoDevicesError:
        return False
    return True


def _suitable(affinity: str | None, host: Host, cells: frozenset[int]) -> t.Sequence[FreeDevice]:
    """Return the free devices that a policy lets an instance in ``cells`` have."""
    if not cells or affinity in (None, "preferred"):
        return host.devices
    near = _of_their_sockets(host, cells) if affinity == "socket" else cells
    return [device for device in host.devices if device.cell in near or (affinity == "legacy" and device.cell is None)]


def _of_their_sockets(host: Host, cells: frozenset[int]) -> frozenset[int]:
    """Return all cells of the sockets that cells are in; only those themselves where the host does not tell of sockets."""
    if any(cell.socket is None for cell in host.cells):
        return cells
    sockets = {cell.socket for cell in host.cells if cell.id in cells}
    return frozenset(cell.id for cell in host.cells if cell.socket in sockets)
