# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of compute_guest as Ansible runs it, on libvirt's test driver, whose domains have no agents."""

from __future__ import annotations

import json
import typing as t

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.kilonova.compute.plugins.modules import compute_guest


def run(capsys: pytest.CaptureFixture[str], **arguments: t.Any) -> dict[str, t.Any]:
    """Run the module and return what it prints."""
    with patch_module_args({"uri": "test:///default", "name": "test", **arguments}), pytest.raises(SystemExit):
        compute_guest.main()
    result: dict[str, t.Any] = json.loads(capsys.readouterr().out)
    return result


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, "missing required arguments: action"),
        ({"action": "reboot"}, "value of action must be one of"),
        ({"action": "set_password", "user": "root"}, "action is set_password but all of the following are missing"),
        ({"action": "run_command"}, "action is run_command but all of the following are missing: argv"),
        ({"action": "run_command", "argv": []}, "Option argv"),
        ({"action": "thaw_filesystems", "argv": ["true"]}, "Option argv: action thaw_filesystems has no use for it"),
        ({"action": "thaw_filesystems"}, "did not create"),
        ({"action": "thaw_filesystems", "name": "nosuch"}, "no instance nosuch"),
    ],
)
def test_one_clear_sentence(capsys: pytest.CaptureFixture[str], arguments: dict[str, t.Any], words: str) -> None:
    """What is wrong, before anything is done."""
    result = run(capsys, **arguments)
    assert result["failed"] is True
    assert words in result["msg"]


def test_a_password_is_not_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """Nor among the arguments that Ansible repeats."""
    result = run(capsys, action="set_password", user="root", password="correct horse")
    assert result["failed"] is True
    assert "correct horse" not in json.dumps(result)
