# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of what is declared of an action inside a guest."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._errors import SpecError
from ansible_collections.kilonova.compute.plugins.module_utils._spec.guest import (
    ClockSetting,
    Freezing,
    GuestCommand,
    GuestSpec,
    Password,
    Thawing,
)

NOTHING = dict.fromkeys(
    (
        "user",
        "password",
        "crypted",
        "argv",
        "stdin",
        "env",
        "command_timeout",
        "creates",
        "success_codes",
        "time_source",
        "tolerance",
        "mountpoints",
    )
)


def spec(action: str, **declared: t.Any) -> GuestSpec:
    """Return what those options mean."""
    return GuestSpec.from_params({**NOTHING, "name": "web", "agent_timeout": 60, "action": action, **declared})


@pytest.mark.parametrize(
    ("action", "declared", "task"),
    [
        ("set_password", {"user": "root", "password": "x"}, Password("root", "x", False)),
        ("set_password", {"user": "root", "password": "x", "crypted": True}, Password("root", "x", True)),
        ("run_command", {"argv": ["true"]}, GuestCommand(("true",), None, None, 60, None, (0,))),
        (
            "run_command",
            {
                "argv": ["a", "", "b c"],
                "stdin": "",
                "env": {"B": 1, "A": ""},
                "command_timeout": 5,
                "creates": "C:\\made",
                "success_codes": [0, 3],
            },
            GuestCommand(("a", "", "b c"), "", (("A", ""), ("B", "1")), 5, "C:\\made", (0, 3)),
        ),
        ("sync_time", {}, ClockSetting("here", 1.0)),
        ("sync_time", {"tolerance": 0.0}, ClockSetting("here", 0.0)),
        ("sync_time", {"time_source": "rtc"}, ClockSetting("rtc", 1.0)),
        ("freeze_filesystems", {}, Freezing(())),
        ("freeze_filesystems", {"mountpoints": ["/srv", "/", "/srv"]}, Freezing(("/srv", "/"))),
        ("thaw_filesystems", {}, Thawing()),
    ],
)
def test_what_is_declared(action: str, declared: dict[str, t.Any], task: t.Any) -> None:
    """Each action has its own options."""
    assert spec(action, **declared) == GuestSpec("web", action, task, 60)


@pytest.mark.parametrize(
    ("action", "declared", "words"),
    [
        ("thaw_filesystems", {"name": "a/b"}, r"Option name"),
        ("thaw_filesystems", {"agent_timeout": -1}, r"Option agent_timeout: -1 is too small"),
        (
            "thaw_filesystems",
            {"mountpoints": ["/"]},
            r"mountpoints: action thaw_filesystems has no use for it; it belongs",
        ),
        ("sync_time", {"crypted": False}, r"crypted: .* belongs to action set_password"),
        ("set_password", {"user": "", "password": "x"}, r"Option user: ''"),
        ("set_password", {"user": "a:b", "password": "x"}, r"Option user: 'a:b'"),
        ("set_password", {"user": "root", "password": ""}, r"Option password: it is empty"),
        ("set_password", {"user": "root", "password": "se\ncret"}, r"Option password: it is empty or has more"),
        ("run_command", {"argv": []}, r"Option argv: it names no program"),
        ("run_command", {"argv": ["", "x"]}, r"Option argv: it names no program"),
        ("run_command", {"argv": ["a", "b\0"]}, r"Option argv: it has a NUL"),
        ("run_command", {"argv": ["a"], "env": {"A=B": "c"}}, r"Option env: 'A=B'"),
        ("run_command", {"argv": ["a"], "env": {"": "c"}}, r"Option env: ''"),
        ("run_command", {"argv": ["a"], "env": {"A": "c\0"}}, r"Option env: 'A' has a NUL"),
        ("run_command", {"argv": ["a"], "stdin": "ä" * 1024**2}, r"Option stdin: .* are 2097153 bytes; give at most 2"),
        ("run_command", {"argv": ["a" * (1 + 2 * 1024**2)]}, r"Option argv: .* bytes"),
        ("run_command", {"argv": ["a"], "command_timeout": 0}, r"Option command_timeout: 0 is too small"),
        ("run_command", {"argv": ["a"], "creates": "made"}, r"Option creates: 'made' is not an absolute path"),
        ("run_command", {"argv": ["a"], "success_codes": []}, r"Option success_codes: it is empty"),
        ("sync_time", {"tolerance": -0.5}, r"Option tolerance: -0.5 is too small"),
        ("sync_time", {"tolerance": float("nan")}, r"Option tolerance: nan"),
        ("sync_time", {"tolerance": 2.0, "time_source": "rtc"}, r"Option tolerance: it goes with time_source: here"),
        ("freeze_filesystems", {"mountpoints": []}, r"Option mountpoints: it is empty"),
        ("freeze_filesystems", {"mountpoints": ["srv"]}, r"Option mountpoints: 'srv' is not an absolute path"),
    ],
)
def test_bad_input(action: str, declared: dict[str, t.Any], words: str) -> None:
    """One sentence that names the option and what would be right, and never a password."""
    with pytest.raises(SpecError, match=words) as caught:
        spec(action, **declared)
    assert "cret" not in caught.value.message
