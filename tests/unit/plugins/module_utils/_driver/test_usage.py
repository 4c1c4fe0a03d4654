# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of usage, on statistics as real daemons give them."""

from __future__ import annotations

from ansible_collections.kilonova.compute.plugins.module_utils._driver.usage import (
    BlockUsage,
    NicUsage,
    Usage,
    read_usage,
)

STATS = {
    "cpu.time": 5640000000,
    "cpu.user": 4840000000,
    "cpu.system": 800000000,
    "balloon.current": 131072,
    "balloon.rss": 252000,
    "balloon.available": 95000,
    "balloon.unused": 53000,
    "balloon.usable": 59000,
    "block.count": 2,
    "block.0.name": "vda",
    "block.0.rd.bytes": 19985408,
    "block.0.rd.reqs": 742,
    "block.0.wr.bytes": 3072,
    "block.0.wr.reqs": 6,
    "block.0.fl.reqs": 1,
    "block.1.name": "sda",
    "net.count": 2,
    "net.1.name": "vnet0",
    "net.1.rx.bytes": 2554,
    "net.1.rx.pkts": 17,
    "net.1.rx.errs": 0,
    "net.1.rx.drop": 1,
    "net.1.tx.bytes": 2296,
    "net.1.tx.pkts": 12,
    "net.1.tx.errs": 2,
    "net.1.tx.drop": 3,
}


def test_a_running_guest() -> None:
    """Nanoseconds become seconds; a drive without media counts nothing, and a NIC without a device is not there."""
    assert read_usage(STATS) == Usage(
        cpu_seconds=5.64,
        cpu_user_seconds=4.84,
        cpu_system_seconds=0.8,
        balloon_kib=131072,
        rss_kib=252000,
        available_kib=95000,
        unused_kib=53000,
        usable_kib=59000,
        blocks=(
            BlockUsage("vda", 19985408, 742, 3072, 6, 1),
            BlockUsage("sda", None, None, None, None, None),
        ),
        nics=(NicUsage("vnet0", 2554, 17, 0, 1, 2296, 12, 2, 3),),
    )


def test_a_driver_that_tells_nothing() -> None:
    """Nothing is known, which is not the same as nothing used."""
    assert read_usage({"state.state": 1}) == Usage()
