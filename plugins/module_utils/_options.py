# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Argument specs that modules compose; their documentation stands in ``doc_fragments/``."""

from __future__ import annotations

import typing as t

from ansible.module_utils.basic import env_fallback

from ._options_first_boot import first_boot_options
from ._options_hardware import hardware_cpu_options, hardware_nic_options, hardware_options
from ._options_security import security_nic_options
from ._options_wait import wait_options
from ._spec.instance import FIRST_BOOT_CHANGES
from ._spec.server_group import GROUP_POLICIES

DEFAULT_URI = "qemu:///system"
_CACHE_MODES = ("none", "writeback", "writethrough", "directsync", "unsafe")


def connection_options() -> dict[str, dict[str, t.Any]]:
    """Return how to reach a hypervisor: every module takes these."""
    return {
        "uri": {"type": "str", "default": DEFAULT_URI, "fallback": (env_fallback, ["LIBVIRT_DEFAULT_URI"])},
    }


def pool_option() -> dict[str, dict[str, t.Any]]:
    """Return the storage pool that holds disks and images."""
    return {"pool": {"type": "str", "default": "default"}}


def limit_options() -> dict[str, dict[str, t.Any]]:
    """Return how much of a host may be promised to instances, in Nova's terms and with Nova's defaults."""
    return {
        "limits": {
            "type": "dict",
            "apply_defaults": True,
            "options": {
                "cpu_allocation_ratio": {"type": "float", "default": 4.0},
                "ram_allocation_ratio": {"type": "float", "default": 1.0},
                "disk_allocation_ratio": {"type": "float", "default": 1.0},
                "reserved_host_cpus": {"type": "int", "default": 0},
                "reserved_host_memory_mb": {"type": "int", "default": 512},
                "reserved_host_disk_mb": {"type": "int", "default": 0},
            },
        }
    }


def lifecycle_options() -> dict[str, dict[str, t.Any]]:
    """Return how instances are created, stopped and removed; shared by compute_instance and compute_fleet."""
    return {
        **pool_option(),
        **limit_options(),
        "virt_type": {"type": "str", "default": "auto", "choices": ["auto", "kvm", "qemu"]},
        "force": {"type": "bool", "default": False},
        "shutdown_timeout": {"type": "int", "default": 60},
        "allow_power_cycle": {"type": "bool", "default": False},
        "keep_disks": {"type": "bool", "default": False},
        "forget": {"type": "bool", "default": False},
        "root_disk": {"type": "str", "default": "new", "choices": ["new", "existing"]},
        **wait_options(),
    }


def _choice(default: str | None, *choices: str) -> dict[str, t.Any]:
    option: dict[str, t.Any] = {"type": "str", "choices": list(choices)}
    if default is not None:
        option["default"] = default
    return option


def _group(options: dict[str, t.Any]) -> dict[str, t.Any]:
    return {"type": "dict", "apply_defaults": True, "options": options}


def flavor_option() -> dict[str, t.Any]:
    """Return the option that takes a flavor."""
    return {
        "type": "dict",
        "options": {
            "name": {"type": "str", "default": "custom"},
            "vcpus": {"type": "int", "required": True},
            "memory_mb": {"type": "int", "required": True},
            "disk_gb": {"type": "int", "required": True},
            "extra_specs": {"type": "dict", "default": {}},
        },
    }


def volume_options() -> dict[str, dict[str, t.Any]]:
    """Return what a user declares of one more disk."""
    return {
        "name": {"type": "str"},
        "pool": {"type": "str"},
        "size_gb": {"type": "int"},
        "format": _choice(None, "qcow2", "raw"),
        "bus": _choice(None, "virtio", "scsi", "sata"),
        "serial": {"type": "str"},
        "cache": _choice(None, *_CACHE_MODES),
        "discard": _choice(None, "unmap", "ignore"),
        "readonly": {"type": "bool", "default": False},
        "shareable": {"type": "bool", "default": False},
    }


def nic_options() -> dict[str, dict[str, t.Any]]:
    """Return what a user declares of one NIC."""
    return {
        "network": {"type": "str"},
        "bridge": {"type": "str"},
        "user": {"type": "bool", "default": False},
        "portgroup": {"type": "str"},
        "mac": {"type": "str"},
        "model": _choice(None, "virtio", "e1000", "e1000e", "rtl8139"),
        "link_state": _choice(None, "up", "down"),
        "fixed_ip": {"type": "str"},
        **hardware_nic_options(),
        **security_nic_options(),
    }


def instance_options() -> dict[str, dict[str, t.Any]]:
    """Return what a user declares of one instance; documented in ``doc_fragments/_instance.py`` and ``_hardware.py``.

    There are no defaults here: what is not declared is not compared, and what a new instance gets is said in ``_spec``.
    """
    return {
        "name": {"type": "str", "required": True},
        "uuid": {"type": "str"},
        "flavor": flavor_option(),
        "max_vcpus": {"type": "int"},
        "max_memory_mb": {"type": "int"},
        "image": {"type": "str"},
        "power_state": _choice(None, "running", "stopped", "paused", "suspended"),
        "autostart": {"type": "bool"},
        "disk_bus": _choice(None, "virtio", "scsi", "sata", "ide"),
        "disk_format": _choice(None, "qcow2", "raw"),
        "disk_cache": _choice(None, *_CACHE_MODES),
        "disk_discard": _choice(None, "unmap", "ignore"),
        "cdroms": {"type": "list", "elements": "str"},
        "volumes": {"type": "list", "elements": "dict", "options": volume_options()},
        "networks": {"type": "list", "elements": "dict", "options": nic_options()},
        "boot": _group(
            {
                "devices": {"type": "list", "elements": "str", "choices": ["hd", "cdrom", "network"]},
                "menu": {"type": "bool"},
                "firmware": _choice(None, "bios", "efi"),
            }
        ),
        "graphics": _group(
            {
                "type": _choice(None, "vnc", "spice", "none"),
                "listen": {"type": "str"},
                "port": {"type": "int"},
                "keymap": {"type": "str", "no_log": False},
            }
        ),
        "console": _group({"log": {"type": "bool"}}),
        "cpu": _group(
            {
                "mode": _choice(None, "host-model", "host-passthrough", "maximum", "custom"),
                "model": {"type": "str"},
                **hardware_cpu_options(),
            }
        ),
        "features": _group({"acpi": {"type": "bool"}, "apic": {"type": "bool"}, "pae": {"type": "bool"}}),
        "arch": {"type": "str"},
        "machine_type": {"type": "str"},
        "emulator": {"type": "path"},
        "clock": _choice(None, "utc", "localtime"),
        "on_poweroff": _choice(None, "destroy", "restart"),
        "on_reboot": _choice(None, "destroy", "restart"),
        "on_crash": _choice(None, "destroy", "restart", "preserve", "coredump-destroy", "coredump-restart"),
        "video": _choice(None, "virtio", "vga", "qxl", "cirrus", "bochs", "none"),
        "rng": {"type": "bool"},
        "balloon": {"type": "bool"},
        "guest_agent": {"type": "bool"},
        **hardware_options(),
        "metadata": {"type": "dict"},
        "protected": {"type": "bool"},
        "group": {"type": "str"},
        "group_policy": _choice(None, *GROUP_POLICIES),
        "xml_patch": {
            "type": "list",
            "elements": "dict",
            "options": {
                "path": {"type": "str", "required": True},
                "action": _choice("set", "set", "add", "remove"),
                "attribute": {"type": "str"},
                "value": {"type": "str"},
                "xml": {"type": "str"},
            },
        },
        **first_boot_options(),
        "first_boot_change": _choice("next_boot", *FIRST_BOOT_CHANGES),
        "adopt": {"type": "bool", "default": False},
    }
