# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""A fleet as people declare it, turned into one complete dictionary for each instance."""

from __future__ import annotations

import typing as t
from collections.abc import Callable
from dataclasses import dataclass

from ._pci_aliases import read_aliases, spelled_out
from ._values import ValuesError, check_name, known_keys, mapping, mappings, whole_number

MOST_COPIES = 10_000
_FLAVOR_KEYS = ("name", "vcpus", "memory_mb", "disk_gb", "extra_specs")
IMAGE_KEYS = (
    *("name", "url", "src", "source_host", "checksum", "signature", "signing_keys"),
    *("format", "convert_to", "max_size_gb", "metadata"),
    *("username", "password", "ca_path", "proxy", "retries", "stall_timeout", "timeout", "properties"),
)


@dataclass(frozen=True)
class _Known:
    """What instances may refer to."""

    option: str
    items: dict[str, dict[str, t.Any]]

    def choices(self) -> str:
        """Return what would be right."""
        return f"take one of {', '.join(sorted(self.items))}" if self.items else f"declare it in {self.option} first"


def expand(
    instances: t.Any, flavors: t.Any, images: t.Any, prefix: str = "", pci_aliases: t.Any = None
) -> list[dict[str, t.Any]]:
    """Return the instances with ``count`` spelled out and flavors filled in, or raise :class:`ValuesError`.

    The options' names in messages begin with ``prefix``.
    """
    known_flavors = _known(flavors, f"{prefix}flavors", _flavor)
    known_images = _known(images, f"{prefix}images", _image)
    aliases = read_aliases(pci_aliases, f"{prefix}pci_aliases")
    expanded: list[dict[str, t.Any]] = []
    origins: dict[str, str] = {}
    for item, where in _items(instances, f"{prefix}instances"):
        for instance in _copies(item, where, known_flavors, known_images):
            name = instance["name"]
            if name in origins:
                raise ValuesError(
                    f"{where}: the name {name} is taken by {origins[name]} already; each instance of a fleet has its own."
                )
            origins[name] = where
            expanded.append(spelled_out(instance, aliases, f"{prefix}pci_aliases"))
    return _with_policies(expanded)


def _with_policies(instances: list[dict[str, t.Any]]) -> list[dict[str, t.Any]]:
    """Let every member of a group say what one of them says of it: each is written down on its own host."""
    policies: dict[t.Any, t.Any] = {}
    for instance in instances:
        if isinstance(instance.get("group"), str) and instance.get("group_policy"):
            policies.setdefault(instance["group"], instance["group_policy"])
    return [
        (
            {**instance, "group_policy": policies[instance["group"]]}
            if isinstance(instance.get("group"), str)
            and instance["group"] in policies
            and not instance.get("group_policy")
            else instance
        )
        for instance in instances
    ]


def _items(value: t.Any, option: str) -> list[tuple[dict[str, t.Any], str]]:
    """Return dictionaries, each with the words that point at it."""
    found = []
    for index, item in enumerate(mappings(value, option)):
        if "name" not in item:
            raise ValuesError(f"{option}[{index}]: there is no name; give it one.")
        check_name(item["name"], f"{option}[{index}].name")
        found.append((item, f"{option}[{index}] ({item['name']})"))
    return found


def _known(value: t.Any, option: str, read: Callable[[dict[str, t.Any], str], dict[str, t.Any]]) -> _Known:
    named: dict[str, dict[str, t.Any]] = {}
    for item, where in _items(value, option):
        if item["name"] in named:
            raise ValuesError(f"{option}: {item['name']} is declared twice; keep one of the two.")
        named[item["name"]] = read(item, where)
    return _Known(option, named)


def _flavor(flavor: dict[str, t.Any], where: str) -> dict[str, t.Any]:
    known_keys(flavor, where, _FLAVOR_KEYS)
    for key in ("vcpus", "memory_mb", "disk_gb"):
        if flavor.get(key) is None:
            raise ValuesError(f"{where}: there is no {key}; a flavor has vcpus, memory_mb and disk_gb.")
    return {
        "name": flavor.get("name", "custom"),
        "vcpus": whole_number(flavor["vcpus"], f"{where}.vcpus", 1),
        "memory_mb": whole_number(flavor["memory_mb"], f"{where}.memory_mb", 1),
        "disk_gb": whole_number(flavor["disk_gb"], f"{where}.disk_gb", 0),
        "extra_specs": mapping(flavor.get("extra_specs") or {}, f"{where}.extra_specs"),
    }


def _image(image: dict[str, t.Any], where: str) -> dict[str, t.Any]:
    if image.get("source_instance"):
        raise ValuesError(
            f"{where}: an image can be made of an instance only where that is; publish it there with compute_image, and name"
            " that hypervisor in source_host."
        )
    known_keys(image, where, IMAGE_KEYS)
    if sum(bool(image.get(source)) for source in ("url", "src", "source_host")) != 1:
        raise ValuesError(f"{where}: give exactly one of url, src and source_host.")
    mapping(image.get("properties") or {}, f"{where}.properties")
    return image


def _copies(item: dict[str, t.Any], where: str, flavors: _Known, images: _Known) -> list[dict[str, t.Any]]:
    image = item.get("image")
    if image is not None and image not in images.items:
        raise ValuesError(f"{where}: image {image!r} is unknown; {images.choices()}.")
    rest = {key: value for key, value in item.items() if key != "count"}
    properties = images.items[image].get("properties") if image is not None else None
    asking = {"image_properties": properties} if properties else {}
    base = {**rest, "flavor": _flavor_of(item, where, flavors), **asking}
    count = item.get("count")
    if count is None:
        return [base]
    number = whole_number(count, f"{where}.count", 0, MOST_COPIES)
    if number > 1:
        _refuse_shared(item, where, number)
    names = [check_name(f"{item['name']}-{copy}", f"{where}.name with count") for copy in range(1, number + 1)]
    return [{**base, "name": name} for name in names]


def _refuse_shared(item: dict[str, t.Any], where: str, number: int) -> None:
    """Refuse what each of several instances needs for itself."""
    if item.get("uuid"):
        raise ValuesError(f"{where}: {number} instances cannot share one uuid; leave it out, it is generated.")
    if any(isinstance(nic, dict) and nic.get("mac") for nic in item.get("networks") or []):
        raise ValuesError(f"{where}: {number} instances cannot share one MAC address; leave mac out, it is generated.")
    if _has_addresses(item.get("network_config")):
        raise ValuesError(
            f"{where}: {number} instances cannot share the addresses of one network_config; leave addresses out, or declare"
            " each instance by itself."
        )
    for volume in item.get("volumes") or []:
        if isinstance(volume, dict) and volume.get("name") and not (volume.get("shareable") or volume.get("readonly")):
            raise ValuesError(
                f"{where}: {number} instances cannot share volume {volume['name']}; give it a serial in place of a name,"
                " and each has its own."
            )


def _has_addresses(config: t.Any) -> bool:
    kinds = config.values() if isinstance(config, dict) else ()
    devices = [device for kind in kinds if isinstance(kind, dict) for device in kind.values()]
    return any(isinstance(device, dict) and device.get("addresses") for device in devices)


def _flavor_of(item: dict[str, t.Any], where: str, flavors: _Known) -> dict[str, t.Any]:
    flavor = item.get("flavor")
    if flavor is None:
        raise ValuesError(f"{where}: there is no flavor; {flavors.choices()}.")
    if isinstance(flavor, dict):
        return _flavor(flavor, f"{where}.flavor")
    if not isinstance(flavor, str) or flavor not in flavors.items:
        raise ValuesError(f"{where}: flavor {flavor!r} is unknown; {flavors.choices()}.")
    return flavors.items[flavor]
