# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Waiting for real guests that boot, power off, or never come; what is true of them is read with virsh."""

from __future__ import annotations

import base64
import json
import typing as t
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.kilonova.compute.plugins.module_utils._driver.connection import Connection
from ansible_collections.kilonova.compute.plugins.module_utils._errors import (
    AgentAbsentError,
    GuestError,
    WaitTimeoutError,
)
from ansible_collections.kilonova.compute.plugins.module_utils._options_wait import wait_options
from ansible_collections.kilonova.compute.plugins.module_utils._service._guest.wait import WaitResult, wait_for
from ansible_collections.kilonova.compute.plugins.module_utils._spec.waiting import WaitSpec

from .conftest import Hypervisor, run_module, wait_until

NAME = "awaited"
OWN, SECOND, OTHER = "10.0.2.15", "198.51.100.7", "172.17.0.1"


def create(host: Hypervisor, name: str, **changes: t.Any) -> None:
    """Declare an instance."""
    declared: dict[str, t.Any] = {
        "name": name,
        "flavor": {"vcpus": 1, "memory_mb": 128, "disk_gb": 1},
        "virt_type": "qemu",
        "graphics": {"type": "none"},
        "networks": [{"user": True}],
        "limits": {"reserved_host_memory_mb": 0},
    }
    result = run_module("compute_instance", uri=host.uri, **{**declared, **changes})
    assert not result.failed, result.message


def spec(*conditions: str, **declared: t.Any) -> WaitSpec:
    """Return what those options mean, with Ansible's own defaults filled in."""
    result = ArgumentSpecValidator(wait_options()).validate({"wait_for": list(conditions), **declared})
    assert not result.error_messages
    return WaitSpec.from_params(result.validated_parameters)


def wait(host: Hypervisor, name: str, *conditions: str, **declared: t.Any) -> WaitResult:
    """Wait for an instance."""
    with Connection(host.uri) as connection:
        handle = connection.raw.lookupByName(name)
        return wait_for(connection, handle, name, spec(*conditions, **declared))


def address(result: WaitResult) -> str:
    """Return the address that counts."""
    assert result.address is not None
    return result.address.address


@pytest.fixture(scope="module")
def host(lab: list[Hypervisor], guest_image: Path) -> t.Iterator[Hypervisor]:
    """Return a hypervisor with a guest that boots."""
    hypervisor = lab[0]
    hypervisor.clear()
    result = run_module("compute_image", uri=hypervisor.uri, name="guest", src=str(guest_image))
    assert not result.failed, result.message
    create(hypervisor, NAME, image="guest")
    yield hypervisor
    hypervisor.clear()


def shell(host: Hypervisor, script: str) -> str:
    """Run a script in the guest with virsh, and return what it prints."""

    def ask(command: str, **arguments: t.Any) -> dict[str, t.Any]:
        text = host.virsh("qemu-agent-command", NAME, json.dumps({"execute": command, "arguments": arguments}))
        return t.cast("dict[str, t.Any]", json.loads(text)["return"])

    options = {"path": "/bin/sh", "arg": ["-ec", script], "capture-output": True}
    pid = ask("guest-exec", **options)["pid"]
    status: dict[str, t.Any] = {}

    def ended() -> bool:
        status.update(ask("guest-exec-status", pid=pid))
        return bool(status["exited"])

    wait_until(ended, "the script ends")
    assert status["exitcode"] == 0
    return base64.b64decode(status.get("out-data", "")).decode()


def test_a_guest_that_boots(host: Hypervisor) -> None:
    """It runs long before it has an address or an agent; the address is its own word for it.

    terraform-provider-libvirt returned before there was an address (#1047, #1323), or gave up at the first "agent is not
    connected" (#1091), and after a timeout guessed at reasons (#536); ours says what was seen last.
    """
    host.virsh("destroy", NAME)
    host.virsh("start", NAME)
    assert wait(host, NAME, "running").conditions == ("running",)
    with pytest.raises(WaitTimeoutError) as caught:
        wait(host, NAME, "running", "ip", "agent", wait_timeout=0)
    assert set(caught.value.details["last_seen"]) == {"ip", "agent"}
    assert caught.value.details["last_seen"]["agent"] == "it is not connected"
    result = wait(host, NAME, "running", "ip", "agent", wait_timeout=180)
    assert address(result) == OWN
    assert OWN in host.virsh("domifaddr", NAME, "--source", "agent")


def test_the_address_that_counts(host: Hypervisor) -> None:
    """Not that of an interface of the guest's own, and by family and network another one of the NIC.

    terraform-provider-libvirt took whatever the guest listed first, such as a bridge of its containers.
    """
    shell(host, f"ip address add {OTHER}/16 dev lo; ip address add {SECOND}/24 dev eth0")
    shown = host.virsh("domifaddr", NAME, "--source", "agent", "--full")
    assert OTHER in shown
    assert SECOND in shown
    assert address(wait(host, NAME, "ip")) == OWN
    assert address(wait(host, NAME, "ip", wait_address={"nic": "0", "sources": ["agent"]})) == OWN
    assert address(wait(host, NAME, "ip", wait_address={"cidr": "198.51.100.0/24"})) == SECOND
    assert ":" in address(wait(host, NAME, "ip", wait_address={"family": "ipv6"}))
    with pytest.raises(WaitTimeoutError, match=f"no address in 172.16.0.0/12 .*others were seen: .*{OTHER} of lo"):
        wait(host, NAME, "ip", wait_timeout=0, wait_address={"cidr": "172.16.0.0/12"})


def install_cloud_init(host: Hypervisor, script: str) -> None:
    """Put a program into the guest that answers as cloud-init would."""
    encoded = base64.b64encode(f"#!/bin/sh\n{script}\n".encode()).decode()
    shell(host, f"echo {encoded} | base64 -d >/bin/cloud-init; chmod 755 /bin/cloud-init")


def test_cloud_init(host: Hypervisor) -> None:
    """Not installed, running until it is done, failed, and an older one that only knows words."""
    with pytest.raises(GuestError, match=f"cloud-init cannot be asked in {NAME}; is it installed there"):
        wait(host, NAME, "cloud_init")

    install_cloud_init(
        host,
        'echo asked >>/run/asked; test "$*" = "status --format=json" || exit 2;'
        'test $(wc -l </run/asked) -lt 3 && echo "{\\"status\\": \\"running\\"}" && exit 0;'
        'echo "{\\"status\\": \\"done\\", \\"recoverable_errors\\": {\\"WARNING\\": [\\"slow\\"]}}"; exit 2',
    )
    result = wait(host, NAME, "agent", "cloud_init")
    assert shell(host, "wc -l </run/asked").strip() == "3"
    assert result.warnings == (f"cloud-init in {NAME} is done, but had trouble: slow",)

    install_cloud_init(host, 'echo "{\\"status\\": \\"error\\", \\"errors\\": [\\"no such user\\"]}"; exit 1')
    with pytest.raises(GuestError, match=f"cloud-init failed in {NAME}: no such user") as caught:
        wait(host, NAME, "cloud_init")
    assert caught.value.details == {"cloud_init_errors": ["no such user"]}

    install_cloud_init(host, 'test "$2" = --long && echo "status: done" && exit 0; echo usage >&2; exit 2')
    wait(host, NAME, "cloud_init")


def test_a_guest_that_powers_off_meanwhile(host: Hypervisor) -> None:
    """That ends the wait, long before its time; terraform-provider-libvirt's loop went on for ever (#710, #731, #891)."""
    in_vain = spec("ip", wait_address={"cidr": "203.0.113.0/24"}, wait_timeout=600)
    with Connection(host.uri) as connection, ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(wait_for, connection, connection.raw.lookupByName(NAME), NAME, in_vain)
        wait_until(lambda: connection.calls.get("state", 0) > 1, "it was looked twice")
        host.virsh("shutdown", NAME)
        with pytest.raises(GuestError, match=f"Instance {NAME} is shut off, while it was waited for ip"):
            waiting.result(timeout=300)
    assert host.state(NAME) == "shut off"
    with pytest.raises(GuestError, match="is shut off"):
        wait(host, NAME, "running")


def test_where_no_agent_will_come(host: Hypervisor, name: str) -> None:
    """Nothing boots from a blank disk: with a channel time runs out, without one it is known at once."""
    create(host, name)
    with pytest.raises(WaitTimeoutError, match="agent: it is not connected"):
        wait(host, name, "agent", wait_timeout=1)
    with pytest.raises(WaitTimeoutError, match="ip: no address from lease, agent, arp"):
        wait(host, name, "ip", wait_timeout=1)
    deaf = f"{name}-deaf"
    create(host, deaf, guest_agent=False)
    assert wait(host, deaf, "running").conditions == ("running",)
    for conditions, sources in ((["agent"], ["lease"]), (["cloud_init"], ["lease"]), (["ip"], ["agent"])):
        with pytest.raises(AgentAbsentError, match="guest_agent: true"):
            wait(host, deaf, *conditions, wait_timeout=600, wait_address={"sources": sources})
