# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors
# shellcheck shell=dash

# The guest agent calls this as chpasswd(8), which busybox has not: lines "user:password", with -e encrypted ones.

while IFS=: read -r user password; do
  if ! grep -q "^$user:" /etc/passwd; then
    echo "chpasswd: there is no user $user" >&2
    exit 1
  fi
  test "$1" = -e || password=$(printf %s "$password" | mkpasswd -m sha512 -P 0)
  touch /etc/shadow
  chmod 600 /etc/shadow
  sed -i "/^$user:/d" /etc/shadow
  echo "$user:$password:::::::" >>/etc/shadow
done
