# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""A security group as a network filter, out of whose rules alone its declaration is read back.

What a rule of libvirt does not say by itself stands in its comment: the remote group that an address is a member of, where
that member is, and what the user calls the rule. A remote group without members, and the group's own description, have a rule
that drops what is dropped anyhow.
"""

from __future__ import annotations

import ipaddress
import re
import typing as t

from .._spec.port_filter import GROUP_PREFIX
from .._spec.security_group import ALLOW, DENY, Group, Members
from .._spec.security_rule import ANY, EGRESS, INGRESS, IPV4, IPV6, Rule, family
from .nwfilter import Content, Entry, entry, read_filter, write_filter

_PRIORITY = 0
_IDLE_PRIORITY = 999
"""Right before all else is dropped."""
_EGRESS_DEFAULT = "egress_default"
_DESCRIPTION, _RULE, _HERE, _ELSEWHERE, _NOBODY = "description", "rule", "here", "elsewhere", "nobody"
_COMMENT = re.compile(r"(\w+)(?: ([\w-]+))?(?:: (.*))?")
_WORDS = {"in": INGRESS, "out": EGRESS}
_DIRECTIONS = {word: direction for direction, word in _WORDS.items()}
_REMOTE = {INGRESS: "src", EGRESS: "dst"}
_SUFFIX = "-ipv6"


def filter_name(group: str) -> str:
    """Return the name of a group's filter."""
    return f"{GROUP_PREFIX}{group}"


def write_group(group: Group, uuid: str | None = None) -> str:
    """Return the XML that defines a group."""
    return write_filter(filter_name(group.name), _content(group), uuid)


def read_group(name: str, text: str) -> tuple[Group, bool]:
    """Return the group that the XML describes, and whether the XML has nothing but that."""
    content = read_filter(text)
    description, egress = "", DENY
    rules: set[Rule] = set()
    members: dict[str, Members] = {}
    for one in content.entries:
        word, remote, said = _comment(one)
        if word == _DESCRIPTION:
            description = said
        elif word == _EGRESS_DEFAULT:
            egress = ALLOW
        elif word in (_RULE, _HERE, _ELSEWHERE, _NOBODY):
            rules.add(_read_rule(one, remote, said))
            _note_member(members, word, remote, one)
    group = Group(name, description, egress, frozenset(rules), members)
    return group, _content(group) == content


def _content(group: Group) -> Content:
    found: list[Entry] = []
    if group.description:
        found.append(entry("drop", "in", _IDLE_PRIORITY, "all", comment=f"{_DESCRIPTION}: {group.description}"))
    if group.egress_default == ALLOW:
        found += [entry("accept", "out", _PRIORITY, tag, comment=_EGRESS_DEFAULT) for tag in ("all", f"all{_SUFFIX}")]
    for rule in group.rules:
        found += _write_remote(rule, group) if rule.remote_group else [_write_rule(rule, _RULE, rule.remote_cidr)]
    return Content(frozenset(found))


def _write_remote(rule: Rule, group: Group) -> list[Entry]:
    members = group.members_of(rule.remote_group or "")
    found = [
        _write_rule(rule, f"{word} {rule.remote_group}", address)
        for word, addresses in ((_HERE, members.here), (_ELSEWHERE, members.elsewhere))
        for address in addresses
        if family(address) == rule.ethertype
    ]
    return found or [_write_rule(rule, f"{_NOBODY} {rule.remote_group}", None, idle=True)]


def _write_rule(rule: Rule, word: str, remote: str | None, idle: bool = False) -> Entry:
    matches: dict[str, t.Any] = {
        "dstportstart": rule.port_range_min,
        "dstportend": rule.port_range_max,
        "type": rule.icmp_type,
        "code": rule.icmp_code,
        "comment": f"{word}: {rule.description}" if rule.description else word,
    }
    if remote is not None:
        network = ipaddress.ip_network(remote)
        end = _REMOTE[rule.direction]
        matches[f"{end}ipaddr"], matches[f"{end}ipmask"] = network.network_address, network.prefixlen
    action, priority = ("drop", _IDLE_PRIORITY) if idle else ("accept", _PRIORITY)
    return entry(action, _DIRECTIONS[rule.direction], priority, _tag(rule), **matches)


def _tag(rule: Rule) -> str:
    tag = "all" if rule.protocol == ANY else rule.protocol
    return tag if rule.ethertype == IPV4 or tag == "icmpv6" else f"{tag}{_SUFFIX}"


def _comment(one: Entry) -> tuple[str, str | None, str]:
    found = _COMMENT.fullmatch(one.match("comment") or "")
    return (found[1], found[2], found[3] or "") if found else ("", None, "")


def _read_rule(one: Entry, remote_group: str | None, description: str) -> Rule:
    is_ipv6 = one.protocol.endswith(_SUFFIX) or one.protocol == "icmpv6"
    tag = one.protocol[: -len(_SUFFIX)] if one.protocol.endswith(_SUFFIX) else one.protocol
    direction = _WORDS.get(one.direction, one.direction)
    address, mask = (one.match(f"{_REMOTE.get(direction, '')}{end}") for end in ("ipaddr", "ipmask"))
    cidr = None if remote_group or not address else f"{address}/{mask or (128 if is_ipv6 else 32)}"
    first = _number(one, "dstportstart")
    return Rule(
        direction=direction,
        ethertype=IPV6 if is_ipv6 else IPV4,
        protocol=ANY if tag == "all" else tag,
        port_range_min=first,
        port_range_max=first if _number(one, "dstportend") is None else _number(one, "dstportend"),
        icmp_type=_number(one, "type"),
        icmp_code=_number(one, "code"),
        remote_cidr=cidr,
        remote_group=remote_group,
        description=description,
    )


def _note_member(members: dict[str, Members], word: str, remote: str | None, one: Entry) -> None:
    if remote is None:
        return
    known = members.get(remote, Members())
    address = frozenset(filter(None, (one.match(f"{end}ipaddr") for end in _REMOTE.values())))
    here, elsewhere = (address if word == one_word else frozenset() for one_word in (_HERE, _ELSEWHERE))
    members[remote] = Members(known.here | here, known.elsewhere | elsewhere)


def _number(one: Entry, name: str) -> int | None:
    value = one.match(name)
    return int(value, 0) if value else None
