# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Start and stop simulated hypervisors: ``python3 tests/lab/lab.py --help``."""

from __future__ import annotations

import sys

from kilonova_lab.cli import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
