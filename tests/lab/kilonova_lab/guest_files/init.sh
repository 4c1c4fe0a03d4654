# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors
# shellcheck shell=dash

# The test guest's first process: busybox sh, all in memory.
# It does a small part of what cloud-init does, so that a test sees what a real guest would make of its seed.

export PATH=/sbin:/bin HOME=/root
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mkdir -p /dev/pts /dev/virtio-ports
mount -t devpts devpts /dev/pts
# Complaints are kept where the agent or a shell can read them: the console is for the lines that tests wait for.
exec 2>/run/init.log
# shellcheck source=tests/lab/kilonova_lab/guest_files/functions.sh
. /etc/functions.sh

while read -r module; do
  insmod "/modules/$module"
done </modules/order

read_seed
name=$(host_name)
hostname "$name"
echo "127.0.0.1 localhost $name" >/etc/hosts
echo "$name" >/www/index.html
count_boot
acpid -c /etc/acpi -l /dev/null -p /run/acpid.pid

configure_nics
wait
take_keys
httpd -p 80 -h /www
start_agent

# On the screen too, for whoever looks at a screenshot; the serial console gets the line once and nothing after it.
line="kilonova-guest ready: $name$(addresses)"
echo "$line" >/dev/tty0 2>/dev/null
echo "$line" >/dev/console
if test -x /run/user-script; then
  /run/user-script >/run/user-script.log 2>&1 &
fi
shell_on_request &

# What is plugged in later is taken into use; and orphans are reaped by being waited for.
while sleep 2; do
  configure_nics
  start_agent
  enable_cpus
done
