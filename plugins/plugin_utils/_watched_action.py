# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""Run the module of the same name, and show meanwhile how far it is."""

from __future__ import annotations

import contextlib
import contextvars
import copy
import secrets
import threading
import typing as t

from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.plugins.action.normal import ActionModule as NormalAction
from ansible.utils.display import Display

from ..module_utils._service.progress import VARIABLE
from ._progress import progress_lines, reading_command

_INTERVAL_VARIABLE = "kilonova_progress_seconds"
_INTERVAL_SECONDS = 10.0
_LAST_SECONDS = 5.0
_TRANSPORTS = frozenset({"ssh", "local"})
"""Connections that run each command in a process of its own, so that two can be under way."""

display = Display()


class WatchedAction(NormalAction):
    """Everything is the module's own work; this only looks on, over a connection beside the module's."""

    _word: str | None = None

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Run the module, with lines shown while it works on something long."""
        variables = task_vars or {}
        interval = self._interval(variables)
        if not interval or not self._can_be_watched():
            return t.cast("dict[str, t.Any]", super().run(tmp, task_vars))
        self._word = secrets.token_hex(16)
        with _Watch(self._beside(), self._word, self._host(variables), interval):
            return t.cast("dict[str, t.Any]", super().run(tmp, task_vars))

    def _compute_environment_string(self, raw_environment_out: dict[str, t.Any] | None = None) -> str:
        """Add the word that the module calls its file by, if it is to have one."""
        text = str(super()._compute_environment_string(raw_environment_out))
        if self._word is None:
            return text
        own = self._connection._shell.env_prefix(**{VARIABLE: self._word})  # pylint: disable=protected-access
        return f"{text} {own}".strip()

    def _interval(self, variables: dict[str, t.Any]) -> float:
        value = self._templar.template(variables.get(_INTERVAL_VARIABLE, _INTERVAL_SECONDS))
        try:
            interval = float(value)
        except (TypeError, ValueError):
            interval = -1.0
        if not 0 <= interval < threading.TIMEOUT_MAX:
            raise AnsibleActionFail(
                f"Variable {_INTERVAL_VARIABLE}: {value!r} is no number of seconds; give 0 for no lines."
            )
        return interval

    def _can_be_watched(self) -> bool:
        """Tell whether there is something to see: not of a job in the background, and not of what is to be kept secret."""
        task = self._task
        transport = str(self._connection.transport).rpartition(".")[2]
        return not (task.async_val or task.check_mode or task.no_log) and transport in _TRANSPORTS

    def _beside(self) -> WatchedAction:
        """Return one like this with a connection of its own, so that commands can go over both at once."""
        connection = copy.copy(self._connection)
        connection.become = copy.copy(connection.become)
        other = copy.copy(self)
        other._connection = connection  # pylint: disable=protected-access  # it is of the same class
        return other

    def _host(self, variables: dict[str, t.Any]) -> str:
        name = str(variables.get("inventory_hostname", ""))
        return f"{name} -> {self._task.delegate_to}" if self._task.delegate_to else name

    def read(self, word: str) -> str:
        """Return what the module wrote."""
        return str(self._low_level_execute_command(reading_command(word))["stdout"])


class _Watch:
    """Shows a line whenever there is something new, and ends with its block."""

    def __init__(self, action: WatchedAction, word: str, host: str, interval: float) -> None:
        self._action = action
        self._word = word
        self._host = host
        self._interval = interval
        self._ended = threading.Event()
        context = contextvars.copy_context()
        self._thread = threading.Thread(target=context.run, args=(self._look,), daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *unused: object) -> None:
        self._ended.set()
        self._thread.join(_LAST_SECONDS)

    def _look(self) -> None:
        last: list[str] = []
        # What can't be seen is not shown: the module itself tells what is wrong with the connection.
        with contextlib.suppress(AnsibleError, OSError):
            while not self._ended.wait(self._interval):
                lines = progress_lines(self._host, self._action.read(self._word))
                for line in lines:
                    if line not in last and not self._ended.is_set():
                        display.display(line)
                last = lines
