# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""compute_guest inside a real guest; what it did is read with virsh and from the guest's console."""

from __future__ import annotations

import base64
import json
import subprocess
import time
import typing as t
from pathlib import Path

import pytest

from .conftest import Hypervisor, Result, run_module, wait_until

NAME = "inside"
SECRET = "correct horse battery"
HASH = "$6$saltsalt$qFmFH.bQmmtXzyBY0s9v7Oicd2z4XSIecDzlB5KiA2/jctKu9YterLp8wwnSq.qc.eoxqOmSuNp2xS0ktL3nh/"


def create(host: Hypervisor, name: str, **changes: t.Any) -> None:
    """Declare an instance."""
    declared: dict[str, t.Any] = {
        "name": name,
        "flavor": {"vcpus": 1, "memory_mb": 128, "disk_gb": 1},
        "virt_type": "qemu",
        "graphics": {"type": "none"},
        "limits": {"reserved_host_memory_mb": 0},
    }
    result = run_module("compute_instance", uri=host.uri, **{**declared, **changes})
    assert not result.failed, result.message


@pytest.fixture(scope="module")
def host(lab: list[Hypervisor], guest_image: Path) -> t.Iterator[Hypervisor]:
    """Return a hypervisor with a running guest, whose disks and instances are gone afterwards."""
    hypervisor = lab[0]
    hypervisor.clear()
    result = run_module("compute_image", uri=hypervisor.uri, name="guest", src=str(guest_image))
    assert not result.failed, result.message
    create(hypervisor, NAME, image="guest")
    yield hypervisor
    hypervisor.clear()


def guest(host: Hypervisor, action: str, *, name: str = NAME, check: bool = False, **options: t.Any) -> Result:
    """Do something in the guest."""
    return run_module("compute_guest", check=check, uri=host.uri, name=name, action=action, **options)


def run(host: Hypervisor, *argv: str, **options: t.Any) -> Result:
    """Run a command in the guest."""
    return guest(host, "run_command", argv=list(argv), **options)


def shell(host: Hypervisor, script: str) -> str:
    """Run a script in the guest, which must do well, and return what it prints."""
    result = run(host, "sh", "-c", script)
    assert not result.failed, result.data
    return str(result.data["stdout"])


def agent(host: Hypervisor, command: str, **arguments: t.Any) -> t.Any:
    """Ask the guest's agent with virsh."""
    text = json.dumps({"execute": command, "arguments": arguments})
    return json.loads(host.virsh("qemu-agent-command", NAME, text))["return"]


def background(host: Hypervisor, script: str) -> None:
    """Start a script in the guest with virsh and leave it alone."""
    agent(host, "guest-exec", path="/bin/sh", arg=["-c", script])


def channel_state(host: Hypervisor) -> str:
    """Return what libvirt says of the agent's channel."""
    return host.virsh("dumpxml", NAME).split("name='org.qemu.guest_agent.0' state='")[1].split("'")[0]


def test_a_guest_that_still_boots_is_waited_for(host: Hypervisor) -> None:
    """The agent is not connected for a while, which is no failure."""
    host.virsh("destroy", NAME)
    host.virsh("start", NAME)
    assert channel_state(host) == "disconnected"
    result = run(host, "hostname", agent_timeout=180)
    assert not result.failed, result.message
    assert result.changed
    assert (result.data["rc"], result.data["stdout"], result.data["truncated"]) == (0, NAME, False)


def test_a_command_gets_what_is_declared(host: Hypervisor) -> None:
    """Arguments without a shell, standard input, its own environment; both outputs and the code come back."""
    result = run(
        host,
        "sh",
        "-c",
        'echo "$1|$GREETING|$(cat)"; echo "$PATH" >&2; exit 7',
        "sh",
        "a b; $(id)",
        stdin="typed",
        env={"GREETING": "hi there"},
        success_codes=[0, 7],
    )
    assert not result.failed, result.message
    assert result.data["rc"] == 7
    assert result.data["stdout"] == "a b; $(id)|hi there|typed"
    assert result.data["stderr"].endswith("/sbin:/bin")


@pytest.mark.parametrize(
    ("argv", "code", "error"),
    [
        (["sh", "-c", "echo broken >&2; exit 3"], 3, "broken"),
        (["nosuch-program", "x"], 127, "nosuch-program"),
        (["exit", "0"], 127, "exit"),
        (["sh", "-c", "kill -9 $$"], 137, ""),
    ],
)
def test_a_command_that_fails(host: Hypervisor, argv: list[str], code: int, error: str) -> None:
    """The task fails with the code and all that the command said; what only a shell has is no program."""
    result = run(host, *argv)
    assert result.failed
    assert result.data["error_code"] == "GUEST_FAILED"
    assert result.data["rc"] == code
    assert error in result.data["stderr"]
    assert f"{argv[0]} in {NAME} ended with code {code}" in result.message


def test_a_flood_of_output_is_cut_in_the_guest(host: Hypervisor) -> None:
    """It would make libvirt lose the agent; the command runs to its end, and the agent is still there."""
    result = run(host, "sh", "-c", "head -c 12000000 /dev/zero | tr '\\0' x; echo err >&2; touch /run/flooded; exit 5")
    assert result.data["rc"] == 5
    assert result.data["truncated"]
    assert result.data["stdout"] == "x" * 1024 * 1024
    assert result.data["stderr"] == "err"
    assert shell(host, "ls /run/flooded") == "/run/flooded"


def test_what_a_command_creates(host: Hypervisor) -> None:
    """Check mode runs nothing and says what the run would; the second run does nothing."""
    declared: dict[str, t.Any] = {"argv": ["sh", "-c", "echo made >>/run/made"], "creates": "/run/made"}
    foretold = guest(host, "run_command", check=True, **declared)
    assert foretold.changed
    assert shell(host, "ls /run/made || true") == ""
    assert guest(host, "run_command", **declared).changed
    again = guest(host, "run_command", **declared)
    assert not again.changed
    assert not guest(host, "run_command", check=True, **declared).changed
    assert shell(host, "cat /run/made") == "made"


def test_a_command_that_takes_too_long(host: Hypervisor) -> None:
    """It goes on, and the task says as which process."""
    result = run(host, "sh", "-c", "sleep 3; touch /run/late", command_timeout=1)
    assert result.failed
    assert result.data["error_code"] == "TIMEOUT"
    assert f"as process {result.data['pid']}" in result.message
    wait_until(lambda: shell(host, "ls /run/late || true"), "the command ends by itself")


def test_a_password(host: Hypervisor) -> None:
    """Check mode leaves it; the guest has it, and it is nowhere in what the task returns."""
    declared: dict[str, t.Any] = {"user": "root", "password": SECRET}
    assert guest(host, "set_password", check=True, **declared).changed
    assert shell(host, "cat /etc/shadow || true") == ""
    result = guest(host, "set_password", **declared)
    assert not result.failed, result.message
    assert result.changed
    assert SECRET not in json.dumps(result.data)
    stored = shell(host, "grep ^root: /etc/shadow | cut -d: -f2")
    salt = stored.split("$")[2]
    assert shell(host, f"mkpasswd -m sha512 '{SECRET}' '{salt}'") == stored

    assert guest(host, "set_password", user="root", password=HASH, crypted=True).changed
    assert shell(host, "grep ^root: /etc/shadow | cut -d: -f2") == HASH


def test_a_password_of_nobody(host: Hypervisor) -> None:
    """The guest refuses it, which is the task's failure, without the password."""
    result = guest(host, "set_password", user="nobody-here", password=SECRET)
    assert result.failed
    assert "nobody-here" in result.message
    assert SECRET not in json.dumps(result.data)


def guest_clock(host: Hypervisor) -> int:
    """Return the guest's clock."""
    return int(agent(host, "guest-get-time")) // 10**9


@pytest.mark.parametrize("source", ["here", "rtc"])
def test_the_clock(host: Hypervisor, source: str) -> None:
    """An hour behind is seen and set right; the second run has nothing to do, where there is something to compare."""
    shell(host, f"date -s @{int(time.time()) - 3600}")
    foretold = guest(host, "sync_time", check=True, time_source=source)
    assert foretold.changed
    assert guest_clock(host) < time.time() - 3000
    result = guest(host, "sync_time", time_source=source)
    assert not result.failed, result.message
    assert result.changed
    assert result.data["clock"]["offset_before"] == pytest.approx(-3600, abs=60)
    assert abs(result.data["clock"]["offset_after"]) < 60
    assert abs(guest_clock(host) - time.time()) < 60
    if source == "rtc":
        assert guest(host, "sync_time", time_source=source).changed
    else:
        # A machine that is busy answers so late that clocks seem apart which are not.
        wait_until(lambda: not guest(host, "sync_time", time_source=source).changed, "a run with nothing to do")


@pytest.fixture(scope="module")
def mounted(host: Hypervisor) -> str:
    """Plug a disk in with a filesystem that can be frozen, and return where it is mounted."""
    host.virsh("vol-create-as", "default", "freezable.raw", "16M", "--format", "raw")
    host.virsh("attach-disk", NAME, str(host.pool_path() / "freezable.raw"), "vdb", "--driver", "qemu", "--live")
    wait_until(lambda: shell(host, "ls /dev/vdb || true"), "the guest sees the disk")
    shell(host, "mke2fs /dev/vdb >/dev/null 2>&1 && mkdir -p /mnt && mount -t ext4 /dev/vdb /mnt")
    return "/mnt"


def writes_stand_still(host: Hypervisor) -> bool:
    """Tell whether a program that writes in the guest makes no more progress."""
    first = host.console(NAME).count("wrote")
    time.sleep(1.5)
    return host.console(NAME).count("wrote") == first


def test_filesystems_stand_still_and_go_on(host: Hypervisor, mounted: str) -> None:
    """While they are frozen nothing is written, a second freeze is no change, and afterwards the writer goes on."""
    background(host, f"while sleep 0.2; do date >{mounted}/beat && sync && echo wrote >/dev/console; done")
    host.wait_for_console(NAME, "wrote")
    assert guest(host, "freeze_filesystems", check=True).changed
    assert agent(host, "guest-fsfreeze-status") == "thawed"

    frozen = guest(host, "freeze_filesystems")
    assert not frozen.failed, frozen.message
    assert (frozen.changed, frozen.data["filesystems"], frozen.data["count"]) == (True, "frozen", 1)
    try:
        assert agent(host, "guest-fsfreeze-status") == "frozen"
        wait_until(lambda: writes_stand_still(host), "the writer stands still")
        assert not guest(host, "freeze_filesystems").changed
        refused = run(host, "true")
        assert refused.failed
        assert "are frozen" in refused.message
        assert guest(host, "thaw_filesystems", check=True).changed
        assert agent(host, "guest-fsfreeze-status") == "frozen"
    finally:
        thawed = guest(host, "thaw_filesystems")
    assert (thawed.changed, thawed.data["filesystems"]) == (True, "thawed")
    assert agent(host, "guest-fsfreeze-status") == "thawed"
    assert not guest(host, "thaw_filesystems").changed
    before = host.console(NAME).count("wrote")
    wait_until(lambda: host.console(NAME).count("wrote") > before, "the writer goes on")


def test_one_filesystem_of_several(host: Hypervisor, mounted: str) -> None:
    """Only what is named."""
    result = guest(host, "freeze_filesystems", mountpoints=[mounted])
    assert not result.failed, result.message
    assert result.data["count"] == 1
    assert guest(host, "thaw_filesystems").changed


@pytest.mark.parametrize(
    ("mountpoints", "words"),
    [
        (["/nowhere"], "no filesystem of a disk at /nowhere; there are: /data, /mnt"),
        # The kernel cannot freeze FAT.
        (["/data"], "Only 0 of the filesystems /data"),
        (["/mnt", "/data"], "Only 1 of the filesystems /mnt, /data"),
    ],
)
def test_all_or_nothing_is_frozen(host: Hypervisor, mounted: str, mountpoints: list[str], words: str) -> None:
    """The agent passes over what it cannot freeze; that is a failure, and nothing stays frozen."""
    assert mounted == "/mnt"
    result = guest(host, "freeze_filesystems", mountpoints=mountpoints)
    assert result.failed
    assert words in result.message
    assert agent(host, "guest-fsfreeze-status") == "thawed"


def test_an_agent_that_falls_silent(host: Hypervisor) -> None:
    """Connected, but it does not answer: the task ends in time and says so; a later one finds it again."""
    # It goes on when the disk's size changes, of which the guest hears without it.
    background(
        host,
        "pid=$(pidof qemu-ga); size=$(cat /sys/block/vda/size); (sleep 1; kill -STOP $pid;"
        " while test $(cat /sys/block/vda/size) = $size; do sleep 0.5; done; kill -CONT $pid) &",
    )
    wait_until(lambda: "not responding" in ping(host), "the agent falls silent")
    assert channel_state(host) == "connected"
    result = run(host, "true", agent_timeout=1)
    assert result.failed
    assert result.data["error_code"] == "TIMEOUT"
    assert "agent: " in result.message
    assert "not responding" in result.message
    host.virsh("blockresize", NAME, "vda", "1100M")
    assert not run(host, "true", agent_timeout=180).failed


def ping(host: Hypervisor) -> str:
    """Return what virsh says of a ping."""
    done = subprocess.run(
        ["virsh", "-c", host.uri, "qemu-agent-command", NAME, "--timeout", "1", '{"execute":"guest-ping"}'],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.stderr


def test_an_agent_that_may_not_run_commands(host: Hypervisor) -> None:
    """As RHEL configures it; check mode knows it too, and what the agent may do still works.

    community.libvirt's connection plugin only repeats the agent's refusal (#12, #34, #35, #147).
    """
    configuration = base64.b64encode(b"[general]\nblacklist=guest-exec,guest-exec-status\n").decode()
    shell(host, f"mkdir -p /etc/qemu && echo {configuration} | base64 -d >/etc/qemu/qemu-ga.conf")
    background(host, "sleep 0.5; kill $(pidof qemu-ga)")
    wait_until(lambda: may_not_run_commands(host), "the agent is back as configured")
    for check in (True, False):
        result = run(host, "true", check=check)
        assert result.failed
        assert result.data["error_code"] == "UNSUPPORTED"
        assert "guest-exec; RHEL and its relatives disable it" in result.message
    assert not guest(host, "sync_time").failed


def may_not_run_commands(host: Hypervisor) -> bool:
    """Tell whether the agent answers and has guest-exec disabled."""
    text = host.virsh("qemu-agent-command", NAME, '{"execute":"guest-info"}', check=False)
    commands = json.loads(text)["return"]["supported_commands"] if text else []
    return any(entry["name"] == "guest-exec" and not entry["enabled"] for entry in commands)


def test_where_no_agent_will_come(host: Hypervisor, name: str) -> None:
    """Nothing boots from a blank disk: with a channel that is a timeout, without one it is known at once."""
    create(host, name)
    result = run(host, "true", name=name, agent_timeout=1)
    assert result.failed
    assert result.data["error_code"] == "TIMEOUT"
    assert "not connected" in result.message

    host.virsh("destroy", name)
    result = run(host, "true", name=name)
    assert result.failed
    assert result.data["error_code"] == "GUEST_FAILED"
    assert "not running, its state is shutoff" in result.message

    deaf = f"{name}-deaf"
    create(host, deaf, guest_agent=False)
    result = run(host, "true", name=deaf)
    assert result.failed
    assert result.data["error_code"] == "NO_AGENT"
    assert "guest_agent: true" in result.message


def test_a_paused_guest_is_not_waited_for(host: Hypervisor) -> None:
    """It can't answer before somebody resumes it."""
    host.virsh("suspend", NAME)
    result = run(host, "true")
    host.virsh("resume", NAME)
    assert result.failed
    assert "its state is paused" in result.message


def test_only_our_own(host: Hypervisor, name: str) -> None:
    """A foreign domain is not acted on, and one that is not there is named."""
    foreign = f"<domain type='qemu'><name>{name}</name><memory>65536</memory><os><type>hvm</type></os></domain>"
    subprocess.run(["virsh", "-c", host.uri, "create", "/dev/stdin"], input=foreign, check=True, text=True)
    result = run(host, "true", name=name)
    host.virsh("destroy", name)
    assert result.failed
    assert result.data["error_code"] == "CONFLICT"
    result = run(host, "true", name="nosuch")
    assert result.failed
    assert result.data["error_code"] == "NOT_FOUND"
    assert "no instance nosuch" in result.message
