#!/usr/bin/env bash
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# Run the tests of pools in a Ceph cluster, which they start, or those that are named: tools/ceph.sh [PYTEST ARGUMENT...]

# shellcheck source=tools/common.sh
source "${BASH_SOURCE[0]%/*}/common.sh"
enter_sandbox
tools/packages.sh --ceph

suites=(tests/integration/ceph)
if names_tests "$@"; then suites=(); fi
import_work_tree
run_suite ceph --import-mode importlib --durations 0 "${suites[@]}" "$@"
