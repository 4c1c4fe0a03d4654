# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Memory that is plugged into a running guest, seen from inside."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

import pytest

from .conftest import Hypervisor, run_module, wait_until

FLAVOR = {"name": "small", "vcpus": 1, "memory_mb": 512, "disk_gb": 1}
MIB = 1024


class Guest:
    """One instance whose memory is declared again and again."""

    def __init__(self, host: Hypervisor, name: str, **options: t.Any) -> None:
        """Make it, and wait until its guest is up."""
        self.host = host
        self.name = name
        self.declared: dict[str, t.Any] = {
            "name": name,
            "image": "guest",
            "virt_type": "qemu",
            "networks": [{"user": True}],
            "limits": {"reserved_host_memory_mb": 0},
            "max_memory_mb": 1000,
            **options,
        }
        self.declare(512)
        host.wait_for_console(name, f"kilonova-guest ready: {name}")
        self.began_with = self.memory_kib

    def declare(self, memory_mb: int, **changes: t.Any) -> dict[str, t.Any]:
        """Declare so much, see that check mode foretells the run and a second one does nothing; return the run's result."""
        self.declared.update(changes, flavor={**FLAVOR, "memory_mb": memory_mb})
        foretold, done, again = self._run(check=True), self._run(), self._run()
        assert foretold["changes"] == done["changes"]
        assert foretold["actions"] == done["actions"]
        assert again["changes"] == []
        assert again["restart_required"] == done["restart_required"]
        return done

    def grow(self, memory_mb: int, **changes: t.Any) -> None:
        """Declare another size, which the guest then has."""
        assert effects(self.declare(memory_mb, **changes)) == {"memory_mb": "live"}
        self.wait_for(memory_mb)
        # Its kernel counts what its balloon takes before the balloon says so.
        current = f"<currentMemory unit='KiB'>{memory_mb * MIB}<"
        wait_until(lambda: current in self.xml(), f"a balloon that leaves {memory_mb} MiB")

    def wait_for(self, memory_mb: int) -> None:
        """Wait until the guest has what it had with 512 MiB, and the difference; its kernel keeps a little of each block."""
        wanted = self.began_with + (memory_mb - 512) * MIB
        wait_until(lambda: abs(self.memory_kib - wanted) < 4 * MIB, f"{memory_mb} MiB in the guest")

    @property
    def memory_kib(self) -> int:
        """Return what the guest's kernel says that it has."""
        return int(self.host.inside(self.name, "grep MemTotal /proc/meminfo").split()[1])

    def xml(self, *arguments: str) -> str:
        """Return the domain's XML."""
        return self.host.virsh("dumpxml", *arguments, self.name)

    def _run(self, check: bool = False) -> dict[str, t.Any]:
        result = run_module("compute_instance", check=check, uri=self.host.uri, **self.declared)
        assert not result.failed, result.message
        return t.cast("dict[str, t.Any]", result.data["instance"])


@pytest.fixture
def host(hypervisor: Hypervisor, guest_image: t.Any) -> Hypervisor:
    """Return an empty hypervisor with the test guest's image published."""
    result = run_module("compute_image", uri=hypervisor.uri, name="guest", src=str(guest_image))
    assert not result.failed, result.message
    return hypervisor


def effects(result: dict[str, t.Any]) -> dict[str, str]:
    """Return the effect of each change."""
    return {change["path"]: change["effect"] for change in result["changes"]}


def amounts(xml: str) -> dict[str, int]:
    """Return the MiB of all of a domain's memory and of its one NUMA cell, and how many modules are plugged in."""
    memory, cell = re.search(r"<memory unit='KiB'>(\d+)<", xml), re.search(r"<cell id='0' .*memory='(\d+)'", xml)
    assert memory is not None
    assert cell is not None
    assert xml.count("<cell ") == 1
    return {
        "memory": int(memory[1]) // MIB,
        "cell": int(cell[1]) // MIB,
        "modules": xml.count("<memory model='dimm'"),
    }


def test_a_guest_grows_beyond_what_it_booted_with(host: Hypervisor, name: str) -> None:
    """It has exactly what is declared at once; less waits, or a reboot could leave too little; a power cycle levels it."""
    guest = Guest(host, name)
    boots, number = host.console(name).count("kilonova-guest ready"), host.virsh("domid", name)
    guest.grow(576)
    guest.grow(832)
    assert amounts(guest.xml()) == {"memory": 896, "cell": 512, "modules": 2}
    assert amounts(guest.xml("--inactive")) == {"memory": 832, "cell": 832, "modules": 0}

    less = guest.declare(640)
    assert effects(less) == {"memory_mb": "next_boot"}
    assert less["restart_required"]
    guest.wait_for(832)
    assert amounts(guest.xml("--inactive")) == {"memory": 640, "cell": 640, "modules": 0}
    # This guest takes nothing into use by itself: now its balloon has all that it keeps from what the guest booted with.
    host.virsh("reboot", "--mode", "agent", name)
    wait_until(lambda: host.console(name).count("kilonova-guest ready") > boots, "a reboot")
    guest.wait_for(512 - (896 - 832))

    # Its agent has to be asked again.
    guest.grow(832)
    assert host.virsh("domid", name) == number
    waiting = guest.declare(640, max_memory_mb=2000)
    assert effects(waiting) == {"memory_mb": "next_boot", "max_memory_mb": "next_boot"}
    cycled = guest.declare(640, allow_power_cycle=True)
    assert effects(cycled) == {"memory_mb": "power_cycle", "max_memory_mb": "power_cycle"}
    assert amounts(guest.xml()) == {"memory": 640, "cell": 640, "modules": 0}
    guest.wait_for(640)
    # With no module its balloon takes what is too much.
    guest.grow(576)


def test_a_machine_of_the_older_kind_and_a_guest_that_stands_still(host: Hypervisor, name: str) -> None:
    """What a paused guest could not take waits until it goes on, which needs no boot."""
    guest = Guest(host, name, machine_type="pc", balloon=False)
    guest.grow(640)
    guest.declare(640, power_state="paused")
    waiting = guest.declare(768)
    assert effects(waiting) == {"memory_mb": "next_boot"}
    assert waiting["restart_required"]
    resumed = guest.declare(768, power_state="running")
    assert effects(resumed) == {"power_state": "live", "memory_mb": "live"}
    guest.wait_for(768)
    # Nothing would keep the rest of a block.
    assert effects(guest.declare(800)) == {"memory_mb": "next_boot"}
    assert amounts(guest.xml()) == {"memory": 768, "cell": 512, "modules": 2}


def test_small_instances_and_those_of_others_keep_their_ways(host: Hypervisor, name: str, tmp_path: Path) -> None:
    """A guest that could not spare what room costs boots with the most; cells that somebody chose are not touched."""
    small: dict[str, t.Any] = {"flavor": {**FLAVOR, "memory_mb": 128}, "max_memory_mb": 256, "power_state": "stopped"}
    options: dict[str, t.Any] = {"virt_type": "qemu", "limits": {"reserved_host_memory_mb": 0}, "uri": host.uri}
    assert run_module("compute_instance", name=name, image="guest", **small, **options).changed
    assert "<maxMemory" not in host.virsh("dumpxml", name)
    assert not run_module("compute_instance", name=name, image="guest", **small, **options).changed

    other = f"{name}-b"
    definition = tmp_path / "other.xml"
    definition.write_text(
        f"<domain type='qemu'><name>{other}</name><maxMemory slots='4' unit='MiB'>4096</maxMemory>"
        "<memory unit='MiB'>1024</memory><vcpu>2</vcpu><os><type arch='x86_64' machine='q35'>hvm</type></os>"
        "<features><acpi/></features><cpu><numa><cell id='0' cpus='0' memory='512' unit='MiB'/>"
        "<cell id='1' cpus='1' memory='512' unit='MiB'/></numa></cpu></domain>",
        encoding="utf-8",
    )
    host.virsh("define", str(definition))
    before = host.virsh("dumpxml", other)
    adopted: dict[str, t.Any] = {"name": other, "adopt": True, **options}
    flavor = {"vcpus": 2, "memory_mb": 1024, "disk_gb": 0}
    assert not run_module("compute_instance", flavor=flavor, **adopted).failed
    after = host.virsh("dumpxml", other)
    for tag in ("<maxMemory", "<memory ", "<cell"):
        assert [line for line in after.splitlines() if tag in line] == [
            line for line in before.splitlines() if tag in line
        ]
    assert not run_module("compute_instance", flavor=flavor, **adopted).changed
    refused = run_module("compute_instance", flavor={**flavor, "memory_mb": 2048}, **adopted)
    assert refused.failed
    assert "flavor.memory_mb" in refused.message
