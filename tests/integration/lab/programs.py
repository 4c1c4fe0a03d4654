# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Processes that have modules loaded and run them in forks of themselves: a start takes no time."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest

_PROGRAM = Path(__file__).with_name("forked.py")


class Program:
    """A process that takes orders, one at a time."""

    def __init__(self, *modules: str) -> None:
        """Start it with some modules loaded; others it loads when they are first asked for."""
        self._process = subprocess.Popen(
            [sys.executable, str(_PROGRAM), *modules], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def close(self) -> None:
        """End it."""
        self._process.communicate(timeout=60)

    def run(
        self,
        module: str,
        arguments: t.Mapping[str, t.Any],
        *,
        constants: t.Mapping[str, t.Any] | None = None,
        watched: bool = False,
        every_call: bool = False,
        kill_before: int | None = None,
    ) -> dict[str, t.Any]:
        """Run a module; return what it ``printed``, what it wrote as ``errors``, and whether it was ``killed``.

        A ``watched`` one prints its libvirt calls, those that change something or ``every_call``, and may be killed
        before the so-many-th of them.
        """
        order = {
            "module": module,
            "arguments": arguments,
            "environment": dict(os.environ),
            "constants": dict(constants or {}),
            "watched": watched,
            "every_call": every_call,
            "kill_before": kill_before,
        }
        if self._process.stdin is None or self._process.stdout is None:
            return pytest.fail("no pipes to the program")
        print(json.dumps(order), file=self._process.stdin, flush=True)
        line = self._process.stdout.readline()
        return dict(json.loads(line)) if line else pytest.fail(f"the program that runs {module} is gone")


class Programs:
    """As many programs as runs go on at once."""

    def __init__(self) -> None:
        """Begin with none."""
        self._idle: queue.LifoQueue[Program] = queue.LifoQueue()

    def close(self) -> None:
        """End those that do nothing."""
        with contextlib.suppress(queue.Empty):
            while True:
                self._idle.get_nowait().close()

    def run(self, module: str, arguments: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        """Run a module, as :meth:`Program.run` does."""
        try:
            program = self._idle.get_nowait()
        except queue.Empty:
            program = Program(module)
        answer = program.run(module, arguments)
        self._idle.put(program)
        return answer
