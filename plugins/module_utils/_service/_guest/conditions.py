# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Which of the conditions waited for hold, given one look at a guest, and what to say of those that do not: pure."""

from __future__ import annotations

import ipaddress
import typing as t
from dataclasses import dataclass

from ..._driver.addresses import GuestAddress
from ..._errors import AgentAbsentError, ComputeError, GuestError, SpecError
from ..._spec.waiting import AGENT, CLOUD_INIT, IP, PORT, RUNNING, AddressChoice, WaitSpec
from .cloud_init import CloudInitStatus

OVER = {"shutoff": "is shut off", "crashed": "has crashed"}
"""The states from which no waiting leads back, in words."""
_RUNS = frozenset({"running", "blocked"})
_NOT_ASKED = "it was not asked yet"


@dataclass(frozen=True)
class Seen:
    """One look at a guest; what was not looked at is as it is without."""

    state: str
    """Libvirt's word for it."""
    macs: tuple[str, ...] = ()
    has_channel: bool = True
    """Whether the domain has a channel to an agent."""
    agent: str | None = _NOT_ASKED
    """What is wrong with the agent; None if it answers."""
    addresses: tuple[GuestAddress, ...] = ()
    problems: tuple[str, ...] = ()
    """Why a source could not be asked for addresses."""
    cloud_init: CloudInitStatus | None = None
    cloud_init_problem: str = _NOT_ASKED
    """Why there is no answer."""
    knock: str | None = _NOT_ASKED
    """What is wrong with the port; None if it is open."""


@dataclass(frozen=True)
class Verdict:
    """What one look means: the address that counts, what does not hold yet and why, and what ends the wait."""

    address: GuestAddress | None
    pending: tuple[tuple[str, str], ...]
    failure: ComputeError | None = None


def judge(name: str, spec: WaitSpec, seen: Seen) -> Verdict:
    """Return what ``seen`` means for those who wait for ``spec``."""
    failure = _failure(name, spec, seen)
    if failure is not None:
        return Verdict(None, (), failure)
    address = choose(spec.address, seen.macs, seen.addresses)
    words = {
        RUNNING: None if seen.state in _RUNS else f"its state is {seen.state}",
        IP: None if address else _no_address(spec.address, seen),
        AGENT: seen.agent,
        CLOUD_INIT: _cloud_init(seen),
        PORT: _port(spec, seen, address),
    }
    pending = ((condition, words[condition]) for condition in spec.conditions)
    return Verdict(address, tuple((condition, text) for condition, text in pending if text is not None))


def choose(choice: AddressChoice, macs: t.Sequence[str], addresses: t.Iterable[GuestAddress]) -> GuestAddress | None:
    """Return the address that counts: of the first source, the first NIC, IPv4 before IPv6.

    A guest reports what it likes, bridges of its containers among it, so only its NICs' own addresses count. A guest
    without NICs that libvirt knows of may have a whole device passed through, of which nothing is known.
    """
    wanted = _wanted_macs(choice.nic, macs)
    fitting = [address for address in addresses if _fits(choice, wanted, address)]

    def rank(address: GuestAddress) -> tuple[int, int, bool]:
        nic = wanted.index(address.mac) if wanted and address.mac else 0
        return choice.sources.index(address.source), nic, address.family != "ipv4"

    return min(fitting, key=rank, default=None)


def _wanted_macs(nic: str | int | None, macs: t.Sequence[str]) -> tuple[str, ...] | None:
    """Return the MAC addresses that count; None is any."""
    if isinstance(nic, str):
        return (nic,)
    if isinstance(nic, int):
        return tuple(macs[nic : nic + 1])
    return tuple(macs) or None


def _fits(choice: AddressChoice, macs: tuple[str, ...] | None, address: GuestAddress) -> bool:
    return (
        address.is_reachable
        and address.source in choice.sources
        and (macs is None or address.mac in macs)
        and choice.family in ("any", address.family)
        and (choice.cidr is None or ipaddress.ip_address(address.address) in choice.cidr)
    )


def _failure(name: str, spec: WaitSpec, seen: Seen) -> ComputeError | None:
    """Return what ends the wait at once."""
    if seen.state in OVER:
        return GuestError(
            f"Instance {name} {OVER[seen.state]}, while it was waited for {' and '.join(spec.conditions)}."
        )
    if spec.needs_agent and not seen.has_channel:
        return AgentAbsentError(
            f"Instance {name} has no channel to a guest agent, without which waiting for"
            f" {' and '.join(spec.conditions)} never ends; declare guest_agent: true."
        )
    nic, count = spec.address.nic, len(seen.macs)
    if spec.needs_address and isinstance(nic, int) and nic >= count:
        return SpecError("wait_address.nic", f"instance {name} has no NIC {nic}", f"it has {count}, counted from 0")
    if CLOUD_INIT in spec.conditions and seen.cloud_init is not None and seen.cloud_init.is_failed:
        errors = "; ".join(seen.cloud_init.errors) or "it names no errors, see /var/log/cloud-init.log there"
        return GuestError(
            f"cloud-init failed in {name}: {errors}.", {"cloud_init_errors": list(seen.cloud_init.errors)}
        )
    return None


def _cloud_init(seen: Seen) -> str | None:
    if seen.cloud_init is None:
        return seen.cloud_init_problem
    return None if seen.cloud_init.is_done else f"it says {seen.cloud_init.status}"


def _port(spec: WaitSpec, seen: Seen, address: GuestAddress | None) -> str | None:
    if address is None:
        return "there is no address to connect to" if IP in spec.conditions else _no_address(spec.address, seen)
    return None if seen.knock is None else f"{address.address} port {spec.port}: {seen.knock}"


def _no_address(choice: AddressChoice, seen: Seen) -> str:
    others = [f"{address.address} of {address.interface} from {address.source}" for address in seen.addresses]
    found = f"; others were seen: {', '.join(others)}" if others else ""
    problems = f"; {' '.join(seen.problems)}" if seen.problems else ""
    return f"no address{choice.describe()} from {', '.join(choice.sources)}{found}{problems}"
