# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""compute_migration between whole hosts: by SSH and TLS, with post-copy, and through what breaks in between.

One guest counts, to its disk and to a server, once a second from the first test to the last, and never restarts.
"""

from __future__ import annotations

import base64
import socketserver
import threading
import typing as t
from pathlib import Path

import pytest

from .certificates import Authority
from .conftest import Hypervisor, Result, lab_tool, run_module, start_module, wait_until
from .killing import Runs
from .movers import Mover
from .subjects import BOOTING, said

NAMES = ("host1", "host2")
PKI, QEMU_PKI = "/etc/kilonova-pki", "/etc/pki/qemu"
SLOW: t.Mapping[str, t.Any] = {"bandwidth_mb": 1, "mode": "live"}
"""So that there is an amid."""


class _Listener(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        """Note the number, and say that it was heard."""
        line = self.rfile.readline().strip()
        if line.isdigit():
            t.cast("Counter", self.server).heard.append(int(line))
            self.wfile.write(b"ok\n")


class Counter(socketserver.ThreadingTCPServer):
    """Hears a guest count."""

    daemon_threads = True

    def __init__(self, address: str) -> None:
        """Listen on a free port."""
        super().__init__((address, 0), _Listener)
        self.heard: list[int] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def place(self) -> str:
        """Return the address and the port, as netcat takes them."""
        return " ".join(map(str, self.server_address))


class Pair:
    """Two whole hosts, a guest that is moved between them, and the ways to reach them."""

    def __init__(self, directory: str, authority: Authority, runs: Runs) -> None:
        """Look at the hosts, and give them their certificates."""
        self.directory = directory
        self._authority = authority
        self._runs = runs
        self.hosts = [Hypervisor(name, lab_tool("uri", name, "--dir", directory)) for name in NAMES]
        self.addresses = {host.name: host.uri.split("/")[2] for host in self.hosts}
        self.counter = Counter(f"{self.addresses['host1'].rpartition('.')[0]}.1")
        self.mover: Mover | None = None
        for name in NAMES:
            self.certify(name, authority)
            self.on(
                name, "sed -i s/listen_tls.*/listen_tls=1/ /etc/libvirt/libvirtd.conf; kill $(cat /run/libvirtd.pid)"
            )
            self.on(name, "while pidof libvirtd >/dev/null; do sleep 0.1; done")
        lab_tool("up", "--kind", "whole", "--hosts", "2", "--dir", directory)

    def on(self, name: str, script: str) -> str:
        """Return what a shell on a host prints."""
        return lab_tool("exec", "--dir", self.directory, name, "--", "sh", "-c", script)

    def certify(self, name: str, authority: Authority) -> None:
        """Give a host a certificate for its libvirtd, and for QEMU in both of its parts."""
        certificate, key = self._authority.sign(name, self.addresses[name])
        texts = {
            f"{PKI}/ca.pem": self._authority.certificate,
            f"{PKI}/cert.pem": certificate,
            f"{PKI}/key.pem": key,
            f"{QEMU_PKI}/ca-cert.pem": authority.certificate,
            **{f"{QEMU_PKI}/{part}-cert.pem": certificate for part in ("server", "client")},
            **{f"{QEMU_PKI}/{part}-key.pem": key for part in ("server", "client")},
        }
        lines = [f"mkdir -p {PKI} {QEMU_PKI}"]
        lines += [
            f"echo {base64.b64encode(path.read_bytes()).decode()} | base64 -d >{place}" for place, path in texts.items()
        ]
        settings = f'ca_file="{PKI}/ca.pem"\\ncert_file="{PKI}/cert.pem"\\nkey_file="{PKI}/key.pem"\\n'
        lines.append(f"grep -q ca_file /etc/libvirt/libvirtd.conf || printf '{settings}' >>/etc/libvirt/libvirtd.conf")
        self.on(name, "\n".join(lines))

    def uri(self, name: str, way: str, pki: Path | None = None) -> str:
        """Return the URI of a host that is reached by ``way``."""
        address = self.addresses[name]
        if way == "ssh":
            return f"qemu+ssh://root@{address}/system?keyfile={self.directory}/ssh_key&no_verify=1"
        return f"qemu+tls://{address}/system?pkipath={pki}" if way == "tls" else f"qemu+tcp://{address}/system"

    @property
    def guest(self) -> Mover:
        """Return the instance."""
        assert self.mover is not None
        return self.mover

    def options(self, way: str = "tcp", pki: Path | None = None, **options: t.Any) -> dict[str, t.Any]:
        """Return what a move by ``way`` is told."""
        here, there = self.guest.host.name, self.guest.other.name
        place = {"uri": self.uri(there, way, pki), "migrate_uri": f"tcp://{self.addresses[there]}"}
        return {"uri": self.uri(here, way, pki), "destination": place, **options}

    def moved(self, way: str = "tcp", pki: Path | None = None, **options: t.Any) -> dict[str, t.Any]:
        """Move it, with all that is asserted of a move."""
        return self.guest.moved(**self.options(way, pki, **options))

    def move(self, **options: t.Any) -> Result:
        """Move it, or try to."""
        return self.guest.move(**self.options(**options))

    def begun(self, **options: t.Any) -> t.Any:
        """Begin a slow move in a process of its own, and wait until there is a guest at both hosts."""
        arguments = self.guest.arguments(**self.options(**{**SLOW, **options}))
        process = start_module("compute_migration", **arguments)
        wait_until(
            lambda: self.guest.other.virsh("domstate", self.guest.name, check=False) == "paused", "the move to begin"
        )
        return process

    def still_counts(self) -> None:
        """See that the guest is at one host, never restarted, has all it wrote, and is heard."""
        assert self.guest.running() == [self.guest.host.name]
        heard = len(self.counter.heard)
        wait_until(lambda: len(self.counter.heard) > heard + 1, "the guest to be heard")
        found = list(self.counter.heard)
        # What was heard is said again where the answer got lost.
        assert found == sorted(found)
        assert set(found) == set(range(1, found[-1] + 1))
        count = self.guest.inside("echo 3 >/proc/sys/vm/drop_caches; cat /data/count").split()
        assert count == [str(number) for number in range(1, len(count) + 1)]
        assert len(count) >= found[-1]

    def arrives_next(self, failed: Result | None = None) -> None:
        """See that what went wrong left it where it was, and that the next run has it at the other host."""
        assert failed is None or failed.failed
        assert self.guest.running() == [self.guest.host.name]
        done = self.move()
        assert not done.failed, done.message
        assert self.guest.traces() == set()
        self.guest.host, self.guest.other = self.guest.other, self.guest.host
        self.still_counts()


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory, guest_image: Path) -> t.Iterator[Pair]:
    """Return both hosts with the guest at the first."""
    top = tmp_path_factory.mktemp("migration")
    directory = str(top / "lab")
    with Runs("compute_instance", "compute_migration") as runs:
        try:
            lab_tool("up", "--kind", "whole", "--hosts", "2", "--dir", directory)
            pair = Pair(directory, Authority(top / "ca"), runs)
            published = run_module("compute_image", uri=pair.hosts[0].uri, name="guest", src=str(guest_image))
            assert not published.failed, published.message
            pair.mover = Mover(
                pair.hosts[0], pair.hosts[1], "t-counter", runs, **{**BOOTING, "networks": [{"bridge": "br0"}]}
            )
            said(pair.mover.attempt())
            step = f"echo $i >>/data/count; sync; until echo $i | nc -w 2 {pair.counter.place} | grep -q ok; do sleep 1; done; sleep 1"
            pair.mover.inside(f"(i=0; while :; do i=$((i + 1)); {step}; done) >/dev/null 2>&1 &")
            wait_until(lambda: len(pair.counter.heard) > 1, "the guest to be heard at first")
            yield pair
            pair.counter.shutdown()
        finally:
            lab_tool("down", "--dir", directory)


@pytest.fixture
def client(pair: Pair, tmp_path: Path) -> Path:
    """Return a directory with what a client of libvirt needs for TLS."""
    authority = pair._authority  # pylint: disable=protected-access
    certificate, key = authority.sign("client", "127.0.0.1")
    for name, path in (("cacert", authority.certificate), ("clientcert", certificate), ("clientkey", key)):
        (tmp_path / f"{name}.pem").write_bytes(path.read_bytes())
    return tmp_path


def test_by_ssh_and_peer_to_peer(pair: Pair) -> None:
    """The module reaches both by SSH; then the daemons speak with each other."""
    assert pair.moved("ssh")["mode"] == "live"
    pair.still_counts()
    assert pair.moved(peer_to_peer=True)["downtime_ms"] > 0
    pair.still_counts()


def test_by_tls(pair: Pair, client: Path, tmp_path: Path) -> None:
    """The connections and what QEMU sends are encrypted; a destination that trusts somebody else is a clear failure."""
    assert pair.moved("tls", client, transport="tls")["memory_bytes"] > 0
    pair.still_counts()
    other = Authority(tmp_path / "other")
    pair.certify(pair.guest.other.name, other)
    refused = pair.move(transport="tls")
    assert "both hosts need a certificate for QEMU that the other trusts" in refused.message
    assert pair.guest.traces(pair.guest.other) <= {f"{pair.guest.name}.console.log"}
    pair.certify(pair.guest.other.name, pair._authority)  # pylint: disable=protected-access
    pair.arrives_next(refused)


def test_post_copy(pair: Pair) -> None:
    """A guest that writes faster than can be sent goes on at the destination."""
    pair.guest.inside(
        "(while :; do dd if=/dev/urandom of=/tmp/noise bs=1M count=24; done) >/dev/null 2>&1 & echo $! >/tmp/pid"
    )
    figures = pair.moved(post_copy=True, bandwidth_mb=8, auto_converge=False, timeout=0)
    assert figures["mode"] == "live"
    pair.still_counts()
    pair.moved(on_timeout="post_copy", bandwidth_mb=8, auto_converge=False, timeout=2)
    pair.guest.inside("kill $(cat /tmp/pid)")
    pair.still_counts()


def test_source_daemon_dies(pair: Pair) -> None:
    """When it is back, the guest is where it was, and the next run moves it."""
    process = pair.begun()
    pair.on(pair.guest.host.name, "kill -9 $(cat /run/libvirtd.pid)")
    process.communicate(timeout=180)
    lab_tool("up", "--kind", "whole", "--hosts", "2", "--dir", pair.directory)
    pair.arrives_next()


def test_destination_crashes(pair: Pair) -> None:
    """It is gone amid the copying; when it is back, the next run moves the guest there."""
    process = pair.begun()
    lab_tool("crash", pair.guest.other.name, "--dir", pair.directory)
    printed, _errors = process.communicate(timeout=300)
    assert '"failed": true' in printed, printed
    assert pair.guest.running() == [pair.guest.host.name]
    pair.still_counts()
    lab_tool("up", "--kind", "whole", "--hosts", "2", "--dir", pair.directory)
    pair.arrives_next()
