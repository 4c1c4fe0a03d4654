# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Looking at an instance on a whole host from elsewhere: its leased address, its network's counters, its rotated log."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest

from .conftest import Hypervisor, lab_tool, run_module, wait_until

MANY_LINES = 320_000
"""More than libvirt's log daemon keeps in one file of 2 MiB."""


@pytest.fixture
def whole_host(tmp_path: Path) -> t.Iterator[Hypervisor]:
    """Return a whole host, reached over TCP."""
    directory = str(tmp_path / "lab")
    try:
        lab_tool("up", "--kind", "whole", "--hosts", "1", "--dir", directory)
        yield Hypervisor("host1", lab_tool("uri", "host1", "--dir", directory))
    finally:
        lab_tool("down", "--dir", directory)


def look(host: Hypervisor, module: str, **options: t.Any) -> dict[str, t.Any]:
    """Run one of the modules that look."""
    result = run_module(module, uri=host.uri, **options)
    assert not result.failed, result.message
    return result.data


def volumes(host: Hypervisor) -> set[str]:
    """Return the names of what is in the pool."""
    host.virsh("pool-refresh", "default")
    return {line.split()[0] for line in host.virsh("vol-list", "default").splitlines()}


def test_looking_from_elsewhere(whole_host: Hypervisor, guest_image: Path, name: str) -> None:
    """Nothing but libvirt's own connection is needed."""
    for module, options in (
        ("compute_image", {"name": "guest", "src": str(guest_image)}),
        (
            "compute_instance",
            {
                "name": name,
                "flavor": {"name": "tiny", "vcpus": 1, "memory_mb": 128, "disk_gb": 1},
                "image": "guest",
                "virt_type": "qemu",
                "networks": [{"network": "default"}],
                "graphics": {"listen": "0.0.0.0"},
                "limits": {"reserved_host_memory_mb": 0},
            },
        ),
    ):
        look(whole_host, module, **options)

    def lines(**options: t.Any) -> list[str]:
        found: list[str] = look(whole_host, "compute_console", name=name, **options)["log"]["lines"]
        return found

    wait_until(lambda: any(line.startswith(f"kilonova-guest ready: {name}") for line in lines()), "the guest is ready")

    (row,) = look(whole_host, "compute_instance_info", addresses=["lease", "agent"])["instances"]
    (nic,), (address,) = row["nics"], row["addresses"]
    lease = next(line for line in whole_host.virsh("net-dhcp-leases", "default").splitlines() if nic["mac"] in line)
    assert f"{address['address']}/{address['prefix']}" in lease.split()
    assert (address["source"], address["mac"], address["interface"]) == ("lease", nic["mac"], nic["device"])
    assert nic["device"] in whole_host.virsh("domiflist", name)
    (counters,) = row["usage"]["nics"]
    assert (counters["device"], counters["mac"]) == (nic["device"], nic["mac"])
    # The guest's own view: it has sent its request and received its lease.
    assert counters["sent_packets"] > 0
    assert counters["received_packets"] > 0
    reached = whole_host.uri.split("//")[1].split("/")[0]
    assert row["graphics"][0]["uri"] == f"vnc://{reached}:{row['graphics'][0]['port']}"

    command = {"path": "/bin/sh", "arg": ["-c", f"seq {MANY_LINES} >/dev/ttyS0; echo counted >/dev/ttyS0"]}
    whole_host.virsh("qemu-agent-command", name, json.dumps({"execute": "guest-exec", "arguments": command}))
    wait_until(lambda: lines(lines=1) == ["counted"], "the guest has counted")
    assert f"{name}.console.log.0" in volumes(whole_host)
    counted = [str(number) for number in range(MANY_LINES - 79_999, MANY_LINES + 1)]
    assert lines(lines=80_001, bytes=4_000_000) == [*counted, "counted"]
