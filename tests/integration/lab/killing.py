# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Runs of a module that end at any libvirt call, as by a power cut, quick enough to try every one of them."""

from __future__ import annotations

import itertools
import json
import os
import typing as t
import zlib
from dataclasses import dataclass
from types import TracebackType

import pytest

from .conftest import SCRATCH, Result
from .programs import Program

THINNED = 1 if os.environ.get("KILONOVA_FAULTS") else 3
"""Of how many calls that a long test could kill a run at it takes one; ``make faults`` has them take all."""

BRIEFLY: t.Mapping[str, t.Any] = {"_service.image_store.STILL_SECONDS": 0.5}
"""How long data that nobody writes must stand still, where nobody does."""


@dataclass(frozen=True)
class Ended:
    """A run: the libvirt calls it made, and its result, or None if it was killed before the last of the calls."""

    calls: tuple[str, ...]
    result: Result | None

    @property
    def done(self) -> Result:
        """Return the result of a run that was not killed and did not fail."""
        if self.result is None or self.result.failed:
            return pytest.fail(self.result.message if self.result else f"killed at {self.calls[-1]}")
        return self.result


class Runs:
    """Runs modules in processes that take no time to start."""

    def __init__(self, *modules: str, constants: t.Mapping[str, t.Any] | None = None) -> None:
        """Load ``modules`` once; run them with some of the collection's constants other than they are."""
        self._constants = dict(constants or {})
        self._program = Program(*modules)
        self.calls: tuple[str, ...] = ()
        """What the latest of the runs to be killed called, which is all there is to call when none is left to kill."""

    def __enter__(self) -> Runs:
        """Give itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the process that has them loaded."""
        self._program.close()

    def run(
        self,
        module: str,
        *,
        kill_before: int | None = None,
        every_call: bool = False,
        check: bool = False,
        **arguments: t.Any,
    ) -> Ended:
        """Run a module; kill it right before its so-many-th call that changes something, or of all calls."""
        answer = self._program.run(
            module,
            {**arguments, **SCRATCH, "_ansible_check_mode": check, "_ansible_diff": True},
            constants=self._constants,
            watched=True,
            every_call=every_call,
            kill_before=kill_before,
        )
        lines = answer["printed"].splitlines()
        calls = tuple(line.partition(" ")[2] for line in lines if line.startswith("call "))
        if answer["killed"]:
            return Ended(calls, None)
        results = [json.loads(line) for line in lines if line.startswith("{")]
        if not results:
            return pytest.fail(f"{module} printed no result: {answer['printed']}{answer['errors']}")
        return Ended(calls, Result(bool(results[-1].get("failed")), results[-1]))

    def killed_everywhere(
        self, module: str, begin: t.Callable[[], t.Any], *, every_call: bool = False, **arguments: t.Any
    ) -> t.Iterator[str]:
        """Run a module after ``begin`` again and again, killed one call later each time; give the call it died at.

        The last run, which nothing kills, is given as "".
        """
        return self._killed(itertools.count(1), module, begin, every_call=every_call, **arguments)

    def killed_here_and_there(self, module: str, begin: t.Callable[[], t.Any], **arguments: t.Any) -> t.Iterator[str]:
        """Run a module as :meth:`killed_everywhere` does, but killed at one of ``THINNED`` calls.

        Where it begins to count depends on the test, so that what tests have in common is killed everywhere by them together.
        """
        first = zlib.crc32(os.environ["PYTEST_CURRENT_TEST"].encode()) % THINNED + 1
        return self._killed(itertools.count(first, THINNED), module, begin, **arguments)

    def _killed(
        self, numbers: t.Iterator[int], module: str, begin: t.Callable[[], t.Any], **options: t.Any
    ) -> t.Iterator[str]:
        for number in numbers:
            begin()
            ended = self.run(module, kill_before=number, **options)
            self.calls = ended.calls
            yield ended.calls[-1] if ended.result is None else ""
            if ended.result is not None:
                assert not ended.result.failed, ended.result.message
                return
