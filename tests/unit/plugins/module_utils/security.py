# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Makers of declared security groups for the tests, and strategies for all that there can be."""

from __future__ import annotations

import ipaddress
import typing as t

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.kilonova.compute.plugins.module_utils._options_security import security_group_options
from ansible_collections.kilonova.compute.plugins.module_utils._plan.security_group import with_members
from ansible_collections.kilonova.compute.plugins.module_utils._spec.security_group import (
    EGRESS_DEFAULTS,
    Group,
    Members,
    SecurityGroupSpec,
)
from ansible_collections.kilonova.compute.plugins.module_utils._spec.security_rule import (
    ANY,
    DIRECTIONS,
    IPV4,
    IPV6,
    PROTOCOLS,
    WITH_PORTS,
    Rule,
)
from hypothesis import strategies as st

ONE_FAMILY = {"icmp": IPV4, "igmp": IPV4, "icmpv6": IPV6}
NAMES = st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9_-]{0,20}\Z")
TEXTS = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs")), max_size=25).filter(
    lambda text: text == text.strip() and text.isprintable()
)


def group_spec(**declared: t.Any) -> SecurityGroupSpec:
    """Return a declared group, with Ansible's own defaults filled in."""
    result = ArgumentSpecValidator(security_group_options()).validate({"name": "web", **declared})
    if result.error_messages:
        raise ValueError("; ".join(result.error_messages))
    return SecurityGroupSpec.from_params(result.validated_parameters)


def _networks(version: t.Literal[4, 6]) -> st.SearchStrategy[str]:
    bits = 32 if version == 4 else 128  # the two families
    return st.tuples(st.ip_addresses(v=version), st.integers(1, bits)).map(
        lambda pair: str(ipaddress.ip_network(pair, strict=False))
    )


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    """Return a rule as it is read from a declaration."""
    protocol = draw(st.sampled_from((ANY, *PROTOCOLS)))
    ethertype = ONE_FAMILY.get(protocol) or draw(st.sampled_from((IPV4, IPV6)))
    ports: tuple[int | None, int | None] = (None, None)
    if protocol in WITH_PORTS and draw(st.booleans()):
        first, last = sorted(draw(st.tuples(st.integers(0, 65535), st.integers(1, 65534))))
        ports = (first, last)
    icmp_type = draw(st.none() | st.integers(0, 255)) if protocol in ("icmp", "icmpv6") else None
    icmp_code = draw(st.none() | st.integers(0, 255)) if icmp_type is not None else None
    remote = draw(st.sampled_from(("none", "cidr", "group")))
    return Rule(
        direction=draw(st.sampled_from(DIRECTIONS)),
        ethertype=ethertype,
        protocol=protocol,
        port_range_min=ports[0],
        port_range_max=ports[1],
        icmp_type=icmp_type,
        icmp_code=icmp_code,
        remote_cidr=draw(_networks(4 if ethertype == IPV4 else 6)) if remote == "cidr" else None,
        remote_group=draw(st.sampled_from(("db", "web", "a-b_c"))) if remote == "group" else None,
        description=draw(TEXTS),
    )


@st.composite
def groups(draw: st.DrawFn) -> Group:
    """Return a group as it can be, with members of the families that its rules are about."""
    group = Group(
        draw(NAMES),
        draw(TEXTS),
        draw(st.sampled_from(EGRESS_DEFAULTS)),
        frozenset(draw(st.lists(rules(), max_size=6))),
    )
    addresses = st.frozensets(st.ip_addresses().map(str), max_size=3)
    here = {name: draw(addresses) for name in sorted(group.remote_groups)}
    elsewhere = {name: Members(elsewhere=draw(addresses)) for name in here}
    return with_members(Group(group.name, group.description, group.egress_default, group.rules, elsewhere), here)
