# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests for the claim's arithmetic."""

from __future__ import annotations

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._errors import CapacityError, SpecError
from ansible_collections.kilonova.compute.plugins.module_utils._plan.claims import Amount, refuse_overcommit
from ansible_collections.kilonova.compute.plugins.module_utils._spec.lifecycle import Limits
from hypothesis import given
from hypothesis import strategies as st

NOVA = Limits(4.0, 1.0, 1.0, 0, 512, 0)
TOTAL = Amount(4, 4096, 100)


@pytest.mark.parametrize(
    ("asked", "used", "unit"),
    [
        (Amount(1, 128, 1), Amount(16, 0, 0), "vCPUs"),
        (Amount(5, 128, 1), Amount(), "vCPUs"),
        (Amount(1, 1024, 1), Amount(1, 2561, 0), "MiB of memory"),
        (Amount(1, 128, 51), Amount(1, 0, 50), "GiB of disk"),
    ],
)
def test_what_does_not_fit_is_refused(asked: Amount, used: Amount, unit: str) -> None:
    """The message names the resource and the figures."""
    with pytest.raises(CapacityError, match=unit):
        refuse_overcommit("web", asked, TOTAL, used, NOVA)


def test_the_last_room_may_be_taken() -> None:
    """The reserve is subtracted before the ratio, and an exact fit is a fit."""
    refuse_overcommit("web", Amount(4, 1024, 50), TOTAL, Amount(12, 2560, 50), NOVA)


def test_a_resource_that_is_not_asked_for_is_not_checked() -> None:
    """A host that is full of memory may still lend a disk."""
    refuse_overcommit("web", Amount(0, 0, 1), TOTAL, Amount(0, 9999, 0), NOVA)


def test_a_disk_reserve_counts_as_whole_gib() -> None:
    """One MiB of reserve takes one GiB of room."""
    limits = Limits(4.0, 1.0, 1.0, 0, 0, 1)
    refuse_overcommit("web", Amount(1, 1, 99), TOTAL, Amount(), limits)
    with pytest.raises(CapacityError):
        refuse_overcommit("web", Amount(1, 1, 100), TOTAL, Amount(), limits)


@pytest.mark.parametrize("change", [{"cpu_allocation_ratio": 0.0}, {"reserved_host_memory_mb": -1}])
def test_senseless_limits_are_refused(change: dict[str, float]) -> None:
    """Ratios are above zero and reserves not below."""
    params = {
        "cpu_allocation_ratio": 4.0,
        "ram_allocation_ratio": 1.0,
        "disk_allocation_ratio": 1.0,
        "reserved_host_cpus": 0,
        "reserved_host_memory_mb": 512,
        "reserved_host_disk_mb": 0,
    }
    with pytest.raises(SpecError, match=next(iter(change))):
        Limits.from_params({**params, **change})


@given(
    st.lists(st.integers(1, 2048), max_size=40),
    st.integers(1, 8192),
    st.sampled_from([0.5, 1.0, 1.1, 1.5]),
    st.integers(0, 1024),
)
def test_claims_one_after_another_never_overcommit(sizes: list[int], total: int, ratio: float, reserved: int) -> None:
    """Whatever is claimed in whatever order stays below the limit."""
    limits = Limits(4.0, ratio, 1.0, 0, reserved, 0)
    used = 0
    for size in sizes:
        try:
            refuse_overcommit("x", Amount(0, size, 0), Amount(0, total, 0), Amount(0, used, 0), limits)
        except CapacityError:
            continue
        used += size
    assert used == 0 or used <= (total - reserved) * ratio + 1e-9
