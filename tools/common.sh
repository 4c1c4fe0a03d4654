# shellcheck shell=bash
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# Sourced by the other tools, which stand in the root of the repository: the environment and small helpers.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

ROOT=$PWD
WORK=$ROOT/.work
export NAMESPACE=kilonova NAME=compute
# A real directory that ends as ansible-test wants it: ansible_collections/<namespace>/<name>.
TREE=.work/ansible_collections/$NAMESPACE/$NAME
export TREE

die() {
  printf '%s\n' "$*" >&2
  exit 1
}

case $PWD in
  *:*) die "The path of this clone holds a colon ($PWD), which Python's virtual environments cannot live with: move it." ;;
esac

# ansible-test writes its interpreter's path into "#!" lines, where a path with spaces or of great length does not work.
# ssh has a limit for its sockets, too. Such a clone is reached through a link in a private directory, always the same
# one: environments remember it.
shorten_work() {
  [[ $WORK =~ [^A-Za-z0-9_./+-] || ${#WORK} -gt 50 ]] || return 0
  local short
  short=/tmp/kilonova-$UID-$(printf '%s' "$WORK" | sha256sum | cut -c 1-12)
  mkdir -m 700 "$short" 2>/dev/null || [[ -O $short && ! -L $short ]] || die "$short belongs to somebody else: remove it."
  ln -sfn "$WORK" "$short/work"
  # shellcheck disable=SC2064  # the name is known now
  trap "rm -rf '$short'" EXIT
  WORK=$short/work
}

# Leave nothing outside the clone, and let nothing outside decide what is tested.
enter_sandbox() {
  [[ -z ${KILONOVA_SANDBOX:-} ]] || return 0
  export KILONOVA_SANDBOX=1
  mkdir -p "$WORK/home" "$WORK/bin"
  shorten_work
  "$WORK/venv/bin/python" tools/pip_settings.py "$WORK/home/.config/pip/pip.conf"
  local variable
  for variable in ${!ANSIBLE_@} ${!GIT_@} ${!XDG_@}; do
    case $variable in GIT_SSL_* | XDG_RUNTIME_DIR) ;; *) unset "$variable" ;; esac
  done
  unset FORCE_COLOR PY_COLORS PYTEST_ADDOPTS PIP_CONFIG_FILE PYTHONPATH PYTHONHOME VIRTUAL_ENV CDPATH
  export HOME=$WORK/home LC_ALL=C.UTF-8 GIT_CONFIG_GLOBAL=/dev/null
  export ANSIBLE_HOME=$HOME/.ansible ANSIBLE_LOCAL_TEMP=$HOME/.ansible/tmp ANSIBLE_COLLECTIONS_PATH=$WORK
  export PATH="$WORK/venv/bin:$WORK/bin:$PATH:/usr/local/sbin:/usr/sbin:/sbin"

  # ansible-test would fetch get-pip.py from the Internet; the interpreters bundle pip.
  local version
  mkdir -p "$ANSIBLE_HOME/test/cache" "$ANSIBLE_LOCAL_TEMP"
  for version in 24_2 25_2; do
    cp tools/get_pip_shim.py "$ANSIBLE_HOME/test/cache/get_pip_$version.py"
  done
}

# Run ansible-test from a virtual environment: run_ansible_test VENV ARGUMENT...
run_ansible_test() {
  local venv=$1
  shift
  PATH=$venv/bin:$PATH "$venv/bin/python" "$venv/bin/ansible-test" "$@"
}

# Copy what git knows or would take into $TREE, a repository of its own (linters ask git for the list of files).
copy_tree() {
  rm -rf "$TREE"
  mkdir -p "$TREE"
  git -c safe.directory='*' ls-files -z --cached --others --exclude-standard |
    while IFS= read -r -d '' file; do
      if [[ -e $file || -L $file ]]; then printf '%s\0' "$file"; fi
    done | rsync -rlpt --from0 --files-from=- ./ "$TREE/"
  git -C "$TREE" init --quiet --initial-branch main
  git -C "$TREE" add --all
}

# End the labs whose directories lie below a folder: those of a run that was killed.
end_labs() {
  local python record
  python=$(command -v "$WORK/venv/bin/python" || command -v python3)
  [[ -d $1 ]] || return 0
  while IFS= read -r -d '' record; do
    "$python" "$ROOT"/tests/lab/lab.py down --dir "${record%/*}"
  done < <(find "$1" -xdev -type d -name 'host[0-9]*' -prune -o -name lab.json -print0)
}

# Run a suite of tests that makes labs; what the tests leave stays in the clone.
run_suite() {
  local scratch=.work/pytest/$1
  shift
  end_labs "$scratch"
  mkdir -p .work/pytest
  python -m pytest -p no:cacheprovider --basetemp "$scratch" "$@"
}

# Let tests import the collection, from this work tree, and each other.
import_work_tree() {
  mkdir -p "$WORK/import/ansible_collections/$NAMESPACE"
  ln -sfn "$ROOT" "$WORK/import/ansible_collections/$NAMESPACE/$NAME"
  export PYTHONPATH=$WORK/import
}

# Have an environment in .work that holds what tests/NAME/requirements.txt lists: own_environment NAME
own_environment() {
  local environment=.work/$1 wanted=tests/$1/requirements.txt
  ! cmp --silent "$wanted" "$environment/requirements.txt" || return 0
  "${PYTHON3:-python3}" -m venv --clear "$environment"
  "$environment/bin/python" -m pip install --quiet --disable-pip-version-check --requirement "$wanted"
  cp "$wanted" "$environment/requirements.txt"
}

# Say whether some argument names tests: beside whole suites, what is named would select nothing.
names_tests() {
  local argument
  for argument in "$@"; do
    [[ ! -e ${argument%%::*} ]] || return 0
  done
  return 1
}

# One run at a time in a clone, for all share the copy of the tree. The lock dies with its holder, and the daemons that
# a gate starts do not inherit it: run_alone SCRIPT [ARGUMENT...] returns only in the run that holds the lock.
run_alone() {
  [[ ${KILONOVA_LOCKED:-} != "$WORK" ]] || return 0
  local status=0
  mkdir -p .work
  KILONOVA_LOCKED=$WORK flock --nonblock --close --conflict-exit-code 75 .work/lock "$BASH" "$@" || status=$?
  ((status != 75)) || echo "Another run is at work in this clone: wait for it, or use a second clone." >&2
  exit "$status"
}
