# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What a guest is told when it first boots: user data, meta data, network configuration, keys and a password.

The guest reads it from a NoCloud seed, and every declaration has one place there:

- user data is written as the user gave it, and nothing is ever mixed into it;
- SSH keys go into the meta data's ``public-keys``, as Nova's key pair does, and the host name into ``local-hostname``;
- the password goes into vendor data, which cloud-init merges below the user data.

So the form of the user data does not matter to the other options. Where the user data says what another option says,
cloud-init would drop the option without a word: that is refused.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import typing as t
from dataclasses import dataclass, field

from .._errors import SpecError
from .ssh_key import check_ssh_key
from .static_address import OUR_NIC, StaticAddress, read_addresses
from .user_data import UserData, read_user_data
from .yaml_text import write_yaml

INSTANCE_ID, LOCAL_HOSTNAME, PUBLIC_KEYS = "instance-id", "local-hostname", "public-keys"
_OPTIONS = ("user_data", "meta_data", "network_config", "ssh_keys", "password", "hostname")
_HOST_NAME = re.compile(
    r"(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*"
)
_HASH = re.compile(r"\$(5(?=.*\$.{43}$)|6(?=.*\$.{86}$))\$(rounds=[0-9]+\$)?[./A-Za-z0-9]{1,16}\$[./A-Za-z0-9]+")
_YESCRYPT = re.compile(r"\$g?y\$")
_HASH_REMEDY = "give a SHA-512 hash: mkpasswd -m sha-512, or Ansible's filter password_hash('sha512')"
_NETWORK_VERSION = 2
_HIDING = {
    # Cloud-config keys that take the place of what an option says.
    "password": ("password", "chpasswd", "vendor_data"),
    "hostname": ("hostname", "fqdn"),
}


@dataclass(frozen=True)
class FirstBootSpec:
    """What is declared of a guest's first boot; documents are kept as text, since they may hold secrets of any form."""

    user_data: str = field(repr=False)
    meta_data: str = field(repr=False)
    """A JSON object."""
    network_config: str | None = field(repr=False)
    """A JSON object."""
    ssh_keys: tuple[str, ...]
    password: str | None = field(repr=False)
    """Hashed."""
    hostname: str | None

    @classmethod
    def from_params(cls, params: dict[str, t.Any], option_prefix: str = "") -> FirstBootSpec | None:
        """Validate the options (see ``_options_first_boot``); None if none of them is declared."""
        if all(params[name] is None for name in _OPTIONS):
            return None
        user_data = read_user_data(params["user_data"], f"{option_prefix}user_data")
        _refuse_hidden(params, user_data, option_prefix)
        option = f"{option_prefix}ssh_keys"
        keys = params["ssh_keys"] or ()
        return cls(
            user_data=user_data.text,
            meta_data=_meta_data(params, option_prefix),
            network_config=_network_config(params["network_config"], f"{option_prefix}network_config"),
            ssh_keys=tuple(check_ssh_key(f"{option}[{index}]", key) for index, key in enumerate(keys)),
            password=_password(params["password"], f"{option_prefix}password"),
            hostname=_host_name(params["hostname"], f"{option_prefix}hostname"),
        )

    def host_name(self, name: str) -> str:
        """Return the guest's host name; ``name`` is the instance's own, for when none is declared."""
        return self.hostname or str(json.loads(self.meta_data).get(LOCAL_HOSTNAME) or name)

    def addresses(self, macs: t.Sequence[str]) -> tuple[StaticAddress, ...]:
        """Return the addresses that the guest is told to take; ``macs`` are those of its NICs in order."""
        return read_addresses(json.loads(self.network_config), macs, "network_config") if self.network_config else ()

    def documents(self, instance_id: str, name: str, macs: t.Sequence[str]) -> dict[str, str]:
        """Return the seed's files; ``name`` is the instance's, ``macs`` the addresses of its NICs in order."""
        meta_data = {
            INSTANCE_ID: instance_id,
            **({PUBLIC_KEYS: list(self.ssh_keys)} if self.ssh_keys else {}),
            **json.loads(self.meta_data),
            LOCAL_HOSTNAME: self.host_name(name),
        }
        documents = {"user-data": self.user_data, "meta-data": write_yaml(meta_data, "meta_data")}
        if self.password:
            # Without the second key the password would be one that has to be changed at once.
            vendor_data = {"password": self.password, "chpasswd": {"expire": False}}
            documents["vendor-data"] = "#cloud-config\n" + write_yaml(vendor_data, "password")
        if self.network_config:
            network = _with_macs(json.loads(self.network_config), macs)
            documents["network-config"] = write_yaml(network, "network_config")
        return documents

    def digest(self, uuid: str, name: str, macs: t.Sequence[str]) -> str:
        """Return a digest of all that the guest would see, its instance-id apart unless that is declared.

        Whoever may read a domain's definition may read it. Keyed by the instance's ``uuid``, it does not tell which
        instances share a declaration, and no table can be made of it in advance. It is no shelter for a secret that
        can be guessed together with all the rest of the declaration.
        """
        documents = self.documents("", name, macs)
        content = json.dumps(documents, sort_keys=True).encode("utf-8")
        return hmac.new(uuid.encode("utf-8"), content, hashlib.sha256).hexdigest()


def instance_id(uuid: str, generation: int) -> str:
    """Return what makes a guest take a boot for its first: the domain's UUID, and how often it was rebuilt."""
    return f"{uuid}-{generation}" if generation else uuid


def _refuse_hidden(params: dict[str, t.Any], user_data: UserData, prefix: str) -> None:
    for name, hiding in _HIDING.items():
        found = sorted(user_data.keys & set(hiding)) if params[name] is not None else ()
        if found:
            raise SpecError(
                f"{prefix}{name}",
                f"user_data sets {found[0]}, which would take its place",
                "declare one of the two",
            )


def _meta_data(params: dict[str, t.Any], prefix: str) -> str:
    given = params["meta_data"] or {}
    option = f"{prefix}meta_data"
    for key, other in ((PUBLIC_KEYS, "ssh_keys"), (LOCAL_HOSTNAME, "hostname")):
        if key in given and params[other] is not None:
            raise SpecError(option, f"it holds {key}, and so does option {other}", "declare one of the two")
    for key in (INSTANCE_ID, LOCAL_HOSTNAME):
        if key in given and not (isinstance(given[key], str) and given[key]):
            raise SpecError(f"{option}.{key}", "it is not a text", "leave it out, or give one")
    _host_name(given.get(LOCAL_HOSTNAME), f"{option}.{LOCAL_HOSTNAME}")
    write_yaml(given, option)
    return json.dumps(given, sort_keys=True)


def _network_config(value: t.Any, option: str) -> str | None:
    if value is None:
        return None
    if set(value) == {"network"}:
        raise SpecError(option, "it is wrapped in network", "leave out that outer key")
    if str(value.get("version")) != str(_NETWORK_VERSION):
        raise SpecError(option, "its version is not 2", "give netplan's form, with version: 2")
    for kind, devices in value.items():
        if kind in ("version", "renderer"):
            continue
        if not isinstance(devices, dict) or not all(isinstance(device, dict) for device in devices.values()):
            raise SpecError(
                f"{option}.{kind}", "it is no dictionary of devices", "give each device a name and settings"
            )
    read_addresses(value, (), option)
    write_yaml(value, option)
    return json.dumps({**value, "version": _NETWORK_VERSION}, sort_keys=True)


def _with_macs(network: dict[str, t.Any], macs: t.Sequence[str]) -> dict[str, t.Any]:
    """Return the configuration with the NICs found that it calls nic0, nic1 and so on, and does not match itself."""
    for name, settings in network.get("ethernets", {}).items():
        ours = OUR_NIC.fullmatch(name)
        if ours is None or "match" in settings:
            continue
        if int(ours[1]) >= len(macs):
            raise SpecError(
                "network_config",
                f"it configures {name}, and the instance has {len(macs)} NICs",
                "nic0 is the first of networks",
            )
        settings["match"] = {"macaddress": macs[int(ours[1])]}
    return network


def _password(value: str | None, option: str) -> str | None:
    if value is None or _HASH.fullmatch(value):
        return value
    if _YESCRYPT.match(value):
        # cloud-init's pattern for hashes does not know it, so that the hash itself would become the password.
        raise SpecError(option, "cloud-init takes a yescrypt hash for a plain password", _HASH_REMEDY)
    raise SpecError(option, "it is not a hashed password", _HASH_REMEDY)


def _host_name(value: str | None, option: str) -> str | None:
    if value is None or _HOST_NAME.fullmatch(value):
        return value
    raise SpecError(option, f"{value!r} is not a host name", "use letters, digits and hyphens, and dots between labels")
