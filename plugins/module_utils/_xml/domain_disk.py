# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Disks of a domain: those on a file, a block device or in a Ceph cluster; other kinds are only reported and never touched."""

from __future__ import annotations

from dataclasses import fields

from .._spec.machine import Disk
from .._spec.remote import PoolAuth, PoolHost, RemoteSource
from .._spec.tuning import IoTune, excluded
from .document import (
    Element,
    XmlError,
    add,
    as_int,
    attribute,
    drop,
    ensure,
    put,
    set_attributes,
    set_flag,
    text_of,
)

_REMOTE = "network"
_PROTOCOL = "rbd"
_SOURCE = {"file": "file", "block": "dev", _REMOTE: "name"}
"""Attribute of ``<source>`` by type."""
_LIMITS = tuple(field.name for field in fields(IoTune))


def read_disks(devices: Element) -> tuple[Disk, ...]:
    """Return all disks in their order; one of a kind we do not write has no source."""
    return tuple(_read(disk) for disk in devices.iterfind("disk"))


def put_disks(devices: Element, disks: tuple[Disk, ...]) -> None:
    """Write ``disks``, each found by its target or appended."""
    present = {attribute(disk, "target", "dev"): disk for disk in devices.iterfind("disk")}
    for disk in disks:
        element = present.get(disk.target)
        kind = disk.type if element is None else element.get("type", "file")
        is_foreign = element is not None and not _is_known(element)
        if is_foreign or disk.type not in _SOURCE or (kind != disk.type and _REMOTE in (kind, disk.type)):
            if element is None or kind != disk.type:
                known = "file and block are known, and network of Ceph by itself"
                raise XmlError(f"Disk {disk.target} cannot go from type {kind} to {disk.type}: only {known}.")
            continue
        _put(add(devices, "disk") if element is None else element, disk)


def _is_known(disk: Element) -> bool:
    """Tell whether it is of a kind that is written here; on a network, that is Ceph alone."""
    kind = disk.get("type", "file")
    return kind in _SOURCE and (kind != _REMOTE or attribute(disk, "source", "protocol") == _PROTOCOL)


def _read(disk: Element) -> Disk:
    kind = disk.get("type", "file")
    return Disk(
        target=attribute(disk, "target", "dev") or "",
        bus=attribute(disk, "target", "bus"),
        device=disk.get("device", "disk"),
        source=attribute(disk, "source", _SOURCE[kind]) if _is_known(disk) else None,
        format=attribute(disk, "driver", "type"),
        readonly=disk.find("readonly") is not None,
        shareable=disk.find("shareable") is not None,
        cache=attribute(disk, "driver", "cache"),
        io=attribute(disk, "driver", "io"),
        discard=attribute(disk, "driver", "discard"),
        serial=text_of(disk, "serial"),
        boot_order=as_int(attribute(disk, "boot", "order")),
        type=kind,
        detect_zeroes=attribute(disk, "driver", "detect_zeroes"),
        iothread=as_int(attribute(disk, "driver", "iothread")),
        queues=as_int(attribute(disk, "driver", "queues")),
        rotation_rate=as_int(attribute(disk, "target", "rotation_rate")),
        iotune=IoTune(**{name: as_int(text_of(disk, f"iotune/{name}")) or 0 for name in _LIMITS}),
        secret=_read_secret(disk),
        remote=_read_remote(disk) if kind == _REMOTE and _is_known(disk) else None,
    )


def _read_remote(disk: Element) -> RemoteSource:
    hosts = tuple(PoolHost(host.get("name") or "", as_int(host.get("port"))) for host in disk.iterfind("source/host"))
    logins = (login for path in ("source/auth", "auth") if (login := disk.find(path)) is not None)
    auth = next(logins, None)
    if auth is None:
        return RemoteSource(hosts)
    secret = (attribute(auth, "secret", "uuid"), attribute(auth, "secret", "usage"))
    return RemoteSource(hosts, PoolAuth(auth.get("username") or "", *secret))


def _read_secret(disk: Element) -> str | None:
    """Return what opens the source; libvirt keeps that where it was given, below the disk or below its source."""
    paths = (f"{place}encryption[@format='luks']/secret" for place in ("source/", ""))
    return next((uuid for path in paths if (uuid := attribute(disk, path, "uuid"))), None)


def _put(element: Element, disk: Disk) -> None:
    if disk.bus is not None and attribute(element, "target", "bus") != disk.bus:
        # An address belongs to its bus.
        drop(element, "address")
    put(
        element,
        "driver",
        type=disk.format,
        cache=disk.cache,
        io=disk.io,
        discard=disk.discard,
        detect_zeroes=disk.detect_zeroes,
        iothread=disk.iothread or None,
        queues=disk.queues,
    )
    if disk.iothread == 0:
        element.find("driver").attrib.pop("iothread", None)
    _put_source(element, disk)
    if disk.secret is not None and disk.secret != _read_secret(element):
        _put_secret(element, disk.secret)
    set_attributes(element, type=disk.type, device=disk.device)
    put(element, "target", dev=disk.target, bus=disk.bus, rotation_rate=disk.rotation_rate)
    set_flag(element, "readonly", disk.readonly)
    set_flag(element, "shareable", disk.shareable)
    put(element, "serial", disk.serial)
    put(element, "boot", order=disk.boot_order)
    if disk.iotune is not None:
        _put_iotune(element, disk.iotune)


def _put_source(element: Element, disk: Disk) -> None:
    if disk.source == "":
        drop(element, "source", "backingStore", "encryption")
        return
    before = element.get("type", "file")
    path = attribute(element, "source", _SOURCE[before])
    wanted = path if disk.source is None else disk.source
    if wanted is None or (wanted == path and before == disk.type):
        return
    source = ensure(element, "source")
    source.attrib.pop(_SOURCE[before], None)
    if disk.remote is not None:
        _put_remote(element, source, disk.remote)
    set_attributes(source, **{_SOURCE[disk.type]: wanted})
    # The chain below the old source is not that of the new one, and neither is its key.
    drop(element, "backingStore", "encryption")
    drop(source, "encryption")


def _put_remote(element: Element, source: Element, remote: RemoteSource) -> None:
    """Write how to get to the source, in place of how to get to another."""
    drop(element, "auth")
    drop(source, "auth", "host")
    source.set("protocol", _PROTOCOL)
    for host in remote.hosts:
        add(source, "host", name=host.name, port=host.port)
    if remote.auth:
        auth = add(source, "auth", username=remote.auth.username)
        add(auth, "secret", type="ceph", uuid=remote.auth.secret_uuid, usage=remote.auth.secret_usage)


def _put_secret(element: Element, secret: str) -> None:
    drop(element, "encryption")
    source = ensure(element, "source")
    drop(source, "encryption")
    add(add(source, "encryption", format="luks"), "secret", type="passphrase", uuid=secret)


def _put_iotune(element: Element, iotune: IoTune) -> None:
    """Write limits; what a limit excludes goes, and with no limit left the element."""
    tune = element.find("iotune")
    for name in _LIMITS:
        limit = getattr(iotune, name)
        if limit and tune is None:
            tune = add(element, "iotune")
        if limit:
            put(tune, name, limit)
            _drop_limits(tune, *excluded(name))
        elif limit is not None and tune is not None:
            _drop_limits(tune, name)
    if tune is not None and len(tune) == 0:
        element.remove(tune)


def _drop_limits(tune: Element, *names: str) -> None:
    for name in names:
        # How long a burst may last is nothing without the burst.
        drop(tune, name, f"{name}_length")
