# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Start a daemon and reap whatever of it is orphaned: adopt.py COMMAND...

A guest is nobody's child once its daemon has detached it. Where the machine's first process is slow to reap it, libvirt takes the dead for
living and waits. A program of its own, run with the standard library alone, that stays until all are gone.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys

_PR_SET_CHILD_SUBREAPER = 36


def main() -> int:
    """Return the code that the daemon's start ends with, while a process behind it reaps."""
    reader, writer = os.pipe()
    if os.fork():
        os.close(writer)
        told = os.read(reader, 1)
        return told[0] if told else 1
    os.close(reader)
    os.setsid()
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    code = subprocess.run(sys.argv[1:], check=False).returncode
    os.write(writer, bytes([code & 0xFF]))
    os.close(writer)
    while True:
        try:
            os.wait()
        except ChildProcessError:
            return 0


if __name__ == "__main__":
    sys.exit(main())
