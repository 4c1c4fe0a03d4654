# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What a guest uses at the moment, out of libvirt's statistics in bulk. Pure."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

_NANOSECONDS = 10**9
Stats = t.Mapping[str, t.Any]


@dataclass(frozen=True)
class BlockUsage:
    """What went through one disk since the guest was started; None is not known."""

    target: str
    read_bytes: int | None
    read_requests: int | None
    write_bytes: int | None
    write_requests: int | None
    flush_requests: int | None


@dataclass(frozen=True)
class NicUsage:
    """What went through one NIC as the guest sees it; ``device`` is the host's name for it."""

    device: str
    received_bytes: int | None
    received_packets: int | None
    received_errors: int | None
    received_drops: int | None
    sent_bytes: int | None
    sent_packets: int | None
    sent_errors: int | None
    sent_drops: int | None


@dataclass(frozen=True)
class Usage:
    """All of it; what the driver or the guest does not tell is None."""

    cpu_seconds: float | None = None
    cpu_user_seconds: float | None = None
    cpu_system_seconds: float | None = None
    balloon_kib: int | None = None
    """What the guest may use at the moment."""
    rss_kib: int | None = None
    """What its process takes of the host."""
    available_kib: int | None = None
    """All memory that the guest's kernel sees."""
    unused_kib: int | None = None
    usable_kib: int | None = None
    """What the guest could give without swapping."""
    blocks: tuple[BlockUsage, ...] = ()
    nics: tuple[NicUsage, ...] = ()


def read_usage(stats: Stats) -> Usage:
    """Return what one domain's ``stats`` tell."""
    return Usage(
        cpu_seconds=_seconds(stats, "cpu.time"),
        cpu_user_seconds=_seconds(stats, "cpu.user"),
        cpu_system_seconds=_seconds(stats, "cpu.system"),
        balloon_kib=stats.get("balloon.current"),
        rss_kib=stats.get("balloon.rss"),
        available_kib=stats.get("balloon.available"),
        unused_kib=stats.get("balloon.unused"),
        usable_kib=stats.get("balloon.usable"),
        blocks=tuple(_block(stats, key) for key in _numbered(stats, "block")),
        nics=tuple(_nic(stats, key) for key in _numbered(stats, "net")),
    )


def _seconds(stats: Stats, key: str) -> float | None:
    value = stats.get(key)
    return None if value is None else value / _NANOSECONDS


def _numbered(stats: Stats, kind: str) -> list[str]:
    keys = [f"{kind}.{index}" for index in range(stats.get(f"{kind}.count", 0))]
    # A NIC without a device on the host, as one of type user, has a number and nothing else.
    return [key for key in keys if f"{key}.name" in stats]


def _block(stats: Stats, key: str) -> BlockUsage:
    return BlockUsage(
        target=stats[f"{key}.name"],
        read_bytes=stats.get(f"{key}.rd.bytes"),
        read_requests=stats.get(f"{key}.rd.reqs"),
        write_bytes=stats.get(f"{key}.wr.bytes"),
        write_requests=stats.get(f"{key}.wr.reqs"),
        flush_requests=stats.get(f"{key}.fl.reqs"),
    )


def _nic(stats: Stats, key: str) -> NicUsage:
    return NicUsage(
        device=stats[f"{key}.name"],
        received_bytes=stats.get(f"{key}.rx.bytes"),
        received_packets=stats.get(f"{key}.rx.pkts"),
        received_errors=stats.get(f"{key}.rx.errs"),
        received_drops=stats.get(f"{key}.rx.drop"),
        sent_bytes=stats.get(f"{key}.tx.bytes"),
        sent_packets=stats.get(f"{key}.tx.pkts"),
        sent_errors=stats.get(f"{key}.tx.errs"),
        sent_drops=stats.get(f"{key}.tx.drop"),
    )
