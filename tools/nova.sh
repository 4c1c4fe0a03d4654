#!/usr/bin/env bash
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# Compare the scheduler with the one of OpenStack Nova, installed from PyPI in an environment of its own. NOVA_FLEETS
# says how many generated fleets (default 300); further arguments are pytest's.

# shellcheck source=tools/common.sh
source "${BASH_SOURCE[0]%/*}/common.sh"

own_environment nova
export PYTHONPATH=.:tests/nova PYTHONDONTWRITEBYTECODE=1
exec .work/nova/bin/python -m pytest --quiet -p no:cacheprovider -p no:warnings tests/nova "$@"
