# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors
# shellcheck shell=dash

# What the guest's first process is made of.

# The volume label of an ISO 9660 or FAT file system: at fixed places, so that no probing tool is needed.
label_at() {
  dd if="$1" bs=1 skip="$2" count=11 2>/dev/null | tr -d '\0' | tr '[:upper:]' '[:lower:]' | sed 's/ *$//'
}

is_seed() {
  for place in 32808 43 71; do
    test "$(label_at "$1" "$place")" = cidata && return 0
  done
  return 1
}

read_seed() {
  for device in /dev/sr* /dev/vd* /dev/sd* /dev/hd* /dev/nvme*n*; do
    if test -b "$device" && is_seed "$device"; then
      mount -o ro -t iso9660 "$device" /seed 2>/dev/null || mount -o ro -t vfat "$device" /seed 2>/dev/null || continue
      for file in meta-data user-data network-config; do
        test -f "/seed/$file" && cp "/seed/$file" "/run/$file" && awk -f /etc/flatten.awk "/run/$file" >"/run/$file.flat"
      done
      umount /seed
      break
    fi
  done
  touch /run/meta-data.flat /run/user-data.flat /run/network-config.flat
  case "$(head -c 2 /run/user-data 2>/dev/null)" in
    '#!') cp /run/user-data /run/user-script && chmod 700 /run/user-script ;;
  esac
}

# value FILE PATH: one value of a flattened document.
value() {
  sed -n "s|^$2 ||p" "/run/$1.flat" | head -n 1
}

# cloud-init's own convention for a machine that has no seed: "ds=nocloud;h=NAME" in one of the SMBIOS strings.
firmware_name() {
  dmi=/sys/class/dmi/id
  { cat $dmi/product_serial $dmi/chassis_asset_tag $dmi/board_asset_tag
    tr '\0' '\n' </sys/firmware/dmi/entries/11-0/raw; } 2>/dev/null |
    grep -E -o '(^|[^a-z])(ds=nocloud[^;]*;(.*;)?)?h=[A-Za-z0-9.-]+' | sed 's/.*h=//' | head -n 1
}

host_name() {
  for found in "$(value user-data hostname)" "$(value meta-data local-hostname)" "$(value meta-data hostname)" "$(firmware_name)"; do
    if test -n "$found"; then
      echo "$found"
      return
    fi
  done
  echo guest
}

# The system disk keeps a count of boots: whoever reads it sees that the disk outlived a reboot, a move or a crash.
count_boot() {
  for part in /dev/vd?1 /dev/sd?1 /dev/hd?1 /dev/nvme*n*p1; do
    if test -b "$part" && test "$(label_at "$part" 43)" = kilonova; then
      mount -t vfat -o sync,iocharset=ascii "$part" /data 2>/dev/null || continue
      boots=$(($(cat /data/boots.txt 2>/dev/null || echo 0) + 1))
      echo "$boots" >/data/boots.txt 2>/dev/null && echo "$boots" >/www/boots
      sync
      return
    fi
  done
}

configure_nics() {
  for path in /sys/class/net/*; do
    nic=${path##*/}
    if test -e "$path/device" && ! test -e "/run/nic.$nic"; then
      touch "/run/nic.$nic"
      ip link set "$nic" up
      configure_nic "$nic" &
    fi
  done
}

# The prefix of this NIC's part in the network configuration; nothing when it is not mentioned.
nic_section() {
  mac=$(cat "/sys/class/net/$1/address")
  sed -n 's|^\(\(network/\)*ethernets/[^/]*\)[/ ].*|\1|p' /run/network-config.flat | uniq | while read -r section; do
    wanted=$(value network-config "$section/match/macaddress" | tr '[:upper:]' '[:lower:]')
    pattern=$(value network-config "$section/match/name")
    if test -n "$wanted"; then
      test "$wanted" = "$mac" || continue
    else
      # The pattern is meant as one: no quotes.
      # shellcheck disable=SC2254
      case "$1" in
        ${pattern:-${section##*/}}) ;;
        *) continue ;;
      esac
    fi
    echo "$section"
    break
  done
}

configure_nic() {
  section=$(nic_section "$1")
  if test -z "$section" || test "$(value network-config "$section/dhcp4")" = true; then
    udhcpc -i "$1" -s /etc/udhcpc.sh -x "hostname:$(hostname)" -t 8 -T 1 -A 3 -b -p "/run/udhcpc.$1.pid" >/dev/null 2>&1
  fi
  test -n "$section" || return 0
  sed -n "s|^$section/addresses/[0-9]* ||p" /run/network-config.flat | while read -r address; do
    ip address add "$address" dev "$1"
  done
  for gateway in "$(value network-config "$section/gateway4")" "$(value network-config "$section/gateway6")"; do
    test -z "$gateway" || ip route add default via "$gateway" dev "$1"
  done
  sed -n "s|^$section/routes/\([0-9]*\)/to .*|\1|p" /run/network-config.flat | while read -r number; do
    ip route add "$(value network-config "$section/routes/$number/to")" via "$(value network-config "$section/routes/$number/via")" dev "$1"
  done
  mtu=$(value network-config "$section/mtu")
  test -z "$mtu" || ip link set "$1" mtu "$mtu"
  sed -n "s|^$section/nameservers/addresses/[0-9]* |nameserver |p" /run/network-config.flat >>/etc/resolv.conf
}

addresses() {
  ip -o address show scope global | sed -n 's|.* inet6* \([^/ ]*\).*| \1|p' | tr -d '\n'
}

# Keys from wherever NoCloud may carry them; the ssh server runs only for whoever brought one.
take_keys() {
  cat /run/meta-data.flat /run/user-data.flat |
    sed -n -E 's/^[^ ]*(public.keys|ssh_authorized_keys)[^ ]* ((ssh|ecdsa|sk)-.*)/\2/p' >/root/.ssh/authorized_keys
  test -s /root/.ssh/authorized_keys || return 0
  test -x /sbin/dropbear && dropbear -R -s 2>/dev/null
}

start_agent() {
  for port in /sys/class/virtio-ports/*; do
    test -r "$port/name" && ln -sf "../${port##*/}" "/dev/virtio-ports/$(cat "$port/name")"
  done
  channel=/dev/virtio-ports/org.qemu.guest_agent.0
  if test -e $channel && ! pidof qemu-ga >/dev/null; then
    qemu-ga -d -m virtio-serial -p $channel -t /run -f /run/qemu-ga.pid -l /run/qemu-ga.log
  fi
}

enable_cpus() {
  for online in /sys/devices/system/cpu/cpu[0-9]*/online; do
    test "$(cat "$online" 2>/dev/null)" = 0 && echo 1 >"$online"
  done
}

# A shell on the serial console, but only once somebody presses Enter: a log stays free of prompts.
shell_on_request() {
  while test -c /dev/ttyS0; do
    read -r _ </dev/ttyS0 || sleep 1
    PS1="$(hostname)# " setsid sh -c 'exec sh -i </dev/ttyS0 >/dev/ttyS0 2>&1'
  done
}
