#!/usr/bin/env bash
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# Print "X.Y PATH" for the best interpreter of each Python version from 3.9 that really runs, oldest first.
# Version managers put commands on PATH that fail for versions that are not active, so each is tried.

set -euo pipefail
shopt -s nullglob

folders=()
IFS=: read -r -a on_path <<<"$PATH"
folders+=("${on_path[@]}" /usr/local/bin /usr/bin)
[[ -z ${HOME:-} ]] || folders+=("${PYENV_ROOT:-$HOME/.pyenv}"/versions/*/bin "$HOME"/.local/share/uv/python/*/bin)

# shellcheck disable=SC2016  # the program is Python
probe='
import ctypes, os, ssl, sys, zlib
if sys.prefix == sys.base_prefix and "%d.%d" % sys.version_info[:2] == sys.argv[1]:
    print(os.path.realpath(sys.executable))
'

for version in 3.9 3.10 3.11 3.12 3.13 3.14; do
  for folder in "${folders[@]}"; do
    candidate=$folder/python$version
    [[ -x $candidate ]] || continue
    found=$("$candidate" -I -c "$probe" "$version" 2>/dev/null </dev/null) || continue
    [[ -n $found ]] || continue
    printf '%s %s\n' "$version" "$found"
    break
  done
done
