# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""compute_instance_action against a real daemon and real guests; outcomes are read with virsh and from the console."""

from __future__ import annotations

import base64
import functools
import json
import subprocess
import typing as t
from dataclasses import dataclass
from pathlib import Path

import pytest

from .conftest import Hypervisor, Result, run_module, wait_until
from .killing import Runs

FLAVOR = {"name": "tiny", "vcpus": 1, "memory_mb": 128, "disk_gb": 1}
LIMITS = {"reserved_host_memory_mb": 0}
IMPATIENT: dict[str, t.Any] = {"force": True, "shutdown_timeout": 0}
"""For guests that hear nothing."""


@pytest.fixture
def host(hypervisor: Hypervisor, guest_image: Path, tmp_path: Path) -> Hypervisor:
    """Return an empty hypervisor with two images: the test guest's, and one that has nothing to boot."""
    blank = tmp_path / "blank.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", str(blank), "1M"], check=True)
    for name, source in (("guest", guest_image), ("blank", blank)):
        made(run_module("compute_image", uri=hypervisor.uri, name=name, src=str(source)))
    return hypervisor


def made(result: Result) -> Result:
    """Return a result that must not have failed."""
    assert not result.failed, result.message
    return result


def instance(host: Hypervisor, name: str, **changes: t.Any) -> Result:
    """Make an instance."""
    declared: dict[str, t.Any] = {
        "name": name,
        "flavor": FLAVOR,
        "image": "guest",
        "virt_type": "qemu",
        "graphics": {"type": "none"},
        "networks": [{"user": True}],
        "limits": LIMITS,
    }
    return made(run_module("compute_instance", uri=host.uri, **{**declared, **changes}))


def arguments(host: Hypervisor, name: str, action: str, **changes: t.Any) -> dict[str, t.Any]:
    """Return a task's options."""
    return {"uri": host.uri, "name": name, "action": action, "limits": LIMITS, **changes}


def act(host: Hypervisor, name: str, action: str, *, check: bool = False, **changes: t.Any) -> Result:
    """Run the module."""
    return run_module("compute_instance_action", check=check, diff=True, **arguments(host, name, action, **changes))


def acted(host: Hypervisor, name: str, action: str, **changes: t.Any) -> dict[str, t.Any]:
    """Run the module as check mode foretells it, and return what it says of the instance."""
    before = definition(host, name), host.state(name), host.volumes()
    foretold = made(act(host, name, action, check=True, **changes))
    assert (definition(host, name), host.state(name), host.volumes()) == before
    result = made(act(host, name, action, **changes))
    assert result.data["instance"] == foretold.data["instance"]
    assert result.data["diff"] == foretold.data["diff"]
    assert result.changed == foretold.changed
    return t.cast("dict[str, t.Any]", result.data["instance"])


def unchanged(host: Hypervisor, name: str, action: str, **changes: t.Any) -> None:
    """Run the module again, which has nothing to do."""
    again = made(act(host, name, action, **changes))
    assert not again.changed
    assert again.data["instance"]["actions"] == []
    assert again.data["diff"]["before"] == again.data["diff"]["after"] == ""


def definition(host: Hypervisor, name: str) -> str:
    """Return the definition for the next boot, without what means nothing: blanks, and the order within our record."""
    lines = [line.strip() for line in host.virsh("dumpxml", "--inactive", name).splitlines()]
    end = lines.index("</metadata>")
    return "\n".join(sorted(lines[:end]) + lines[end:])


def booted(host: Hypervisor, name: str, times: int) -> None:
    """Wait until the guest's console shows that many boots since it was made."""
    wait_until(lambda: host.console(name).count(f"kilonova-guest ready: {name}") == times, f"boot {times} of {name}")


def test_reboots(host: Hypervisor, name: str) -> None:
    """Softly it stops by itself and boots with its new definition; hard and reset only when that is meant."""
    instance(host, name)
    booted(host, name, 1)
    instance(host, name, flavor={**FLAVOR, "memory_mb": 160})
    assert acted(host, name, "reboot", wait=True)["actions"] == [f"stop {name}", f"start {name}"]
    assert "<memory unit='KiB'>163840</memory>" in host.virsh("dumpxml", name)
    assert "state='connected'" in host.virsh("dumpxml", name)
    booted(host, name, 2)
    assert f"kilonova-guest stopping: {name}" in host.console(name)

    for action, options in (("reset", {}), ("reboot", {"reboot_type": "hard"})):
        refused = act(host, name, action, **t.cast("dict[str, t.Any]", options))
        assert refused.failed
        assert "force: true" in refused.message
    assert host.console(name).count("ready") == 2
    assert acted(host, name, "reset", force=True, wait=True)["actions"] == [f"reset {name}"]
    booted(host, name, 3)
    assert acted(host, name, "reboot", reboot_type="hard", force=True)["power_state"] == "running"

    host.virsh("destroy", name)
    refused = act(host, name, "reboot")
    assert refused.failed
    assert "is stopped" in refused.message
    assert acted(host, name, "reboot", reboot_type="hard")["actions"] == [f"start {name}"]
    assert host.state(name) == "running"


def agent_reads(host: Hypervisor, name: str, path: str) -> str:
    """Return a file of the guest, read through its agent."""

    def ask(command: str, **arguments: t.Any) -> t.Any:
        asked = json.dumps({"execute": command, "arguments": arguments})
        return json.loads(host.virsh("qemu-agent-command", name, asked))["return"]

    handle = ask("guest-file-open", path=path)
    content = ask("guest-file-read", handle=handle)["buf-b64"]
    ask("guest-file-close", handle=handle)
    return base64.b64decode(content).decode().strip()


def test_rescue_and_back(host: Hypervisor, name: str) -> None:
    """An instance that can't boot is booted from another image, with its own disk in its old place."""
    instance(host, name, image="blank", cpu={"mode": "maximum"})
    before, volumes = definition(host, name), host.volumes()

    refused = act(host, name, "rescue", image="guest", shutdown_timeout=0)
    assert refused.failed
    assert "force: true" in refused.message
    assert (definition(host, name), host.volumes(), host.state(name)) == (before, volumes, "running")

    rescued = acted(host, name, "rescue", image="guest", **IMPATIENT)
    assert rescued["actions"] == [f"create_disk {name}/vdb", f"stop {name}", f"rescue {name}", f"start {name}"]
    assert rescued["rescued"]
    booted(host, name, 1)
    assert host.volumes() == volumes | {f"{name}-rescue.qcow2"}
    sources = host.virsh("domblklist", name)
    assert f"{name}-vda.qcow2" in sources
    assert f"{name}-rescue.qcow2" in sources
    unchanged(host, name, "rescue", image="guest", wait=True)
    unchanged(host, name, "rescue")
    for action, image, words in (
        ("rescue", "blank", "rescued with image guest"),
        ("rebuild", None, "unrescue"),
        ("shelve", None, "unrescue"),
    ):
        refused = act(host, name, action, image=image)
        assert refused.failed
        assert words in refused.message

    host.virsh("destroy", name)
    assert acted(host, name, "rescue")["actions"] == [f"start {name}"]
    back = acted(host, name, "unrescue", **IMPATIENT)
    assert back["actions"] == [f"stop {name}", f"unrescue {name}", f"delete_disk {name}/vdb", f"start {name}"]
    assert definition(host, name) == before
    assert host.state(name) == "running"
    assert host.volumes() == volumes
    unchanged(host, name, "unrescue")


def test_a_rebuild_keeps_all_but_the_root_disk(host: Hypervisor, name: str) -> None:
    """The same machine boots from a new disk; done again, from another one."""
    instance(host, name, image="blank")
    before = definition(host, name)
    volumes = host.volumes()
    refused = act(host, name, "rebuild", image="guest", shutdown_timeout=0)
    assert refused.failed
    assert "force: true" in refused.message
    assert (definition(host, name), host.volumes(), host.state(name)) == (before, volumes, "running")

    rebuilt = acted(host, name, "rebuild", image="guest", wait=True, force=True, shutdown_timeout=0)
    assert rebuilt["image"] == "guest"
    booted(host, name, 1)
    after = definition(host, name)
    new = f"{name}-vda.2.qcow2"
    assert host.volumes() == volumes - {f"{name}-vda.qcow2"} | {new}
    lines = set(before.replace(f"{name}-vda.qcow2", new).splitlines()) ^ set(after.splitlines())
    assert {line.strip().split()[0] for line in lines} == {"<kilonova:image"}
    assert not instance(host, name, image="guest").changed
    assert agent_reads(host, name, "/www/boots") == "1"

    again = acted(host, name, "rebuild", wait=True)
    assert again["actions"] == [
        f"create_disk {name}/vda.next",
        f"stop {name}",
        f"replace_disk {name}/vda",
        f"delete_disk {name}/vda.old",
        f"start {name}",
    ]
    assert agent_reads(host, name, "/www/boots") == "1"
    assert host.volumes() == volumes - {f"{name}-vda.qcow2"} | {f"{name}-vda.3.qcow2"}
    host.virsh("destroy", name)
    stopped = acted(host, name, "rebuild", image="blank")
    assert stopped["power_state"] == "stopped"
    assert host.state(name) == "shut off"
    instance(host, name, image="blank", power_state="stopped")


def test_a_raw_disk_is_rebuilt_and_a_disk_keeps_its_size(host: Hypervisor, name: str) -> None:
    """As large as declared, also where the image is smaller."""
    instance(host, name, image="blank", disk_format="raw", power_state="stopped")
    acted(host, name, "rebuild", image="guest")
    path = host.pool_path() / f"{name}-vda.2.raw"
    shown = json.loads(subprocess.check_output(["qemu-img", "info", "--output=json", str(path)]))
    assert (shown["format"], shown["virtual-size"]) == ("raw", 1024**3)
    assert "backing-filename" not in shown


def used(host: Hypervisor) -> tuple[int, int]:
    """Return the host's promised vCPUs and memory."""
    facts = made(run_module("compute_facts", uri=host.uri)).data["ansible_facts"]["compute_node"]
    return facts["vcpus_used"], facts["memory_mb_used"]


def test_a_shelved_instance_gives_its_room_away(host: Hypervisor, name: str) -> None:
    """It gets it back only where it is still free; and a guest that does not power off is not shelved."""
    instance(host, name, image="blank")
    refused = act(host, name, "shelve", shutdown_timeout=0)
    assert refused.failed
    assert "force: true" in refused.message
    assert used(host) == (1, 128)
    shelved = acted(host, name, "shelve", force=True, shutdown_timeout=0)
    assert shelved["actions"] == [f"stop {name}", f"shelve {name}"]
    assert host.state(name) == "shut off"
    assert used(host) == (0, 0)
    unchanged(host, name, "shelve")
    declared = instance(host, name, image="blank").data
    assert (declared["changed"], declared["instance"]["power_state"]) == (False, "stopped")
    for action in ("reboot", "rebuild", "rescue", "reset"):
        refused = act(host, name, action, force=True)
        assert refused.failed
        assert "unshelve" in refused.message

    for check in (True, False):
        refused = act(host, name, "unshelve", check=check, limits={"reserved_host_memory_mb": 99999999})
        assert refused.failed
        assert "128 MiB of memory" in refused.message
    assert host.state(name) == "shut off"
    assert acted(host, name, "unshelve")["actions"] == [f"unshelve {name}", f"start {name}"]
    assert host.state(name) == "running"
    assert used(host) == (1, 128)
    unchanged(host, name, "unshelve")


def check_end(host: Hypervisor, name: str, action: str, original: str, images: set[str]) -> None:
    """Assert that an action is done whole."""
    present = definition(host, name)
    root, rescue = f"{name}-vda.qcow2", f"{name}-rescue.qcow2"
    own = {volume for volume in host.volumes() - images if "console" not in volume}
    assert host.state(name) == ("shut off" if action == "shelve" else "running")
    assert "kilonova:begun" not in present
    if action == "rebuild":
        assert len(own) == 1
        assert own.pop() in host.virsh("domblklist", name)
    elif action == "rescue":
        assert own == {root, rescue}
        assert own <= {Path(word).name for word in host.virsh("domblklist", name).split()}
    else:
        assert own == {root}
    if action in ("unrescue", "reboot", "unshelve"):
        # Libvirt sorts the controllers anew when the guest starts.
        assert sorted(present.splitlines()) == sorted(original.splitlines())


Step = tuple[str, dict[str, t.Any]]
CIRCLES: dict[str, tuple[Step, ...]] = {
    "rebuild": (("rebuild", {}),),
    "rescue": (("rescue", {}), ("unrescue", {})),
    "reboot": (("reboot", {"reboot_type": "hard"}),),
    "shelve": (("shelve", {}), ("unshelve", {})),
}
"""Actions after which everything is as before."""


@dataclass
class Killed:
    """An instance with an action that is killed."""

    host: Hypervisor
    runs: Runs
    name: str
    number: str = ""
    """Libvirt's number of the guest's run before the action."""

    def run(self, *steps: Step) -> None:
        """Run actions to the end."""
        for action, options in steps:
            made(self.runs.run("compute_instance_action", **self.options(action, options)).done)

    def options(self, action: str, options: dict[str, t.Any]) -> dict[str, t.Any]:
        """Return an action's options."""
        return arguments(self.host, self.name, action, **IMPATIENT, **options)

    def begin(self, *steps: Step) -> None:
        """Bring the instance to where the action begins."""
        self.run(*steps)
        self.number = self.host.virsh("domid", self.name)


@pytest.mark.parametrize("circle", CIRCLES)
def test_a_run_killed_at_any_call_is_finished_by_the_next(host: Hypervisor, name: str, circle: str) -> None:
    """Whichever call was the last one made, the next run does the rest: a root disk is there, and nothing is left over."""
    images, steps = host.volumes(), CIRCLES[circle]
    instance(host, name, image="blank")
    original = definition(host, name)
    with Runs("compute_instance_action") as runs:
        killed = Killed(host, runs, name)
        for position, step in enumerate(steps):
            begin = functools.partial(killed.begin, *steps[position + 1 :], *steps[:position])
            for call in runs.killed_here_and_there("compute_instance_action", begin, **killed.options(*step)):
                assert any(volume.startswith(f"{name}-vda.") for volume in host.volumes())
                killed.run(step)
                assert host.virsh("domid", name) != killed.number, f"{step[0]} after a kill at {call}"
                check_end(host, name, step[0], original, images)
            assert len(runs.calls) > 1, step
    made(run_module("compute_instance", uri=host.uri, name=name, state="absent", **IMPATIENT))
    assert host.volumes() == images
