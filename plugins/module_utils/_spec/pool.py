# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What a user declares of one storage pool. All bad input of a pool dies in ``PoolSpec.from_params``."""

from __future__ import annotations

import posixpath
import re
import typing as t
from dataclasses import dataclass, fields

from .._errors import SpecError
from .names import check_name, check_uuid
from .pool_key import PoolKey, secret_usage
from .remote import PoolAuth, PoolHost

POOL_TYPES = ("dir", "fs", "netfs", "logical", "iscsi", "rbd", "zfs")
FORMATS = {
    "fs": ("auto", "ext2", "ext3", "ext4", "ufs", "iso9660", "udf", "gfs", "gfs2", "vfat", "hfs+", "xfs", "ocfs2"),
    "netfs": ("auto", "nfs", "glusterfs", "cifs"),
    "logical": ("lvm2",),
}
AUTH_TYPES = {"iscsi": "chap", "rbd": "ceph"}
DEFAULT_PATHS = {"iscsi": "/dev/disk/by-path"}
USUAL_PORTS = {"iscsi": 3260}
"""Ports that libvirt itself writes down for a server without one, once the pool has run."""
_NEEDED = {
    "dir": ("path",),
    "fs": ("path", "source.devices"),
    "netfs": ("path", "source.hosts", "source.dir"),
    "logical": ("source.name",),
    "iscsi": ("source.hosts", "source.devices"),
    "rbd": ("source.name", "source.hosts"),
    "zfs": ("source.name",),
}
_ALLOWED = {
    "dir": (),
    "fs": ("source.format",),
    "netfs": ("source.format",),
    "logical": ("source.devices", "source.format"),
    "iscsi": ("path", "source.initiator", "source.auth"),
    "rbd": ("source.auth",),
    "zfs": ("source.devices",),
}
_LAST_PORT = 65535
_LINKS = "/dev/disk/"
_ONE_DEVICE = ("fs", "iscsi")
_HOST = re.compile(r"[A-Za-z0-9.-]+|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*")
_QUALIFIED_NAME = re.compile(r"iqn\.[0-9]{4}-(0[1-9]|1[0-2])\.[A-Za-z0-9.-]+(:\S+)?")
_SOURCE_NAME = re.compile(r"[^\s/-][^\s]*")


@dataclass(frozen=True)
class PoolLayout:
    """What a pool is made on: declared, where None is not declared, or found."""

    type: str
    path: str | None = None
    hosts: tuple[PoolHost, ...] | None = None
    dir: str | None = None
    devices: tuple[str, ...] | None = None
    name: str | None = None
    """What the source calls it: a volume group, a Ceph pool or a ZFS dataset."""
    format: str | None = None
    initiator: str | None = None
    auth: PoolAuth | None = None

    def options(self) -> dict[str, t.Any]:
        """Return what is set, by the name of the option that sets it."""
        return {
            option_of(field.name): getattr(self, field.name)
            for field in fields(self)
            if getattr(self, field.name) is not None
        }


@dataclass(frozen=True)
class PoolSpec:
    """One declared pool; ``layout`` is None where only its state is declared."""

    name: str
    present: bool = True
    layout: PoolLayout | None = None
    active: bool = True
    autostart: bool = True
    build: bool = False
    refresh: bool = False
    key: PoolKey | None = None
    """What libvirt is to keep in a secret of the pool's own."""

    @staticmethod
    def from_params(params: t.Mapping[str, t.Any]) -> PoolSpec:
        """Check a module's parameters."""
        name = check_name("name", params["name"])
        if params["state"] == "absent":
            return PoolSpec(name=name, present=False)
        if params["refresh"] and not params["active"]:
            raise SpecError("refresh", "a pool that is not active can't be looked at", "declare active: true")
        return PoolSpec(
            name=name,
            layout=_read_layout(params),
            active=params["active"],
            autostart=params["autostart"],
            build=params["build"],
            refresh=params["refresh"],
            key=_key(params),
        )


def option_of(field: str) -> str:
    """Return the option that declares a field of a layout."""
    return field if field in ("type", "path") else f"source.{field}"


def _read_layout(params: t.Mapping[str, t.Any]) -> PoolLayout | None:
    source = params["source"] or {}
    if params["type"] is None:
        for option, value in (("path", params["path"]), ("source", params["source"])):
            if value is not None:
                raise SpecError(option, "it says nothing without a type", "declare type, such as dir")
        return None
    layout = PoolLayout(
        type=params["type"],
        path=_absolute("path", params["path"]),
        hosts=_hosts(source.get("hosts")),
        dir=_directory(source.get("dir"), source.get("format")),
        devices=_devices(source.get("devices"), params["type"]),
        name=_source_name(source.get("name")),
        format=_format(source.get("format"), params["type"]),
        initiator=_qualified_name("source.initiator", source.get("initiator")),
        auth=_auth(source.get("auth"), params["name"]),
    )
    _check_options(layout)
    return layout


def _check_options(layout: PoolLayout) -> None:
    declared = layout.options()
    needed = _NEEDED[layout.type]
    known = ("type", *needed, *_ALLOWED[layout.type])
    for option in needed:
        if option not in declared:
            raise SpecError(
                option, f"it is missing for a pool of type {layout.type}", f"declare {' and '.join(needed)}"
            )
    for option in declared:
        if option not in known:
            raise SpecError(
                option, f"a pool of type {layout.type} has no use for it", f"it takes {', '.join(known[1:])}"
            )
    if layout.type in _ONE_DEVICE and len(layout.devices or ()) != 1:
        raise SpecError("source.devices", f"a pool of type {layout.type} lies on one device", "give exactly one")
    if layout.type == "netfs" and len(layout.hosts or ()) != 1:
        raise SpecError("source.hosts", "a pool of type netfs has one server", "give exactly one")


def _absolute(option: str, path: str | None) -> str | None:
    if path is None:
        return None
    if not path.startswith("/") or not path.isprintable():
        raise SpecError(option, f"{path!r} is not an absolute path", "give it from the hypervisor's root directory on")
    return "/" + posixpath.normpath(path).lstrip("/")


def _directory(path: str | None, image_format: str | None) -> str | None:
    if image_format in ("glusterfs", "cifs"):
        if path is not None and (not path or not path.isprintable()):
            raise SpecError("source.dir", f"{path!r} is not the name of a share", "give it as its server calls it")
        return path
    return _absolute("source.dir", path)


def _hosts(hosts: list[dict[str, t.Any]] | None) -> tuple[PoolHost, ...] | None:
    if hosts is None:
        return None
    if not hosts:
        raise SpecError("source.hosts", "it is empty", "name at least one server, or leave it out")
    for index, host in enumerate(hosts):
        if not _HOST.fullmatch(host["name"]):
            raise SpecError(f"source.hosts[{index}].name", f"{host['name']!r} is no host", "give a name or an address")
        if host["port"] is not None and not 0 < host["port"] <= _LAST_PORT:
            raise SpecError(f"source.hosts[{index}].port", f"{host['port']} is no port", "it is 1 to 65535")
    return tuple(PoolHost(host["name"], host["port"]) for host in hosts)


def _devices(devices: list[str] | None, pool_type: str) -> tuple[str, ...] | None:
    if devices is None:
        return None
    if not devices:
        raise SpecError("source.devices", "it is empty", "name at least one device, or leave it out")
    if pool_type == "logical":
        _refuse_links(devices)
    if pool_type == "iscsi":
        return tuple(str(_qualified_name("source.devices", device)) for device in devices)
    return tuple(str(_absolute("source.devices", device)) for device in devices)


def _refuse_links(devices: list[str]) -> None:
    """Refuse what libvirt could make a volume group of, but would not find it by: it compares names, and LVM has the devices' own."""
    for index, device in enumerate(devices):
        if device.startswith(_LINKS):
            raise SpecError(
                f"source.devices[{index}]",
                f"{device} is a link, and libvirt looks for a volume group by its devices' own names",
                "name the device as pvs does, such as /dev/sdb, or leave source.devices out where the volume group is there",
            )


def _qualified_name(option: str, value: str | None) -> str | None:
    if value is not None and not _QUALIFIED_NAME.fullmatch(value):
        raise SpecError(option, f"{value!r} is no iSCSI name", "give it as iqn.YYYY-MM.reversed.domain:name")
    return value


def _source_name(value: str | None) -> str | None:
    if value is not None and not (_SOURCE_NAME.fullmatch(value) and value.isprintable()):
        raise SpecError("source.name", f"{value!r} is not a name", "give it without spaces, as its own tools call it")
    return value


def _format(value: str | None, pool_type: str) -> str | None:
    choices = FORMATS.get(pool_type)
    if value is not None and choices and value not in choices:
        raise SpecError(
            "source.format", f"{value!r} is none for type {pool_type}", f"it is one of {', '.join(choices)}"
        )
    return value


def _key(params: t.Mapping[str, t.Any]) -> PoolKey | None:
    auth = (params["source"] or {}).get("auth")
    return PoolKey.from_text(auth["key"], params["type"]) if auth and auth["key"] is not None else None


def _auth(auth: dict[str, t.Any] | None, pool: str) -> PoolAuth | None:
    if auth is None:
        return None
    uuid = auth["secret_uuid"] or None
    if [bool(uuid), bool(auth["secret_usage"]), auth["key"] is not None].count(True) != 1:
        remedy = "give the key, or name the one secret that holds it"
        raise SpecError("source.auth", "it needs exactly one of key, secret_uuid and secret_usage", remedy)
    if auth["key"] is not None:
        return PoolAuth(auth["username"], secret_usage=secret_usage(pool))
    if uuid:
        uuid = check_uuid("source.auth.secret_uuid", uuid, "give it as virsh secret-list shows it")
    if not auth["username"]:
        raise SpecError("source.auth.username", "it is empty", "name who logs in")
    return PoolAuth(auth["username"], uuid, auth["secret_usage"] or None)
