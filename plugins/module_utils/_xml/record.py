# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The ``<kilonova:instance>`` element of a domain's metadata.

A record is one value: writing it replaces all that this version knows, also by nothing. What a later version wrote
(unknown elements and attributes, a higher schema number) is read over and kept. All data is in attributes, since
libvirt reformats white space between elements.
"""

from __future__ import annotations

import typing as t

from .._spec.record import SCHEMA_VERSION, Begun, FixedIp, InstanceRecord, OwnedDisk, Rescue, SeedRecord
from .document import (
    Element,
    Scalar,
    XmlError,
    add,
    as_int,
    attribute,
    drop,
    library,
    new,
    parse,
    set_attributes,
    to_text,
)

NAMESPACE = "https://kilonova.example/xmlns/compute/1"
PREFIX = "kilonova"
_QUALIFIED = f"{{{NAMESPACE}}}"
_ROOT = "instance"
_SEED = {name: name for name in ("target", "pool", "volume", "digest", "generation")}
_BEGUN = {
    "action": "action",
    "running": "running",
    "image": "image",
    "digest": "image_digest",
    "target": "target",
    "shared": "shared",
}
_RESCUE = {
    "target": "target",
    "image": "image",
    "digest": "image_digest",
    "boot": "boot_devices",
    "controllers": "controllers",
}


def render_record(record: InstanceRecord) -> str:
    """Return the element alone, for virDomainSetMetadata: without namespace, which libvirt adds by itself."""
    root = new(_ROOT)
    _write(root, record, "")
    return to_text(root, pretty=True)


def render_found_record(domain: str, record: InstanceRecord) -> str:
    """Return the element as :func:`render_record` does, with what else the one in the XML of ``domain`` holds."""
    root = parse(domain, "The domain's XML")
    put_record(root, record)
    found = root.find(f"metadata/{_QUALIFIED}{_ROOT}")
    for element in found.iter(f"{_QUALIFIED}*"):
        element.tag = element.tag[len(_QUALIFIED) :]
    library().cleanup_namespaces(found)
    return to_text(found)


def read_record(text: str) -> InstanceRecord:
    """Return what the element alone says, with the namespace or, as virDomainGetMetadata gives it, without."""
    root = parse(text, "The instance's record")
    if root.tag == _ROOT:
        return _read(root, "")
    if root.tag == _QUALIFIED + _ROOT:
        return _read(root, _QUALIFIED)
    raise XmlError(f"The instance's record cannot be read: it is <{root.tag}> and not <{_ROOT}>.")


def find_record(domain: Element) -> InstanceRecord | None:
    """Return the record in a domain's metadata; None on a domain that is not ours."""
    found = domain.find(f"metadata/{_QUALIFIED}{_ROOT}")
    return None if found is None else _read(found, _QUALIFIED)


def read_domain_record(text: str) -> InstanceRecord | None:
    """Return the record in a domain's definition, of which nothing else is read; None on a domain that is not ours."""
    return find_record(parse(text, "The domain's XML"))


def put_record(domain: Element, record: InstanceRecord | None) -> None:
    """Write ``record`` into a domain's metadata, beside other people's; None leaves what is there."""
    if record is None:
        return
    metadata = domain.find("metadata")
    if metadata is None:
        metadata = add(domain, "metadata")
    found = metadata.find(_QUALIFIED + _ROOT)
    if found is None:
        found = library().SubElement(metadata, _QUALIFIED + _ROOT, nsmap={PREFIX: NAMESPACE})
    _write(found, record, _QUALIFIED)


def _read(root: Element, space: str) -> InstanceRecord:
    def value(tag: str, name: str) -> str | None:
        return attribute(root, space + tag, name) or None

    return InstanceRecord(
        fleet=value("fleet", "name"),
        flavor=value("flavor", "name") or "",
        vcpus=as_int(value("flavor", "vcpus")) or 0,
        memory_mb=as_int(value("flavor", "memory_mb")) or 0,
        disk_gb=as_int(value("flavor", "disk_gb")) or 0,
        image=value("image", "name"),
        image_digest=value("image", "digest"),
        spec_digest=value("spec", "digest") or "",
        group=value("group", "name"),
        group_policy=value("group", "policy"),
        # A word that is not understood protects: the safe side.
        protected=attribute(root, f"{space}protected", "value") not in (None, "no"),
        created_at=value("created", "at") or "",
        labels=tuple((label.get("name", ""), label.get("value", "")) for label in root.iterfind(f"{space}label")),
        disks=_read_disks(root, f"{space}disk"),
        attached=_read_disks(root, f"{space}attached"),
        layers=_read_disks(root, f"{space}layer"),
        nics=tuple(nic.get("mac", "") for nic in root.iterfind(f"{space}nic")),
        fixed_ips=tuple(_read_fixed_ip(one) for one in root.iterfind(f"{space}fixed_ip")),
        drives=tuple(drive.get("target", "") for drive in root.iterfind(f"{space}drive")),
        hostdevs=tuple(device.get("address", "") for device in root.iterfind(f"{space}hostdev")),
        shares=tuple(share.get("target", "") for share in root.iterfind(f"{space}share")),
        isolated=attribute(root, f"{space}isolated", "value") == "yes",
        restored=value("restored", "backup"),
        adopted=attribute(root, f"{space}adopted", "value") == "yes",
        seed=_read_seed(root.find(f"{space}seed")),
        patches=tuple(patch.get("digest", "") for patch in root.iterfind(f"{space}patch")),
        shelved=attribute(root, f"{space}shelved", "value") not in (None, "no"),
        begun=_read_begun(root.find(f"{space}begun")),
        rescue=_read_rescue(root.find(f"{space}rescue")),
        schema=as_int(root.get("schema")) or SCHEMA_VERSION,
    )


def _read_fixed_ip(element: Element) -> FixedIp:
    return FixedIp(element.get("mac", ""), element.get("ip", ""), element.get("network", ""))


def _read_disks(root: Element, tag: str) -> tuple[OwnedDisk, ...]:
    return tuple(
        OwnedDisk(disk.get("target", ""), disk.get("pool", ""), disk.get("volume", "")) for disk in root.iterfind(tag)
    )


def _written_disks(disks: t.Iterable[OwnedDisk]) -> list[dict[str, str]]:
    return [{"target": disk.target, "pool": disk.pool, "volume": disk.volume} for disk in disks]


def _read_seed(seed: Element) -> SeedRecord | None:
    if seed is None or not seed.get("volume"):
        return None
    return SeedRecord(
        target=seed.get("target", ""),
        pool=seed.get("pool", ""),
        volume=seed.get("volume"),
        digest=seed.get("digest", ""),
        generation=as_int(seed.get("generation")) or 0,
    )


def _read_begun(begun: Element) -> Begun | None:
    if begun is None or not begun.get("action"):
        return None
    return Begun(
        action=begun.get("action"),
        running=begun.get("running") == "yes",
        image=begun.get("image"),
        image_digest=begun.get("digest"),
        target=begun.get("target"),
        shared=begun.get("shared") == "yes",
    )


def _read_rescue(rescue: Element) -> Rescue | None:
    if rescue is None or not rescue.get("target"):
        return None
    return Rescue(
        target=rescue.get("target"),
        image=rescue.get("image", ""),
        image_digest=rescue.get("digest", ""),
        boot_devices=tuple(rescue.get("boot", "").split()),
        controllers=tuple(rescue.get("controllers", "").split()),
    )


def _write(root: Element, record: InstanceRecord, space: str) -> None:
    set_attributes(root, schema=max(record.schema, as_int(root.get("schema")) or 0))
    _single(root, f"{space}fleet", name=record.fleet)
    _single(
        root,
        f"{space}flavor",
        name=record.flavor,
        vcpus=record.vcpus,
        memory_mb=record.memory_mb,
        disk_gb=record.disk_gb,
    )
    _single(root, f"{space}image", name=record.image, digest=record.image_digest)
    _single(root, f"{space}spec", digest=record.spec_digest or None)
    _single(root, f"{space}group", name=record.group, policy=record.group_policy)
    _single(root, f"{space}protected", value=record.protected)
    _single(root, f"{space}created", at=record.created_at or None)
    _several(root, f"{space}label", "name", [{"name": name, "value": value} for name, value in record.labels])
    _several(root, f"{space}disk", "target", _written_disks(record.disks))
    _several(root, f"{space}attached", "target", _written_disks(record.attached))
    _several(root, f"{space}layer", "volume", _written_disks(record.layers))
    _several(root, f"{space}nic", "mac", [{"mac": mac} for mac in record.nics])
    _several(root, f"{space}fixed_ip", "mac", [vars(fixed) for fixed in record.fixed_ips])
    _several(root, f"{space}drive", "target", [{"target": target} for target in record.drives])
    _several(root, f"{space}hostdev", "address", [{"address": address} for address in record.hostdevs])
    _several(root, f"{space}share", "target", [{"target": target} for target in record.shares])
    _single(root, f"{space}isolated", value=record.isolated or None)
    _single(root, f"{space}restored", backup=record.restored)
    _single(root, f"{space}adopted", value=record.adopted or None)
    _part(root, f"{space}seed", record.seed, _SEED)
    _several(root, f"{space}patch", "digest", [{"digest": digest} for digest in record.patches])
    _single(root, f"{space}shelved", value=record.shelved or None)
    _part(root, f"{space}begun", record.begun, _BEGUN)
    _part(root, f"{space}rescue", record.rescue, _RESCUE)


def _part(root: Element, tag: str, part: t.Any, fields: t.Mapping[str, str]) -> None:
    """Write a part of the record that may be missing: ``fields`` are its attributes' names in the element and in Python."""
    values = {name: getattr(part, field) if part else None for name, field in fields.items()}
    if values.get("shared") is False:
        # It is seldom so, and not said otherwise.
        values["shared"] = None
    _single(
        root, tag, **{name: " ".join(value) if isinstance(value, tuple) else value for name, value in values.items()}
    )


def _single(root: Element, tag: str, **attributes: Scalar) -> None:
    """Make the child ``tag`` hold just these of the attributes we know, and drop it when nothing is left in it."""
    child = root.find(tag)
    if child is None:
        child = add(root, tag)
    for name, value in attributes.items():
        if value is None:
            child.attrib.pop(name, None)
    set_attributes(child, **attributes)
    if not child.attrib and next(iter(child), None) is None:
        root.remove(child)


def _several(root: Element, tag: str, key: str, wanted: t.Sequence[dict[str, str]]) -> None:
    """Make the children ``tag`` those ``wanted``, in that order; one that stays keeps what else it holds."""
    present = {child.get(key): child for child in root.iterfind(tag)}
    keys = [child.get(key) for child in root.iterfind(tag)]
    if keys != [attributes[key] for attributes in wanted] or len(present) != len(keys):
        drop(root, tag)
    for attributes in wanted:
        child = present.pop(attributes[key], None)
        if child is None:
            child = add(root, tag)
        elif child.getparent() is None:
            root.append(child)
        set_attributes(child, **attributes)
