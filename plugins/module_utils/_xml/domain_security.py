# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What makes a domain trustworthy to its owner: a TPM, and memory that the host cannot read."""

from __future__ import annotations

from .._spec.machine import Sev, Tpm
from .document import Element, XmlError, add, as_bool, as_int, attribute, put, set_attributes, text_of

_EMULATOR = "emulator"
_SEV = "sev"


def read_tpm(devices: Element) -> Tpm | None:
    """Return the emulated TPM."""
    tpm = devices.find("tpm")
    if tpm is None or attribute(tpm, "backend", "type") != _EMULATOR:
        return None
    return Tpm(tpm.get("model"), attribute(tpm, "backend", "version"))


def put_tpm(devices: Element, tpm: Tpm | None) -> None:
    """Write the emulated TPM; one of another kind is not taken away."""
    if tpm is None:
        return
    element = devices.find("tpm")
    if element is None:
        element = add(devices, "tpm")
        add(element, "backend", type=_EMULATOR)
    kind = attribute(element, "backend", "type")
    if kind != _EMULATOR:
        raise XmlError(f"The TPM cannot go from type {kind} to {_EMULATOR}: only {_EMULATOR} is known.")
    set_attributes(element, model=tpm.model)
    put(element, "backend", version=tpm.version)


def read_launch_security(domain: Element) -> Sev | None:
    """Return how an AMD processor encrypts the memory."""
    found = domain.find(f"launchSecurity[@type='{_SEV}']")
    if found is None:
        return None
    return Sev(
        policy=_policy(found) or 0,
        cbitpos=as_int(text_of(found, "cbitpos")),
        reduced_phys_bits=as_int(text_of(found, "reducedPhysBits")),
        kernel_hashes=as_bool(found.get("kernelHashes")),
    )


def put_launch_security(domain: Element, sev: Sev | None) -> None:
    """Write how an AMD processor encrypts the memory; another kind of protection is not taken away."""
    if sev is None:
        return
    element = domain.find("launchSecurity")
    if element is None:
        element = add(domain, "launchSecurity", type=_SEV)
    elif element.get("type") != _SEV:
        raise XmlError(f"Launch security cannot go from {element.get('type')} to {_SEV}: only {_SEV} is known.")
    set_attributes(element, kernelHashes=sev.kernel_hashes)
    put(element, "cbitpos", sev.cbitpos)
    put(element, "reducedPhysBits", sev.reduced_phys_bits)
    if _policy(element) != sev.policy:
        put(element, "policy", f"0x{sev.policy:04x}")


def _policy(element: Element) -> int | None:
    text = text_of(element, "policy")
    try:
        return None if text is None else int(text, 16)
    except ValueError:
        raise XmlError(f"The domain's launch security cannot be read: {text!r} is not a policy.") from None
