# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What a user declares of one volume by itself. All bad input of it dies in ``StoredVolumeSpec.from_params``."""

from __future__ import annotations

import os
import typing as t
from dataclasses import dataclass

from .._errors import SpecError
from .attachment import AttachmentSpec
from .encryption import EncryptionSpec
from .local_path import local_path
from .names import check_volume_name
from .size import format_size, parse_size

VOLUME_FORMATS = ("raw", "qcow2")
CONTENTS = ("source", "image", "src")
_OWN_PREFIX = "kilonova-"
_SECTOR = 512
_SMALLEST = 1024**2


@dataclass(frozen=True)
class Origin:
    """Another volume, or a published image, whose content a new volume gets."""

    name: str
    pool: str
    is_image: bool = False

    def __str__(self) -> str:
        """Return it as it is shown."""
        return f"{'image' if self.is_image else 'volume'} {self.name} of pool {self.pool}"


@dataclass(frozen=True)
class StoredVolumeSpec:
    """One declared volume; at most one of ``origin`` and ``src`` says what it holds when it is made."""

    name: str
    pool: str = "default"
    present: bool = True
    size: int | None = None
    format: str | None = None
    origin: Origin | None = None
    src: str | None = None
    """A file on the machine where the module runs."""
    wipe: bool = False
    dest: str | None = None
    """Where a copy of its content shall be on the machine where the module runs."""
    encryption: EncryptionSpec | None = None
    attachment: AttachmentSpec | None = None

    @property
    def content(self) -> str | None:
        """Return in words what a new volume holds; None for nothing."""
        return str(self.origin) if self.origin else self.src

    @staticmethod
    def from_params(params: t.Mapping[str, t.Any]) -> StoredVolumeSpec:
        """Check a module's parameters."""
        name, pool = check_volume_name("name", params["name"]), params["pool"]
        if name.startswith(_OWN_PREFIX):
            raise SpecError("name", f"{name!r} begins with {_OWN_PREFIX}", "volumes so named are the collection's own")
        if not pool:
            raise SpecError("pool", "it is empty", "name a storage pool of the hypervisor")
        encryption = EncryptionSpec.from_params(params["encryption"])
        attachment = AttachmentSpec.from_params(params)
        if params["state"] == "absent":
            if attachment:
                remedy = "detach it in a task before that one, or leave attached_to out"
                raise SpecError("attached_to", "a volume that is removed is attached to nothing", remedy)
            return StoredVolumeSpec(name, pool, present=False, wipe=params["wipe"])
        if params["wipe"]:
            raise SpecError("wipe", "a volume that stays is not wiped", "declare state: absent with it")
        if encryption and params["src"] is not None:
            raise SpecError(
                "encryption",
                "a file is uploaded as it is, which is not encrypted",
                "upload it to another volume, and declare that as the source of this one",
            )
        return StoredVolumeSpec(
            name=name,
            pool=pool,
            size=None if params["size"] is None else _size(params["size"]),
            format=params["format"],
            origin=_origin(params, name, pool),
            src=None if params["src"] is None else local_path("src", os.path.expanduser(params["src"])),
            dest=None if params["dest"] is None else local_path("dest", os.path.expanduser(params["dest"])),
            encryption=encryption,
            attachment=attachment,
        )


def unfinished_name(name: str) -> str:
    """Return the name of the volume that is there while the volume ``name`` is being filled."""
    return f"{_OWN_PREFIX}unfinished-{name}"


def _size(text: str) -> int:
    size = parse_size("size", text)
    if size < _SMALLEST:
        raise SpecError("size", f"{text} is {format_size(size)}, which is too small", "give a unit, such as 10G")
    return -(-size // _SECTOR) * _SECTOR


def _origin(params: t.Mapping[str, t.Any], name: str, pool: str) -> Origin | None:
    """Return what the volume is a copy of, if it is one."""
    declared = [option for option in CONTENTS if params[option] is not None]
    if len(declared) > 1:
        raise SpecError(declared[1], f"{declared[0]} is given as well", "give one of source, image and src")
    for option, is_image in (("source", False), ("image", True)):
        one = params[option]
        if one is None:
            continue
        origin = Origin(check_volume_name(f"{option}.name", one["name"]), one["pool"] or pool, is_image)
        if origin == Origin(name, pool):
            raise SpecError("source", "it is the volume itself", "name another one")
        return origin
    return None
