# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Measure the collection against bare libvirt, community.libvirt and a plain copy: ``python3 tests/bench/bench.py --help``."""

from __future__ import annotations

import sys

from kilonova_bench.cli import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
