# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What a virtual network's DNS server answers beside the names that DHCP gave out."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from .._errors import SpecError
from .network_address import check_address, check_host_name

_LABEL = re.compile(r"_?[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?")
_MOST_LABEL = 63
_MOST_TEXT = 255
_MOST_NUMBER = 65535


@dataclass(frozen=True)
class DnsForwarder:
    """Who is asked what the server does not know: everything, or all of a domain; without address, nobody."""

    address: str | None = None
    domain: str | None = None

    def __str__(self) -> str:
        """Return it as it is shown."""
        return f"{self.domain or 'everything'} to {self.address or 'nobody else'}"


@dataclass(frozen=True)
class DnsHost:
    """The names of an address."""

    ip: str
    hostnames: tuple[str, ...]

    def __str__(self) -> str:
        """Return it as it is shown."""
        return f"{self.ip} {' '.join(self.hostnames)}"


@dataclass(frozen=True)
class DnsTxt:
    """A name's text."""

    name: str
    value: str

    def __str__(self) -> str:
        """Return it as it is shown."""
        return f"{self.name} {self.value!r}"


@dataclass(frozen=True)
class DnsSrv:
    """Where a service is."""

    service: str
    protocol: str
    domain: str | None = None
    target: str | None = None
    port: int | None = None
    priority: int | None = None
    weight: int | None = None

    def __str__(self) -> str:
        """Return it as it is shown."""
        numbers = (("port", self.port), ("priority", self.priority), ("weight", self.weight))
        words = [self.target or "nowhere", *(f"{name} {value}" for name, value in numbers if value is not None)]
        return f"{self.key} at {' '.join(words)}"

    @property
    def key(self) -> str:
        """Return the name that is asked for."""
        return ".".join(filter(None, (f"_{self.service}", f"_{self.protocol}", self.domain)))


@dataclass(frozen=True)
class Dns:
    """What is None is not declared, and never so where found."""

    enabled: bool | None = None
    forwarders: tuple[DnsForwarder, ...] | None = None
    hosts: tuple[DnsHost, ...] | None = None
    txt: tuple[DnsTxt, ...] | None = None
    srv: tuple[DnsSrv, ...] | None = None


def read_dns(dns: dict[str, t.Any] | None) -> Dns | None:
    """Validate option ``dns``."""
    if dns is None:
        return None
    return Dns(
        enabled=dns["enabled"],
        forwarders=_each(dns["forwarders"], "dns.forwarders", _forwarder, lambda one: one),
        hosts=_each(dns["hosts"], "dns.hosts", _host, lambda one: one.ip),
        txt=_each(dns["txt"], "dns.txt", _txt, lambda one: one.name),
        srv=_each(dns["srv"], "dns.srv", _srv, lambda one: (one.key, one.target)),
    )


_Record = t.TypeVar("_Record")


def _each(
    records: list[dict[str, t.Any]] | None,
    option: str,
    read: t.Callable[[dict[str, t.Any], str], _Record],
    key_of: t.Callable[[_Record], t.Hashable],
) -> tuple[_Record, ...] | None:
    if records is None:
        return None
    found: list[_Record] = []
    seen: set[t.Hashable] = set()
    for index, record in enumerate(records):
        one = read(record, f"{option}[{index}]")
        if key_of(one) in seen:
            raise SpecError(f"{option}[{index}]", f"{one} is there twice", "give each once")
        seen.add(key_of(one))
        found.append(one)
    return tuple(found)


def _forwarder(record: dict[str, t.Any], option: str) -> DnsForwarder:
    address, domain = record["address"], record["domain"]
    if address is None and domain is None:
        raise SpecError(option, "it says nothing", "declare address, domain or both")
    if domain is not None:
        check_host_name(f"{option}.domain", domain)
    return DnsForwarder(None if address is None else str(check_address(f"{option}.address", address)), domain)


def _host(record: dict[str, t.Any], option: str) -> DnsHost:
    names = record["hostnames"]
    if not names:
        raise SpecError(f"{option}.hostnames", "it is empty", "name at least one")
    for index, name in enumerate(names):
        check_host_name(f"{option}.hostnames[{index}]", name)
    return DnsHost(str(check_address(f"{option}.ip", record["ip"])), tuple(dict.fromkeys(names)))


def _txt(record: dict[str, t.Any], option: str) -> DnsTxt:
    name, value = record["name"], record["value"]
    if not name or not all(_LABEL.fullmatch(label) for label in name.split(".")):
        raise SpecError(f"{option}.name", f"{name!r} is no name of a record", "use letters, digits, -, _ and dots")
    if not value or not value.isprintable() or len(value.encode()) > _MOST_TEXT:
        raise SpecError(
            f"{option}.value", "it is empty, too long or not printable", f"give 1 to {_MOST_TEXT} printable characters"
        )
    return DnsTxt(name, value)


def _srv(record: dict[str, t.Any], option: str) -> DnsSrv:
    for part in ("service", "protocol"):
        if len(record[part]) > _MOST_LABEL or not _LABEL.fullmatch(record[part]) or record[part].startswith("_"):
            raise SpecError(
                f"{option}.{part}",
                f"{record[part]!r} is not its name",
                "write it without underscore, such as ldap or tcp",
            )
    for part in ("domain", "target"):
        if record[part] is not None:
            check_host_name(f"{option}.{part}", record[part])
    numbers = [record[part] for part in ("port", "priority", "weight")]
    for part, number in zip(("port", "priority", "weight"), numbers):
        if number is not None and record["target"] is None:
            raise SpecError(f"{option}.{part}", "without a target there is nothing it could be of", "declare target")
        if number is not None and not (0 if part != "port" else 1) <= number <= _MOST_NUMBER:
            raise SpecError(f"{option}.{part}", f"{number} is out of range", f"it is at most {_MOST_NUMBER}")
    return DnsSrv(record["service"], record["protocol"], record["domain"], record["target"], *numbers)
