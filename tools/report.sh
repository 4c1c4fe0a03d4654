# shellcheck shell=bash
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# Sourced by the tools that run several gates: count what they did and sum it up.

table=() total_passed=0 total_failed=0 broken=false

# Print "PASSED FAILED" of pytest's closing lines in a log, or nothing where it has none.
pytest_counts() {
  awk '
    /^(=+ )?([0-9]+ [a-z]+,? ?)+ in [0-9.]+s/ && /(passed|failed|error)/ {
      seen = 1
      for (i = 1; i < NF; i++) {
        if ($(i + 1) ~ /^passed/) passed += $i
        if ($(i + 1) ~ /^(failed|errors?)/) failed += $i
      }
    }
    END { if (seen) print passed + 0, failed + 0 }' "$1"
}

# Run a command as a gate: run_gate NAME COMMAND [ARGUMENT...]
run_gate() {
  local gate=$1 begun=$SECONDS status=0 passed failed line
  local log=$WORK/logs/${gate// /-}.log
  shift
  mkdir -p "$WORK/logs"
  printf '\n==== %s\n' "$gate"
  # A condition would switch off `set -e` inside the gate, hence the detour over the status.
  set +e
  (
    set -e
    cd "$TREE"
    "$@"
  ) </dev/null 2>&1 | tee "$log"
  status=${PIPESTATUS[0]}
  set -e

  read -r passed failed < <(pytest_counts "$log") || { passed=0 failed=0; }
  if ((status == 0)); then
    # A gate that counts no tests counts as one check.
    ((passed)) || passed=1
    printf -v line 'passed  %-20s %5d s' "$gate" $((SECONDS - begun))
  else
    ((failed)) || failed=1
    broken=true
    printf -v line 'FAILED  %-20s %5d s  log: .work/logs/%s' "$gate" $((SECONDS - begun)) "${log##*/}"
  fi
  total_passed=$((total_passed + passed)) total_failed=$((total_failed + failed))
  table+=("$line")
  printf '%s\n' "$line"
}

# Print the table and the sum; fail if a gate did.
report() {
  printf '%s\n' "${table[@]}"
  printf '%d passed, %d failed\n' "$total_passed" "$total_failed"
  ! $broken
}
