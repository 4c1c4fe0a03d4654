# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This doc fragment is PRIVATE to the collection. It can have breaking changes at any time.

"""Module attributes shared by every module of this collection."""

from __future__ import annotations


class ModuleDocFragment:
    """Documentation fragments for attributes."""

    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: In C(check_mode) the module reports what it would change and changes nothing.
  diff_mode:
    description: In diff mode the module returns the state before and after.
  idempotent:
    description:
      - A second run with the same arguments reports no change, unless something else changed the system in between.
"""

    INFO_MODULE = r"""
options: {}
attributes:
  check_mode:
    support: full
    details:
      - The module only reads.
  diff_mode:
    support: N/A
    details:
      - The module only reads.
  idempotent:
    support: full
    details:
      - The module only reads.
"""

    ACTIONGROUP_COMPUTE = r"""
options: {}
attributes:
  action_group:
    description: Set defaults for this module with C(group/kilonova.compute.compute) in C(module_defaults).
    support: full
    membership:
      - kilonova.compute.compute
"""
