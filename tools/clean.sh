#!/usr/bin/env bash
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# Stop every lab of this clone and remove all that was made.

# shellcheck source=tools/common.sh
source "${BASH_SOURCE[0]%/*}/common.sh"

for folder in .work/lab .work/pytest .work/bench; do
  end_labs "$folder" || die "A lab in $folder could not be ended, so nothing was removed."
done
"$(command -v "$WORK/venv/bin/python" || command -v python3)" tests/lab/lab.py machine down || die "The emulated machine could not be ended, so nothing was removed."
rm -rf .work
