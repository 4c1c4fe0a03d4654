# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests for which arguments of a module are shown, and which words are hidden everywhere."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._secrets import (
    CENSORED,
    censored,
    has_nested_secrets,
    secret_words,
)

SECRETS: dict[str, dict[str, t.Any]] = {
    "document": {"type": "raw", "no_log": True},
    "password": {"no_log": True},
    "name": {"type": "str", "no_log": False},
}
SPEC: dict[str, dict[str, t.Any]] = {
    **SECRETS,
    "items": {"type": "list", "elements": "dict", "options": SECRETS},
    "one": {"type": "dict", "options": SECRETS},
}
PARAMS = {"document": {"a": "web", "b": [8]}, "password": "s3cr3t", "name": "web"}


def test_secrets_are_left_out_at_every_depth() -> None:
    """What is no secret stays, and what is not declared stays so."""
    shown = {"document": CENSORED, "password": CENSORED, "name": "web"}
    undeclared = {"document": None, "password": None, "name": "db"}
    params = {**PARAMS, "items": [PARAMS, undeclared], "one": PARAMS, "unknown": "x"}
    assert censored(SPEC, params) == {**shown, "items": [shown, undeclared], "one": shown}
    assert censored(SPEC, {"name": "web"})["items"] is None


def test_only_single_words_are_hidden_everywhere() -> None:
    """The values of a document are as common as the instance's own name."""
    other = {**PARAMS, "password": "other"}
    assert set(secret_words(SPEC, {**PARAMS, "items": [other], "one": None})) == {"s3cr3t", "other"}


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, False),
        (SECRETS, False),
        ({"one": {"options": {"name": {}}}}, False),
        (SPEC, True),
        ({"outer": {"options": {"inner": {"options": SECRETS}}}}, True),
    ],
)
def test_nested_secrets_are_seen(spec: dict[str, dict[str, t.Any]], expected: bool) -> None:
    """AnsibleModule logs an option's options as one text."""
    assert has_nested_secrets(spec) is expected
