# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Security groups by the packets that get through: two guests, each on a NAT network and on a Linux bridge."""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from .conftest import Hypervisor, Result, lab_tool, run_module, start_module, wait_until
from .killing import Runs
from .subjects import BOOTING, LIMITS
from .wire import IPV4, Guest, build_program, datagram, forgeries, frame

BRIDGED = "sysctl -qw net.bridge.bridge-nf-call-iptables=1 net.bridge.bridge-nf-call-ip6tables=1"
PING: dict[str, t.Any] = {"protocol": "icmp", "icmp_type": 8}
HTTP: dict[str, t.Any] = {"protocol": "tcp", "port_range_min": 80}
UDP: dict[str, t.Any] = {"protocol": "17", "port_range_min": 4990, "port_range_max": 5000}
NOTHING = {"ping": False, "tcp": False, "udp": False}
ONLY = {name: {**NOTHING, name: True} for name in NOTHING}


@dataclass(frozen=True)
class Scene:
    """A whole host with a client, which no group guards, and a server, whose NICs are in group web."""

    directory: str
    host: Hypervisor
    client: Guest
    server: Guest

    def on_host(self, script: str) -> str:
        """Run a script on the host."""
        return lab_tool("exec", "--dir", self.directory, "host1", "--", "sh", "-c", script)

    def group(self, name: str = "web", check: bool = False, **declared: t.Any) -> Result:
        """Declare a security group."""
        return run_module("compute_security_group", check=check, diff=True, uri=self.host.uri, name=name, **declared)

    def instance(self, guest: Guest, check: bool = False, **guards: t.Any) -> Result:
        """Declare a guest with both NICs guarded in the same way."""
        return run_module("compute_instance", check=check, diff=True, **self.declared(guest, **guards))

    def declared(self, guest: Guest, **guards: t.Any) -> dict[str, t.Any]:
        """Return a guest's declaration."""
        nics = [{"network": "default", **guards}, {"bridge": "br0", **guards}]
        manner = {"virt_type": "qemu", "graphics": {"type": "none"}, "limits": LIMITS}
        return {"uri": self.host.uri, "name": guest.name, **BOOTING, **manner, "networks": nics}

    def filters(self) -> set[str]:
        """Return the names of our network filters."""
        return {word for word in self.host.virsh("nwfilter-list").split() if word.startswith("kilonova-")}

    def reached(self) -> list[dict[str, bool]]:
        """Return by what the client reaches the server, on the NAT network and on the bridge."""
        return [self.client.reaches(address) for address in self.server.addresses]

    def wait_for_guards(self, guest: Guest) -> None:
        """Wait until libvirt has learned the guest's addresses, and so what it may send."""

        def known() -> bool:
            for number in (0, 1):
                self.client.pings(self.server.addresses[number])
                self.server.pings(self.client.addresses[number])
            rules = self.on_host("ebtables -t nat -L")
            return all(f"--ip-src {address} " in rules for address in guest.addresses)

        wait_until(known, f"libvirt knows the addresses of {guest.name}")


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory, guest_image: Path) -> t.Iterator[Scene]:
    """Return the scene, with both guests up and the server's group without a rule."""
    directory = str(tmp_path_factory.mktemp("groups"))
    program = build_program(tmp_path_factory.mktemp("program") / "wire")
    try:
        lab_tool("up", "--kind", "whole", "--hosts", "1", "--dir", directory)
        host = Hypervisor("host1", lab_tool("uri", "host1", "--dir", directory))
        scene = Scene(directory, host, Guest(host, "client"), Guest(host, "server"))
        scene.on_host(BRIDGED)
        assert not run_module("compute_image", uri=host.uri, name="guest", src=str(guest_image)).failed
        assert scene.group().changed
        starting = [
            start_module("compute_instance", **scene.declared(scene.client, port_security=False)),
            start_module("compute_instance", **scene.declared(scene.server, security_groups=["web"])),
        ]
        for process in starting:
            out, err = process.communicate(timeout=300)
            assert process.returncode == 0, f"{out}{err}"
        for guest in (scene.client, scene.server):
            guest.install(program)
        scene.wait_for_guards(scene.server)
        yield scene
    finally:
        lab_tool("down", "--dir", directory)


def words(result: Result) -> list[str]:
    """Return what a diff takes away and brings, in the user's words."""
    diff = result.data["diff"]
    return [f"-{line}" for line in diff["before"].splitlines()] + [f"+{line}" for line in diff["after"].splitlines()]


def test_packets_follow_the_rules(scene: Scene) -> None:
    """What no rule lets in stays out; each change changes the running guest, says so in words, and is made once."""
    assert scene.reached() == [NOTHING, NOTHING]
    assert scene.server.pings(scene.client.addresses[0])
    assert scene.server.asks(scene.client.addresses[1])

    foretold = scene.group(rules=[PING], check=True)
    assert scene.reached()[0] == NOTHING
    done = scene.group(rules=[PING])
    assert words(foretold) == words(done) == ["+rule: ingress ipv4 icmp type 8"]
    assert not scene.group(rules=[PING]).changed
    assert scene.reached() == [ONLY["ping"], ONLY["ping"]]

    lan = {**HTTP, "remote_cidr": f"{scene.client.addresses[1]}/32"}
    assert scene.group(rules=[lan]).changed
    assert scene.reached() == [NOTHING, ONLY["tcp"]]


def test_ipv6_follows_the_rules(scene: Scene) -> None:
    """As IPv4 does, on the network and on the bridge; a rule of the one family lets nothing of the other in."""
    networks = ("fd00:1", "fd00:2")
    for nic, network in enumerate(networks):
        scene.client.adds(nic, f"{network}::c/64")
        scene.server.adds(nic, f"{network}::5/64")
    client, server = ([f"{network}::{host}" for network in networks] for host in ("c", "5"))

    def reached() -> list[tuple[bool, bool]]:
        return [(scene.client.pings(address), scene.client.fetches(address)) for address in server]

    assert not scene.group(rules=[PING, HTTP]).failed
    assert reached() == [(False, False)] * 2
    # Answers come in, and neighbours are found.
    wait_until(lambda: all(map(scene.server.pings, client)), "the server reaches the client by IPv6")
    echo = {"protocol": "icmpv6", "icmp_type": 128}
    done = scene.group(rules=[echo])
    assert "+rule: ingress ipv6 icmpv6 type 128" in words(done)
    assert not scene.group(rules=[echo]).changed
    assert reached() == [(True, False)] * 2
    assert scene.reached() == [NOTHING, NOTHING]
    near = {**HTTP, "remote_cidr": f"{client[0]}/128"}
    assert scene.group(rules=[near]).changed
    assert reached() == [(False, True), (False, False)]
    assert scene.group(rules=[]).changed
    assert reached() == [(False, False)] * 2


def test_rules_follow_the_members_of_a_group(scene: Scene) -> None:
    """A client that joins the remote group gets in with the run that lets it join, and out with the one that takes it away."""
    rules = [{**UDP, "remote_group": "clients"}]
    assert "Option rules[0].remote_group: there is no security group clients" in scene.group(rules=rules).message
    foretold = scene.group(rules=rules, check=True)
    assert "+rule: ingress ipv4 udp 4990-5000 from group clients" in words(foretold)
    assert "a task before this one" in str(foretold.data["warnings"])
    assert scene.group("clients", egress_default="allow").changed
    assert scene.group(rules=rules).changed
    assert scene.reached() == [NOTHING, NOTHING]
    unknown = scene.instance(scene.client, security_groups=["nobodys"])
    assert "Option networks[0].security_groups: there is no security group nobodys" in unknown.message

    foretold = scene.instance(scene.client, check=True, security_groups=["clients"], port_security=False)
    joined = scene.instance(scene.client, security_groups=["clients"], port_security=False)
    assert not joined.failed, joined.message
    assert foretold.data["instance"]["changes"] == joined.data["instance"]["changes"]
    assert {change["after"] for change in joined.data["instance"]["changes"]} == {
        "security groups clients; no port security"
    }
    assert not scene.instance(scene.client, security_groups=["clients"], port_security=False).changed
    assert not scene.group(rules=rules).changed
    assert scene.reached() == [ONLY["udp"], ONLY["udp"]]
    _tell_lies(scene, rules)

    refused = scene.group("clients", state="absent")
    assert "it is used by client, security group web" in refused.message
    left = scene.instance(scene.client, security_groups=[], port_security=False)
    assert not left.failed, left.message
    assert scene.reached() == [NOTHING, NOTHING]
    assert "kilonova-nic.open.clients" not in scene.filters()

    elsewhere = scene.group(rules=rules, members={"clients": [scene.client.addresses[0]]})
    assert words(elsewhere) == [f"+members[clients].elsewhere: ['{scene.client.addresses[0]}']"]
    assert scene.reached() == [ONLY["udp"], NOTHING]
    assert scene.group(rules=[]).changed
    assert scene.group("clients", state="absent").changed


def _tell_lies(scene: Scene, rules: list[dict[str, t.Any]]) -> None:
    """However many addresses a member gives itself: where it was leased one that alone counts, and on the bridge a few do."""
    lies = {}
    for nic, address in enumerate(scene.client.addresses):
        prefix = address.rpartition(".")[0]
        lies[nic] = [f"{prefix}.{last}/24" for last in range(20, 50)]
        scene.client.adds(nic, *lies[nic])
    told = scene.group(rules=rules)
    here = told.data["security_group"]["members"]["clients"]["here"]
    assert scene.client.addresses[0] in here
    assert len(here) == 1 + 4
    for nic, addresses in lies.items():
        scene.client.adds(nic, *addresses, change="del")
    assert not scene.group(rules=rules).failed
    assert scene.reached() == [ONLY["udp"], ONLY["udp"]]


def test_what_may_go_out(scene: Scene) -> None:
    """With egress denied only what a rule lets out goes, and the answers to it come back."""
    out = {"direction": "egress", "protocol": "icmp", "icmp_type": 8}
    assert scene.group(egress_default="deny", rules=[out]).changed
    assert scene.server.reaches(scene.client.addresses[1]) == ONLY["ping"]
    refused = scene.group(egress_default="allow")
    assert "Option egress_default" in refused.message
    assert scene.group(egress_default="allow", rules=[]).changed
    assert scene.server.asks(scene.client.addresses[1])


def test_no_guest_poses_as_another(scene: Scene) -> None:
    """Frames of another MAC or address, of DHCP servers, routers and VLANs, which a guest without port security sends."""
    assert not scene.instance(scene.server, security_groups=[], port_security=False).failed
    scene.client.send(*forgeries(scene.client).values())
    wait_until(lambda: all(map(scene.server.saw, forgeries(scene.client))), "the forged frames arrive")

    assert scene.instance(scene.client, port_security=True).changed
    assert not scene.instance(scene.client, port_security=True).changed
    scene.wait_for_guards(scene.client)
    scene.server.run("killall wire; wire listen 5000 > /run/datagrams 2>&1 & wire sniff eth1 > /run/frames 2>&1 &")
    source = scene.client.macs[1], scene.client.addresses[1]
    honest = frame(source[0], IPV4, datagram(source[1], "255.255.255.255", (999, 999), b"honest"))
    scene.client.send(*forgeries(scene.client).values(), honest)
    wait_until(lambda: scene.server.saw("honest"), "the honest frame, which is the last one, arrives")
    assert [word for word in forgeries(scene.client) if scene.server.saw(word)] == []
    # What the forged answers of before told the server is still in its table.
    scene.server.run("ip neigh flush dev eth1")
    wait_until(lambda: scene.client.pings(scene.server.addresses[1]), "the guarded client reaches the server")
    restored = scene.instance(scene.client, port_security=False)
    assert not restored.failed, restored.message


def test_a_run_that_dies_leaves_the_old_rules_or_the_new(scene: Scene) -> None:
    """Whichever call it is killed at, and even if libvirt itself is, there are rules, and the next run has its own."""
    assert not scene.instance(scene.server, security_groups=["web"], port_security=False).failed

    def rules() -> str:
        return scene.host.virsh("nwfilter-dumpxml", "kilonova-group.web")

    with Runs("compute_security_group", "compute_instance") as runs:
        arguments: dict[str, t.Any] = {"uri": scene.host.uri, "name": "web"}

        def begin() -> None:
            assert runs.run("compute_security_group", **arguments, rules=[PING]).done

        for _call in runs.killed_everywhere("compute_security_group", begin, **arguments, rules=[HTTP]):
            assert ("<icmp " in rules()) != ("<tcp " in rules())
            assert runs.run("compute_security_group", **arguments, rules=[HTTP]).done
            assert not runs.run("compute_security_group", **arguments, rules=[HTTP]).done.changed
        assert scene.reached()[0] == ONLY["tcp"]
        _kill_instance_runs(scene, runs)

    more = [{"protocol": "tcp", "port_range_min": port} for port in range(1000, 1010)]
    update = start_module("compute_security_group", **arguments, rules=[PING, *more])
    # The chains of the new rules, which libvirt makes beside those of the old ones.
    amid = "for n in $(seq 3000); do iptables-save -t filter | grep -q FP-vnet && break; done"
    scene.on_host(f"{amid}; kill -9 $(cat /run/libvirtd.pid)")
    assert json.loads(update.communicate(timeout=120)[0])["failed"]
    lab_tool("up", "--kind", "whole", "--hosts", "1", "--dir", scene.directory)
    reached = scene.client.reaches(scene.server.addresses[0])
    assert reached in (ONLY["tcp"], ONLY["ping"])
    assert not scene.group(rules=[PING]).failed
    assert not scene.group(rules=[PING]).changed
    wait_until(lambda: scene.reached() == [ONLY["ping"], ONLY["ping"]], "the new rules hold")


def _kill_instance_runs(scene: Scene, runs: Runs) -> None:
    """Whatever call it is killed at, a run that guards a NIC otherwise is finished by the next one, which clears up."""
    before = scene.declared(scene.server, security_groups=["web"], port_security=False)
    after = scene.declared(scene.server, security_groups=["web", "more"], port_security=False)
    assert scene.group("more").changed

    def begin() -> None:
        assert runs.run("compute_instance", **before).done

    for _call in runs.killed_everywhere("compute_instance", begin, **after):
        assert scene.host.virsh("dumpxml", "server").count("<filterref filter='kilonova-nic.open.") == 2
        assert runs.run("compute_instance", **after).done
        assert not runs.run("compute_instance", **after).done.changed
        assert {name for name in scene.filters() if ".open" in name} == {"kilonova-nic.open.more.web"}
    assert runs.run("compute_instance", **before).done
    assert scene.group("more", state="absent").changed


def test_many_rules_cost_one_call(scene: Scene) -> None:
    """A group of 200 rules is made in one call, and a run that changes nothing lists and reads once."""
    rules = [{"protocol": "tcp", "port_range_min": port, "description": f"No. {port}"} for port in range(200)]
    arguments: dict[str, t.Any] = {"uri": scene.host.uri, "name": "many", "rules": rules}
    with Runs("compute_security_group") as runs:
        made = runs.run("compute_security_group", **arguments)
        again = runs.run("compute_security_group", every_call=True, **arguments)
        assert (made.calls, made.done.changed) == (("nwfilterDefineXML",), True)
        assert (again.calls, again.done.changed) == (("listAllNWFilters", "XMLDesc"), False)
        assert runs.run("compute_security_group", uri=scene.host.uri, name="many", state="absent").done.changed
    assert "kilonova-group.many" not in scene.filters()


def test_isolated_ports_part_guests(scene: Scene) -> None:
    """Both run, and are plugged in anew; each still reaches the host, and the bridge is another network."""
    assert not scene.group(rules=[PING]).failed
    host = f"{scene.client.addresses[0].rpartition('.')[0]}.1"
    for isolated in (True, False):
        done = run_module(
            "compute_network", uri=scene.host.uri, name="default", port_isolation=isolated, allow_restart=True
        )
        assert not done.failed, done.message
        assert len([action for action in done.data["actions"] if action.startswith("replug_nic ")]) == 2
        for guest in (scene.client, scene.server):
            wait_until(partial(guest.pings, host), f"{guest.name} reaches the host")
        assert [scene.client.pings(address) for address in scene.server.addresses] == [not isolated, True]
