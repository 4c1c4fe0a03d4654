#!/usr/bin/env bash
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# Run the tests that boot guests on simulated hypervisors, or those of the files that are named:
# tools/integration.sh [PYTEST ARGUMENT...]

# shellcheck source=tools/common.sh
source "${BASH_SOURCE[0]%/*}/common.sh"
enter_sandbox

suites=()
for suite in tests/integration/lab tests/e2e; do
  [[ ! -d $suite ]] || suites+=("$suite")
done
((${#suites[@]})) || die "There are no integration tests: tests/integration/lab and tests/e2e are missing."
if names_tests "$@"; then suites=(); fi
import_work_tree
# Each worker has hypervisors of its own, and the tests of a file share them; the tests' conftest.py says which file is
# begun when. With a third worker on two CPUs, an emulated guest with two vCPUs was once too slow for its own clock, and
# never came up.
run_suite integration --numprocesses 2 --dist loadfile --no-loadscope-reorder --import-mode importlib "${suites[@]}" "$@"
