#!/usr/bin/env bash
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# Install the distribution's packages that are missing; ask the package manager only if one is.
#   tools/packages.sh            install
#   tools/packages.sh --missing  print the names of those missing
#   tools/packages.sh --bench    install those that the scheduler's bench measures against, too
#   tools/packages.sh --ceph     install a Ceph cluster and what libvirt and QEMU reach one with, too

set -euo pipefail

debian=(
  # what a hypervisor runs
  libvirt-daemon-system libvirt-daemon-driver-qemu libvirt-clients qemu-system-x86 qemu-utils ovmf
  dnsmasq-base iproute2 iptables nftables swtpm swtpm-tools
  # what libvirt-python is built with
  libvirt-dev pkg-config gcc libc6-dev python3 python3-dev python3-venv
  # what the simulated hosts and the test guest are made of
  openssh-server openssh-client procps util-linux mtools syslinux syslinux-common dosfstools
  mmdebstrap uidmap genext2fs e2fsprogs
  # what the gates and tests call
  ca-certificates git make rsync shellcheck zstd
)
fedora=(
  libvirt-daemon-driver-qemu libvirt-daemon-driver-storage-core libvirt-daemon-driver-network
  libvirt-daemon-driver-nwfilter libvirt-daemon-config-network libvirt-client libvirt-daemon
  qemu-kvm qemu-img virtiofsd edk2-ovmf dnsmasq iproute iptables-nft nftables swtpm swtpm-tools
  libvirt-devel pkgconf-pkg-config gcc python3.12 python3.12-devel
  openssh-server openssh-clients procps-ng util-linux mtools syslinux dosfstools
  ca-certificates git make rsync ShellCheck zstd
)

# Fedora has no Ganeti: there its figures are left out.
[[ ${1:-} != --bench ]] || debian+=(ganeti-htools)

if [[ ${1:-} == --ceph ]]; then
  debian+=(ceph-mon ceph-osd ceph-common libvirt-daemon-driver-storage-rbd qemu-block-extra)
  fedora+=(ceph-mon ceph-osd ceph-common libvirt-daemon-driver-storage-rbd qemu-block-rbd)
fi

have() {
  case $1 in
    apt-get) [[ $(dpkg-query -W -f '${db:Status-Status}' "$2" 2>/dev/null) == installed ]] ;;
    dnf) rpm -q --quiet --whatprovides "$2" ;;
  esac
}

if command -v apt-get >/dev/null; then
  manager=apt-get wanted=("${debian[@]}")
elif command -v dnf >/dev/null; then
  manager=dnf wanted=("${fedora[@]}")
else
  echo "Neither apt-get nor dnf is here: install by hand what tools/packages.sh lists for Debian or Fedora." >&2
  exit 1
fi

missing=()
for package in "${wanted[@]}"; do
  have "$manager" "$package" || missing+=("$package")
done
if [[ ${1:-} == --missing ]]; then
  ((${#missing[@]} == 0)) || printf '%s\n' "${missing[@]}"
  exit 0
fi

as_root=()
may_install() {
  [[ $(id -u) -ne 0 ]] || return 0
  as_root=(sudo)
  command -v sudo >/dev/null && { sudo -n true 2>/dev/null || { [[ -t 0 ]] && sudo -v; }; }
}

# The test guest is made of packages that are downloaded, not installed: for that, apt's lists must be there, and young
# enough to name files that the mirror still has.
lists_are_good() {
  [[ $manager == apt-get ]] || return 0
  ! compgen -G '.work/cache/linux-image-*.deb' >/dev/null || return 0
  apt-cache show linux-image-cloud-amd64 dropbear-bin >/dev/null 2>&1 &&
    [[ -n $(find /var/lib/apt/lists -maxdepth 1 -type f -mtime -2 -print -quit 2>/dev/null) ]]
}

if ((${#missing[@]} == 0)); then
  if ! lists_are_good && may_install; then
    "${as_root[@]}" apt-get -qq -o DPkg::Lock::Timeout=300 update || echo "apt-get update failed; going on with the lists there are." >&2
  fi
  exit 0
fi
if ! may_install; then
  echo "Packages are missing and this user may not install them; as root, run: $manager install ${missing[*]}" >&2
  exit 1
fi

active_units() {
  systemctl list-units --plain --no-legend --state=active,activating --type=service,socket,timer 2>/dev/null |
    cut -d ' ' -f 1 | sort
}

booted=false
[[ ! -d /run/systemd/system ]] || booted=true
! $booted || before=$(active_units)

echo "Installing ${missing[*]}"
case $manager in
  apt-get)
    install=(env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300)
    # A list of packages that is missing or old is the usual reason for a first failure.
    "${as_root[@]}" "${install[@]}" install --no-install-recommends "${missing[@]}" >/dev/null 2>&1 || {
      "${as_root[@]}" dpkg --configure -a
      "${as_root[@]}" "${install[@]}" update
      "${as_root[@]}" "${install[@]}" install --no-install-recommends "${missing[@]}"
    }
    ;;
  dnf) "${as_root[@]}" dnf -q -y install "${missing[@]}" ;;
esac || {
  echo "The packages could not be installed: $manager install ${missing[*]} failed, see above." >&2
  exit 1
}

# A package that brings a service starts it; nobody asked for that here.
if $booted; then
  mapfile -t started < <(comm -13 <(printf '%s\n' "$before") <(active_units) | grep -E '^(libvirt|virt|ssh|dnsmasq|nftables|ceph)')
  ((${#started[@]} == 0)) || "${as_root[@]}" systemctl --quiet disable --now "${started[@]}" || true
fi
