#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Do something once to an instance."""

from __future__ import annotations

DOCUMENTATION = r"""
module: compute_instance_action
short_description: Do something once to an instance
version_added: 0.1.0
description:
  - Reboots, resets, rescues, rebuilds or shelves an instance that M(kilonova.compute.compute_instance) made.
  - What lasts (running, stopped, paused, suspended) is declared there with O(kilonova.compute.compute_instance#module:power_state).
  - An action that is interrupted, even by the end of the machine where the module runs, is noted in the domain's metadata.
    The same task run again, from wherever, finishes it.
extends_documentation_fragment:
  - kilonova.compute._instance.limits
  - kilonova.compute._connection
  - kilonova.compute._attributes
  - kilonova.compute._attributes.actiongroup_compute
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: partial
    details:
      - The actions V(rescue), V(unrescue), V(shelve) and V(unshelve) end in a state, and do nothing where it is reached already.
      - The actions V(reboot), V(reset) and V(rebuild) are done every time.
options:
  name:
    description:
      - Name of the instance.
    type: str
    required: true
  fleet:
    description:
      - The fleet that the instance belongs to, if any. An instance of another fleet is not touched.
    type: str
  action:
    description:
      - With V(reboot), the guest powers off and is started again, by which changes of its definition that waited for its next boot take effect.
        See O(reboot_type).
      - With V(reset), the guest's reset button is pressed, which loses what it has not yet written and so wants O(force=true).
        Changes that wait for the next boot go on waiting.
      - With V(rescue), the same machine boots from a new disk that is made from O(image), while all its own disks are there to be repaired.
        It runs afterwards, also if it was stopped before.
      - With V(unrescue), the definition is again what it was before the rescue, the rescue disk is deleted, and the instance runs.
      - With V(rebuild), the root disk is replaced by a new one that is made from O(image); what was on it is lost. Name, UUID, addresses, other disks,
        firmware variables and TPM stay. The instance runs afterwards if it ran before. Protected instances refuse, and so do those with snapshots.
      - With V(shelve), the guest powers off, and its vCPUs and memory may be promised to others on this host.
        Its disks, addresses and devices stay its own, and so does memory that was saved.
      - With V(unshelve), the host's room is claimed again, within O(limits), and the instance runs.
    type: str
    required: true
    choices: [reboot, reset, rescue, unrescue, rebuild, shelve, unshelve]
  reboot_type:
    description:
      - With V(soft), a running guest is asked to power off.
      - With V(hard), its plug is pulled, which loses what it has not yet written and so wants O(force=true). An instance that is off is just started.
    type: str
    choices: [soft, hard]
    default: soft
  image:
    description:
      - Name of a published image for V(rescue) or V(rebuild); without it, the image that the instance was made from.
      - The guest should tell its root disk from the one it is rescued with. Copies of one image have the same file system labels and UUIDs,
        so another image is better for V(rescue).
    type: str
  pool:
    description:
      - Storage pool that holds O(image) and gets the rescue disk. Without it, that of the root disk, where the new disk of a V(rebuild) always is.
    type: str
  force:
    description:
      - Whether a guest that did not power off within O(shutdown_timeout) is switched off hard, which may lose data.
      - It must be given for what always has that risk, a V(reset) and a V(hard) reboot of a guest that runs or whose memory is saved.
    type: bool
    default: false
  shutdown_timeout:
    description:
      - How long a guest may take to power off after it was asked, in seconds. It is asked again every ten seconds.
      - If it does not, the action fails, with nothing changed.
    type: int
    default: 60
  wait:
    description:
      - Whether to wait at the end until the guest's agent answers, where the instance has a channel for it and runs.
    type: bool
    default: false
  wait_timeout:
    description:
      - How long to wait for the agent, in seconds.
    type: int
    default: 300
seealso:
  - module: kilonova.compute.compute_instance
  - module: kilonova.compute.compute_image
author:
  - The kilonova.compute contributors (@kilonova)
"""

EXAMPLES = r"""
---
- name: Reboot, and go on when the guest answers
  kilonova.compute.compute_instance_action:
    name: web-1
    action: reboot
    wait: true

- name: Reboot a guest that hangs
  kilonova.compute.compute_instance_action:
    name: web-1
    action: reboot
    reboot_type: hard
    force: true

- name: Boot a broken guest from another image, with its own disk as the second
  kilonova.compute.compute_instance_action:
    name: web-1
    action: rescue
    image: rescue-system

- name: Boot it from its own disk again
  kilonova.compute.compute_instance_action:
    name: web-1
    action: unrescue

- name: Start over on a newer image
  kilonova.compute.compute_instance_action:
    name: web-1
    action: rebuild
    image: debian-13

- name: Make room on the host
  kilonova.compute.compute_instance_action:
    name: web-1
    action: shelve
"""

RETURN = r"""
instance:
  description: The instance, and what was done.
  returned: success
  type: dict
  contains:
    name:
      description: Name of the instance.
      type: str
      returned: success
      sample: web-1
    action:
      description: The action.
      type: str
      returned: success
      sample: rebuild
    uuid:
      description: UUID of the domain.
      type: str
      returned: success
      sample: 4d1c1b3a-2a64-4a55-9c4f-3c7d54d2f8f1
    changed:
      description: Whether anything was or would be done.
      type: bool
      returned: success
      sample: true
    actions:
      description: The steps taken, in order; in check mode those that would be taken.
      type: list
      elements: str
      returned: success
      sample: ["create_disk web-1/vda.next", "stop web-1", "replace_disk web-1/vda", "delete_disk web-1/vda.old", "start web-1"]
    changes:
      description: What changed, each with path, before, after and effect.
      type: list
      elements: dict
      returned: success
      sample: [{"path": "image", "before": "debian-12", "after": "debian-13", "effect": "recreate"}]
    power_state:
      description: V(running), V(stopped), V(paused), V(suspended) or V(crashed), afterwards.
      type: str
      returned: success
      sample: running
    image:
      description: Name of the image that the root disk was made from.
      type: str
      returned: success
      sample: debian-13
    image_digest:
      description: Its checksum.
      type: str
      returned: success
      sample: sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
    rescued:
      description: Whether it boots from a rescue disk.
      type: bool
      returned: success
      sample: false
    shelved:
      description: Whether it is shelved.
      type: bool
      returned: success
      sample: false
"""

import typing as t

from ..module_utils._driver.connection import Connection
from ..module_utils._driver.events import enable_events
from ..module_utils._module import ComputeModule
from ..module_utils._options import limit_options
from ..module_utils._service._action.run import run_action
from ..module_utils._service._instance.host import Host
from ..module_utils._spec.action import ActionSpec
from ..module_utils._spec.lifecycle import Lifecycle

_DEFAULT_POOL = "default"


class Declaration(t.NamedTuple):
    """What shall be done, and how instances are handled meanwhile."""

    spec: ActionSpec
    lifecycle: Lifecycle


def read(params: dict[str, t.Any]) -> Declaration:
    """Validate the options."""
    spec = ActionSpec.from_params(params)
    pool = params["pool"] or _DEFAULT_POOL
    return Declaration(spec, Lifecycle.from_params({**params, "pool": pool, "virt_type": "auto"}))


def work(connection: Connection, declared: Declaration, check: bool) -> dict[str, t.Any]:
    """Do the action."""
    return run_action(Host(connection, declared.lifecycle), declared.spec, check)


def main() -> None:
    """Run the module."""
    enable_events()
    ComputeModule(
        {
            "name": {"type": "str", "required": True},
            "fleet": {"type": "str"},
            "action": {
                "type": "str",
                "required": True,
                "choices": ["reboot", "reset", "rescue", "unrescue", "rebuild", "shelve", "unshelve"],
            },
            "reboot_type": {"type": "str", "default": "soft", "choices": ["soft", "hard"]},
            "image": {"type": "str"},
            "pool": {"type": "str"},
            "force": {"type": "bool", "default": False},
            "shutdown_timeout": {"type": "int", "default": 60},
            "wait": {"type": "bool", "default": False},
            "wait_timeout": {"type": "int", "default": 300},
            **limit_options(),
        }
    ).run(read, work)


if __name__ == "__main__":
    main()
