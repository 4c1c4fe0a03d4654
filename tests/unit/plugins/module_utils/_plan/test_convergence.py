# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""From any declaration to any other: what every plan must keep to, on a model of a host.

The options are drawn as a user writes them, the steps of the plan change the model, and what came of it is compared with
what the plan said, field by field.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.kilonova.compute.plugins.module_utils._errors import ConflictError, SpecError
from ansible_collections.kilonova.compute.plugins.module_utils._plan import drift
from ansible_collections.kilonova.compute.plugins.module_utils._plan.plan import Action, Change
from ansible_collections.kilonova.compute.plugins.module_utils._service._instance.steps import Job
from ansible_collections.kilonova.compute.tests.unit.plugins.module_utils.declarations import (
    DISCS,
    USERS_VOLUMES,
    Declared,
    changed,
    new_instances,
)
from ansible_collections.kilonova.compute.tests.unit.plugins.module_utils.facts import changed_paths, undone
from ansible_collections.kilonova.compute.tests.unit.plugins.module_utils.model import (
    GIB,
    Model,
    Volume,
    planned,
)
from ansible_collections.kilonova.compute.tests.unit.plugins.module_utils.model_guest import ImpossibleError
from ansible_collections.kilonova.compute.tests.unit.plugins.module_utils.told import (
    not_done,
    told_paths,
    undeclared,
    untold,
)
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

PATIENT = settings(
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
"""For a busy machine; many a declaration that is drawn is refused."""
STATES = ("stopped", "running", "paused", "suspended")
REFUSALS = (SpecError, ConflictError)
USERS_NIC = "<interface type='user'><mac address='52:54:00:ff:ff:0{}'/><model type='virtio'/></interface>"
USERS_DISK = (
    "<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='/pool/{}'/>"
    "<target dev='{}' bus='virtio'/></disk>"
)
USERS_ELEMENTS = (
    "<filesystem type='mount'><driver type='path'/><source dir='/srv'/><target dir='share'/></filesystem>",
    "<hub type='usb'/>",
    "<panic model='isa'/>",
    USERS_NIC.format(1),
    USERS_DISK.format("theirs-1", "vdb"),
    USERS_DISK.format("theirs-2", "vdc"),
)
"""What people put into a definition, or plug into a guest, by themselves."""


def host() -> Model:
    """Return a host with a user's volumes and discs, and no instance."""
    names = (*USERS_VOLUMES, *DISCS, "theirs-1", "theirs-2")
    return Model(volumes={("default", name): Volume(GIB, "raw") for name in names})


def perform(model: Model, job: Job, most: int | None = None) -> None:
    """Do the steps of a plan, or only the first so many."""
    for action in job.plan.actions[:most]:
        model.perform(action, job)


class Story(t.NamedTuple):
    """An instance that was declared once or more, left in some state each time, and what is declared next."""

    chapters: tuple[tuple[Declared, str], ...]
    declared: Declared

    def begin(self) -> Model:
        """Return the host as it is before the last declaration."""
        model = host()
        first, state = self.chapters[0]
        perform(model, plan_of(model, {**first, "power_state": "running"}))
        model.bring_to(state)
        for declared, state in self.chapters[1:]:
            perform(model, plan_of(model, declared))
            model.bring_to(state)
        return model


@st.composite
def stories(draw: st.DrawFn) -> Story:
    """Draw a story."""
    told = [draw(new_instances())]
    for _chapter in range(draw(st.integers(1, 2))):
        told.append(draw(changed(told[-1])))
    return Story(tuple((declared, draw(st.sampled_from(STATES))) for declared in told[:-1]), told[-1])


def plan_of(model: Model, declared: Declared, allow_power_cycle: bool = False) -> Job:
    """Return the plan, of a declaration that is not refused."""
    try:
        return planned(model, declared, allow_power_cycle)
    except REFUSALS:
        return assume(False)


def assert_settled(model: Model, declared: Declared, job: Job, allow_power_cycle: bool = False) -> None:
    """Check that nothing is left to do but what was foretold to wait."""
    again = planned(model, declared, allow_power_cycle)
    assert again.plan.actions == ()
    assert again.waiting == job.waiting
    assert model.state == declared.get("power_state", "running")
    assert job.spec is not None
    assert undone(job.spec, model) <= ({"rng", "on_crash"} if job.spec.patches else set())


@PATIENT
@given(new_instances())
def test_what_was_made_needs_nothing(declared: Declared) -> None:
    """Every new definition is valid, and reading it back plans nothing."""
    model = host()
    job = plan_of(model, declared)
    perform(model, job)
    assert job.waiting == ()
    assert_settled(model, declared, job)


@PATIENT
@given(stories(), st.booleans())
def test_a_second_run_plans_nothing(story: Story, cycles: bool) -> None:
    """Whatever was declared, and whatever state it was in, one run does all that can be done."""
    model, declared = story.begin(), story.declared
    job = plan_of(model, declared, cycles)
    perform(model, job)
    assert_settled(model, declared, job, cycles)
    if cycles and model.state == "running":
        assert job.waiting == ()


@PATIENT
@given(st.lists(st.integers(512, 2048), min_size=2, max_size=5), st.booleans(), st.booleans())
def test_memory_goes_up_and_down(sizes: list[int], balloon: bool, cycles: bool) -> None:
    """While the guest runs on, and never so that it would lack memory if it booted by itself."""
    model = host()
    for size in sizes:
        flavor = {"name": "small", "vcpus": 1, "memory_mb": size, "disk_gb": 1}
        declared = {"name": "web", "flavor": flavor, "max_memory_mb": 2048, "balloon": balloon}
        job = plan_of(model, declared, cycles)
        perform(model, job)
        assert_settled(model, declared, job, cycles)
        guest = model.running
        assert guest is not None
        is_less = (guest.current_memory_kib or 0) > size * 1024
        assert is_less <= (job.waiting == ("memory_mb",))
        assert not (cycles and job.waiting)


@PATIENT
@given(stories(), st.booleans())
def test_every_difference_is_told_once(story: Story, cycles: bool) -> None:
    """What the run changes is what its result lists: nothing more, nothing less, nothing twice."""
    before, declared = story.begin(), story.declared
    job, after = plan_of(before, declared, cycles), before.copy()
    perform(after, job)
    told = told_paths((change.path, change.after) for change in job.plan.changes)
    assert len(told) == len(set(told))
    # By booting, a guest also gets what was told earlier.
    assert untold(told, changed_paths(before, after, boots=False)) == set()
    assert not_done(told, changed_paths(before, after)) <= {"xml_patch"}


@PATIENT
@given(stories())
def test_what_is_not_declared_stays(story: Story) -> None:
    """Options that are left out are not touched, in the definition as in the guest."""
    before, declared = story.begin(), story.declared
    job, after = plan_of(before, declared), before.copy()
    perform(after, job)
    assert undeclared(changed_paths(before, after, boots=False), declared, "power_state") == set()


@PATIENT
@given(
    stories(),
    st.lists(st.sampled_from(USERS_ELEMENTS), min_size=1, unique=True),
    st.sampled_from(((True, True), (True, False), (False, True))),
)
def test_what_somebody_plugged_in_stays(story: Story, elements: list[str], where: tuple[bool, bool]) -> None:
    """Devices that were never declared are neither removed nor changed, in the definition or in the guest."""
    model, declared, (in_guest, in_definition) = story.begin(), story.declared, where
    plugged = [element for element in elements if model.plug(element, in_guest, in_definition)]
    boots = model.boots
    perform(model, plan_of(model, declared))
    for element in plugged:
        assert not in_definition or model.has_defined(element)
        assert not in_guest or model.boots > boots or model.state == "stopped" or model.has_in_guest(element)


@PATIENT
@given(stories())
def test_nothing_waits_that_could_be_done_now(story: Story) -> None:
    """For what waits for the next boot there is no step that the running guest would take."""
    model, declared = story.begin(), story.declared
    job = plan_of(model, declared)
    perform(model, job)
    for path in job.waiting if model.guest else ():
        for action in _conceivable(declared["name"], path):
            tried = model.copy()
            try:
                tried.perform(action, planned(model, declared))
            except ImpossibleError:
                continue
            assert path in planned(tried, declared).waiting, action


def _conceivable(name: str, path: str) -> t.Iterator[Action]:
    change = Change(path, None, None)
    device = re.fullmatch(r"(\w+?)s?\[(.*)\](\.\w+)?", path)
    if device is None:
        for verb in (drift.SET_MEMORY, drift.SET_VCPUS):
            yield Action(verb, name, (change,))
    what = f"{device[1]} {device[2]}" if device else f"{path} /dev/urandom"
    for verb in (drift.UPDATE_DEVICE,) if device and device[3] else (drift.ATTACH, drift.DETACH, drift.EJECT):
        yield Action(verb, f"{name}/{what}", (change,))


@PATIENT
@given(stories(), st.booleans(), st.data())
def test_an_interrupted_run_is_finished_by_the_next(story: Story, cycles: bool, data: st.DataObject) -> None:
    """Whichever step was the last, the next run ends where the whole one would have, and there is nothing more to do."""
    begun, declared = story.begin(), story.declared
    job = plan_of(begun, declared, cycles)
    assume(job.plan.actions)
    whole, broken = begun.copy(), begun.copy()
    perform(whole, job)
    perform(broken, job, most=data.draw(st.integers(0, len(job.plan.actions) - 1)))
    rest = planned(broken, declared, cycles)
    perform(broken, rest)
    assert_settled(broken, declared, rest, cycles)
    assert rest.waiting == job.waiting
    assert changed_paths(whole, broken) == set()


@PATIENT
@given(new_instances(), st.sampled_from(STATES), st.data())
def test_what_is_adopted_converges(declared: Declared, state: str, data: st.DataObject) -> None:
    """A domain that somebody else made becomes as declared, and keeps what is not declared."""
    model = host()
    perform(model, plan_of(model, {**declared, "power_state": "running"}))
    model.disown()
    model.bring_to(state)
    before = model.copy()
    after = {**data.draw(changed(declared)), "adopt": True}
    job = plan_of(model, after)
    perform(model, job)
    again = planned(model, after)
    assert again.plan.actions == ()
    assert again.waiting == job.waiting
    assert model.state == after.get("power_state", state)
    assert job.spec is not None
    assert undone(job.spec, model) <= ({"rng", "on_crash"} if job.spec.patches else set())
    assert all(model.volumes[place].size >= volume.size for place, volume in before.volumes.items())
    own = "power_state|managed|flavor"
    assert undeclared(changed_paths(before, model, boots=False), after, own) == set()
