#!/usr/bin/env bash
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# Run the tests of the scheduler's exact engine with OR-tools, installed from PyPI in an environment of its own.
# Arguments are pytest's.

# shellcheck source=tools/common.sh
source "${BASH_SOURCE[0]%/*}/common.sh"

environment=.work/exact
installed=$environment/requirements.txt
if ! cmp --silent tests/exact/requirements.txt "$installed"; then
  "${PYTHON3:-python3}" -m venv --clear "$environment"
  "$environment/bin/python" -m pip install --quiet --disable-pip-version-check --requirement tests/exact/requirements.txt
  cp tests/exact/requirements.txt "$installed"
fi
import_work_tree
tests=tests/unit/plugins/plugin_utils/_scheduler/test_exact.py
export KILONOVA_EXACT=1 PYTHONDONTWRITEBYTECODE=1
exec "$environment/bin/python" -m pytest --quiet -p no:cacheprovider --import-mode importlib "$tests" "$@"
