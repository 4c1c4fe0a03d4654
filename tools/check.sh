#!/usr/bin/env bash
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# Run gates over a copy of the work tree and say at the end which passed:
#   tools/check.sh all
#   tools/check.sh sanity units lint docs build lab integration faults machine ceph
#   tools/check.sh ruff mypy        single gates, by the names below

# shellcheck source=tools/common.sh
source "${BASH_SOURCE[0]%/*}/common.sh"
# shellcheck source=tools/report.sh
source tools/report.sh

# Percent of the lines and branches of plugins/ that the unit tests must reach.
COVERAGE_THRESHOLD=80

declare -A groups=(
  [lint]="black ruff pylint mypy yamllint shellcheck extra-checks ansible-lint"
  [docs]="antsibull-docs changelog licences"
  [build]="build galaxy-importer"
)
all=(sanity lint docs build units lab integration)

linted_python=(plugins tests/unit tests/lab tests/integration tests/bench tests/nova tools noxfile.py)

# ---- the gates: each runs in the copy of the tree, in a subshell of its own ----------------------------------------------

gate_sanity() {
  run_ansible_test "$WORK/venv" sanity --local --color no --python "$PYTHON"
}

# In two processes, where ansible-test forks one for every test of a module; `make matrix` runs ansible-test's.
gate_units() {
  mkdir -p "$WORK/coverage"
  PYTHONPATH=$WORK COVERAGE_FILE=$WORK/coverage/data python -m pytest -p no:cacheprovider --import-mode importlib \
    --numprocesses 2 --cov plugins --cov-branch --cov-report term-missing:skip-covered \
    --cov-fail-under "$COVERAGE_THRESHOLD" tests/unit
}

gate_black() {
  existing_of "${linted_python[@]}"
  black --config pyproject.toml --check --diff --quiet "${existing[@]}" || {
    echo "black would change the lines above."
    return 1
  }
}

gate_ruff() {
  existing_of "${linted_python[@]}"
  # The set in ruff.toml holds what antsibull-nox's formatters mend (I, RUF022).
  ruff check --no-cache --config ruff.toml "${existing[@]}"
}

gate_pylint() {
  local config=$PWD/.pylintrc
  existing_of "${linted_python[@]}"
  cd ../../..
  pylint --jobs 0 --rcfile "$config" --source-roots . "${existing[@]/#/$COLLECTION/}"
}

gate_mypy() {
  local config=$PWD/.mypy.ini failed=0
  existing_of plugins tests/unit tests/integration
  cd ../../..
  local options=(--config-file "$config" --cache-dir home/.cache/mypy --namespace-packages --explicit-package-bases)
  MYPYPATH=.:"$COLLECTION/tests/lab" mypy "${options[@]}" "${existing[@]/#/$COLLECTION/}" || failed=1
  # These are run from where they lie, not as parts of the collection.
  cd "$COLLECTION"
  options[3]=../../../home/.cache/mypy
  existing_of tests/lab tests/bench tests/nova tools
  MYPYPATH=tests/lab:tests/bench:tests/nova mypy "${options[@]}" "${existing[@]}" || failed=1
  return "$failed"
}

gate_yamllint() {
  # Of nox's sessions this one needs no environment of its own: YAML files, and the YAML inside plugins.
  run_nox yamllint
}

gate_extra-checks() {
  run_nox antsibull-nox-config extra-checks
}

gate_shellcheck() {
  local scripts
  mapfile -d '' scripts < <(git ls-files -z -- '*.sh' .ci/run)
  shellcheck --external-sources "${scripts[@]}"
}

gate_ansible-lint() {
  ansible-lint --offline --strict --nocolor
}

gate_antsibull-docs() {
  antsibull-docs lint-collection-docs --plugin-docs --validate-collection-refs all .
}

gate_changelog() {
  antsibull-changelog lint
}

gate_licences() {
  run_nox license-check
}

gate_build() {
  rm -rf "$WORK/build"
  mkdir -p "$WORK/build/installed"
  ansible-galaxy collection build --output-path "$WORK/build"
  cd "$WORK/build"
  local tarball=(*.tar.gz)
  tar -tzf "${tarball[0]}" | cut -d / -f 1 | sort -u >entries
  local allowed='COPYING|LICENSES|README.md|REUSE.toml|FILES.json|MANIFEST.json|CHANGELOG.md(.license)?'
  if grep -vxE "$allowed|changelogs|docs|examples|extensions|meta|playbooks|plugins|roles|tests" entries; then
    echo "The entries above do not belong into the tarball: name them in galaxy.yml under build_ignore."
    return 1
  fi
  if tar -tzf "${tarball[0]}" | grep -E '__pycache__|\.pyc$|_cache/|^tests/output/|^tests/integration/inventory|\.hypothesis'; then
    echo "The files above are scratch and do not belong into the tarball."
    return 1
  fi
  # The copy of the tree must not stand in for what is installed.
  export ANSIBLE_COLLECTIONS_PATH=$PWD/installed
  ansible-galaxy collection install --offline --collections-path installed "${tarball[0]}"
  ansible-doc --list --json "$NAMESPACE.$NAME" >modules.json
  grep -q "\"$NAMESPACE\.$NAME\." modules.json || {
    echo "ansible-doc finds no module in the installed collection."
    return 1
  }
}

gate_galaxy-importer() {
  local tarball
  if ! compgen -G "$WORK/build/*.tar.gz" >/dev/null; then gate_build >/dev/null; fi
  cd "$WORK/build"
  tarball=(*.tar.gz)
  printf '%s\n' '[galaxy-importer]' 'CHECK_REQUIRED_TAGS = True' 'RUN_ANSIBLE_DOC = True' >importer.cfg
  GALAXY_IMPORTER_CONFIG=$PWD/importer.cfg python -m galaxy_importer.main "${tarball[0]}"
}

gate_lab() {
  cd "$ROOT"
  run_suite lab --numprocesses 2 --dist loadfile tests/lab
}

gate_integration() {
  cd "$ROOT"
  tools/integration.sh
}

# Not one of all: it takes as long as the half of all.
gate_faults() {
  cd "$ROOT"
  mapfile -t thinned < <(grep -l killed_here_and_there tests/integration/lab/test_*.py)
  KILONOVA_FAULTS=1 tools/integration.sh "${thinned[@]}" tests/integration/lab/test_whole_migration.py
}

# Not one of all: emulated guests on an emulated machine take their time.
gate_machine() {
  cd "$ROOT"
  tools/machine.sh
}

# Not one of all: it takes packages that nothing else does.
gate_ceph() {
  cd "$ROOT"
  tools/ceph.sh
}

# ---- how they are run ------------------------------------------------------------------------------------------------

# Fill `existing` with those of the given paths that are there.
existing_of() {
  local path
  existing=()
  for path in "$@"; do
    if [[ -e $path ]]; then existing+=("$path"); fi
  done
}

# nox without environments of its own leaves out whatever would need one, silently: call only sessions that do not.
run_nox() {
  local session log=$WORK/nox.log
  nox --no-venv --no-install --nocolor --session "$@" 2>&1 | tee "$log"
  for session in "$@"; do
    grep -q "Session $session was successful" "$log"
  done
  if grep -E 'Skipping (black|ruff|pylint|mypy|antsibull-docs|ansible-lint)\.\.\.' "$log"; then
    return 1
  fi
}

main() {
  local gate wanted=()
  [[ ${1:-} != all ]] || set -- "${all[@]}"
  for gate in "$@"; do
    if [[ -n ${groups[$gate]:-} ]]; then
      read -r -a members <<<"${groups[$gate]}"
      wanted+=("${members[@]}")
    else
      declare -F "gate_$gate" >/dev/null || die "There is no gate $gate."
      wanted+=("$gate")
    fi
  done
  ((${#wanted[@]})) || die "Name the gates to run, or all."

  enter_sandbox
  COLLECTION=ansible_collections/$NAMESPACE/$NAME
  PYTHON=$(python -c 'import sys; print("%d.%d" % sys.version_info[:2])')
  copy_tree

  for gate in "${wanted[@]}"; do
    case $gate in
      # Mostly one process after the other, which leaves a CPU to what else only reads the copy of the tree.
      sanity) begin_gate "$gate" "gate_$gate" ;;
      units | lab | integration | faults | machine | ceph)
        await_gates
        run_gate "$gate" "gate_$gate"
        ;;
      *) run_gate "$gate" "gate_$gate" ;;
    esac
  done
  await_gates
  printf '\nPython %s, %s\n' "$PYTHON" "$(python -c "from ansible.release import __version__; print(\"ansible-core\", __version__)")"
  report
}

run_alone tools/check.sh "$@"
main "$@"
