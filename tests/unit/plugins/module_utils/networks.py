# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Virtual networks for tests: whole ones by name, each the golden file ``_xml/data/network-<name>.xml``, and any at all."""

from __future__ import annotations

import ipaddress
import typing as t

from ansible_collections.kilonova.compute.plugins.module_utils._options_network import network_options
from ansible_collections.kilonova.compute.plugins.module_utils._plan.network_drift import NOTHING, merge
from ansible_collections.kilonova.compute.plugins.module_utils._spec.network_address import (
    DhcpHost,
    DhcpRange,
    NetworkIp,
    Route,
)
from ansible_collections.kilonova.compute.plugins.module_utils._spec.network_dns import (
    Dns,
    DnsForwarder,
    DnsHost,
    DnsSrv,
    DnsTxt,
)
from ansible_collections.kilonova.compute.plugins.module_utils._spec.network_layout import (
    MACVTAP_MODES,
    MANAGED_MODES,
    OPTIONS_OF_MODE,
    NatPorts,
    NetworkLayout,
    Portgroup,
    Vlan,
)
from ansible_collections.kilonova.compute.plugins.module_utils._spec.tuning import Rate
from hypothesis import strategies as st

_DECLARED = {
    "nat": NetworkLayout(
        mode="nat",
        bridge="vbr-lan",
        devices=("eth0",),
        nat_ports=NatPorts(40000, 50000),
        nat_ipv6=True,
        domain="lan.example",
        domain_local_only=True,
        mtu=1400,
        port_isolation=True,
        ips=(
            NetworkIp(
                "192.0.2.1/24",
                (DhcpRange("192.0.2.100", "192.0.2.149"), DhcpRange("192.0.2.150", "192.0.2.199")),
                (DhcpHost("192.0.2.10", mac="52:54:00:00:00:01", name="printer"), DhcpHost("192.0.2.11", name="named")),
            ),
            NetworkIp(
                "2001:db8::1/64",
                (DhcpRange("2001:db8::100", "2001:db8::1ff"),),
                (DhcpHost("2001:db8::10", id="00:03:00:01:52:54:00:00:00:01", name="printer"),),
            ),
        ),
        routes=(Route("198.51.100.0/24", "192.0.2.9", 2), Route("2001:db8:1::/48", "2001:db8::9")),
        dns=Dns(
            True,
            (DnsForwarder("203.0.113.1"), DnsForwarder(domain="private.example"), DnsForwarder("::1", "b.example")),
            (DnsHost("192.0.2.20", ("files", "mirror")), DnsHost("2001:db8::20", ("six",))),
            (DnsTxt("note.lan.example", "it's <new> & 'odd'"),),
            (
                DnsSrv("ldap", "tcp", target="files", port=389, priority=1, weight=2),
                DnsSrv("sip", "udp", domain="other.example"),
            ),
        ),
    ),
    "isolated": NetworkLayout(
        mode="isolated",
        dns=Dns(enabled=False),
        portgroups=(
            Portgroup("slow", inbound=Rate(100, 200, 50), outbound=Rate(10)),
            Portgroup("usual", default=True),
        ),
    ),
    "openvswitch": NetworkLayout(
        mode="bridge",
        bridge="ovs0",
        openvswitch=True,
        vlan=Vlan((10, 20), trunk=True, native=10),
        portgroups=(Portgroup("red", vlan=Vlan((10,))),),
    ),
    "macvtap": NetworkLayout(mode="macvtap", macvtap_mode="vepa", devices=("eth0", "eth1")),
}
EXAMPLES = {name: merge(layout, None) for name, layout in _DECLARED.items()}

_NAMES = st.text("abcxyz019", min_size=1, max_size=8)
_TEXTS = st.text(st.characters(exclude_categories=("Cc", "Cn", "Cs", "Zl", "Zp")), min_size=1, max_size=20)
_TAGS = st.lists(st.integers(1, 4094), min_size=1, max_size=3, unique=True).map(tuple)
_NUMBERS = st.none() | st.integers(1, 65535)


def _subsets(values: st.SearchStrategy[t.Any], key: t.Callable[[t.Any], t.Hashable]) -> st.SearchStrategy[t.Any]:
    return st.lists(values, max_size=3, unique_by=key).map(tuple)


@st.composite
def _vlans(draw: st.DrawFn) -> Vlan:
    tags = draw(st.just(()) | _TAGS)
    native = draw(st.none() | st.sampled_from(tags)) if tags else None
    must_trunk = len(tags) > 1 or native is not None
    return Vlan(tags, bool(tags) and (must_trunk or draw(st.booleans())), native)


_RATES = st.just(Rate()) | st.builds(Rate, st.integers(1, 1000), _NUMBERS, _NUMBERS)
_DNS = st.builds(
    Dns,
    st.booleans(),
    st.lists(
        st.builds(DnsForwarder, st.just("203.0.113.1"), st.none() | _NAMES)
        | st.builds(DnsForwarder, st.none(), _NAMES),
        max_size=2,
    ).map(tuple),
    _subsets(
        st.builds(
            DnsHost,
            st.integers(1, 9).map(lambda number: f"192.0.2.{number}"),
            st.lists(_NAMES, min_size=1, max_size=2, unique=True).map(tuple),
        ),
        lambda host: host.ip,
    ),
    _subsets(st.builds(DnsTxt, _NAMES, _TEXTS), lambda txt: txt.name),
    _subsets(
        st.builds(
            DnsSrv, _NAMES, st.sampled_from(("tcp", "udp")), st.none() | _NAMES, _NAMES, _NUMBERS, _NUMBERS, _NUMBERS
        ),
        lambda srv: (srv.key, srv.target),
    ),
)


def _portgroups(vlans: st.SearchStrategy[Vlan]) -> st.SearchStrategy[tuple[Portgroup, ...]]:
    groups = st.builds(Portgroup, _NAMES, st.booleans(), vlans, _RATES, _RATES)
    return _subsets(groups, lambda group: group.name).map(lambda found: tuple(_only_default(found)))


def _only_default(groups: tuple[Portgroup, ...]) -> t.Iterator[Portgroup]:
    is_taken = False
    for group in groups:
        yield Portgroup(**{**vars(group), "default": group.default and not is_taken})
        is_taken = is_taken or group.default


@st.composite
def _subnets(draw: st.DrawFn, number: int) -> NetworkIp:
    net = ipaddress.ip_network(draw(st.sampled_from((f"10.{number}.0.0/24", f"fd00:{number}::/64"))))
    ends = sorted(draw(st.lists(st.integers(100, 199), min_size=0, max_size=4, unique=True)))
    ranges = tuple(DhcpRange(str(net[first]), str(net[last])) for first, last in zip(ends[::2], ends[1::2]))
    numbers = draw(st.lists(st.integers(2, 20), max_size=3, unique=True))
    kind, prefix = ("id", "00:03:00:01:") if net.version == 6 else ("mac", "")
    hosts = tuple(DhcpHost(str(net[one]), **{kind: f"{prefix}52:54:00:00:00:{one:02x}"}) for one in numbers)
    return NetworkIp(f"{net[1]}/{net.prefixlen}", ranges, hosts)


@st.composite
def layouts(draw: st.DrawFn, modes: t.Sequence[str] = (*MANAGED_MODES, "bridge", "macvtap")) -> NetworkLayout:
    """Return any whole network."""
    mode = draw(st.sampled_from(modes))
    macvtap_mode = draw(st.sampled_from(MACVTAP_MODES)) if mode == "macvtap" else ""
    is_ovs = mode == "bridge" and draw(st.booleans())
    vlans = _vlans() if is_ovs or macvtap_mode == "passthrough" else st.just(Vlan())
    declared: dict[str, t.Any] = {"mode": mode, "portgroups": draw(_portgroups(vlans)), "vlan": draw(vlans)}
    declared.update(macvtap_mode=macvtap_mode, openvswitch=is_ovs, bridge="" if macvtap_mode else "br0")
    if mode in MANAGED_MODES:
        numbers = draw(st.lists(st.integers(1, 5), max_size=3, unique=True))
        declared.update(
            ips=tuple(draw(_subnets(number)) for number in numbers),
            routes=draw(st.just(()) | st.just((Route("198.51.100.0/24", "10.1.0.9", 3),))),
            dns=draw(_DNS),
            mtu=draw(st.sampled_from((0, 1400))),
            domain=draw(st.just("") | _NAMES),
            port_isolation=draw(st.booleans()),
        )
        declared["domain_local_only"] = bool(declared["domain"]) and draw(st.booleans())
    if mode in ("nat", "route", "macvtap"):
        declared["devices"] = draw(st.sampled_from((("eth0",), ("eth1",))))
    if mode == "nat":
        declared.update(nat_ports=draw(st.builds(NatPorts, st.just(2000), st.integers(2001, 65535))))
        declared.update(nat_ipv6=draw(st.booleans()))
    return merge(NetworkLayout(**declared), NOTHING)


def as_declared(layout: NetworkLayout) -> NetworkLayout:
    """Return a whole network as its declaration, without what there is no use for."""
    options = ("mode", *OPTIONS_OF_MODE[layout.mode or ""])
    return NetworkLayout(**{option: getattr(layout, option) for option in options})


def params(**declared: t.Any) -> dict[str, t.Any]:
    """Return a module's parameters with all that is not declared filled in as Ansible does."""
    return _filled({"name": "lan", **declared}, network_options())


def _filled(declared: t.Mapping[str, t.Any], options: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    whole = {}
    for name, option in options.items():
        value = declared.get(name, option.get("default"))
        if value is not None and option.get("options"):
            parts = option["options"]
            value = [_filled(one, parts) for one in value] if option["type"] == "list" else _filled(value, parts)
        whole[name] = value
    assert set(declared) <= set(options)
    return whole
