# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Argument specs of an instance's hardware in detail; documented in ``doc_fragments/_hardware.py``.

None has a default: what is not declared is left alone.
"""

from __future__ import annotations

import typing as t

from ._spec.hardware import (
    EMULATOR_POLICIES,
    SOUND_MODELS,
    TABLET_BUSES,
    THREAD_POLICIES,
    TPM_MODELS,
    TPM_VERSIONS,
    WATCHDOG_ACTIONS,
)

_LIMITS = tuple(
    f"{direction}_{what}"
    for what in ("bytes_sec", "iops_sec", "bytes_sec_max", "iops_sec_max")
    for direction in ("total", "read", "write")
)


def hardware_options() -> dict[str, dict[str, t.Any]]:
    """Return the options beside those of ``_options.instance_options``."""
    return {**_processor_options(), **_device_options()}


def hardware_cpu_options() -> dict[str, dict[str, t.Any]]:
    """Return more suboptions of ``cpu``."""
    return {
        "features": {"type": "dict"},
        "topology": _group({part: {"type": "int"} for part in ("sockets", "dies", "cores", "threads")}),
        "migratable": {"type": "bool"},
        "pmu": {"type": "bool"},
    }


def hardware_nic_options() -> dict[str, dict[str, t.Any]]:
    """Return more suboptions of ``networks``."""
    rate = {part: {"type": "int"} for part in ("average", "peak", "burst")}
    return {
        "queues": {"type": "int"},
        "mtu": {"type": "int"},
        "vlan": {"type": "int"},
        "isolated": {"type": "bool"},
        "inbound": _group(rate),
        "outbound": _group(rate),
    }


def _processor_options() -> dict[str, dict[str, t.Any]]:
    cell = {
        "vcpus": {"type": "list", "elements": "int", "required": True},
        "memory_mb": {"type": "int", "required": True},
    }
    return {
        "numa": _group({"nodes": {"type": "int"}, "cells": {"type": "list", "elements": "dict", "options": cell}}),
        "cpu_policy": _choice("shared", "dedicated"),
        "cpu_thread_policy": _choice(*THREAD_POLICIES),
        "emulator_threads_policy": _choice(*EMULATOR_POLICIES),
        "cpu_limits": _group({part: {"type": "int"} for part in ("shares", "period", "quota")}),
        "hugepages": {"type": "str"},
        "iothreads": {"type": "int"},
        "placement": _group(
            {
                "cells": {"type": "list", "elements": "dict", "options": _wished_cell()},
                "emulator_cpu": {"type": "int"},
                "pci_devices": {"type": "list", "elements": "str"},
            }
        ),
    }


def _wished_cell() -> dict[str, dict[str, t.Any]]:
    return {
        "host_cell": {"type": "int", "required": True},
        "cpus": {"type": "list", "elements": "int"},
        "page_kb": {"type": "int"},
    }


def _device_options() -> dict[str, dict[str, t.Any]]:
    pci = {
        "address": {"type": "str"},
        "vendor_id": {"type": "str"},
        "product_id": {"type": "str"},
        "count": {"type": "int"},
    }
    share = {
        "source": {"type": "path", "required": True},
        "target": {"type": "str", "required": True},
        "readonly": {"type": "bool"},
    }
    sev = {
        "policy": {"type": "int", "required": True},
        "cbitpos": {"type": "int"},
        "reduced_phys_bits": {"type": "int"},
        "kernel_hashes": {"type": "bool"},
    }
    return {
        "secure_boot": {"type": "bool"},
        "tpm": _group({"model": _choice(*TPM_MODELS), "version": _choice(*TPM_VERSIONS)}),
        "watchdog": _choice(*WATCHDOG_ACTIONS),
        "sound": _choice(*SOUND_MODELS),
        "tablet": _choice(*TABLET_BUSES),
        "serial_ports": {"type": "int"},
        "rng_rate": _group({"bytes": {"type": "int", "required": True}, "period_ms": {"type": "int"}}),
        "disk_io": _choice("native", "threads", "io_uring"),
        "disk_detect_zeroes": _choice("off", "on", "unmap"),
        "disk_queues": {"type": "int"},
        "disk_limits": _group({limit: {"type": "int"} for limit in _LIMITS}),
        "pci_devices": {"type": "list", "elements": "dict", "options": pci},
        "mdevs": {"type": "list", "elements": "str"},
        "shares": {"type": "list", "elements": "dict", "options": share},
        "sev": _group(sev),
    }


def _choice(*choices: str) -> dict[str, t.Any]:
    return {"type": "str", "choices": list(choices)}


def _group(options: dict[str, t.Any]) -> dict[str, t.Any]:
    return {"type": "dict", "options": options}
