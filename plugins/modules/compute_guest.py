#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Do something inside a running instance, through its guest agent."""

from __future__ import annotations

DOCUMENTATION = r"""
module: compute_guest
short_description: Act inside a running instance through its guest agent
version_added: 0.1.0
description:
  - Sets a password, runs a command, sets the clock, or freezes and thaws filesystems in a running instance, with no network to it.
    All goes through libvirt to the QEMU guest agent, so the module works the same on the hypervisor and, with a remote O(uri), elsewhere.
  - The instance needs the agent's channel, which O(kilonova.compute.compute_instance#module:guest_agent) gives it, and C(qemu-guest-agent)
    running in the guest. An agent that is not connected yet, as while the guest boots, is waited for.
  - An agent does not do all that is asked of it. RHEL and its relatives do not let it run commands, until C(guest-exec) and
    C(guest-exec-status) are allowed in C(/etc/sysconfig/qemu-ga) in the guest and its service is restarted. The task fails and says so.
  - Only instances that the collection created are acted on.
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
      - The guest is asked for what it takes to foretell a change, such as whether its filesystems are frozen or whether O(creates) exists,
        and whether its agent does such a thing at all. A command is not run.
  diff_mode:
    support: full
    details:
      - Passwords and what a command changes are not shown.
  idempotent:
    support: partial
    details:
      - Filesystems are only frozen when none is, and only thawed when one is. A clock is only set when it is off by more than O(tolerance).
      - A command is run whenever O(creates) does not name something that exists. A password is always set, since what it was cannot be
        read, and so is a clock with O(time_source=rtc).
options:
  name:
    description:
      - The instance's name. It must be running.
    type: str
    required: true
  action:
    description:
      - V(set_password) sets the password of O(user).
      - V(run_command) runs O(argv) as the agent's user, which on Linux is root.
      - V(sync_time) sets the guest's clock, which was left behind when the guest was paused, suspended or restored.
      - V(freeze_filesystems) writes to disk what the guest has in memory, and halts all further writing, for a consistent copy of
        the disks. Programs in the guest that write stand still until V(thaw_filesystems). If not all that was asked for can be frozen,
        what was is thawed again, and the task fails.
      - V(thaw_filesystems) thaws all that is frozen.
    type: str
    required: true
    choices: [set_password, run_command, sync_time, freeze_filesystems, thaw_filesystems]
  agent_timeout:
    description:
      - For how many seconds to wait for an agent that is not connected, or does not answer, before anything is done.
    type: int
    default: 60
  user:
    description:
      - The user in the guest.
      - Required with O(action=set_password).
    type: str
  password:
    description:
      - The new password.
      - Required with O(action=set_password).
    type: str
  crypted:
    description:
      - With O(action=set_password), whether O(password) is encrypted as the guest stores passwords.
        For Linux, the filter P(ansible.builtin.password_hash#filter) makes one.
      - The default is V(false).
    type: bool
  argv:
    description:
      - The program and its arguments. No shell reads them; to have one, take V([sh, -c, "..."]).
      - Required with O(action=run_command).
    type: list
    elements: str
  stdin:
    description:
      - With O(action=run_command), what the command can read from its standard input.
    type: str
  env:
    description:
      - With O(action=run_command), the command's whole environment. E(PATH) is added where it is missing.
      - Without it the command has the agent's environment.
    type: dict
  command_timeout:
    description:
      - With O(action=run_command), for how many seconds to wait until the command ends. It is not ended then, but the task fails and
        says its process ID.
      - The default is V(60).
    type: int
  creates:
    description:
      - With O(action=run_command), an absolute path in a Unix-like guest. If there is something, the command is not run.
    type: str
  success_codes:
    description:
      - With O(action=run_command), the exit codes that are no failure.
      - The default is V([0]).
    type: list
    elements: int
  time_source:
    description:
      - With O(action=sync_time), where the time is taken from. V(here) is the clock of the machine where the module runs, as Nova does it.
        V(rtc) is the guest's own hardware clock, which its hypervisor keeps; not all guests can do that.
      - The default is V(here).
    type: str
    choices: [here, rtc]
  tolerance:
    description:
      - With O(action=sync_time) and O(time_source=here), by how many seconds the guest's clock may be off without being set.
      - The default is V(1.0).
    type: float
  mountpoints:
    description:
      - With O(action=freeze_filesystems), where in the guest the filesystems are mounted that are to be frozen.
      - Without it all that can be are frozen, of which there must be one.
    type: list
    elements: str
seealso:
  - module: kilonova.compute.compute_instance
"""

EXAMPLES = r"""
---
- name: Set the root password, already encrypted
  kilonova.compute.compute_guest:
    name: web-1
    action: set_password
    user: root
    password: "{{ root_password | password_hash('sha512', root_salt) }}"
    crypted: true

- name: Reload the web server
  kilonova.compute.compute_guest:
    name: web-1
    action: run_command
    argv: [systemctl, reload, nginx]

- name: Make a filesystem once
  kilonova.compute.compute_guest:
    name: web-1
    action: run_command
    argv: [sh, -c, "mkfs.ext4 /dev/vdb && touch /etc/vdb-done"]
    creates: /etc/vdb-done
    command_timeout: 300

- name: Set the clock after the guest was suspended
  kilonova.compute.compute_guest:
    name: web-1
    action: sync_time

- name: Copy disks while nothing is written to them
  block:
    - name: Freeze the filesystems
      kilonova.compute.compute_guest:
        name: web-1
        action: freeze_filesystems

    - name: Copy the disks
      ansible.builtin.command:
        argv: [/usr/local/bin/copy-disks, web-1]
  always:
    - name: Thaw the filesystems
      kilonova.compute.compute_guest:
        name: web-1
        action: thaw_filesystems
"""

RETURN = r"""
rc:
  description: The command's exit code; above 128 it may be that of a signal, as shells count.
  returned: when a command was run
  type: int
  sample: 0
stdout:
  description: What the command wrote to its standard output, of that at most 1 MiB, without line breaks at its end.
  returned: when a command was run
  type: str
  sample: active
stderr:
  description: What the command wrote to its standard error, of that at most 1 MiB, without line breaks at its end.
  returned: when a command was run
  type: str
  sample: ""
truncated:
  description: Whether the command wrote more than is returned.
  returned: when a command was run
  type: bool
  sample: false
clock:
  description: By how many seconds the guest's clock was and is ahead of that of the machine where the module runs.
  returned: with O(action=sync_time)
  type: dict
  contains:
    offset_before:
      description: Before anything was done.
      type: float
      sample: -3600.2
    offset_after:
      description: Afterwards; in check mode the same.
      type: float
      sample: 0.01
filesystems:
  description: V(frozen) if any filesystem of the guest is, else V(thawed); in check mode as it is before.
  returned: with O(action=freeze_filesystems) and O(action=thaw_filesystems)
  type: str
  sample: frozen
count:
  description: How many filesystems were frozen or thawed.
  returned: when any were
  type: int
  sample: 2
actions:
  description: What was done, or in check mode would be done.
  returned: always
  type: list
  elements: str
  sample: ["freeze_filesystems web-1"]
changes:
  description: What that changes.
  returned: always
  type: list
  elements: dict
  contains:
    path:
      description: What is changed.
      type: str
      sample: filesystems
    before:
      description: What it was; V(null) where there is no telling.
      type: raw
    after:
      description: What it becomes.
      type: raw
    effect:
      description: When it has effect; here always V(live).
      type: str
      sample: live
"""

import typing as t

from ..module_utils._driver.connection import Connection
from ..module_utils._module import ComputeModule
from ..module_utils._service._guest.actions import act
from ..module_utils._spec.guest import ACTIONS, TIME_SOURCES, GuestSpec


def work(connection: Connection, spec: GuestSpec, check: bool) -> dict[str, t.Any]:
    """Do what is declared."""
    outcome = act(connection, spec, check)
    return {**outcome.plan.as_result(), **outcome.result, "diff": outcome.plan.as_diff()}


def main() -> None:
    """Run the module."""
    ComputeModule(
        {
            "name": {"type": "str", "required": True},
            "action": {"type": "str", "required": True, "choices": list(ACTIONS)},
            "agent_timeout": {"type": "int", "default": 60},
            "user": {"type": "str"},
            "password": {"type": "str", "no_log": True},
            "crypted": {"type": "bool"},
            "argv": {"type": "list", "elements": "str"},
            "stdin": {"type": "str"},
            "env": {"type": "dict"},
            "command_timeout": {"type": "int"},
            "creates": {"type": "str"},
            "success_codes": {"type": "list", "elements": "int"},
            "time_source": {"type": "str", "choices": list(TIME_SOURCES)},
            "tolerance": {"type": "float"},
            "mountpoints": {"type": "list", "elements": "str"},
        },
        required_if=[
            ("action", "set_password", ("user", "password")),
            ("action", "run_command", ("argv",)),
        ],
    ).run(GuestSpec.from_params, work)


if __name__ == "__main__":
    main()
