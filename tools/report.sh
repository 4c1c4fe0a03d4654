# shellcheck shell=bash
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# Sourced by the tools that run several gates: count what they did and sum it up.

table=() beside=() total_passed=0 total_failed=0 broken=false

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
  local gate=$1 begun=$SECONDS
  shift
  printf '\n==== %s\n' "$gate"
  # A condition would switch off `set -e` inside the gate, hence the detour over the status.
  set +e
  in_tree "$@" 2>&1 | tee "$(log_of "$gate")"
  settle "$gate" "${PIPESTATUS[0]}" $((SECONDS - begun))
  set -e
}

# Begin a command as a gate beside those that follow, up to await_gates: begin_gate NAME COMMAND [ARGUMENT...]
begin_gate() {
  local gate=$1
  shift
  beside+=("$gate")
  # What runs in the background does not hear of an interrupt.
  trap 'trap - INT TERM; kill 0' INT TERM
  {
    local begun=$SECONDS status=0
    set +e
    in_tree "$@"
    status=$?
    printf '%d %d\n' "$status" $((SECONDS - begun)) >"$(log_of "$gate").end"
  } >"$(log_of "$gate")" 2>&1 &
}

# Wait for the gates that were begun, and print what they did.
await_gates() {
  local gate status took
  wait
  for gate in "${beside[@]}"; do
    printf '\n==== %s\n' "$gate"
    cat "$(log_of "$gate")"
    read -r status took <"$(log_of "$gate").end"
    rm "$(log_of "$gate").end"
    settle "$gate" "$status" "$took"
  done
  beside=()
}

log_of() {
  mkdir -p "$WORK/logs"
  printf '%s\n' "$WORK/logs/${1// /-}.log"
}

in_tree() (
  set -e
  cd "$TREE"
  "$@"
) </dev/null

# Count a gate that has ended: settle NAME STATUS SECONDS
settle() {
  local gate=$1 status=$2 took=$3 passed failed line log
  log=$(log_of "$gate")
  read -r passed failed < <(pytest_counts "$log") || { passed=0 failed=0; }
  if ((status == 0)); then
    # A gate that counts no tests counts as one check.
    ((passed)) || passed=1
    printf -v line 'passed  %-20s %5d s' "$gate" "$took"
  else
    ((failed)) || failed=1
    broken=true
    printf -v line 'FAILED  %-20s %5d s  log: .work/logs/%s' "$gate" "$took" "${log##*/}"
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
