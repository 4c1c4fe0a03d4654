# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Ours in ``order: declared, policy: nova`` beside the real Nova: the same host for every request of every fleet."""

from __future__ import annotations

import math
import os
import time
import typing as t
import warnings

import pytest
from fleets import fleet
from nova.scheduler.filters import extra_specs_ops
from real_nova import RealNova

from plugins.plugin_utils._scheduler.answer import answer
from plugins.plugin_utils._scheduler.intake.question import Question
from plugins.plugin_utils._scheduler.operators import matches

FLEETS = int(os.environ.get("NOVA_FLEETS", "300"))
MEASURED_HOSTS, MEASURED_REQUESTS, NOVA_REQUESTS = 1000, 1000, 100
VALUES = ("", "1", "2.0", "10", "-3", "abc", "abd", "true", "True", "avx avx2", "['aes', 'avx2']", "v1", "inf", " 1 ")
SIGNS = ("=", "==", "!=", ">=", "<=", "s==", "s!=", "s<", "s<=", "s>", "s>=", "<in>", "<all-in>", "<or>", "", "~")
ARGUMENTS = ("1", "2", "abc", "avx aes", "v1 <or> 1", "true", "10 20", "")


@pytest.fixture(autouse=True)
def _quiet() -> t.Iterator[None]:
    # Nova's objects complain about names in place of UUIDs.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def ours(question: dict[str, t.Any]) -> dict[str, str]:
    """Return where our plan puts each instance."""
    return {item["name"]: item["host"] for item in answer(Question(**question))["placements"]}


@pytest.mark.parametrize("seed", range(FLEETS))
def test_same_host_for_every_request(seed: int) -> None:
    """Generated fleets of up to 12 hosts and 40 requests, with random filters, multipliers and limits."""
    question = fleet(seed, hosts=1 + seed % 12, instances=5 + seed % 36)
    real = RealNova(question)
    theirs = {instance["name"]: real.place(instance) for instance in question["instances"]}
    assert ours(question) == {name: host for name, host in theirs.items() if host is not None}


@pytest.mark.parametrize("value", VALUES)
def test_operator_grammar(value: str) -> None:
    """Every operator on every value; where Nova fails on text that is no number, ours does not match."""
    rows = 0
    for sign in SIGNS:
        for argument in ARGUMENTS:
            requirement = f"{sign} {argument}".strip()
            try:
                expected = extra_specs_ops.match(value, requirement)
            except (ValueError, IndexError):
                expected = False
            assert matches(value, requirement) is expected, (value, requirement)
            rows += 1
    assert rows == len(SIGNS) * len(ARGUMENTS)


def test_speed(capsys: pytest.CaptureFixture[str]) -> None:
    """CPU seconds of both for 1000 hosts and 1000 requests; of Nova the first 100 are measured and the rest reckoned."""
    question = fleet(1, MEASURED_HOSTS, MEASURED_REQUESTS, plain=True)
    defaults = (
        *("ComputeCapabilitiesFilter", "ImagePropertiesFilter"),
        *("ServerGroupAntiAffinityFilter", "ServerGroupAffinityFilter"),
    )
    question["filters"] = list(defaults)
    start = time.process_time()
    places = ours(question)
    own = time.process_time() - start
    real = RealNova(question)
    start = time.process_time()
    for instance in question["instances"][:NOVA_REQUESTS]:
        assert places.get(instance["name"]) == real.place(instance)
    theirs = (time.process_time() - start) * MEASURED_REQUESTS / NOVA_REQUESTS
    with capsys.disabled():
        print(
            f"\n{MEASURED_HOSTS} hosts x {MEASURED_REQUESTS} requests: ours {own:.2f} s of CPU, Nova {theirs:.0f} s "
            f"(from {NOVA_REQUESTS} requests): {math.floor(theirs / own)} times less"
        )
