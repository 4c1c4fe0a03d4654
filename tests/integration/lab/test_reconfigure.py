# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Changes of an instance that runs, seen from inside the guest, which never boots again unless it is allowed."""

from __future__ import annotations

import typing as t

import pytest

from .conftest import Hypervisor, Result, run_module, wait_until

FLAVOR = {"name": "tiny", "vcpus": 1, "memory_mb": 128, "disk_gb": 1}
IMAGE = "guest"


class Subject:
    """One instance, declared again and again with more or less."""

    def __init__(self, host: Hypervisor, name: str) -> None:
        """Begin with the smallest of declarations."""
        self.host = host
        self.name = name
        self.declared: dict[str, t.Any] = {
            "name": name,
            "flavor": FLAVOR,
            "image": IMAGE,
            "virt_type": "qemu",
            "networks": [{"user": True}],
            "limits": {"reserved_host_memory_mb": 0},
        }

    def declare(self, **changes: t.Any) -> dict[str, t.Any]:
        """Change the declaration, see that check mode foretells the run and a second one does nothing; return the run's result."""
        self.declared.update(changes)
        foretold = self.run(check=True)
        done = self.run()
        assert foretold.data["instance"]["changes"] == done.data["instance"]["changes"]
        assert foretold.data["instance"]["actions"] == done.data["instance"]["actions"]
        again = self.run()
        assert again.data["instance"]["changes"] == []
        assert again.data["instance"]["restart_required"] == done.data["instance"]["restart_required"]
        return t.cast("dict[str, t.Any]", done.data["instance"])

    def run(self, check: bool = False) -> Result:
        """Run the module, which must not fail."""
        result = run_module("compute_instance", check=check, diff=True, uri=self.host.uri, **self.declared)
        assert not result.failed, result.message
        return result

    def inside(self, script: str) -> str:
        """Return what a shell in the guest prints."""
        return self.host.inside(self.name, script).strip()

    def xml(self, *arguments: str) -> str:
        """Return the domain's XML."""
        return self.host.virsh("dumpxml", *arguments, self.name)


@pytest.fixture
def host(hypervisor: Hypervisor, guest_image: t.Any) -> Hypervisor:
    """Return an empty hypervisor with the test guest's image published."""
    result = run_module("compute_image", uri=hypervisor.uri, name=IMAGE, src=str(guest_image))
    assert not result.failed, result.message
    return hypervisor


@pytest.fixture
def subject(host: Hypervisor, name: str) -> Subject:
    """Return an instance that runs and whose guest is up."""
    one = Subject(host, name)
    begun = one.declare(max_memory_mb=192, wait_for=["running", "agent"], wait_timeout=180)
    assert begun["waited_for"] == ["running", "agent"]
    assert host.agent(name, "guest-ping") == {}
    del one.declared["wait_for"]
    return one


def _effects(result: dict[str, t.Any]) -> dict[str, str]:
    return {change["path"]: change["effect"] for change in result["changes"]}


def test_a_running_guest_changes_without_a_boot(subject: Subject) -> None:
    """vCPUs, memory, disks, NICs, discs and labels come and go while the guest works on."""
    host, name = subject.host, subject.name
    boots, number = subject.inside("cat /www/boots"), host.virsh("domid", name)

    grown = subject.declare(flavor={**FLAVOR, "vcpus": 2, "memory_mb": 160, "disk_gb": 2})
    assert _effects(grown) == {"vcpus": "live", "memory_mb": "live", "disk_gb": "live"}
    wait_until(lambda: subject.inside("nproc") == "2", "a second CPU in the guest")
    wait_until(lambda: 150_000 > _memory_kib(subject) > 120_000, "160 MiB in the guest")
    assert subject.inside("cat /sys/block/vda/size") == str(2 * 1024**3 // 512)

    smaller = subject.declare(flavor={**FLAVOR, "vcpus": 2, "disk_gb": 2})
    assert _effects(smaller) == {"memory_mb": "live"}
    wait_until(lambda: _memory_kib(subject) < 120_000, "128 MiB in the guest")

    host.virsh("vol-create-as", "default", "users.raw", "8M", "--format", "raw")
    more = subject.declare(
        networks=[{"user": True}, {"user": True, "mac": "52:54:00:00:00:77"}],
        volumes=[{"name": f"{name}-data", "size_gb": 1}, {"name": "users.raw", "serial": "given"}],
        metadata={"tier": "web"},
        autostart=True,
    )
    assert set(_effects(more).values()) == {"live"}
    wait_until(lambda: "52:54:00:00:00:77" in subject.inside("cat /sys/class/net/*/address"), "the NIC in the guest")
    wait_until(lambda: "given" in subject.inside("cat /sys/block/vd?/serial"), "the volume in the guest")
    assert '<kilonova:label name="tier" value="web"/>' in subject.xml().replace("'", '"')
    assert "enable" in host.virsh("dominfo", name).split("Autostart:")[1].splitlines()[0]
    # What was written to a volume is still there when it comes back.
    subject.inside("echo precious > /dev/vdb; sync")

    bigger = subject.declare(volumes=[{"name": f"{name}-data", "size_gb": 2}, {"name": "users.raw", "serial": "given"}])
    assert _effects(bigger) == {f"volumes[{name}-data].size_gb": "live"}
    assert subject.inside("cat /sys/block/vdb/size") == str(2 * 1024**3 // 512)

    less = subject.declare(networks=[{"user": True}], volumes=[], autostart=False, metadata={})
    assert set(_effects(less).values()) == {"live"}
    assert "52:54:00:00:00:77" not in subject.inside("cat /sys/class/net/*/address")
    assert subject.inside("ls /sys/block").split().count("vdb") == 0
    assert {f"{name}-data", "users.raw"} <= host.volumes()
    subject.declare(volumes=[{"name": f"{name}-data"}])
    assert subject.inside("head -n 1 /dev/vdb") == "precious"

    assert (subject.inside("cat /www/boots"), host.virsh("domid", name)) == (boots, number)


def _memory_kib(subject: Subject) -> int:
    return int(subject.inside("grep MemTotal /proc/meminfo").split()[1])


def test_discs_and_links(subject: Subject) -> None:
    """Another disc in the drive, an empty drive, and a cable that is pulled."""
    host, name = subject.host, subject.name
    for disc in ("a.iso", "b.iso"):
        host.virsh("vol-create-as", "default", disc, "1M", "--format", "raw")
    first = subject.declare(cdroms=["a.iso"])
    assert _effects(first) == {"disks[sda]": "next_boot"}
    assert first["restart_required"]
    subject.declare(allow_power_cycle=True)
    host.wait_for_console(name, f"kilonova-guest ready: {name}")
    assert "a.iso" in host.virsh("domblklist", name)

    assert _effects(subject.declare(cdroms=["b.iso"])) == {"disks[sda].source": "live"}
    assert "b.iso" in host.virsh("domblklist", name)
    gone = subject.declare(cdroms=[], allow_power_cycle=False)
    assert _effects(gone) == {"disks[sda]": "live"}
    assert not gone["restart_required"]
    assert "b.iso" not in host.virsh("domblklist", name)

    mac = host.virsh("domiflist", name).split()[-1]
    assert _effects(subject.declare(networks=[{"user": True, "link_state": "down"}])) == {
        f"nics[{mac}].link_state": "live"
    }
    wait_until(lambda: subject.inside("cat /sys/class/net/eth0/carrier") == "0", "no carrier in the guest")


def test_what_needs_a_boot_waits_or_is_given_one(subject: Subject) -> None:
    """Nothing is cycled unless it is allowed; then the guest is asked to power off, and boots as declared."""
    host, name = subject.host, subject.name
    number = host.virsh("domid", name)
    waiting = subject.declare(flavor={**FLAVOR, "memory_mb": 224}, max_memory_mb=None, video="vga")
    assert waiting["restart_required"]
    assert set(_effects(waiting).values()) == {"next_boot"}
    assert host.virsh("domid", name) == number

    cycled = subject.declare(allow_power_cycle=True)
    assert not cycled["restart_required"]
    assert set(_effects(cycled)) >= {"memory_mb", "video"}
    assert cycled["actions"] == [f"stop {name}", f"start {name}"]
    assert host.virsh("domid", name) != number
    assert f"kilonova-guest stopping: {name}" in host.console(name)
    assert "229376" in host.virsh("dumpxml", name).split("<memory")[1].split("</memory>")[0]


@pytest.mark.parametrize("state", ["stopped", "running"])
def test_devices_are_declared_away(host: Hypervisor, name: str, state: str) -> None:
    """What was a refusal once: graphics, console log, random numbers and the agent's channel go, and come back."""
    subject = Subject(host, name)
    subject.declare(power_state=state)
    bare = subject.declare(graphics={"type": "none"}, console={"log": False}, rng=False, guest_agent=False)
    inactive = subject.xml("--inactive")
    for gone in ("<graphics", "<log ", "<rng", "org.qemu.guest_agent"):
        assert gone not in inactive
    assert bare["restart_required"] == (state == "running")
    subject.declare(graphics={"type": "vnc"}, console={"log": True}, rng=True, guest_agent=True)
    inactive = subject.xml("--inactive")
    for there in ("<graphics", "<log ", "<rng", "org.qemu.guest_agent"):
        assert there in inactive


def test_power_states(subject: Subject) -> None:
    """Every state is reached from every other, and a guest's memory is never thrown away."""
    host, name = subject.host, subject.name
    boots = subject.inside("cat /www/boots")
    for state, word, verbs in (
        ("paused", "paused", ["pause"]),
        ("suspended", "shut off", ["suspend"]),
        ("paused", "paused", ["start_paused"]),
        ("running", "running", ["resume"]),
        ("suspended", "shut off", ["suspend"]),
        ("running", "running", ["start"]),
    ):
        result = subject.declare(power_state=state)
        assert [action.split()[0] for action in result["actions"]] == verbs
        assert host.state(name) == word
        assert result["power_state"] == state
    assert subject.inside("cat /www/boots") == boots
    subject.declare(power_state="suspended")
    stopped = subject.declare(power_state="stopped")
    assert [action.split()[0] for action in stopped["actions"]] == ["start", "stop"]
    assert f"kilonova-guest stopping: {name}" in host.console(name)
    refused = run_module("compute_instance", uri=host.uri, **{**subject.declared, "power_state": "suspended"})
    assert refused.failed
    assert "declare it running first" in refused.message
    subject.declare(power_state="paused")
    assert host.state(name) == "paused"
