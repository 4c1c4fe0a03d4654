# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Security groups: as a user declares them, and as they are."""

from __future__ import annotations

import ipaddress
import typing as t
from dataclasses import dataclass, field

from .._errors import SpecError
from .port_filter import check_group_name
from .security_rule import Rule, check_text, read_rules

ALLOW, DENY = EGRESS_DEFAULTS = ("allow", "deny")


@dataclass(frozen=True)
class Members:
    """The addresses that a remote group stands for."""

    here: frozenset[str] = frozenset()
    """Of guests on this hypervisor."""
    elsewhere: frozenset[str] = frozenset()
    """Of guests on others, as they are declared."""

    @property
    def addresses(self) -> frozenset[str]:
        """Return them all."""
        return self.here | self.elsewhere


@dataclass(frozen=True)
class Group:
    """A security group as it is or shall be; ``members`` has the remote groups of its rules."""

    name: str
    description: str = ""
    egress_default: str = ALLOW
    rules: frozenset[Rule] = frozenset()
    members: t.Mapping[str, Members] = field(default_factory=dict)

    @property
    def remote_groups(self) -> frozenset[str]:
        """Return the groups that the rules name."""
        return frozenset(rule.remote_group for rule in self.rules if rule.remote_group)

    def members_of(self, remote: str) -> Members:
        """Return the members of a remote group."""
        return self.members.get(remote, Members())


@dataclass(frozen=True)
class SecurityGroupSpec:
    """One declared security group; None is not declared."""

    name: str
    present: bool = True
    description: str | None = None
    egress_default: str | None = None
    rules: frozenset[Rule] | None = None
    members: t.Mapping[str, frozenset[str]] | None = None
    options: tuple[tuple[str, str], ...] = ()
    """(group, option) for each remote group that a rule names, to say where."""

    @classmethod
    def from_params(cls, params: dict[str, t.Any]) -> SecurityGroupSpec:
        """Validate the options of ``_options_security``."""
        name = check_group_name("name", params["name"])
        if params["state"] == "absent":
            return cls(name, present=False)
        rules = params["rules"]
        text = params["description"]
        spec = cls(
            name=name,
            description=None if text is None else check_text("description", text),
            egress_default=params["egress_default"],
            rules=None if rules is None else read_rules(rules),
            members=None if params["members"] is None else _members(params["members"]),
            options=tuple(
                (rule["remote_group"], f"rules[{index}].remote_group")
                for index, rule in enumerate(rules or ())
                if rule["remote_group"]
            ),
        )
        _check_egress(spec)
        return spec


def _members(declared: t.Mapping[t.Any, t.Any]) -> dict[str, frozenset[str]]:
    found = {}
    for name, addresses in declared.items():
        group = check_group_name("members", name)
        if not isinstance(addresses, (list, tuple)):
            raise SpecError(f"members.{group}", f"{addresses!r} is no list", "give the addresses as a list")
        found[group] = frozenset(_address(f"members.{group}", address) for address in addresses)
    return found


def _address(option: str, value: t.Any) -> str:
    try:
        return str(ipaddress.ip_address(str(value)))
    except ValueError as exc:
        raise SpecError(option, f"{value!r} is no address", "write it as 192.0.2.17 or 2001:db8::17") from exc


def _check_egress(spec: SecurityGroupSpec) -> None:
    """Refuse rules that would do nothing, since everything goes out."""
    if spec.egress_default == ALLOW and any(rule.direction == "egress" for rule in spec.rules or ()):
        raise SpecError(
            "egress_default",
            "it allows everything to go out, and so a rule for egress has no effect",
            "declare deny, or leave those rules out",
        )
