# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What a running domain's XML tells of its guest's side: the NICs it knows itself by, and whether its agent is there."""

from __future__ import annotations

from dataclasses import dataclass

from .document import Element, attribute, parse
from .record import find_record

AGENT_CHANNEL = "org.qemu.guest_agent.0"


@dataclass(frozen=True)
class GuestSide:
    """The MAC addresses in the order of the NICs, in lower case, and the state of the agent's channel."""

    macs: tuple[str, ...]
    agent: str | None
    """connected or disconnected, as libvirt says; empty where it does not say, None without a channel."""
    is_ours: bool
    """Whether the collection created the domain."""


def read_guest_side(xml: str) -> GuestSide:
    """Return the guest's side of the definition ``xml`` of a running domain."""
    domain = parse(xml, "The domain's XML")
    macs = (attribute(nic, "mac", "address") for nic in domain.iterfind("devices/interface"))
    return GuestSide(
        macs=tuple(mac.lower() for mac in macs if mac),
        agent=_agent_state(domain),
        is_ours=find_record(domain) is not None,
    )


def _agent_state(domain: Element) -> str | None:
    target = domain.find(f"devices/channel/target[@name='{AGENT_CHANNEL}']")
    return None if target is None else target.get("state", "")
