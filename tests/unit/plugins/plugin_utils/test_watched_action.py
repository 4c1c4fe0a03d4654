# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests for the lines that are shown while a module runs; the module itself is run in the lab."""

# pylint: disable=protected-access  # Ansible gives an action its surroundings under such names

from __future__ import annotations

import threading
import typing as t
from types import SimpleNamespace

import pytest
from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure
from ansible_collections.kilonova.compute.plugins.plugin_utils import _watched_action as subject

TOLD = '{"name": "one", "phase": "downloading", "done": %s, "total": 4194304}'
LINE = "host1: one: downloading 1 of 4 MiB (25 %)"


class Scripted:
    """Answers what is to be read, one after the other, and then says that it has been asked once too often."""

    def __init__(self, *answers: t.Any) -> None:
        """Take the answers."""
        self.answers = list(answers)
        self.over = threading.Event()

    def read(self, unused_word: str) -> str:
        """Return the next answer, or raise it."""
        if not self.answers:
            self.over.set()
            return ""
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            self.over.set()
            raise answer
        return str(answer)


@pytest.mark.parametrize(
    ("answers", "lines"),
    [
        (("", TOLD % 1048576, TOLD % 1048576, "noise", TOLD % 1048576), [LINE, LINE]),
        ((TOLD % 1048576, AnsibleConnectionFailure("gone"), TOLD % 2097152), [LINE]),
    ],
)
def test_lines(answers: tuple[t.Any, ...], lines: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Each once as long as it is the same; when it can't be seen any more, nobody is bothered."""
    shown: list[str] = []
    monkeypatch.setattr(subject.display, "display", shown.append)
    scripted = Scripted(*answers)
    with subject._Watch(t.cast(t.Any, scripted), "word", "host1", 0.001):
        assert scripted.over.wait(60)
    assert shown == lines


def action(transport: str = "ssh", **task: t.Any) -> subject.WatchedAction:
    """Return the action without what runs it."""
    made = subject.WatchedAction.__new__(subject.WatchedAction)
    shell = SimpleNamespace(env_prefix=lambda **words: " ".join(f"{key}={value}" for key, value in words.items()))
    made._connection = t.cast(t.Any, SimpleNamespace(transport=transport, become=None, _shell=shell))
    made._templar = t.cast(t.Any, SimpleNamespace(template=lambda value: value))
    standard = {"async_val": 0, "check_mode": False, "no_log": False, "delegate_to": None, "environment": [{"A": "b"}]}
    made._task = t.cast(t.Any, SimpleNamespace(**{**standard, **task}))
    return made


def test_what_is_watched() -> None:
    """Not what runs in the background, changes nothing, is secret, or has one connection for all."""
    assert action()._can_be_watched()
    assert action("ansible.builtin.local")._can_be_watched()
    assert not action("netconf")._can_be_watched()
    for task in ({"async_val": 5}, {"check_mode": True}, {"no_log": True}):
        assert not action(**task)._can_be_watched()


def test_beside() -> None:
    """What looks on shares no connection with what runs."""
    one = action()
    other = one._beside()
    assert other._connection is not one._connection
    assert one._host({"inventory_hostname": "host1"}) == "host1"
    assert action(delegate_to="host2")._host({"inventory_hostname": "host1"}) == "host1 -> host2"


def test_word_in_the_environment() -> None:
    """It comes to the module beside what the task declares, if anybody looks."""
    one = action()
    assert one._compute_environment_string() == "A=b"
    one._word = "word"
    assert one._compute_environment_string() == "A=b KILONOVA_COMPUTE_PROGRESS=word"


def test_interval() -> None:
    """A number of seconds, or nothing at all."""
    assert action()._interval({}) == 10
    assert action()._interval({"kilonova_progress_seconds": "0.5"}) == 0.5
    for wrong in ("soon", -1, None, "nan", 1e300):
        with pytest.raises(AnsibleActionFail, match="kilonova_progress_seconds"):
            action()._interval({"kilonova_progress_seconds": wrong})
