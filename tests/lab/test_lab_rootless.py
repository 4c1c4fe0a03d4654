# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Rootless hosts come, stay, come back and go without a trace."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from http.client import IncompleteRead
from pathlib import Path

import pytest
import yaml
from conftest import Lab, domain, eventually


def test_hosts_are_separate_hypervisors_with_a_pool(lab: Lab) -> None:
    """Each host has its own UUID and its own running, autostarted pool."""
    lab.run("up", "--hosts", "2")
    uuids = {lab.exec(host, "virsh capabilities").split("<uuid>")[1].split("<")[0] for host in ("host1", "host2")}
    assert len(uuids) == 2
    for host in ("host1", "host2"):
        pool = lab.exec(host, "virsh pool-info default").split()
        assert pool[pool.index("State:") + 1] == "running"
        assert pool[pool.index("Autostart:") + 1] == "yes"
        lab.exec(host, "virsh vol-create-as default only-here 1M")
        assert (lab.directory / host / "pool" / "only-here").exists()


def test_a_second_up_changes_nothing_and_a_larger_one_adds(lab: Lab) -> None:
    """Daemons that run are left alone, and hosts can be added later."""
    lab.run("up", "--hosts", "1")
    before = lab.processes("libvirtd")
    lab.run("up", "--hosts", "1")
    assert lab.processes("libvirtd") == before
    lab.run("up", "--hosts", "2")
    assert set(before) < set(lab.processes("libvirtd"))
    assert lab.run("status").count(" up ") == 2


def test_labs_side_by_side_do_not_touch_each_other(lab: Lab, tmp_path: Path) -> None:
    """Taking one lab down leaves the other running."""
    other = Lab(tmp_path / "other")
    lab.run("up", "--hosts", "1")
    other.run("up", "--hosts", "1")
    other.run("down")
    assert other.leftovers() == []
    assert " up " in lab.run("status")


def test_inventory_says_how_to_reach_each_host(lab: Lab) -> None:
    """The inventory is YAML, and its URIs work."""
    lab.run("up", "--hosts", "2")
    hosts = yaml.safe_load(lab.run("inventory", "--python", "/opt/python"))["compute"]["hosts"]
    assert sorted(hosts) == ["host1", "host2"]
    for name, variables in hosts.items():
        assert variables["ansible_connection"] == "local"
        assert variables["ansible_python_interpreter"] == "/opt/python"
        assert variables["compute_uri"] == lab.run("uri", name).strip()
        subprocess.run(["virsh", "-c", variables["compute_uri"], "list"], check=True, capture_output=True, timeout=30)


@pytest.mark.parametrize("moment", [0.12, 0.2, 0.3])
def test_up_works_after_the_tool_was_killed_in_the_middle(lab: Lab, moment: float) -> None:
    """Whatever a killed run left half done is finished by the next."""
    killed = subprocess.Popen(lab.command("up", "--hosts", "2"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    # No wait for a state: the point is that the moment is arbitrary.
    time.sleep(moment)
    killed.kill()
    killed.wait()
    lab.run("up", "--hosts", "2")
    assert lab.run("status").count(" up ") == 2


def _stopped(lab: Lab) -> list[int]:
    """Stop the daemons that are there, and return those that still were when the signal came."""
    stopped = []
    for pid in lab.processes("libvirtd"):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)
            stopped.append(pid)
    return stopped


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_up_leaves_nothing(lab: Lab, number: signal.Signals) -> None:
    """A signal in the middle ends even daemons that do not react."""
    # Stopping the first daemon that appears makes sure that the tool is in the middle when the signal comes.
    started = subprocess.Popen(
        lab.command("up", "--hosts", "3"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    eventually(lambda: _stopped(lab) or started.poll() is not None)
    started.send_signal(number)
    assert "Interrupted" in started.communicate(timeout=60)[1]
    assert started.returncode == 130
    assert lab.leftovers() == []


def test_a_guest_outlives_its_daemon_and_ends_with_the_lab(lab: Lab, image: Path) -> None:
    """A killed daemon takes up its running guest again; down ends both."""
    lab.run("up", "--hosts", "1")
    _boot(lab, image, "survivor")
    for pid in lab.processes("libvirtd"):
        os.kill(pid, signal.SIGKILL)
    eventually(lambda: not lab.processes("libvirtd"))
    lab.run("up", "--hosts", "1")
    assert lab.exec("host1", "virsh domstate survivor").strip() == "running"
    assert lab.processes("qemu-system")
    lab.run("down")
    assert lab.leftovers() == []


def test_the_dead_are_gone_at_once(lab: Lab) -> None:
    """A guest's process is reaped where it ends, however busy the machine's first process is."""
    lab.run("up", "--hosts", "1")
    definition = lab.directory / "host1" / "blank.xml"
    definition.write_text(
        "<domain type='qemu'><name>blank</name><memory unit='MiB'>32</memory><os><type>hvm</type></os></domain>"
    )
    lab.exec("host1", f"virsh create '{definition}'")
    (guest,) = lab.processes("qemu-system")
    parent = Path(f"/proc/{guest}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[1]
    assert b"adopt.py" in Path(f"/proc/{parent}/cmdline").read_bytes()
    os.kill(guest, signal.SIGKILL)
    eventually(lambda: not Path(f"/proc/{guest}").exists())
    lab.run("down")
    assert not Path(f"/proc/{parent}/cmdline").exists() or not Path(f"/proc/{parent}/cmdline").read_bytes()


def test_a_guest_tells_its_name_and_obeys_the_power_button(lab: Lab, image: Path) -> None:
    """The name comes from the firmware strings; the agent answers; ACPI works."""
    lab.run("up", "--hosts", "2")
    _boot(lab, image, "web-1", host="host2")
    assert lab.run("console", "web-1").count("kilonova-guest ready: web-1 10.0.2.15\n") == 1
    assert lab.exec("host2", "virsh domhostname web-1 --source agent").strip() == "web-1"
    lab.exec("host2", "virsh shutdown web-1 --mode acpi")
    eventually(lambda: lab.exec("host2", "virsh domstate web-1").strip() == "shut off")
    assert "kilonova-guest stopping: web-1" in lab.run("console", "web-1")
    assert "No host" in lab.fails("console", "nobody")


def test_a_guest_takes_name_and_static_address_from_its_seed(lab: Lab, image: Path) -> None:
    """A seed wins over the firmware strings and over DHCP."""
    lab.run("up", "--hosts", "1")
    seed = lab.directory / "host1" / "pool" / "seed.img"
    _make_seed(seed, {"meta-data": "instance-id: i-1\nlocal-hostname: seeded\n", "network-config": NETWORK_CONFIG})
    extra = f"<disk type='file' device='disk'><source file='{seed}'/><target dev='vdb' bus='virtio'/><readonly/></disk>"
    _boot(lab, image, "plain", extra=extra)
    assert lab.run("console", "plain", "--last").strip() == "kilonova-guest ready: seeded 10.0.2.77"


def test_the_server_serves_and_fails_as_asked(lab: Lab, tmp_path: Path) -> None:
    """Files come whole, slowly, broken off or not at all."""
    lab.run("up", "--hosts", "1")
    root = tmp_path / "root"
    root.mkdir()
    (root / "image").write_bytes(bytes(range(256)) * 400)
    url = lab.run("serve", "--root", str(root)).strip()
    assert _get(f"{url}/image") == (root / "image").read_bytes()
    assert _get(f"{url}/slow/image") == (root / "image").read_bytes()
    subprocess.run(["sha256sum", "-c"], input=_get(f"{url}/SHA256SUMS"), cwd=root, check=True, capture_output=True)
    with pytest.raises(IncompleteRead):
        _get(f"{url}/break/image")
    for path in ("nothing", "../../etc/passwd", "break/nothing"):
        with pytest.raises(urllib.error.HTTPError, match="404"):
            _get(f"{url}/{path}")


def test_a_directory_with_other_things_is_refused_and_kept(lab: Lab) -> None:
    """Nobody loses files by naming the wrong directory."""
    lab.directory.mkdir()
    kept = lab.directory / "thesis.txt"
    kept.write_text("precious")
    assert "is no lab" in lab.fails("up", "--hosts", "1")
    assert kept.read_text() == "precious"
    kept.unlink()


def test_whole_hosts_are_refused_to_others_than_root_in_a_sentence(lab: Lab) -> None:
    """The refusal says why and what to do."""
    prefix = ["unshare", "--user", "--map-user=1000"] if os.getuid() == 0 else []
    command = [*prefix, *lab.command("up", "--kind", "whole")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert (
        done.stderr.strip()
        == "lab: Whole hosts need root, for namespaces and mounts: run as root, or use --kind rootless."
    )


def test_a_missing_lab_is_said_plainly(lab: Lab) -> None:
    """Commands on what is not there fail with a sentence."""
    assert "There is no lab" in lab.fails("status")
    lab.run("up", "--hosts", "1")
    assert "There is no host 'host9'" in lab.fails("uri", "host9")


NETWORK_CONFIG = """\
network:
  version: 2
  ethernets:
    first:
      match: {macaddress: "52:54:00:0A:0B:0C"}
      dhcp4: false
      addresses:
        - 10.0.2.77/24
      routes:
        - to: default
          via: 10.0.2.2
"""


def _boot(lab: Lab, image: Path, name: str, *, host: str = "host1", extra: str = "") -> None:
    """Start a guest on a rootless host and wait until it says that it is ready."""
    directory = lab.directory / host
    disk = directory / "pool" / f"{name}.qcow2"
    subprocess.run(
        ["qemu-img", "create", "-q", "-f", "qcow2", "-b", str(image), "-F", "qcow2", str(disk)], check=True, timeout=30
    )
    definition = directory / f"{name}.xml"
    definition.write_text(
        domain(name, disk, directory / f"{name}.log", "type='user'><mac address='52:54:00:0a:0b:0c'/>", extra=extra)
    )
    lab.run("exec", host, "--", "virsh", "define", str(definition))
    lab.exec(host, f"virsh start {name}")
    lab.run("console", name, "--until", "kilonova-guest ready:", "--timeout", "300")


def _make_seed(seed: Path, files: dict[str, str]) -> None:
    with open(seed, "wb") as stream:
        stream.truncate(1024 * 1024)
    path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    subprocess.run(
        ["mkfs.vfat", "-n", "CIDATA", str(seed)], check=True, capture_output=True, env={**os.environ, "PATH": path}
    )
    for name, text in files.items():
        subprocess.run(
            ["mcopy", "-i", str(seed), "-", f"::{name}"], input=text.encode(), check=True, capture_output=True
        )


def _get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=30) as answer:
        content: bytes = answer.read()
    return content
