# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of what a declared storage pool takes."""

from __future__ import annotations

import typing as t
from dataclasses import replace

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._errors import ConflictError, NotFoundError, SpecError
from ansible_collections.kilonova.compute.plugins.module_utils._plan.pool import PoolState, plan_pool
from ansible_collections.kilonova.compute.plugins.module_utils._plan.volume_secret import SecretState
from ansible_collections.kilonova.compute.plugins.module_utils._spec.pool import (
    PoolAuth,
    PoolHost,
    PoolLayout,
    PoolSpec,
)
from ansible_collections.kilonova.compute.plugins.module_utils._spec.pool_key import PoolKey

DIR = PoolLayout("dir", path="/srv")
RUNNING = PoolState(DIR, active=True, autostart=True, persistent=True)
RBD = PoolLayout(
    "rbd", hosts=(PoolHost("a", 1), PoolHost("b")), name="x", auth=PoolAuth("me", secret_usage="key of mine")
)


def steps(spec: PoolSpec, state: PoolState | None) -> list[str]:
    """Return the planned steps in words."""
    return [action.verb for action in plan_pool(spec, state).actions]


def test_a_new_pool_is_defined_and_started() -> None:
    """And what it is made on is shown."""
    plan = plan_pool(PoolSpec("fast", layout=DIR), None)
    assert [action.describe() for action in plan.actions] == [
        "define_pool fast",
        "start_pool fast",
        "set_autostart fast",
    ]
    assert "pool.path: /srv\n" in plan.as_diff()["after"]
    assert steps(PoolSpec("fast", layout=DIR, active=False, autostart=False), None) == ["define_pool"]


@pytest.mark.parametrize("layout", [None, DIR])
def test_a_pool_as_declared_is_left_alone(layout: PoolLayout | None) -> None:
    """Also where only its state is declared."""
    assert not plan_pool(PoolSpec("fast", layout=layout), RUNNING).changed
    assert not plan_pool(PoolSpec("fast", present=False), None).changed


def test_what_libvirt_filled_in_is_not_compared() -> None:
    """Nor in which order servers were named."""
    found = replace(RUNNING, layout=replace(RBD, path="/x", hosts=tuple(reversed(RBD.hosts or ()))))
    assert not plan_pool(PoolSpec("fast", layout=RBD), found).changed


def test_the_usual_port_of_a_server_is_no_difference() -> None:
    """Libvirt fills it in when an iSCSI pool starts; another port still is another server."""
    declared = PoolLayout("iscsi", hosts=(PoolHost("a"),), devices=("iqn.2026-01.com.example:x",))
    found = replace(RUNNING, layout=replace(declared, hosts=(PoolHost("a", 3260),)))
    assert not plan_pool(PoolSpec("fast", layout=declared), found).changed
    moved = replace(found, layout=replace(declared, hosts=(PoolHost("a", 3261),)))
    with pytest.raises(SpecError, match="a port 3261"):
        plan_pool(PoolSpec("fast", layout=declared), moved)


@pytest.mark.parametrize(
    ("changes", "option"),
    [
        ({"type": "zfs"}, "type"),
        ({"hosts": (PoolHost("a"),)}, "source.hosts"),
        ({"auth": PoolAuth("you", secret_usage="key of mine")}, "source.auth"),
        ({"name": "y"}, "source.name"),
    ],
)
def test_a_pool_is_not_moved(changes: dict[str, t.Any], option: str) -> None:
    """The refusal says what is there, and how it can be done."""
    with pytest.raises(SpecError, match="state: absent, which keeps its data") as caught:
        plan_pool(PoolSpec("fast", layout=replace(RBD, **changes)), replace(RUNNING, layout=RBD))
    assert caught.value.option == option


def test_what_is_not_declared_of_a_new_pool_is_asked_for() -> None:
    """A pool that is not there can't be defined by its name alone."""
    with pytest.raises(NotFoundError, match="declare its type"):
        plan_pool(PoolSpec("fast"), None)


def test_the_state_is_brought_about() -> None:
    """Running, autostart, and staying: each where it differs."""
    stopped = replace(RUNNING, active=False, autostart=False)
    assert steps(PoolSpec("fast"), stopped) == ["start_pool", "set_autostart"]
    assert steps(PoolSpec("fast", active=False), RUNNING) == ["stop_pool"]
    assert steps(PoolSpec("fast"), replace(RUNNING, persistent=False, autostart=False)) == [
        "define_pool",
        "set_autostart",
    ]


def test_removal_finishes_from_anywhere() -> None:
    """A pool that was stopped already, and one that goes when it stops."""
    gone = PoolSpec("fast", present=False)
    assert steps(gone, RUNNING) == ["stop_pool", "undefine_pool"]
    assert steps(gone, replace(RUNNING, active=False)) == ["undefine_pool"]
    assert steps(gone, replace(RUNNING, persistent=False)) == ["stop_pool"]
    assert {change.path: change.after for change in plan_pool(gone, RUNNING).changes}["pool.path"] is None


@pytest.mark.parametrize("spec", [PoolSpec("fast", present=False), PoolSpec("fast", active=False)])
def test_a_pool_in_use_stays(spec: PoolSpec) -> None:
    """The domains are named."""
    with pytest.raises(ConflictError, match="it holds disks of domain web"):
        plan_pool(spec, replace(RUNNING, users=("domain web",)))


def test_a_stopped_pool_in_use_can_stay_stopped_and_is_not_forgotten() -> None:
    """Domains that do not run may name it."""
    stopped = replace(RUNNING, active=False, users=("domain web",))
    assert not plan_pool(PoolSpec("fast", active=False), stopped).changed
    with pytest.raises(ConflictError):
        plan_pool(PoolSpec("fast", present=False), stopped)


KEY = PoolKey("ceph", b"key")
WITH_KEY = PoolSpec("fast", layout=RBD, key=KEY)
KNOWN = SecretState("uuid", KEY.description())


@pytest.mark.parametrize(
    ("secret", "before"),
    [
        (None, None),
        (replace(KNOWN, is_finished=False), None),
        (replace(KNOWN, description=PoolKey("ceph", b"old").description()), "another"),
    ],
)
def test_a_key_is_set_before_the_pool_needs_it(secret: SecretState | None, before: str | None) -> None:
    """Where there is none, where a run was killed half way, and where it is another; nothing shows it."""
    plan = plan_pool(WITH_KEY, None, secret)
    assert [action.verb for action in plan.actions] == ["set_key", "define_pool", "start_pool", "set_autostart"]
    change = next(iter(plan.changes))
    assert (change.path, change.before, change.after) == ("pool.source.auth.key", before, "set")


def test_a_key_that_is_known_is_left_alone() -> None:
    """With the pool as it is; somebody else's secret is never changed, nor forgotten."""
    assert not plan_pool(WITH_KEY, replace(RUNNING, layout=RBD), KNOWN).changed
    foreign = replace(KNOWN, description="by hand")
    with pytest.raises(ConflictError, match="did not make"):
        plan_pool(WITH_KEY, None, foreign)
    gone = PoolSpec("fast", present=False)
    assert not plan_pool(gone, None, foreign).changed
    assert [action.verb for action in plan_pool(gone, RUNNING, KNOWN).actions] == [
        "stop_pool",
        "undefine_pool",
        "forget_key",
    ]
    assert [action.verb for action in plan_pool(gone, None, KNOWN).actions] == ["forget_key"]
