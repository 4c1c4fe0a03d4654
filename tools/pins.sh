#!/usr/bin/env bash
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# Choose the newest versions of everything in tools/requirements-*.in and pin them, for Python 3.11 and newer.

set -euo pipefail
cd "$(dirname "$0")/.."

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
python3 -m venv "$scratch/venv"
"$scratch/venv/bin/pip" install --quiet uv

compile() {
  "$scratch/venv/bin/uv" pip compile --quiet --universal --python-version 3.11 --no-header --no-annotate "$@"
}

# One resolution, so that the sets fit together; each file then takes its own part of it.
compile tools/requirements-{run,units,lint}.in -o "$scratch/all.txt"
for set in run units lint; do
  {
    sed -n 1,3p "tools/requirements-$set.in"
    printf '\n# Pinned by tools/pins.sh from requirements-%s.in.\n' "$set"
    compile "tools/requirements-$set.in" --constraints "$scratch/all.txt"
  } >"$scratch/requirements-$set.txt"
done
mv "$scratch"/requirements-*.txt tools/
