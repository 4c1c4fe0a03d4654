# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Spell out a declared fleet, one dictionary for each instance."""

from __future__ import annotations

DOCUMENTATION = r"""
name: expand_fleet
short_description: Spell out a declared fleet, one dictionary for each instance
version_added: 0.1.0
author:
  - The kilonova.compute contributors (@kilonova)
description:
  - Multiplies instances by their C(count), puts the flavor's sizes in place of its name, and checks names, flavors and images.
  - The result is what P(kilonova.compute.schedule#filter) takes.
positional: flavors, images
options:
  _input:
    description:
      - The declared instances. Each has a C(name) and a C(flavor), which is the name of one of O(flavors) or a dictionary like them.
      - An instance C(web) with C(count=3) becomes C(web-1), C(web-2) and C(web-3); without C(count) it is C(web).
      - An C(image) must be the name of one of O(images). Every other key is passed on as it is.
    type: list
    elements: dictionary
    required: true
  flavors:
    description:
      - The flavors, each with C(name), C(vcpus), C(memory_mb) (MiB), C(disk_gb) (GiB) and perhaps C(extra_specs).
    type: list
    elements: dictionary
    default: []
  images:
    description:
      - The images, each with C(name), one of C(url), C(src) and C(source_host), and perhaps more options of
        M(kilonova.compute.compute_image).
    type: list
    elements: dictionary
    default: []
  pci_aliases:
    description:
      - What flavors mean by the names in their extra spec C(pci_passthrough:alias), which is written as in Nova, such as C(gpu:1,nic:2). Each is
        a dictionary with C(vendor_id) and C(product_id) under its name.
      - The devices become the instance's C(pci_devices).
    type: dictionary
    default: {}
  prefix:
    description:
      - What the names of options begin with in messages, such as C(fleet_), where the caller has variables for them.
    type: string
    default: ""
seealso:
  - plugin: kilonova.compute.schedule
    plugin_type: filter
"""

EXAMPLES = r"""
---
- name: Show the names web-1 and web-2
  ansible.builtin.debug:
    msg: "{{ instances | kilonova.compute.expand_fleet(flavors=flavors) | map(attribute='name') }}"
  vars:
    flavors:
      - name: tiny
        vcpus: 1
        memory_mb: 128
        disk_gb: 1
    instances:
      - name: web
        count: 2
        flavor: tiny
"""

RETURN = r"""
_value:
  description: The instances, without C(count) and each with its flavor as a dictionary.
  type: list
  elements: dictionary
"""

import typing as t

from ansible.errors import AnsibleFilterError

from ..plugin_utils._fleet import expand
from ..plugin_utils._plain import PlainError, to_plain
from ..plugin_utils._values import ValuesError

if t.TYPE_CHECKING:
    from collections.abc import Callable


def expand_fleet(
    instances: t.Any, flavors: t.Any = (), images: t.Any = (), *, prefix: t.Any = "", pci_aliases: t.Any = None
) -> list[dict[str, t.Any]]:
    """Return one complete dictionary for each instance."""
    try:
        start = str(to_plain(prefix, "prefix"))
        return expand(
            to_plain(instances, f"{start}instances"),
            to_plain(flavors, f"{start}flavors"),
            to_plain(images, f"{start}images"),
            start,
            to_plain(pci_aliases, f"{start}pci_aliases"),
        )
    except (PlainError, ValuesError) as exc:
        raise AnsibleFilterError(str(exc)) from exc


class FilterModule:
    """Jinja2 filters."""

    def filters(self) -> dict[str, Callable[..., t.Any]]:
        """Return the filters by name."""
        return {"expand_fleet": expand_fleet}
