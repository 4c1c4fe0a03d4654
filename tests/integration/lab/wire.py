# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Test guests as people at their keyboards: who reaches whom, by which packet, and what comes in off the wire."""

from __future__ import annotations

import base64
import ipaddress
import shutil
import struct
import subprocess
import typing as t
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pytest

from .conftest import Hypervisor, wait_until

SOURCE = Path(__file__).with_suffix(".c")
BROADCAST = "ff:ff:ff:ff:ff:ff"
IPV4, ARP, IPV6, VLAN = 0x0800, 0x0806, 0x86DD, 0x8100
UDP_PORT = 5000


def build_program(target: Path) -> Path:
    """Compile the program that guests send and see frames with."""
    compiler = shutil.which("gcc")
    if compiler is None:
        pytest.fail("gcc is missing, which makes the program that guests send frames with: run make setup")
    flags = (
        "-Os -static -nostdlib -ffreestanding -fno-stack-protector -fno-pic -no-pie -fno-asynchronous-unwind-tables -s"
    )
    line = [compiler, *flags.split(), "-Wl,-N,--build-id=none,--no-warn-rwx-segments", "-o", str(target), str(SOURCE)]
    subprocess.run(line, check=True, timeout=60)
    return target


@dataclass(frozen=True)
class Guest:
    """One guest; its NICs are eth0 and eth1."""

    host: Hypervisor
    name: str

    def run(self, script: str) -> str:
        """Return what a shell in the guest prints."""
        return self.host.inside(self.name, script).strip()

    def install(self, program: Path) -> None:
        """Have the program in the guest, echoing datagrams and writing down what comes in."""
        text = base64.b64encode(program.read_bytes()).decode()
        self.run(f"echo {text} | base64 -d > /bin/wire; chmod +x /bin/wire")
        self.run(
            f"ip link set eth1 promisc on; wire listen {UDP_PORT} > /run/datagrams 2>&1 & wire sniff eth1 > /run/frames 2>&1 &"
        )

    @cached_property
    def addresses(self) -> tuple[str, str]:
        """Return the IPv4 addresses of both NICs, once the guest has them."""
        script = "for n in 0 1; do ip -4 addr show eth$n | sed -n 's#.*inet \\([0-9.]*\\)/.*#\\1#p'; done"
        found = wait_until(lambda: len(words := self.run(script).split()) == 2 and words, f"{self.name} has addresses")
        return (found[0], found[1])

    @cached_property
    def macs(self) -> list[str]:
        """Return the MAC addresses of both NICs."""
        return self.run("cat /sys/class/net/eth0/address /sys/class/net/eth1/address").split()

    def pings(self, address: str) -> bool:
        """Tell whether an address answers."""
        return self.run(f"ping -c 1 -W 1 {address} > /dev/null; echo $?") == "0"

    def fetches(self, address: str) -> bool:
        """Tell whether a web server answers over TCP."""
        script = f"printf 'GET / HTTP/1.0\\r\\n\\r\\n' | timeout 2 nc -w 1 {address} 80 | head -c 4"
        return self.run(script) == "HTTP"

    def adds(self, nic: int, *addresses: str, change: str = "add") -> None:
        """Have more addresses on a NIC, each with its prefix, or no longer."""
        # An address of IPv6 is used at once, and not after a second in which nobody else says that it is his.
        lines = [f"echo 0 > /proc/sys/net/ipv6/conf/eth{nic}/accept_dad"]
        lines += [f"ip address {change} {one} dev eth{nic}" for one in addresses]
        self.run("; ".join(lines))

    def asks(self, address: str, port: int = UDP_PORT) -> bool:
        """Tell whether a datagram is answered."""
        digits = f"{int(ipaddress.IPv4Address(address)):08x}"
        return self.run(f"wire ask {digits} {port} hello") == "hello"

    def reaches(self, address: str) -> dict[str, bool]:
        """Return by what an address is reached."""
        return {"ping": self.pings(address), "tcp": self.fetches(address), "udp": self.asks(address)}

    def send(self, *frames: bytes) -> None:
        """Put frames on the wire of the second NIC."""
        lines = [f"echo {base64.b64encode(frame).decode()} | base64 -d | wire send eth1" for frame in frames]
        self.run("; ".join(lines))

    def saw(self, text: str) -> bool:
        """Tell whether a frame with this text came in on the second NIC."""
        return self.run(f"grep -c {text.encode().hex()} /run/frames") not in ("", "0")


def frame(source: str, kind: int, content: bytes, target: str = BROADCAST) -> bytes:
    """Return an Ethernet frame."""
    return _octets(target) + _octets(source) + struct.pack("!H", kind) + content


def tagged(mac: str, inner: bytes) -> bytes:
    """Return a frame with a VLAN tag."""
    return frame(mac, VLAN, struct.pack("!HH", 7, IPV4) + inner)


def arp_reply(mac: str, claims: str, text: bytes) -> bytes:
    """Return what tells everybody that an address is at a MAC; the text is in its padding."""
    told = ipaddress.IPv4Address(claims).packed
    head = struct.pack("!HHBBH", 1, IPV4, 6, 4, 2)
    return head + _octets(mac) + told + _octets(BROADCAST) + told + text


def datagram(source: str, target: str, ports: tuple[int, int], text: bytes) -> bytes:
    """Return a UDP packet of IPv4; its checksum is not looked at."""
    length = 8 + len(text)
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + length, 1, 0, 64, 17, 0)
    head += ipaddress.IPv4Address(source).packed + ipaddress.IPv4Address(target).packed
    head = head[:10] + struct.pack("!H", _sum(head)) + head[12:]
    return head + struct.pack("!HHHH", *ports, length, 0) + text


def icmpv6(source: str, kind: int, text: bytes) -> bytes:
    """Return an ICMPv6 packet to all nodes."""
    addresses = ipaddress.IPv6Address(source).packed + ipaddress.IPv6Address("ff02::1").packed
    body = struct.pack("!BBHHHII", kind, 0, 0, 64 << 8, 1800, 0, 0) + text
    check = _sum(addresses + struct.pack("!II", len(body), 58) + body)
    return (
        struct.pack("!IHBB", 6 << 28, len(body), 58, 255) + addresses + body[:2] + struct.pack("!H", check) + body[4:]
    )


def udp6(source: str, ports: tuple[int, int], text: bytes) -> bytes:
    """Return a UDP packet of IPv6 to all nodes."""
    addresses = ipaddress.IPv6Address(source).packed + ipaddress.IPv6Address("ff02::1").packed
    length = 8 + len(text)
    check = _sum(addresses + struct.pack("!II", length, 17) + struct.pack("!HHHH", *ports, length, 0) + text)
    return (
        struct.pack("!IHBB", 6 << 28, length, 17, 64) + addresses + struct.pack("!HHHH", *ports, length, check) + text
    )


def _octets(mac: str) -> bytes:
    return bytes.fromhex(mac.replace(":", ""))


def _sum(data: bytes) -> int:
    total = sum(struct.unpack(f"!{len(data + data[: len(data) % 2]) // 2}H", data + b"\0" * (len(data) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


Frames = t.Mapping[str, bytes]


def forgeries(guest: Guest) -> Frames:
    """Return what no guest with port security gets out, each with a word of its own in it that tells it on the wire."""
    mac, address = guest.macs[1], guest.addresses[1]
    other, local = str(ipaddress.IPv4Address(int(ipaddress.IPv4Address(address)) ^ 1)), "fe80::5:5"
    return {
        "other-mac": frame("52:54:00:00:99:99", IPV4, datagram(address, "255.255.255.255", (999, 999), b"other-mac")),
        "other-ip": frame(mac, IPV4, datagram(other, "255.255.255.255", (999, 999), b"other-ip")),
        "arp-claim": frame(mac, ARP, arp_reply(mac, other, b"arp-claim")),
        "arp-mac": frame(mac, ARP, arp_reply("52:54:00:00:99:99", address, b"arp-mac")),
        "dhcp-offer": frame(mac, IPV4, datagram(address, "255.255.255.255", (67, 68), b"dhcp-offer")),
        "dhcpv6": frame(mac, IPV6, udp6(local, (547, 546), b"dhcpv6")),
        "router": frame(mac, IPV6, icmpv6(local, 134, b"router..")),
        "vlan": tagged(mac, datagram(other, "255.255.255.255", (999, 999), b"vlan")),
    }
