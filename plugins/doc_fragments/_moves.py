# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This doc fragment is PRIVATE to the collection. It can have breaking changes at any time.

"""What filters about moves and room take; keep in step with ``plugin_utils/_scheduler/moves/question.py``."""

from __future__ import annotations


class ModuleDocFragment:
    """Documentation fragments for filters that look at all hypervisors."""

    HOSTS = r"""
options:
  _input:
    description:
      - The C(compute_node) facts of every hypervisor, by name, as P(kilonova.compute.schedule#filter) takes them.
      - A hypervisor that could not be reached is given as C(state=down) with a C(reason), and one that nobody looked at as C(state=left_out).
    type: dictionary
    required: true
  fleet:
    description:
      - Whose O(instances) are. Instances of other fleets are judged by the facts.
    type: string
  instances:
    description:
      - Instances as they are declared, spelled out by P(kilonova.compute.expand_fleet#filter), so that all their rules count.
      - What is not declared is judged by what the facts tell, which is its size, its group with the policy (at most one member of an
        C(anti-affinity) group on a host), and its flavor. Networks, zones, traits, hints, and CPUs or devices of its own are known of
        declared instances only.
    type: list
    elements: dictionary
  limits:
    description:
      - How much of a host may be promised, as in P(kilonova.compute.schedule#filter).
    type: dictionary
  host_limits:
    description:
      - Limits of single hosts by their names; each has the keys of O(limits), and what it does not have is taken from there.
    type: dictionary
  aggregates:
    description:
      - What the aggregates that the facts name say, as in P(kilonova.compute.schedule#filter).
    type: dictionary
  max_instances_per_host:
    description:
      - How many instances a host may have.
    type: integer
  isolated_hosts:
    description:
      - The hosts for O(isolated_images).
    type: list
    elements: string
  isolated_images:
    description:
      - The images whose instances go to O(isolated_hosts).
    type: list
    elements: string
  restrict_isolated_hosts_to_isolated_images:
    description:
      - Whether O(isolated_hosts) take instances of O(isolated_images) only.
    type: boolean
    default: true
  max_facts_age:
    description:
      - How many seconds before O(now) a hypervisor's C(reported_at) may lie. Of one whose facts are older nothing is known, as of one that nobody
        looked at, so that nothing is moved from it or to it.
      - Facts from so far after O(now) are no better. Facts without C(reported_at) are an error then.
      - If not set, facts of any age will do. Nova gives up a compute service that is silent for 60 seconds; here that is not the default, since
        facts are as old as the play that gathered them.
    type: integer
  now:
    description:
      - The time, in ISO 8601 or in seconds since 1970. It is an argument since the same input has to give the same plan.
      - Needed with O(max_facts_age), and with C(cooldown) where there is one.
    type: string
"""

    MOVES = r"""
options:
  fleets:
    description:
      - The fleets whose instances may be moved. Those of all fleets may if it is not given.
      - What is in no fleet is counted and never moved.
    type: list
    elements: string
  pinned:
    description:
      - The names of instances that stay where they are.
    type: list
    elements: string
  concurrent_per_host:
    description:
      - In how many moves of a wave a host takes part, as the one they come from or as the one they go to.
      - The members of an affinity group on a host go in one wave, even if they are more.
    type: integer
    default: 2
  cooldown:
    description:
      - Leave an instance where it is that was made or moved less than so many seconds before C(now).
      - The facts' C(created_at) and C(moved_at) tell when that was. It needs C(now).
    type: integer
    default: 0
"""
