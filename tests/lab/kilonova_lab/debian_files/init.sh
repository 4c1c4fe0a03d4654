# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors
# shellcheck shell=dash

# The full guest's first process, until Debian's own takes over: load drivers, find the root file system, go there.

export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
while read -r module; do
  insmod "/modules/$module"
done </modules/order 2>/dev/null

for _ in $(seq 100); do
  for part in /dev/vd?2 /dev/sd?2; do
    if test -b "$part" && mount -t ext4 "$part" /root 2>/dev/null; then
      if test -e /root/etc/fstab; then
        mount -o move /dev /root/dev
        mount -o move /sys /root/sys
        mount -o move /proc /root/proc
        exec switch_root /root /sbin/init
      fi
      umount /root
    fi
  done
  sleep 0.1
done
echo "No disk has a root file system." >/dev/console
sleep 5
reboot -f
