# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""What a result tells of changes, held against what really changed, path by path."""

from __future__ import annotations

import re
import typing as t

_PATCHED = r"disks\[\w+\]\.io|watchdogs\[.*\]|rng(_rate_\w+)?|on_crash"
_FOLLOWS = (
    (r"xml_patch", _PATCHED),
    (r"nics\[.*\]\.type", r"nics\[.*\]\.(source|portgroup)"),
    (r"cpu\.mode", r"cpu\..*"),
    (r"balloon", r"balloon_stats_seconds"),
    (r"disks\[.da\]\.iotune\.\w+", r"disks\[.da\]\.iotune\.\w+"),
    (r"serials\[0\]\.log", r"serials\[0\]\.log_append"),
)
"""What goes along with a change that is told, because it is nothing without it or can't stand beside it."""


_OWNERS = {
    "flavor": r"flavor|(max_)?(vcpus|memory_mb)|disk_gb|cpu\.(sockets|dies|cores|threads)",
    "max_vcpus": r"max_vcpus|cpu\.(sockets|cores|threads)",
    "max_memory_mb": r"max_memory_mb",
    "autostart": r"autostart",
    "disk_cache": r"disks\[[vs]da\]\.cache",
    "disk_discard": r"disks\[[vs]da\]\.discard",
    "cdroms": r"disks\[(sd|hd).\](\.source)?",
    "volumes": r"disks\[[vs]d.\](\.\w+)?|volumes\[.*\](\.size_gb)?|scsi_model",
    "networks": r"nics\[.*\](\.[\w.]+)?",
    "boot": r"os\.(boot_devices|boot_menu)",
    "graphics": r"graphics\[\w+\](\.\w+)?|video",
    "console": r"serials\[0\]\.log(_append)?",
    "cpu": r"cpu(\.\w+)?|features\.pmu",
    "cpu_limits": r"cpu_tune\.(shares|quota)",
    "iothreads": r"iothreads|disks\[vda\]\.iothread|scsi_iothread",
    "watchdog": r"watchdogs\[i6300esb\](\.action)?",
    "sound": r"sound",
    "tablet": r"tablet",
    "serial_ports": r"serials\[[1-3]\]",
    "rng_rate": r"rng(_rate_bytes|_rate_period_ms)?",
    "disk_io": r"disks\[[vs]da\]\.io",
    "disk_detect_zeroes": r"disks\[[vs]da\]\.detect_zeroes",
    "disk_queues": r"disks\[[vs]da\]\.queues|scsi_queues",
    "disk_limits": r"disks\[[vs]da\]\.iotune\.\w+",
    "shares": r"filesystems\[\w+\](\.\w+)?|memory_backing\.(source|access)",
    "features": r"features\.\w+",
    "emulator": r"emulator",
    "clock": r"clock_offset",
    "on_poweroff": r"on_poweroff",
    "on_reboot": r"on_reboot",
    "on_crash": r"on_crash",
    "video": r"video",
    "rng": r"rng",
    "balloon": r"balloon(_stats_seconds)?",
    "guest_agent": r"channels\[org\.qemu\.guest_agent\.0\]",
    "metadata": r"metadata",
    "protected": r"protected",
    "xml_patch": _PATCHED,
}
"""The paths that each option may change."""


def told_paths(changes: t.Iterable[tuple[str, t.Any]]) -> list[str]:
    """Return what is told, as a list of paths; ``changes`` are paths with what is there after them."""
    return [f"volumes[{after}]" if path.endswith("].volume") else path for path, after in changes]


def untold(told: t.Collection[str], done: t.Iterable[str]) -> set[str]:
    """Return what changed and was not told."""
    return {path for path in done if not _is_told(path, told)}


def not_done(told: t.Iterable[str], done: t.Collection[str]) -> set[str]:
    """Return what was told and did not change."""
    return {path for path in told if not any(other == path or _is_part(other, path) for other in done)}


def undeclared(done: t.Iterable[str], declared: t.Iterable[str], own: str) -> set[str]:
    """Return what changed though no declared option is about it; ``own`` is an expression for what may change besides."""
    allowed = "|".join([own, *(_OWNERS[option] for option in declared if option in _OWNERS)])
    return {path for path in done if not re.fullmatch(allowed, path)}


def _is_part(path: str, whole: str) -> bool:
    return path.startswith((f"{whole}.", f"{whole}["))


def _is_told(path: str, told: t.Collection[str]) -> bool:
    if path in told or any(path.startswith(f"{other}.") for other in told):
        return True
    causes = [cause for cause, effect in _FOLLOWS if re.fullmatch(effect, path)]
    return any(re.fullmatch(cause, other) for cause in causes for other in told)
