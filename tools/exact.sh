#!/usr/bin/env bash
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# Run the tests of the scheduler's exact engine with OR-tools, installed from PyPI in an environment of its own.
# Arguments are pytest's.

# shellcheck source=tools/common.sh
source "${BASH_SOURCE[0]%/*}/common.sh"

own_environment exact
import_work_tree
tests=tests/unit/plugins/plugin_utils/_scheduler/test_exact.py
export KILONOVA_EXACT=1 PYTHONDONTWRITEBYTECODE=1
exec .work/exact/bin/python -m pytest --quiet -p no:cacheprovider --import-mode importlib "$tests" "$@"
