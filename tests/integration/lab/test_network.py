# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Virtual networks as they are defined, which takes no root, read with virsh. How they run is in ``test_whole_network``."""

from __future__ import annotations

import typing as t

import pytest  # noqa

from .conftest import Hypervisor, Result, run_module

SUBNET, SUBNET6 = "10.83.0.1/24", "fd00:83::1/64"
RANGE = {"start": "10.83.0.100", "end": "10.83.0.199"}
KEPT = {"ip": "10.83.0.7", "mac": "52:54:00:83:00:01", "name": "kept"}
LAN: dict[str, t.Any] = {
    "state": "present",
    "mode": "nat",
    "domain": "lan.example",
    "ips": [{"address": SUBNET, "dhcp_ranges": [RANGE], "dhcp_hosts": [KEPT]}],
}


def network(host: Hypervisor, name: str, *, check: bool = False, **declared: t.Any) -> Result:
    """Declare a network."""
    return run_module("compute_network", check=check, diff=True, uri=host.uri, name=name, **declared)


def made(host: Hypervisor, name: str, **declared: t.Any) -> dict[str, t.Any]:
    """Return what a run says that did not fail; check mode foretells it, and a second run does nothing."""
    before = definition(host, name)
    foretold = network(host, name, check=True, **declared)
    assert definition(host, name) == before
    first = network(host, name, **declared)
    assert not first.failed, first.message
    for key in ("changed", "actions", "changes", "restart_required", "diff"):
        assert foretold.data[key] == first.data[key]
    again = network(host, name, **declared)
    assert not again.failed, again.message
    assert (again.changed, again.data["changes"], again.data["actions"]) == (False, [], [])
    assert again.data["restart_required"] == first.data["restart_required"]
    return first.data


def definition(host: Hypervisor, name: str) -> str:
    """Return a network's definition; empty where there is none."""
    return host.virsh("net-dumpxml", name, "--inactive", check=False)
