# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Network filters of libvirt, out of XML and into it, in the form in which libvirt gives them back."""

from __future__ import annotations

import contextlib
import ipaddress
import typing as t
from dataclasses import dataclass

from .document import Element, add, as_int, new, parse, text_of, to_text

ROOT = "root"
_DEFAULT_PRIORITY = 500


@dataclass(frozen=True)
class Entry:
    """One rule; without a ``protocol`` it is about every packet of its filter's chain."""

    action: str
    direction: str
    priority: int
    protocol: str = ""
    """Name of the element that says what the rule is about."""
    matches: tuple[tuple[str, str], ...] = ()
    """The element's attributes, sorted."""
    stateless: bool = False
    """Packets are looked at alone, whatever was before."""

    def match(self, name: str) -> str | None:
        """Return the value of an attribute."""
        return dict(self.matches).get(name)


@dataclass(frozen=True)
class Content:
    """What a filter does. Rules of the same priority do not depend on their order, so it does not count."""

    entries: frozenset[Entry] = frozenset()
    references: frozenset[str] = frozenset()
    """Names of other filters that are part of this one."""
    chain: str = ROOT
    priority: int | None = None
    """Of a chain that is not the root, among the others."""


def entry(
    action: str, direction: str, priority: int, tag: str = "", /, stateless: bool = False, **matches: t.Any
) -> Entry:
    """Return a rule; what is None is not looked at."""
    pairs = ((name, str(value)) for name, value in matches.items() if value is not None)
    return Entry(action, direction, priority, tag, tuple(sorted(pairs)), stateless)


def write_filter(name: str, content: Content, uuid: str | None = None) -> str:
    """Return the XML that defines the filter; one that is there takes its ``uuid``, and is replaced at once."""
    root = new("filter", name=name, chain=content.chain, priority=content.priority)
    if uuid:
        add(root, "uuid", uuid)
    for one in sorted(content.entries, key=_order):
        rule = add(root, "rule", action=one.action, direction=one.direction, priority=one.priority)
        if one.stateless:
            rule.set("statematch", "false")
        if one.protocol:
            add(rule, one.protocol, **dict(one.matches))
    for reference in sorted(content.references):
        add(root, "filterref", filter=reference)
    return to_text(root)


def read_filter(text: str) -> Content:
    """Return what the filter that is described by ``text`` does."""
    root = parse(text)
    return Content(
        frozenset(_entry(rule) for rule in root.iterfind("rule")),
        frozenset(reference.get("filter") or "" for reference in root.iterfind("filterref")),
        root.get("chain", ROOT),
        as_int(root.get("priority")),
    )


def read_filter_uuid(text: str) -> str | None:
    """Return a filter's UUID."""
    return text_of(parse(text), "uuid")


def _order(one: Entry) -> tuple[t.Any, ...]:
    return (one.priority, one.direction, one.protocol, one.matches, one.action, one.stateless)


def _entry(rule: Element) -> Entry:
    about = next(iter(rule.iterchildren("*")), None)
    matches = () if about is None else tuple(sorted((name, _plain(name, value)) for name, value in about.items()))
    priority = as_int(rule.get("priority"))
    return Entry(
        action=rule.get("action") or "",
        direction=rule.get("direction") or "",
        priority=_DEFAULT_PRIORITY if priority is None else priority,
        protocol="" if about is None else about.tag,
        matches=matches,
        stateless=(rule.get("statematch") or "").lower() in ("false", "0"),
    )


def _plain(name: str, value: str) -> str:
    """Return an address in the form that we write it in; libvirt has another for a few."""
    if name.endswith("ipaddr"):
        with contextlib.suppress(ValueError):
            return str(ipaddress.ip_address(value))
    return value
