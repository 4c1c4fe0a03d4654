# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Run a module of the collection as a process of its own. Usage: module.py NAME [LOG] < options.json.

With LOG, the libvirt calls by name, the XML given to libvirt, the bytes that the process read, and the most memory that
it had are written there as JSON.
"""

from __future__ import annotations

import importlib
import json
import resource
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible.module_utils.testing import patch_module_args

_CONNECTION = "ansible_collections.kilonova.compute.plugins.module_utils._driver.connection"


def usage() -> dict[str, int]:
    """Return what this process read so far, through whatever call, and its peak of memory."""
    lines = Path("/proc/self/io").read_text(encoding="ascii").splitlines()
    read_bytes = next(int(line.split()[1]) for line in lines if line.startswith("rchar:"))
    return {"read_bytes": read_bytes, "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}


def log_calls(path: Path) -> None:
    """Let every connection write down what it did when it closes."""
    kind = importlib.import_module(_CONNECTION).Connection
    original_call, original_exit = kind.call, kind.__exit__
    texts: dict[str, list[str]] = {"createXML": [], "defineXMLFlags": []}

    def call(self: Any, doing: str, function: Callable[..., Any], *args: Any) -> Any:
        if getattr(function, "__name__", "") in texts:
            texts[function.__name__].append(args[0])
        return original_call(self, doing, function, *args)

    def leave(self: Any, *details: object) -> None:
        path.write_text(json.dumps({"calls": self.calls, "xml": texts, **usage()}), encoding="utf-8")
        original_exit(self, *details)

    kind.call, kind.__exit__ = call, leave


def main() -> None:
    """Run the module."""
    name, *log = sys.argv[1:]
    if log:
        log_calls(Path(log[0]))
    with patch_module_args(json.load(sys.stdin)):
        importlib.import_module(f"ansible_collections.kilonova.compute.plugins.modules.{name}").main()


if __name__ == "__main__":
    main()
