#!/usr/bin/env bash
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# Make .work/venv with pinned packages, after installing the distribution's packages that are missing.
#   tools/setup.sh run   what playbooks need
#   tools/setup.sh all   what the gates need too (default)

# shellcheck source=tools/common.sh
source "${BASH_SOURCE[0]%/*}/common.sh"

sets=${1:-all}
case $sets in
  run) files=(tools/requirements-run.txt) ;;
  all) files=(tools/requirements-run.txt tools/requirements-units.txt tools/requirements-lint.txt) ;;
  *) die "Unknown set $sets: say run or all." ;;
esac

mkdir -p .work/bin
exec 9>.work/setup.lock
flock 9

tools/packages.sh 9>&-

# Real interpreters by name in one folder: ansible-test and the matrix look for them on PATH.
pythons=$(tools/pythons.sh)
while read -r version path; do
  [[ $(readlink ".work/bin/python$version") == "$path" ]] || ln -sfn "$path" ".work/bin/python$version"
done <<<"$pythons"

# The newest ansible-core needs 3.12; 3.14 is the youngest of those it knows, so it comes after them. PYTHON=3.11 forces one.
choose() {
  local version path
  for version in ${PYTHON:-3.13 3.12 3.14 3.11}; do
    path=$(awk -v wanted="$version" '$1 == wanted { print substr($0, length($1) + 2) }' <<<"$pythons")
    if [[ -n $path ]] && "$path" -I -c "$usable" 2>/dev/null; then
      printf '%s\n' "$path"
      return
    fi
  done
  die "No Python of version 3.11 to 3.14 with its venv module and headers is here: install python3-venv and python3-dev."
}
usable='
import ensurepip, lzma, os, sqlite3, sysconfig, venv
assert os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h"))
'
python=$(choose)

venv=.work/venv
export PIP_CACHE_DIR=${PIP_CACHE_DIR:-$WORK/home/.cache/pip} PIP_DISABLE_PIP_VERSION_CHECK=1
unset PYTHONPATH PYTHONHOME PIP_REQUIRE_VIRTUALENV PIP_TARGET PIP_PREFIX PIP_USER

# What the stamp says: a venv works only where it was made, with the interpreter it was made of.
fingerprint() {
  { printf '%s\n' "$WORK" "$python"; "$python" -V; cat "$@"; } | sha256sum | cut -d ' ' -f 1
}
stamp() {
  [[ $(cat "$venv/.stamp-$1" 2>/dev/null) == "$2" ]]
}

base=$(fingerprint tools/requirements-run.txt)
goal=$(fingerprint "${files[@]}")
if [[ ! -e $venv/.unfinished ]] && stamp run "$base" && stamp "$sets" "$goal" && "$venv/bin/python" -c '' 2>/dev/null; then
  exit 0
fi

started=$SECONDS
if [[ -e $venv/.unfinished ]] || ! stamp run "$base" || ! "$venv/bin/python" -c '' 2>/dev/null; then
  rm -rf "$venv"
fi
echo "Preparing $venv with $("$python" -V)"
mkdir -p "$venv"
touch "$venv/.unfinished"
[[ -x $venv/bin/pip ]] || "$python" -m venv "$venv" 9>&-
arguments=()
for file in "${files[@]}"; do arguments+=(--requirement "$file"); done
# The pins are complete, so that nothing is left to resolve.
"$venv/bin/python" -m pip install --quiet --no-deps "${arguments[@]}" 9>&- ||
  die "pip could not install the pinned packages (see above); run this again once the package index can be reached."
"$venv/bin/python" -m pip check --quiet 9>&- || die "The pinned packages do not fit together: run tools/pins.sh."
printf '%s\n' "$base" >"$venv/.stamp-run"
printf '%s\n' "$goal" >"$venv/.stamp-$sets"
rm "$venv/.unfinished"
echo "Prepared in $((SECONDS - started)) s"
