# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This doc fragment is PRIVATE to the collection. It can have breaking changes at any time.

"""What a guest is told when it first boots; keep in step with ``module_utils/_options_first_boot.py``."""

from __future__ import annotations


class ModuleDocFragment:
    """Documentation fragments for a guest's first boot."""

    DOCUMENTATION = r"""
requirements:
  - pycdlib (C(python3-pycdlib)) 1.12 or newer where the module runs, if any of the options of the first boot is set
options:
  user_data:
    description:
      - What cloud-init runs in the guest at its first boot, as a dictionary, a text or a list of parts.
      - A dictionary is a cloud-config.
      - A text is passed on as it is. It must begin with a header that cloud-init knows, such as C(#cloud-config),
        C(#include) or C(#!) with an interpreter, or be a MIME message with a C(MIME-Version). Packed or binary data
        is refused.
      - A list makes a MIME message of its parts. Each part has C(content), a dictionary or a text as above, and may have
        C(type), such as V(text/x-shellscript-per-boot), and C(filename), by which cloud-init orders scripts. If not
        set, the type is seen from the content, and the names are V(part-001) and so on.
      - The user data is never mixed with what other options say. Keys of it that would silently take the place of
        O(password) or O(hostname) are refused where they are seen.
      - Its values are in no result, diff or log. AWX keeps the arguments of tasks themselves; set C(no_log) on the task
        if they hold secrets.
    type: raw
  meta_data:
    description:
      - Further keys of the meta data. C(instance-id) and C(local-hostname) are set by the module unless given here.
      - With an C(instance-id) of your own, a rebuilt instance does not do its first boot again.
    type: dict
  network_config:
    description:
      - The guest's network configuration in netplan's form, with C(version) 2. If not set, cloud-init asks for an
        address by DHCP on the first NIC that is connected.
      - An item of C(ethernets) that is called C(nic0), C(nic1) and so on, and has no C(match), is the NIC at that place
        in the instance's networks, whatever the guest calls it.
      - An address that the host, a lease or a reservation of that NIC's network, or another instance of the fleet on this
        host has is refused.
    type: dict
  ssh_keys:
    description:
      - Public SSH keys for the image's default user, each the line of a file such as C(id_ed25519.pub).
    type: list
    elements: str
  password:
    description:
      - Password of the image's default user, hashed with SHA-512 or SHA-256 as C(mkpasswd -m sha-512) and the filter
        P(ansible.builtin.password_hash#filter) do it. A plain one is refused, and so is a yescrypt hash, which
        cloud-init takes for a plain one.
      - It does not have to be changed at the first login. Whether SSH lets anybody in with a password is up to the
        image and O(user_data).
    type: str
  hostname:
    description:
      - The guest's host name. If not set, the instance's name.
    type: str
"""
