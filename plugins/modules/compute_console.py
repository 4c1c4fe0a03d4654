#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Look at the consoles of an instance."""

from __future__ import annotations

DOCUMENTATION = r"""
module: compute_console
short_description: Look at the consoles of an instance
version_added: 0.1.0
description:
  - Returns the end of what an instance printed on its serial console, takes a picture of its screen, and tells where the screen and the
    serial console can be reached.
  - Everything comes through libvirt, so that the module works the same on the hypervisor and, with a remote O(uri), elsewhere. Nothing is
    sent to the guest, and passwords of screens are never read.
  - The domain need not be one that this collection made.
author:
  - The kilonova.compute contributors (@kilonova)
extends_documentation_fragment:
  - kilonova.compute._connection
  - kilonova.compute._attributes
  - kilonova.compute._attributes.actiongroup_compute
attributes:
  check_mode:
    support: full
    details:
      - Everything is read and the picture is taken, but O(dest) is not written.
  diff_mode:
    support: N/A
    details:
      - There is nothing to compare; a screen shows something else each time.
  idempotent:
    support: partial
    details:
      - With O(dest), every run writes a new picture and reports a change. Without it the module only reads.
options:
  name:
    description:
      - The instance's name.
    type: str
    required: true
  log:
    description:
      - Return the end of what the serial console printed. The instance must keep a log, as one does that was made with
        O(kilonova.compute.compute_instance#module:console.log), and the log must lie in the directory of a running storage pool.
      - Lines that were rotated out of the log by libvirt's log daemon are found too. The log of an instance that is off is returned as well.
      - Colours, cursor movements and other control characters are left out.
    type: bool
    default: true
  lines:
    description:
      - How many lines of the log to return at most.
    type: int
    default: 100
  bytes:
    description:
      - How many bytes of the log to read at most, whatever the number of lines.
    type: int
    default: 102400
  screenshot:
    description:
      - Take a picture of the first screen. The instance must be running and have a video device.
    type: bool
    default: false
  dest:
    description:
      - A file on the machine where the module runs, to write the picture to as PNG. What is there is replaced. Only the user that the
        module runs as can read the file.
      - Without it, the picture is returned in RV(screenshot.content).
      - Needs O(screenshot=true).
    type: path
seealso:
  - module: kilonova.compute.compute_instance_info
  - module: kilonova.compute.compute_instance
"""

EXAMPLES = r"""
---
- name: Read the last lines that an instance printed
  kilonova.compute.compute_console:
    name: web-1
    lines: 20
  register: console

- name: Show them
  ansible.builtin.debug:
    var: console['log']['lines']

- name: Wait until the instance asks to log in
  kilonova.compute.compute_console:
    name: web-1
  register: console
  until: "'login:' in console['log']['content']"
  retries: 60
  delay: 2

- name: Keep a picture of the screen on the machine that Ansible runs on
  kilonova.compute.compute_console:
    uri: qemu+ssh://root@kvm1/system
    name: web-1
    log: false
    screenshot: true
    dest: /tmp/web-1.png
  delegate_to: localhost
"""

RETURN = r"""
name:
  description: The instance's name.
  returned: success
  type: str
  sample: web-1
uuid:
  description: UUID of the domain.
  returned: success
  type: str
  sample: 4d1c1b3a-2a64-4a55-9c4f-3c7d54d2f8f1
power_state:
  description: V(running), V(paused), V(stopped), V(suspended) (also with its memory saved on disk), V(crashed), or V(nostate).
  returned: success
  type: str
  sample: running
log:
  description: The end of what the serial console printed; V(null) without O(log). An instance that never ran has an empty log.
  returned: success
  type: dict
  contains:
    path:
      description: The log on the hypervisor.
      type: str
      sample: /var/lib/libvirt/images/web-1.console.log
    content:
      description: The lines as one text.
      type: str
      sample: "[    0.312345] Run /init as init process\nweb-1 login:"
    lines:
      description: The lines.
      type: list
      elements: str
      sample: ["[    0.312345] Run /init as init process", "web-1 login:"]
    truncated:
      description: Whether there is more before.
      type: bool
screenshot:
  description: The picture; V(null) without O(screenshot).
  returned: success
  type: dict
  contains:
    format:
      description: Always V(png).
      type: str
      sample: png
    width:
      description: Its width in pixels.
      type: int
      sample: 720
    height:
      description: Its height in pixels.
      type: int
      sample: 400
    size:
      description: Its size in bytes.
      type: int
      sample: 5006
    dest:
      description: The file it was written to, as given in O(dest).
      type: str
      sample: /tmp/web-1.png
    content:
      description: The picture in Base64; V(null) with O(dest).
      type: str
graphics:
  description: Where the screens of the instance can be reached; empty while it is off.
  returned: success
  type: list
  elements: dict
  contains:
    type:
      description: V(vnc), V(spice) or V(rdp).
      type: str
    host:
      description: The address that the hypervisor listens on.
      type: str
      sample: 127.0.0.1
    port:
      description: The port.
      type: int
      sample: 5900
    tls_port:
      description: The port for TLS.
      type: int
    websocket:
      description: The port for WebSockets.
      type: int
    socket:
      description: The path of the UNIX socket on the hypervisor, if it listens on that.
      type: str
    uri:
      description: What a viewer takes. The host is the one of O(uri) where the hypervisor listens on all its addresses.
      type: str
      sample: vnc://127.0.0.1:5900
pty:
  description: The hypervisor's end of the serial console, such as for C(screen); V(null) while the instance is off.
  returned: success
  type: str
  sample: /dev/pts/3
"""

from ..module_utils._module import ComputeModule
from ..module_utils._service.console import ConsoleOptions, look_at_console


def main() -> None:
    """Run the module."""
    ComputeModule(
        {
            "name": {"type": "str", "required": True},
            "log": {"type": "bool", "default": True},
            "lines": {"type": "int", "default": 100},
            "bytes": {"type": "int", "default": 102400},
            "screenshot": {"type": "bool", "default": False},
            "dest": {"type": "path"},
        }
    ).run(ConsoleOptions.from_params, look_at_console)


if __name__ == "__main__":
    main()
