# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tell a hypervisor's security groups which members the others have."""

from __future__ import annotations

DOCUMENTATION = r"""
name: members_elsewhere
short_description: Tell a hypervisor's security groups which members the others have
version_added: 0.1.0
author:
  - The kilonova.compute contributors (@kilonova)
description:
  - Collects, out of what M(kilonova.compute.compute_security_group) said on every hypervisor, the addresses that the remote groups of
    one hypervisor's rules stand for on the others. That is what O(kilonova.compute.compute_security_group#module:members) takes.
options:
  _input:
    description:
      - The names of the hypervisors, each with the list of the security groups that are there, as the module returned them.
    type: dictionary
    required: true
  host:
    description:
      - The hypervisor whose groups are to be told.
    type: string
    required: true
  complete:
    description:
      - Whether these are all hypervisors. If not, what was declared before stays too, since a hypervisor that does not answer may
        still run its guests.
    type: boolean
    default: true
seealso:
  - module: kilonova.compute.compute_security_group
"""

EXAMPLES = r"""
---
- name: Tell the groups of hv1 who is in them on hv2
  kilonova.compute.compute_security_group:
    name: "{{ item.key }}"
    members: "{{ item.value }}"
  loop: "{{ groups | kilonova.compute.members_elsewhere(host='hv1') | dict2items }}"
  vars:
    groups:
      hv1:
        - {name: db, members: {web: {here: [192.0.2.11], elsewhere: []}}}
      hv2:
        - {name: db, members: {web: {here: [192.0.2.12], elsewhere: []}}}
"""

RETURN = r"""
_value:
  description: The names of the groups that have rules with remote groups, each with the addresses of those by name.
  type: dictionary
  sample: {"db": {"web": ["192.0.2.12"]}}
"""

import ipaddress
import typing as t

from ansible.errors import AnsibleFilterError

from ..plugin_utils._plain import PlainError, to_plain

if t.TYPE_CHECKING:
    from collections.abc import Callable


def members_elsewhere(hosts: t.Any, host: str, complete: bool = True) -> dict[str, dict[str, list[str]]]:
    """Return what each group of ``host`` is to be told of its remote groups."""
    try:
        plain = to_plain(hosts, "hosts")
        others = [group for name, groups in plain.items() if name != host for group in groups]
        return {
            group["name"]: {
                remote: _sorted(
                    *(other["members"][remote]["here"] for other in others if remote in other["members"]),
                    *([] if complete else [known["elsewhere"]]),
                )
                for remote, known in group["members"].items()
            }
            for group in plain[host]
            if group["members"]
        }
    except (PlainError, LookupError, TypeError, AttributeError, ValueError) as exc:
        raise AnsibleFilterError(
            f"This is not what is known of security groups ({exc}); pass what kilonova.compute.compute_security_group"
            " returned as security_group, as lists by hypervisor."
        ) from exc


def _sorted(*addresses: list[str]) -> list[str]:
    found = {ipaddress.ip_interface(address) for some in addresses for address in some}
    return [str(one.ip) for one in sorted(found, key=lambda one: (one.version, int(one.ip)))]


class FilterModule:
    """Jinja2 filters."""

    def filters(self) -> dict[str, Callable[..., t.Any]]:
        """Return the filters by name."""
        return {"members_elsewhere": members_elsewhere}
