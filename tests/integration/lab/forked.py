# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Run modules, each in a process forked off one that has loaded everything, and kill them before a libvirt call if told so.

A program: every line of its input is an order, every line of its output what came of it; see ``programs.py``.
"""

from __future__ import annotations

import importlib
import itertools
import json
import os
import re
import signal
import sys
import tempfile
import typing as t

from ansible.module_utils.testing import patch_module_args
from ansible_collections.kilonova.compute.plugins.module_utils._driver.connection import Connection

READS = re.compile(
    r"(list|get|num|is|has|lookup|managedSaveGet|backupGet|storagePoolLookup|storageVolLookup|networkLookup|secretLookup)\w*"
    r"|domainList\w*|XMLDesc|info|jobStats|state|name|UUIDString|key|path|autostart|ID|schedulerType|blockInfo|refresh"
    r"|domainEvent\w*|setKeepAlive|_?download\w*|blockJobInfo"
)
"""Names of libvirt's calls after which nothing is other than before, but for what libvirt knows itself."""


LIMIT_SECONDS = 600


def watch(order: dict[str, t.Any], report: t.TextIO) -> None:
    """Have this process write the calls that matter, and die right before the one that the order says."""
    original, fatal, numbers = Connection.call, order["kill_before"], itertools.count(1)

    def call(self: Connection, doing: str, function: t.Callable[..., t.Any], *args: t.Any) -> t.Any:
        name = getattr(function, "__name__", str(function))
        if order["every_call"] or not READS.fullmatch(name):
            # Threads that call at once get each a number and a line of their own.
            number = next(numbers)
            report.write(f"call {name}\n")
            report.flush()
            if number == fatal:
                os.kill(os.getpid(), signal.SIGKILL)
        return original(self, doing, function, *args)

    Connection.call = call  # type: ignore[method-assign]  # in this process only


def set_constants(values: dict[str, t.Any]) -> None:
    """Give constants of the collection other values, by the names of their modules and theirs."""
    for path, value in values.items():
        room, _dot, name = path.rpartition(".")
        module = importlib.import_module(f"ansible_collections.kilonova.compute.plugins.module_utils.{room}")
        # A name that is gone must not pass for one that is set.
        getattr(module, name)
        setattr(module, name, value)


def run(order: dict[str, t.Any]) -> None:
    """Run the module of an order."""
    # One that hangs is ended, so that the test fails in place of the whole suite.
    signal.alarm(LIMIT_SECONDS)
    os.environ.clear()
    os.environ.update(order["environment"])
    set_constants(order["constants"])
    if order["watched"]:
        watch(order, sys.stdout)
    module = load(order["module"])
    with patch_module_args(order["arguments"]):
        module.main()


def load(name: str) -> t.Any:
    """Return a module, loaded at most once."""
    return importlib.import_module(f"ansible_collections.kilonova.compute.plugins.modules.{name}")


def fork(order: dict[str, t.Any]) -> dict[str, t.Any]:
    """Run the module of an order in a process of its own; return what it printed and how it ended."""
    load(order["module"])
    reader, writer = os.pipe()
    with tempfile.TemporaryFile() as errors:
        pid = os.fork()
        if pid == 0:
            os.dup2(writer, 1)
            os.dup2(errors.fileno(), 2)
            os.close(reader)
            run(order)
            # Out through all that called this, so that what is to be done at exit is done, as in a process of its own.
            raise SystemExit
        os.close(writer)
        with open(reader, encoding="utf-8") as pipe:
            printed = pipe.read()
        _pid, status = os.waitpid(pid, 0)
        errors.seek(0)
        complaints = errors.read().decode(errors="replace")
    killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    return {"printed": printed, "errors": complaints, "killed": killed}


def main() -> None:
    """Take orders until there are no more."""
    for name in sys.argv[1:]:
        load(name)
    for line in sys.stdin:
        print(json.dumps(fork(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
