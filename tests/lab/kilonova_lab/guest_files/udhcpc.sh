# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors
# shellcheck shell=dash

# What udhcpc calls when a lease comes or goes, with the lease in variables.
# shellcheck disable=SC2154

case "$1" in
  deconfig)
    ip -4 address flush dev "$interface"
    ;;
  bound | renew)
    ip -4 address replace "$ip/$mask" dev "$interface"
    for gateway in $router; do
      ip -4 route replace default via "$gateway" dev "$interface"
      break
    done
    for server in $dns; do
      echo "nameserver $server"
    done >/etc/resolv.conf
    ;;
esac
