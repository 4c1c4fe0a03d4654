#!/usr/bin/env bash
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# Run sanity and units with every supported ansible-core and every Python found.

# shellcheck source=tools/common.sh
source "${BASH_SOURCE[0]%/*}/common.sh"
# shellcheck source=tools/report.sh
source tools/report.sh

# ansible-core | Pythons that can run it | further ones that its modules can run with, of those the collection supports
cores='
2.19.14 | 3.11 3.12 3.13 | 3.9 3.10
2.20.10 | 3.12 3.13 3.14 | 3.9 3.10 3.11
2.21.5  | 3.12 3.13 3.14 | 3.9 3.10 3.11
'

# Make an environment once; a half-made one is made anew. Runs inside a gate, so that a failure is the gate's.
prepare() {
  local core=$1 python=$2 venv=$WORK/matrix/$1-python$2 pins=$WORK/matrix/$1.txt goal
  cat "$ROOT"/tools/requirements-{run,units}.txt | grep -v '^ansible-core==' >"$pins"
  printf 'ansible-core==%s\n' "$core" >>"$pins"
  goal=$({ printf '%s\n' "$ROOT"; readlink -f "$WORK/bin/python$python"; cat "$pins"; } | sha256sum)
  [[ $(cat "$venv/.stamp" 2>/dev/null) != "$goal" ]] || return 0
  rm -rf "$venv"
  "$WORK/bin/python$python" -m venv "$venv"
  "$venv/bin/python" -m pip install --quiet --no-deps --disable-pip-version-check --requirement "$pins"
  printf '%s\n' "$goal" >"$venv/.stamp"
}

with_core() {
  local venv=$WORK/matrix/$1-python$2
  prepare "$1" "$2"
  shift 2
  run_ansible_test "$venv" "$@"
}

main() {
  enter_sandbox
  copy_tree
  mkdir -p "$WORK/matrix"
  local core controllers targets python newest
  while IFS='|' read -r core controllers targets; do
    core=${core// /} newest=
    for python in $controllers; do
      [[ -x $WORK/bin/python$python ]] || continue
      newest=$python
      run_gate "sanity $core $python" with_core "$core" "$python" sanity --local --color no --python "$python"
      run_gate "units $core $python" with_core "$core" "$python" units --local --color no --python "$python"
    done
    [[ -n $newest ]] || continue
    for python in $targets; do
      [[ -x $WORK/bin/python$python ]] || continue
      run_gate "modules $core $python" with_core "$core" "$newest" sanity --local --color no --python "$python" \
        --test compile --test import
    done
  done < <(grep . <<<"$cores")
  printf '\n'
  report
}

run_alone tools/matrix.sh "$@"
main
