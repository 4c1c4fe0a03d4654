# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Storage pools' definitions, out of libvirt's XML and into it."""

from __future__ import annotations

from .._spec.pool import AUTH_TYPES, DEFAULT_PATHS, PoolAuth, PoolHost, PoolLayout
from .document import Element, add, as_int, attribute, new, parse, to_text


def write_pool(name: str, layout: PoolLayout) -> str:
    """Return the XML that defines the pool ``name``."""
    root = new("pool", type=layout.type)
    add(root, "name", name)
    if layout.type != "dir":
        _write_source(add(root, "source"), layout)
    path = layout.path or DEFAULT_PATHS.get(layout.type)
    if path:
        add(add(root, "target"), "path", path)
    elif layout.type == "logical":
        # Its path follows from its name, and yet the schema wants the element.
        add(root, "target")
    return to_text(root)


def read_layout(text: str) -> PoolLayout:
    """Return what the pool that is described by ``text`` is made on."""
    root = parse(text)
    hosts = tuple(PoolHost(host.get("name") or "", as_int(host.get("port"))) for host in root.iterfind("source/host"))
    devices = tuple(device.get("path") or "" for device in root.iterfind("source/device"))
    return PoolLayout(
        type=root.get("type") or "",
        path=root.findtext("target/path"),
        hosts=hosts or None,
        dir=attribute(root, "source/dir", "path"),
        devices=devices or None,
        name=root.findtext("source/name"),
        format=attribute(root, "source/format", "type"),
        initiator=attribute(root, "source/initiator/iqn", "name"),
        auth=_read_auth(root.find("source/auth")),
    )


def read_pool_types(text: str) -> frozenset[str]:
    """Return the types of pools that a hypervisor's ``<storagepoolCapabilities>`` says it can have."""
    found = parse(text).iterfind("pool")
    return frozenset(pool.get("type") or "" for pool in found if pool.get("supported") == "yes")


def _write_source(source: Element, layout: PoolLayout) -> None:
    for host in layout.hosts or ():
        add(source, "host", name=host.name, port=host.port)
    for device in layout.devices or ():
        add(source, "device", path=device)
    if layout.dir:
        add(source, "dir", path=layout.dir)
    if layout.name:
        add(source, "name", layout.name)
    if layout.format:
        add(source, "format", type=layout.format)
    if layout.initiator:
        add(add(source, "initiator"), "iqn", name=layout.initiator)
    if layout.auth:
        auth = add(source, "auth", type=AUTH_TYPES[layout.type], username=layout.auth.username)
        add(auth, "secret", uuid=layout.auth.secret_uuid, usage=layout.auth.secret_usage)


def _read_auth(auth: Element | None) -> PoolAuth | None:
    if auth is None:
        return None
    return PoolAuth(auth.get("username") or "", attribute(auth, "secret", "uuid"), attribute(auth, "secret", "usage"))
