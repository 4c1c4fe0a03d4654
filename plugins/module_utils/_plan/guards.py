# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Changes of what guards a NIC, in the user's terms."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from .._spec.machine import Machine, Nic
from .._spec.port_filter import guards_in_words
from .plan import Change

_FILTER, _ADDRESS = "].filter", "].filter_ip"


def guards_told(changes: t.Mapping[str, Change], desired: Machine, machine: Machine) -> t.Iterator[Change]:
    """Give the changes, where a NIC's filter and the address that it is told of are one."""
    wanted, present = ({nic.mac: nic for nic in one.nics} for one in (desired, machine))
    for path, change in changes.items():
        if path.endswith(_FILTER) or (path.endswith(_ADDRESS) and _filter_of(path) not in changes):
            mac = path.partition("[")[2].partition("]")[0]
            yield _told(_filter_of(path), change, wanted[mac], present[mac])
        elif path.startswith("nics[") and isinstance(change.after, dict) and "filter" in change.after:
            yield replace(change, after=_plugged(change.after))
        elif not path.endswith(_ADDRESS):
            yield change


def _filter_of(path: str) -> str:
    return path.rpartition("]")[0] + _FILTER


def _told(path: str, change: Change, wanted: Nic, present: Nic) -> Change:
    name = present.filter if wanted.filter is None else wanted.filter
    # Other addresses go with another filter.
    address = present.filter_ip if wanted.filter_ip is None and name == present.filter else wanted.filter_ip
    before = guards_in_words(present.filter or "", present.filter_ip)
    return Change(path, before, guards_in_words(name or "", address), change.effect)


def _plugged(nic: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    shown = {key: value for key, value in nic.items() if key != "filter_ip"}
    return {**shown, "filter": guards_in_words(nic["filter"], nic.get("filter_ip"))}
