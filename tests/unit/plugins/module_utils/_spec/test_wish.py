# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of where a plan wants an instance to lie."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._errors import SpecError
from ansible_collections.kilonova.compute.plugins.module_utils._spec.wish import Wish, WishedCell
from ansible_collections.kilonova.compute.tests.unit.plugins.module_utils.factories import instance_spec

PLACEMENT: dict[str, t.Any] = {
    "cells": [{"host_cell": 1, "cpus": [4, 6], "page_kb": 2048}, {"host_cell": 0}],
    "emulator_cpu": 5,
    "pci_devices": ["0000:3B:00.1"],
}


def test_options_become_a_wish() -> None:
    """Whatever is left out is not wished for."""
    wish = instance_spec(placement=PLACEMENT).wish
    assert wish == Wish((WishedCell(1, (4, 6), 2048), WishedCell(0)), 5, ("0000:3b:00.1",))
    assert instance_spec(placement={}).wish == Wish()
    assert instance_spec().wish is None


def test_a_wish_is_no_part_of_the_declaration() -> None:
    """Another plan is no other instance."""
    assert instance_spec(placement=PLACEMENT).digest() == instance_spec().digest()


def test_no_cell() -> None:
    """Cells are numbered from 0."""
    with pytest.raises(SpecError, match=r"placement\.cells\[0\]\.host_cell: -1 is no NUMA cell"):
        instance_spec(placement={"cells": [{"host_cell": -1}]})
