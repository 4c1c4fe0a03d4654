# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Which virt type new guests get: kvm only where it truly works.

That libvirt advertises kvm says that /dev/kvm can be opened, not that a guest gets anywhere under it: on some nested
or emulated hosts the BIOS still runs, slowly, and everything after it hangs. So the guest that is tried runs UEFI,
which is 64-bit code with paging like any operating system. Where there is no such firmware it runs the BIOS, and kvm
must not be slower than software emulation.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from .._driver import host as host_driver
from .._driver.capabilities import once
from .._driver.connection import Connection
from .._driver.guests import running_definitions
from .._driver.probe import Vitals, run_probe
from .._errors import DriverError, SpecError
from .._xml import domain as domain_xml
from .._xml.probe import ProbeGuest, render_probe

PROBE_SECONDS = 10.0
"""Real kvm needs about one; only where it hangs is all of it waited for."""
_LOOKED_AT = 8
"""How many running guests are asked for their virt type; if none of these is kvm, trying is cheaper."""
_BIOS_ARCHS = frozenset({"x86_64", "i686"})
_UEFI_MACHINES = {"x86_64": "q35", "aarch64": "virt"}
_STATELESS_SINCE = 8_006_000
"""The libvirt that can run UEFI without a file of variables."""
_SECURE_WORDS = ("secboot", "secure", ".ms.", "sev", "tdx")
_BIOS_IS_DONE = b"No bootable device"
_TOO_SLOW = 3.0
"""Real kvm is never this many times slower in the BIOS than emulation; a broken one was seen at eight times."""


@dataclass(frozen=True)
class VirtChoice:
    """The virt type, and why in one sentence."""

    type: str
    reason: str


def pick_virt_type(connection: Connection, wanted: str = "auto", patience: float = PROBE_SECONDS) -> VirtChoice:
    """Return the virt type that ``wanted`` (auto, or a type that is forced) means here; it is found out once."""
    return once(connection, ("virt type", wanted), lambda: _pick(connection, wanted, patience))


def _pick(connection: Connection, wanted: str, patience: float) -> VirtChoice:
    capabilities = host_driver.capabilities(connection)
    # Guests of an architecture that is not the host's are emulated.
    offered = capabilities.virt_types(capabilities.arch)
    if wanted != "auto":
        return _forced(wanted, offered)
    if "kvm" not in offered:
        if not offered:
            raise SpecError("virt_type", "this hypervisor runs no guests of its own architecture", "force a type")
        kind = "qemu" if "qemu" in offered else offered[0]
        return VirtChoice(kind, f"{kind}: this hypervisor does not offer kvm")
    if _a_kvm_guest_runs(connection):
        return VirtChoice("kvm", "kvm: a kvm guest runs here")
    return _choose_by_probe(connection, capabilities.arch, "qemu" in offered, patience)


def _forced(wanted: str, offered: tuple[str, ...]) -> VirtChoice:
    if wanted not in offered:
        known = ", ".join(offered) or "none"
        problem = f"this hypervisor does not offer {wanted}; there are: {known}"
        raise SpecError("virt_type", problem, "choose one of those or auto")
    return VirtChoice(wanted, f"{wanted}: option virt_type asks for it")


def _a_kvm_guest_runs(connection: Connection) -> bool:
    return any(domain_xml.read(xml).type == "kvm" for xml in running_definitions(connection, _LOOKED_AT))


def _choose_by_probe(connection: Connection, arch: str, has_qemu: bool, patience: float) -> VirtChoice:
    try:
        vitals = probe(connection, "kvm", arch, patience)
    except DriverError as exc:
        vitals = Vitals(False, f"could not be started ({exc.message.rstrip('.')})")
    if vitals is None:
        return VirtChoice("kvm", f"kvm: it is advertised; there is no firmware to try it with on {arch}")
    if vitals.alive:
        return VirtChoice("kvm", "kvm: a probe guest started here")
    if not has_qemu:
        raise SpecError("virt_type", f"kvm is advertised but a probe guest {vitals.problem}", "repair kvm or force it")
    return VirtChoice("qemu", f"qemu: kvm is advertised but a probe guest {vitals.problem}")


def probe(connection: Connection, virt_type: str, arch: str, patience: float) -> Vitals | None:
    """Try a tiny guest of ``virt_type``; None where no firmware is there that would show anything."""
    loader = _plain_uefi(connection, virt_type, arch)
    if loader:
        guest = ProbeGuest(virt_type, arch, _UEFI_MACHINES[arch], loader)
        return run_probe(connection, partial(render_probe, guest), b"", patience)
    if arch in _BIOS_ARCHS:
        return _probe_bios(connection, virt_type, arch, patience)
    return None


def _probe_bios(connection: Connection, virt_type: str, arch: str, patience: float) -> Vitals:
    vitals = _bios_vitals(connection, virt_type, arch, patience)
    if virt_type == "qemu" or not vitals.alive:
        return vitals
    emulated = _bios_vitals(connection, "qemu", arch, patience)
    if emulated.alive and vitals.cpu_seconds > _TOO_SLOW * emulated.cpu_seconds:
        times = vitals.cpu_seconds / emulated.cpu_seconds
        return Vitals(False, f"was {times:.0f} times slower than under software emulation", vitals.cpu_seconds)
    return vitals


def _bios_vitals(connection: Connection, virt_type: str, arch: str, patience: float) -> Vitals:
    render = partial(render_probe, ProbeGuest(virt_type, arch))
    return run_probe(connection, render, _BIOS_IS_DONE, patience)


def _plain_uefi(connection: Connection, virt_type: str, arch: str) -> str | None:
    """Return a UEFI firmware file that runs without secure boot, which would need more of the machine."""
    machine = _UEFI_MACHINES.get(arch)
    if machine is None or host_driver.versions(connection).libvirt_version < _STATELESS_SINCE:
        return None
    try:
        known = host_driver.domain_capabilities(connection, virt_type, arch, machine)
    except DriverError:
        return None
    plain = (path for path in known.loaders if path.endswith(".fd") and not any(word in path for word in _SECURE_WORDS))
    return next(plain, None)
