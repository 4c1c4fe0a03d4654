# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Strategies that make declared instances, as a user writes them: the options' plain values, few or many of them."""

from __future__ import annotations

import typing as t

from hypothesis import strategies as st

Declared = dict[str, t.Any]

NAME = "web-1"
NEW_VOLUMES = ("data", "logs", "scratch")
"""What a volume with a size is called: it is not there before it is made."""
USERS_VOLUMES = ("users-1", "users-2")
"""Volumes that were there before the instance."""
DISCS = ("a.iso", "b.iso")
CACHE_MODES = ("none", "writeback", "writethrough", "directsync", "unsafe")
MACS = ("52:54:00:00:00:0a", "52:54:00:00:00:0b", "52:54:00:00:00:0C")
IMMUTABLE = frozenset({"image", "machine_type", "disk_bus", "disk_format"})
"""What can't become another in place; a changed declaration leaves it out or as it is."""


def _subset(**optional: st.SearchStrategy[t.Any]) -> st.SearchStrategy[Declared]:
    return st.fixed_dictionaries({}, optional=optional)


@st.composite
def _flavors(draw: st.DrawFn, least_gb: int = 0) -> Declared:
    flavor: Declared = {
        "name": draw(st.sampled_from(("small", "large"))),
        "vcpus": draw(st.integers(1, 4)),
        "memory_mb": draw(st.sampled_from((64, 96, 100, 128, 256, 512, 700, 1100))),
        "disk_gb": draw(st.integers(least_gb, 3)),
    }
    if draw(st.integers(0, 4)) == 0:
        flavor["extra_specs"] = {"hw:cpu_sockets": "1", "hw:cpu_cores": str(flavor["vcpus"])}
    return flavor


def _volumes(names: tuple[str, ...], required: dict[str, st.SearchStrategy[t.Any]]) -> st.SearchStrategy[Declared]:
    optional = {
        "bus": st.sampled_from(("virtio", "scsi", "sata")),
        "cache": st.sampled_from(CACHE_MODES),
        "discard": st.sampled_from(("unmap", "ignore")),
    }
    return st.fixed_dictionaries({"name": st.sampled_from(names), **required}, optional=optional)


_volume = st.one_of(
    _volumes(NEW_VOLUMES, {"size_gb": st.integers(1, 3), "serial": st.sampled_from(NEW_VOLUMES)}),
    _volumes(NEW_VOLUMES[:1], {"size_gb": st.just(1), "format": st.just("raw"), "shareable": st.just(True)}),
    _volumes(USERS_VOLUMES, {"readonly": st.booleans()}),
)
_places: st.SearchStrategy[Declared] = st.sampled_from(
    (
        {"user": True},
        {"network": "default"},
        {"network": "storage"},
        {"network": "storage", "portgroup": "fast"},
        {"bridge": "br0"},
    )
)
_manners = _subset(
    mac=st.sampled_from(MACS),
    model=st.sampled_from(("virtio", "e1000", "rtl8139")),
    link_state=st.sampled_from(("up", "down")),
    mtu=st.sampled_from((1400, 9000)),
    isolated=st.booleans(),
    inbound=st.sampled_from(({"average": 0}, {"average": 1000}, {"average": 2000, "peak": 4000, "burst": 512})),
)
_nic = st.tuples(_places, _manners).map(lambda pair: {**pair[0], **pair[1]})
_boot = _subset(
    devices=st.lists(st.sampled_from(("hd", "cdrom", "network")), min_size=1, max_size=3, unique=True),
    menu=st.booleans(),
)
_graphics = _subset(
    type=st.sampled_from(("vnc", "spice", "none")),
    listen=st.sampled_from(("127.0.0.1", "0.0.0.0")),
    port=st.sampled_from((5901, 5955)),
    keymap=st.sampled_from(("de", "en-us")),
)
_cpus = st.one_of(
    st.sampled_from(("host-model", "host-passthrough", "maximum")).map(lambda mode: {"mode": mode}),
    st.sampled_from(("qemu64", "Nehalem")).map(lambda model: {"mode": "custom", "model": model}),
    st.sampled_from(({"features": {"aes": "require"}}, {"features": {"aes": "disable", "ssse3": "require"}})),
    st.booleans().map(lambda pmu: {"pmu": pmu}),
)
_patches = st.sampled_from(
    (
        {"path": "devices/disk[1]/driver", "attribute": "io", "value": "threads"},
        {"path": "devices", "action": "add", "xml": "<watchdog model='i6300esb' action='reset'/>"},
        {"path": "devices/rng", "action": "remove"},
        {"path": "on_crash", "value": "preserve"},
    )
)
_disk_limits = st.sampled_from(
    (
        {"total_bytes_sec": 10**6},
        {"read_bytes_sec": 10**6, "write_iops_sec": 100},
        {"total_bytes_sec": 10**7, "total_bytes_sec_max": 10**8},
        {"total_bytes_sec": 0, "read_bytes_sec": 0, "write_iops_sec": 0},
    )
)
_shares = st.lists(st.sampled_from(("src", "etc")), max_size=2, unique=True).map(
    lambda tags: [{"source": f"/srv/{tag}", "target": tag} for tag in tags]
)
_labels = st.dictionaries(st.sampled_from(("tier", "owner")), st.sampled_from(("web", "a & b", "<x>")))

OPTIONS: dict[str, st.SearchStrategy[t.Any]] = {
    "flavor": _flavors(),
    "max_vcpus": st.sampled_from((4, 6, 8)),
    "max_memory_mb": st.sampled_from((256, 300, 512, 1100, 2000)),
    "image": st.just("tiny"),
    "power_state": st.sampled_from(("running", "stopped", "paused", "suspended")),
    "autostart": st.booleans(),
    "disk_bus": st.sampled_from(("virtio", "scsi", "sata")),
    "disk_format": st.sampled_from(("qcow2", "raw")),
    "disk_cache": st.sampled_from(CACHE_MODES),
    "disk_discard": st.sampled_from(("unmap", "ignore")),
    "cdroms": st.lists(st.sampled_from(DISCS), max_size=2),
    "volumes": st.lists(_volume, max_size=3, unique_by=lambda volume: volume["name"]),
    "networks": st.lists(_nic, max_size=3),
    "boot": _boot,
    "graphics": _graphics,
    "console": _subset(log=st.booleans()),
    "cpu": _cpus,
    "features": _subset(acpi=st.booleans(), apic=st.booleans(), pae=st.booleans()),
    "machine_type": st.sampled_from(("q35", "pc")),
    "emulator": st.sampled_from(("/usr/bin/qemu-system-x86_64", "/opt/qemu")),
    "clock": st.sampled_from(("utc", "localtime")),
    "on_poweroff": st.sampled_from(("destroy", "restart")),
    "on_reboot": st.sampled_from(("destroy", "restart")),
    "on_crash": st.sampled_from(("destroy", "restart", "preserve")),
    "video": st.sampled_from(("virtio", "vga", "none")),
    "rng": st.booleans(),
    "balloon": st.booleans(),
    "guest_agent": st.booleans(),
    "cpu_limits": _subset(shares=st.sampled_from((512, 2048)), quota=st.sampled_from((-1, 50000))),
    "iothreads": st.integers(0, 2),
    "watchdog": st.sampled_from(("disabled", "reset", "none")),
    "sound": st.sampled_from(("ich6", "ich9")),
    "tablet": st.sampled_from(("usb", "virtio")),
    "serial_ports": st.integers(1, 3),
    "rng_rate": st.sampled_from(({"bytes": 1024}, {"bytes": 2048, "period_ms": 500})),
    "disk_io": st.sampled_from(("threads", "io_uring")),
    "disk_detect_zeroes": st.sampled_from(("off", "on", "unmap")),
    "disk_queues": st.integers(1, 4),
    "disk_limits": _disk_limits,
    "shares": _shares,
    "metadata": _labels,
    "protected": st.booleans(),
    "xml_patch": st.lists(_patches, max_size=2, unique_by=lambda patch: patch["path"]),
}


def new_instances(without: t.Collection[str] = ()) -> st.SearchStrategy[Declared]:
    """Return a strategy of what makes a new instance; options ``without`` are never declared."""
    required: dict[str, st.SearchStrategy[t.Any]] = {"name": st.just(NAME), "flavor": _flavors(least_gb=1)}
    optional = {name: values for name, values in OPTIONS.items() if name not in required and name not in without}
    first = st.sampled_from(("running", "stopped", "paused"))
    return st.fixed_dictionaries(required, optional={**optional, "power_state": first})


@st.composite
def changed(draw: st.DrawFn, before: Declared, without: t.Collection[str] = ()) -> Declared:
    """Draw another declaration of the same instance: some options changed, some left out."""
    names = st.lists(st.sampled_from(sorted(OPTIONS.keys() - set(without))), min_size=1, max_size=8, unique=True)
    after = dict(before)
    for name in draw(names):
        if name in IMMUTABLE or draw(st.integers(0, 3)) == 0:
            after.pop(name, None)
        elif name == "flavor":
            after[name] = draw(_flavors(least_gb=before.get("flavor", {"disk_gb": 1})["disk_gb"]))
        elif name == "volumes" and before.get(name):
            after[name] = draw(_other_volumes(before[name]))
        else:
            after[name] = draw(OPTIONS[name])
    return after


@st.composite
def _other_volumes(draw: st.DrawFn, before: list[Declared]) -> list[Declared]:
    """Draw volumes of which some stay, most of them as they are or larger."""
    after = []
    for volume in before:
        fate = draw(st.sampled_from(("stays", "grows", "goes")))
        if fate == "stays" or (fate == "grows" and "size_gb" not in volume):
            after.append(volume)
        elif fate == "grows":
            after.append({**volume, "size_gb": volume["size_gb"] + 1})
    known = {volume["name"] for volume in before}
    more = draw(st.lists(_volume, max_size=2, unique_by=lambda volume: volume["name"]))
    return after + [volume for volume in more if volume["name"] not in known]
