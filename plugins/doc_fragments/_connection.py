# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This doc fragment is PRIVATE to the collection. It can have breaking changes at any time.

"""How to reach a hypervisor; keep in step with ``module_utils/_options.py``."""

from __future__ import annotations


class ModuleDocFragment:
    """Documentation fragments for the connection."""

    DOCUMENTATION = r"""
requirements:
  - libvirt-python (C(python3-libvirt)) 7.0 or newer where the module runs
  - lxml (C(python3-lxml)) where the module runs
options:
  uri:
    description:
      - Where the hypervisor is, as a libvirt connection URI.
      - The default is the hypervisor on the machine where the module runs. With a remote URI such as
        V(qemu+ssh://root@kvm1/system) or V(qemu+tls://kvm1/system) the module can run anywhere that reaches it.
      - If not set, the environment variable E(LIBVIRT_DEFAULT_URI) of the machine where the module runs is used.
    type: str
    default: qemu:///system
"""
