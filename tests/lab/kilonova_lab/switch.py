# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""The network between the whole hosts of a lab: a bridge in a network namespace of its own.

Its own, so that neither a firewall of this machine looks into it nor anything of it stays behind: when its one process ends,
the kernel removes the bridge, every cable, and the only end of one that this machine sees.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import time

from .errors import LabError
from .layout import MARKER, HostLayout, Layout, make_private
from .processes import Process, end_all, owned
from .run import find, run

_BRIDGE = "lab0"
_UPLINK = "up0"
_LIMIT = 20.0
_SUBNETS = 64 * 256


def choose_subnet(layout: Layout) -> str:
    """Return the first three numbers of a private network that this machine has no route to yet."""
    taken = {
        str(route.get("dst", "")).rpartition(".")[0]
        for route in json.loads(run(["ip", "-j", "-4", "route", "show", "table", "all"]) or "[]")
    }
    start = int(layout.key, 16)
    for step in range(_SUBNETS):
        number = (start + step) % _SUBNETS
        subnet = f"10.{64 + number // 256}.{number % 256}"
        if subnet not in taken:
            return subnet
    raise LabError("Every network that the lab could use is routed elsewhere on this machine.")


def interface(layout: Layout) -> str:
    """Return the name of the one interface that this machine sees of the lab."""
    return f"kl{layout.key}"


def gateway(layout: Layout) -> str:
    """Return this machine's own address on the lab's network."""
    return f"{layout.subnet}.1"


def start(layout: Layout) -> None:
    """Start the network unless it is there."""
    holder = _holder(layout)
    wired = layout.short / "switch" / "wired"
    if holder is None or not wired.exists() or not os.path.exists(f"/sys/class/net/{interface(layout)}"):
        stop(layout)
        make_private(layout.short / "switch")
        holder = _start_holder(layout)
        _wire(layout, holder)
        wired.touch()
    if not any(process.program == b"dnsmasq" for process in owned(layout.short / "switch")):
        _serve_addresses(layout, holder)


def stop(layout: Layout) -> None:
    """End the network, and wait until the kernel has taken it away."""
    end_all(layout.short / "switch")
    shutil.rmtree(layout.short / "switch", ignore_errors=True)
    deadline = time.monotonic() + _LIMIT
    while os.path.exists(f"/sys/class/net/{interface(layout)}"):
        if time.monotonic() > deadline:
            raise LabError(f"The interface {interface(layout)} does not go away: remove it with 'ip link delete'.")
        time.sleep(0.02)


def plug(host: HostLayout, first_process: int) -> None:
    """Lay a cable from the bridge into a host's network namespace, where it is called eth0."""
    holder = _holder(host.lab)
    if holder is None:
        raise LabError("The lab's network has ended: run 'lab.py up' again.")
    port = f"v{host.number}"
    with contextlib.suppress(LabError):
        # One that a killed run left with no end in the bridge.
        _inside(holder, "link", "delete", port)
    _inside(
        holder,
        "link",
        "add",
        port,
        "type",
        "veth",
        "peer",
        "name",
        "eth0",
        "address",
        _mac(host.lab, host.number),
        "netns",
        str(first_process),
    )
    _inside(holder, "link", "set", port, "master", _BRIDGE, "up")


def is_plugged(host: HostLayout) -> bool:
    """Tell whether a host's cable is there."""
    holder = _holder(host.lab)
    if holder is None:
        return False
    try:
        return f" master {_BRIDGE} " in _inside(holder, "link", "show", f"v{host.number}")
    except LabError:
        return False


def _mac(layout: Layout, number: int) -> str:
    """Return a NIC's address, always the same: whoever remembers it across a new cable is right."""
    parts = [layout.key[place : place + 2] for place in range(0, 8, 2)]
    return ":".join(["02", *parts, f"{number:02x}"])


def _holder(layout: Layout) -> Process | None:
    return next((process for process in owned(layout.short / "switch") if process.program == b"sleep"), None)


def _environment(layout: Layout) -> dict[str, str]:
    return {**os.environ, MARKER: f"{layout.short}/switch/"}


def _start_holder(layout: Layout) -> Process:
    command = [find("unshare", "util-linux"), "--net", find("sleep", "coreutils"), "infinity"]
    with open(os.devnull, "r+b") as nothing:
        started = subprocess.Popen(
            command,
            env=_environment(layout),
            cwd="/",
            stdin=nothing,
            stdout=nothing,
            stderr=nothing,
            start_new_session=True,
        )
    own = os.readlink("/proc/self/ns/net")
    deadline = time.monotonic() + _LIMIT
    # Only once it is asleep is it in its own namespace; before that, commands for it would change the machine's.
    while (found := _holder(layout)) is None or os.readlink(f"/proc/{found.pid}/ns/net") == own:
        if started.poll() is not None or time.monotonic() > deadline:
            raise LabError("The kernel refused a network namespace for the lab's network.")
        time.sleep(0.01)
    return found


def _inside(holder: Process, *words: str) -> str:
    return run([find("nsenter", "util-linux"), f"--net=/proc/{holder.pid}/ns/net", find("ip", "iproute2"), *words])


def _wire(layout: Layout, holder: Process) -> None:
    _inside(holder, "link", "set", "lo", "up")
    _inside(holder, "link", "add", _BRIDGE, "type", "bridge")
    _inside(holder, "address", "add", f"{layout.subnet}.2/24", "dev", _BRIDGE)
    _inside(holder, "link", "set", _BRIDGE, "up")
    name = interface(layout)
    run(
        [
            "ip",
            "link",
            "add",
            name,
            "address",
            _mac(layout, 0),
            "type",
            "veth",
            "peer",
            "name",
            _UPLINK,
            "netns",
            str(holder.pid),
        ]
    )
    _inside(holder, "link", "set", _UPLINK, "master", _BRIDGE, "up")
    run(["ip", "address", "add", f"{gateway(layout)}/24", "dev", name])
    run(["ip", "link", "set", name, "up"])


def _serve_addresses(layout: Layout, holder: Process) -> None:
    """Serve DHCP to guests that are bridged to the lab's network."""
    command = [
        *(find("nsenter", "util-linux"), f"--net=/proc/{holder.pid}/ns/net", find("dnsmasq", "dnsmasq-base")),
        *(
            "--conf-file=/dev/null",
            "--port=0",
            f"--interface={_BRIDGE}",
            "--bind-interfaces",
            "--user=root",
            "--no-ping",
        ),
        f"--dhcp-range={layout.subnet}.100,{layout.subnet}.250,255.255.255.0,1h",
        f"--dhcp-option=option:router,{gateway(layout)}",
        "--dhcp-authoritative",
        f"--dhcp-leasefile={layout.short}/switch/leases",
        f"--pid-file={layout.short}/switch/dnsmasq.pid",
    ]
    run(command, env=_environment(layout))
