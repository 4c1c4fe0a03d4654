# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""A first boot seen from inside: seeds made and published as the collection does it, read by guests on real hypervisors.

The seed is a read-only disk on the root disk's own bus, for which the guest certainly has a driver when it looks for one.
"""

from __future__ import annotations

import base64
import json
import typing as t
from pathlib import Path

from ansible_collections.kilonova.compute.plugins.module_utils._driver.connection import Connection
from ansible_collections.kilonova.compute.plugins.module_utils._driver.storage import find_pool
from ansible_collections.kilonova.compute.plugins.module_utils._options_first_boot import first_boot_options
from ansible_collections.kilonova.compute.plugins.module_utils._service.seed import (
    build_seed,
    publish_seed,
    retire_seeds,
    seed_volume_name,
)
from ansible_collections.kilonova.compute.plugins.module_utils._spec.first_boot import FirstBootSpec, instance_id

from .conftest import Hypervisor, Result, run_module, wait_until

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ8v2aDn0oMZ0mmHCt5FIyZOmHUyQ6bWPnG3u4bKPZ1k me@there"
HASH = "$6$saltsalt$" + "a" * 86
ADDRESS = "10.0.2.77"
NETWORK = {"version": 2, "ethernets": {"nic0": {"addresses": [f"{ADDRESS}/24"], "gateway4": "10.0.2.2", "mtu": 1400}}}
FIRST_BOOT_SECONDS = 900.0
"""The full guest is emulated, and the machine may have other work."""


def first_boot(**options: t.Any) -> FirstBootSpec:
    """Return a declaration of only these options."""
    spec = FirstBootSpec.from_params({**dict.fromkeys(first_boot_options()), **options})
    assert spec is not None
    return spec


class Guest:
    """An instance with a seed."""

    def __init__(self, host: Hypervisor, name: str, image: Path, vcpus: int, memory_mb: int) -> None:
        """Publish the image and make the instance, switched off."""
        self.host, self.name = host, name
        _made(run_module("compute_image", uri=host.uri, name="first-boot", src=str(image)))
        declared = {"vcpus": vcpus, "memory_mb": memory_mb, "disk_gb": 1}
        made = _made(
            run_module(
                "compute_instance",
                uri=host.uri,
                name=name,
                flavor=declared,
                image="first-boot",
                virt_type="qemu",
                graphics={"type": "none"},
                networks=[{"user": True}],
                limits={"reserved_host_memory_mb": 0},
                power_state="stopped",
            )
        )
        self.uuid = str(made.data["instance"]["uuid"])
        self.macs = [nic["mac"] for nic in made.data["instance"]["nics"]]
        # The host name in the firmware's tables would win over the seed's.
        definition = host.pool_path() / f"{name}.xml"
        definition.write_text(host.virsh("dumpxml", "--inactive", name).replace(f"ds=nocloud;h={name}", "ds=nocloud"))
        host.virsh("define", str(definition))

    def boot(self, spec: FirstBootSpec, generation: int = 0) -> None:
        """Start the guest with a seed in place of the one it had."""
        content = build_seed(spec, instance_id(self.uuid, generation), self.name, self.macs)
        with Connection(self.host.uri) as connection:
            seed = publish_seed(find_pool(connection, "default"), self.name, content)
            path = seed.path
        if " vdb " in self.host.virsh("domblklist", self.name):
            self.host.virsh("detach-disk", self.name, "vdb", "--config")
        options = ("--targetbus", "virtio", "--subdriver", "raw", "--mode", "readonly", "--config")
        self.host.virsh("attach-disk", self.name, path, "vdb", *options)
        self.host.virsh("start", self.name)

    def console(self) -> str:
        """Return what the guest printed so far, in all its boots."""
        return self.host.console(self.name)

    def ask(self, line: str) -> str:
        """Run a line of shell in the guest, through its agent, and return what it prints."""
        arguments = {"path": "/bin/sh", "arg": ["-c", line], "capture-output": True}
        process = self._agent("guest-exec", arguments)["pid"]
        done: dict[str, t.Any] = {}

        def has_ended() -> bool:
            done.update(self._agent("guest-exec-status", {"pid": process}))
            return bool(done["exited"])

        wait_until(has_ended, f"the end of {line!r} in {self.name}")
        assert done["exitcode"] == 0, done
        return base64.b64decode(done.get("out-data", "")).decode().strip()

    def _agent(self, command: str, arguments: dict[str, t.Any]) -> t.Any:
        request = json.dumps({"execute": command, "arguments": arguments})
        return json.loads(self.host.virsh("qemu-agent-command", self.name, request))["return"]


def _made(result: Result) -> Result:
    assert not result.failed, result.message
    return result


def test_the_small_guest(hypervisor: Hypervisor, guest_image: Path, name: str) -> None:
    """A script runs, and host name, key and address come from the seed."""
    guest = Guest(hypervisor, name, guest_image, vcpus=1, memory_mb=128)
    script = "#!/bin/sh\necho script-ran >/dev/console\ncat /root/.ssh/authorized_keys >/dev/console\n"
    guest.boot(first_boot(user_data=script, ssh_keys=[KEY], hostname="seeded", network_config=NETWORK))
    assert f"kilonova-guest ready: seeded {ADDRESS}" in hypervisor.wait_for_console(name, "kilonova-guest ready: ")
    assert "script-ran" in hypervisor.wait_for_console(name, KEY)


def test_cloud_init(hypervisor: Hypervisor, debian_image: Path, name: str) -> None:
    """Everything that is declared arrives at the first boot; a later boot with another seed is none."""
    guest = Guest(hypervisor, name, debian_image, vcpus=1, memory_mb=384)
    parts = [
        {
            "content": {
                "bootcmd": ["echo boot-one >/dev/console"],
                "runcmd": [["sh", "-c", "echo run-on-$(hostname) >/dev/console"]],
                "write_files": [{"path": "/etc/odd", "content": "x: \x7fü\u2028 'y'\n", "permissions": "0640"}],
            }
        },
        {"content": "#!/bin/sh\necho script-ran >/dev/console\n", "filename": "50-mark.sh"},
    ]
    options: dict[str, t.Any] = {
        "ssh_keys": [KEY],
        "password": HASH,
        "hostname": "seeded.example.com",
        "network_config": NETWORK,
    }
    guest.boot(first_boot(user_data=parts, **options))
    wait_until(lambda: "boot-one" in guest.console(), "cloud-init begins", FIRST_BOOT_SECONDS)
    waited = _made(
        run_module("compute_instance", uri=hypervisor.uri, name=name, wait_for=["cloud_init"], wait_timeout=500)
    )
    assert not waited.changed
    assert waited.data["instance"]["waited_for"] == ["cloud_init"]
    assert not waited.data.get("warnings")
    wait_until(lambda: " finished at " in guest.console(), "cloud-init's last words")
    for mark in ("boot-one", "run-on-seeded", "script-ran"):
        assert mark in guest.console()
    assert guest.ask("cloud-init status --wait").endswith("status: done")
    assert json.loads(guest.ask("cat /run/cloud-init/result.json"))["v1"]["errors"] == []
    # Its own check at boot also counts the image's configuration, which is none of ours.
    for part in ("cloud-config.txt", "vendor-cloud-config.txt"):
        checked = guest.ask(f"cloud-init schema --config-file /var/lib/cloud/instance/{part} 2>&1")
        assert "Valid cloud-config" in checked
        assert "deprecat" not in checked.lower()
    assert guest.ask("hostname") == "seeded"
    assert guest.ask("cat ~debian/.ssh/authorized_keys") == KEY
    assert guest.ask("grep ^debian: /etc/shadow").split(":")[1] == HASH
    assert guest.ask("chage -l debian | grep '^Password expires'").endswith("never")
    assert guest.ask("cat /etc/odd; stat -c %a /etc/odd") == "x: \x7fü\u2028 'y'\n640"
    assert guest.ask("cat /sys/class/net/e*/mtu") == "1400"
    assert f" {ADDRESS}/24" in hypervisor.virsh("domifaddr", name, "--source", "agent")

    hypervisor.virsh("shutdown", name, "--mode", "acpi")
    wait_until(lambda: hypervisor.state(name) == "shut off", "the guest's power off")
    before = len(guest.console())
    changed = {"bootcmd": ["echo boot-two >/dev/console"], "runcmd": ["echo run-two >/dev/console"]}
    guest.boot(first_boot(user_data=changed, **options))
    wait_until(lambda: " finished at " in guest.console()[before:], "the end of cloud-init", FIRST_BOOT_SECONDS)
    assert "boot-two" in guest.console()[before:]
    assert "run-two" not in guest.console()


def test_a_seed_is_published_whole_and_privately(hypervisor: Hypervisor) -> None:
    """What a killed run left half written is written again, and what is whole is left alone."""
    content = build_seed(first_boot(user_data="#!/bin/sh\n"), "id", "web", ())
    name = seed_volume_name("web", content)
    path = hypervisor.pool_path() / name
    with Connection(hypervisor.uri) as connection:
        pool = find_pool(connection, "default")
        pool.create(name, len(content), "raw")
        assert publish_seed(pool, "web", content).name == name
        assert path.read_bytes() == content

        connection.calls.clear()
        publish_seed(pool, "web", content)
        assert "download_volume" in connection.calls
        assert "upload_volume" not in connection.calls

        other = publish_seed(pool, "web", content + b"\0" * 2048)
        assert retire_seeds(pool, "web", [other.name]) == [name]
    assert hypervisor.volumes() == {other.name}
    other_path = path.with_name(other.name)
    assert other_path.stat().st_mode & 0o777 == 0o600
