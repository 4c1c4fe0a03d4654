#!/usr/bin/env bash
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# Run the tests whose hypervisor is a whole emulated machine, or those that are named: tools/machine.sh [PYTEST ARGUMENT...]

# shellcheck source=tools/common.sh
source "${BASH_SOURCE[0]%/*}/common.sh"
enter_sandbox

suites=(tests/integration/machine)
if names_tests "$@"; then suites=(); fi
import_work_tree
# Guests are emulated by what is emulated itself.
export KILONOVA_PATIENCE=1200
run_suite machine --import-mode importlib --durations 0 "${suites[@]}" "$@"
