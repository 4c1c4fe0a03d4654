#!/usr/bin/env bash
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# The demo: three simulated hypervisors and a fleet on them, installed and run as a user would do it.
# Usage: tools/demo.sh up|down, usually by way of `make demo` and `make demo-down`.

set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
venv=${VENV:-$root/.work/venv}
demo=$root/.work/demo
lab_dir=$root/.work/lab/demo

say() { printf '\n== %s\n' "$*"; }

lab() {
  local command=$1
  shift
  "$venv/bin/python" "$root/tests/lab/lab.py" "$command" --dir "$lab_dir" "$@"
}

# What the user's own commands will do too: the settings are in ansible.cfg beside the fleet file.
play() { (cd "$demo" && "$venv/bin/ansible-playbook" "$@"); }

need_venv() {
  [ -x "$venv/bin/ansible-playbook" ] && return
  echo "demo: there is no Ansible in $venv; run 'make demo', which installs it." >&2
  exit 1
}

write_file() {
  cat >"$1.new"
  mv "$1.new" "$1"
}

settings() {
  mkdir -p "$demo/inventory/group_vars"
  write_file "$demo/ansible.cfg" <<EOF
[defaults]
home = $demo/ansible
remote_tmp = $demo/ansible/tmp
collections_path = $demo/collections
inventory = $demo/inventory
display_skipped_hosts = false
EOF
  # Whoever edited the fleet keeps it.
  [ -e "$demo/fleet.yml" ] || write_file "$demo/fleet.yml" <"$root/examples/fleet.yml"
}

install_collection() {
  rm -rf "$demo/build"
  (cd "$demo" && "$venv/bin/ansible-galaxy" collection build --output-path "$demo/build" "$root" >/dev/null)
  (cd "$demo" && "$venv/bin/ansible-galaxy" collection install --offline --force -p "$demo/collections" \
    "$demo"/build/*.tar.gz >/dev/null)
}

publish_image() {
  local url sum
  mkdir -p "$demo/www"
  lab image --output "$demo/www/guest.qcow2" >/dev/null
  sum=$(sha256sum <"$demo/www/guest.qcow2" | cut -d ' ' -f 1)
  url=$(lab serve --root "$demo/www" | tail -n 1)
  write_file "$demo/inventory/group_vars/compute.yml" <<EOF
---
demo_image_url: ${url%/}/guest.qcow2
demo_image_checksum: sha256:$sum
EOF
}

guests() {
  local host
  for host in host1 host2 host3; do
    virsh -q -c "$(lab uri "$host")" list --name
  done | grep -v '^$' | sort -V
}

show_consoles() {
  local name
  for name in $(guests); do
    lab console "$name" --until "ready: $name" --last 1 --timeout 240
  done
}

check_second_run() {
  local log=$demo/second-run.log
  if ! play kilonova.compute.deploy -e @fleet.yml >"$log" || grep -Eq 'changed=[1-9]' "$log"; then
    cat "$log"
    echo "demo: the second run failed or changed something." >&2
    exit 1
  fi
  sed -n '/^PLAY RECAP/,$p' "$log"
}

farewell() {
  cat <<EOF

The fleet is up, and a second run changed nothing. Its hypervisors are ordinary libvirt daemons. Look around:

  virsh -c '$(lab uri host1)' list --all
  .work/venv/bin/python tests/lab/lab.py console web-1 --dir .work/lab/demo --last 20

The fleet file is .work/demo/fleet.yml. With 'count: 4' for web, one more boots and nothing else changes:

  (cd .work/demo && ../venv/bin/ansible-playbook kilonova.compute.deploy -e @fleet.yml)

With a smaller count, this lets go of what is no longer declared:

  (cd .work/demo && ../venv/bin/ansible-playbook kilonova.compute.deploy -e @fleet.yml -e fleet_purge=true)

Add --check --diff to look first. Remove everything:

  make demo-down
EOF
}

up() {
  need_venv
  say "Install the collection"
  settings
  install_collection
  say "Start three hypervisors"
  lab up --hosts 3
  lab inventory --python "$venv/bin/python" | write_file "$demo/inventory/hosts.yml"
  say "Build the guest's image and serve it over HTTP"
  publish_image
  say "Deploy the fleet"
  play kilonova.compute.deploy -e @fleet.yml
  say "What the guests say on their consoles"
  show_consoles
  say "Deploy it again: nothing may change"
  check_second_run
  farewell
}

down() {
  need_venv
  lab down
  rm -rf "$demo"
  echo "The demo is gone."
}

case ${1-} in
  up) up ;;
  down) down ;;
  *)
    echo "Usage: tools/demo.sh up|down" >&2
    exit 2
    ;;
esac
