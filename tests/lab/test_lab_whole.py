# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Whole hosts boot, crash, boot again and go without a trace."""

from __future__ import annotations

import os
import signal
import subprocess
import time
import urllib.request
from pathlib import Path

import yaml
from conftest import Lab, domain, eventually

IMAGES = Path("/var/lib/libvirt/images")
UP = ("up", "--kind", "whole", "--hosts", "2")


def test_hosts_have_their_own_name_network_and_libvirt(lab: Lab) -> None:
    """Hosts answer over SSH and TCP, keep their files apart and end altogether."""
    lab.run(*UP)
    hosts = yaml.safe_load(lab.run("inventory", "--python", "/usr/bin/python3"))["compute"]["hosts"]
    for name, variables in hosts.items():
        assert _ssh(variables, "hostname") == name
        assert _ssh(variables, "virsh -q net-list --name").split() == ["default"]
        assert _ssh(variables, "virsh -q pool-list --name").split() == ["default"]
        uri = lab.run("uri", name).strip()
        assert (
            subprocess.run(["virsh", "-c", uri, "hostname"], capture_output=True, text=True, check=True).stdout.strip()
            == name
        )
    lab.exec("host1", "touch /root/only-on-host1")
    assert not Path("/root/only-on-host1").exists()
    assert "only-on-host1" not in lab.exec("host2", "ls /root")
    namespaces = {_pid_namespace(str(pid)) for pid in lab.processes()} - {_pid_namespace("self"), ""}
    assert len(namespaces) == 2
    lab.run("down")
    assert [pid for pid in os.listdir("/proc") if pid.isdigit() and _pid_namespace(pid) in namespaces] == []


def test_a_crash_loses_no_disk_and_a_move_no_guest(lab: Lab, image: Path) -> None:
    """A guest boots again from its disk after a crash, and answers HTTP after a live migration."""
    lab.run(*UP)
    _start(lab, image, "bridged", "type='bridge'><source bridge='br0'/>")
    _start(lab, image, "nat", "type='network'><source network='default'/>")
    url = f"http://{_address(lab, 'bridged')}"
    assert _get(url) == "bridged"
    assert lab.exec("host1", f"curl -sf http://{_address(lab, 'nat')}").strip() == "nat"
    lab.run("crash", "host1")
    assert not lab.processes("qemu-system")
    lab.run(*UP)
    assert lab.exec("host1", "virsh domstate bridged").strip() == "shut off"
    lab.exec("host1", "virsh start bridged")
    eventually(lambda: lab.run("console", "bridged").count("ready: bridged") == 2, 300)
    assert _get(f"{url}/boots") == "2"
    lab.exec("host2", f"cp {image} {IMAGES}/bridged.qcow2")
    lab.exec(
        "host1", "virsh migrate --live --copy-storage-all --persistent --undefinesource bridged qemu+tcp://host2/system"
    )
    assert lab.exec("host2", "virsh domstate bridged").strip() == "running"
    assert _get(f"{url}/boots") == "2"


def test_up_puts_right_what_was_killed(lab: Lab) -> None:
    """Daemons, the network and whole hosts come back after kill -9."""
    lab.run(*UP)
    lab.run("exec", "host1", "--", "sh", "-c", "kill -9 $(cat /run/sshd.pid)")
    lab.run(*UP)
    assert lab.run("status").count(" up ") == 2
    for names in (("libvirtd", "virtlogd"), ("sleep",), ("python",)):
        victims = lab.processes(*names)
        assert victims
        for pid in victims:
            os.kill(pid, signal.SIGKILL)
        lab.run(*UP)
        assert lab.run("status").count(" up ") == 2


def test_up_works_after_the_tool_was_killed_in_the_middle(lab: Lab) -> None:
    """Whatever killed runs left half done is finished by the next."""
    for moment in (0.2, 0.35, 0.5):
        killed = subprocess.Popen(lab.command(*UP), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        # No wait for a state: the point is that the moment is arbitrary.
        time.sleep(moment)
        killed.kill()
        killed.wait()
    lab.run(*UP)
    assert lab.run("status").count(" up ") == 2


def test_an_interrupted_up_leaves_nothing(lab: Lab) -> None:
    """A signal in the middle ends hosts that are booting."""
    started = subprocess.Popen(lab.command(*UP), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    eventually(lambda: lab.processes("virtlogd") or started.poll() is not None)
    started.send_signal(signal.SIGTERM)
    assert "Interrupted" in started.communicate(timeout=60)[1]
    assert lab.leftovers() == []


def _pid_namespace(pid: str) -> str:
    try:
        zombie = (
            Path(f"/proc/{pid}/stat").read_text(errors="replace", encoding="ascii").rpartition(")")[2].split()[0] == "Z"
        )
        return "" if zombie else os.readlink(f"/proc/{pid}/ns/pid")
    except OSError:
        return ""


def _start(lab: Lab, image: Path, name: str, nic: str) -> None:
    lab.exec("host1", f"cp {image} {IMAGES}/{name}.qcow2")
    definition = domain(name, IMAGES / f"{name}.qcow2", Path(f"/var/log/libvirt/qemu/{name}-console.log"), nic)
    path = f"/root/{name}.xml"
    lab.run("exec", "host1", "--", "sh", "-c", 'printf %s "$1" > "$2"', "sh", definition, path)
    lab.exec("host1", f"virsh define {path}")
    lab.exec("host1", f"virsh start {name}")
    lab.run("console", name, "--until", f"ready: {name} ", "--timeout", "300")


def _address(lab: Lab, name: str) -> str:
    return lab.run("console", name, "--last").split()[3]


def _get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return str(answer.read().decode().strip())


def _ssh(variables: dict[str, str], command: str) -> str:
    words = ["ssh", *variables["ansible_ssh_common_args"].split(), "-i", variables["ansible_ssh_private_key_file"]]
    target = f"{variables['ansible_user']}@{variables['ansible_host']}"
    done = subprocess.run([*words, target, command], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done
    return done.stdout.strip()
