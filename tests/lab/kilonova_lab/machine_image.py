# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""The disk of the whole machine: Debian with its own full kernel, libvirt, and the servers that storage and networks stand on."""

from __future__ import annotations

from pathlib import Path

from .debian import Recipe, image

KEY_IN_FIRMWARE = "opt/org.kilonova/key"
"""Under which name the machine's firmware knows the public key that may log in."""
READY = "kilonova-machine ready"
"""What it prints once libvirt listens."""

_SSH = f"""PermitRootLogin prohibit-password
AuthorizedKeysFile /sys/firmware/qemu_fw_cfg/by_name/{KEY_IN_FIRMWARE}/raw
StrictModes no
UseDNS no
GSSAPIAuthentication no
"""
_READY_UNIT = f"""[Unit]
After=libvirtd.service ssh.service network.target
Requires=libvirtd.service
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'virsh -c qemu:///system capabilities >/dev/null && echo {READY} >/dev/ttyS0'
"""
_RECIPE = Recipe(
    name="machine",
    kernel="generic",
    included=(
        "ca-certificates",
        "dbus",
        "dnsmasq-base",
        "e2fsprogs",
        "iproute2",
        "iptables",
        "iputils-ping",
        "kmod",
        "libvirt-clients",
        "libvirt-daemon-driver-qemu",
        "libvirt-daemon-system",
        "login",
        "lvm2",
        "nfs-common",
        "nfs-kernel-server",
        "open-iscsi",
        "openssh-server",
        "openvswitch-switch",
        "passwd",
        "procps",
        "qemu-system-x86",
        "qemu-utils",
        "systemd-sysv",
        "tgt",
        "udev",
    ),
    blocks=600_000,
    inodes=100_000,
    texts={
        "etc/fstab": "# nothing\n",
        "etc/hostname": "machine\n",
        "etc/hosts": "127.0.0.1 localhost machine\n::1 localhost\n",
        "etc/modules-load.d/lab.conf": "qemu_fw_cfg\n",
        "etc/systemd/network/10-out.network": "[Match]\nName=eth0\n[Network]\nDHCP=ipv4\n",
        # Guests go out by this one, directly; the machine itself does not.
        "etc/systemd/network/20-guests.network": "[Match]\nName=eth1\n[Network]\nLinkLocalAddressing=no\n",
        "usr/lib/systemd/system/lab-ready.service": _READY_UNIT,
        "etc/ssh/sshd_config.d/lab.conf": _SSH,
        "etc/libvirt/libvirtd.conf": 'auth_tcp = "none"\nauth_unix_rw = "none"\n',
        "etc/libvirt/qemu.conf": 'security_driver = "none"\nuser = "root"\ngroup = "root"\n',
        # Without the end after two idle minutes that a socket's service has.
        "etc/default/libvirtd": 'LIBVIRTD_ARGS=""\n',
    },
    enabled={
        "systemd-networkd.service": "multi-user.target",
        "libvirtd.service": "multi-user.target",
        "libvirtd-tcp.socket": "sockets.target",
        "lab-ready.service": "multi-user.target",
    },
    masked=(
        "apparmor.service",
        "libvirt-guests.service",
        "systemd-networkd-wait-online.service",
        "blk-availability.service",
    ),
    drivers_left_out=(
        "kernel/drivers/gpu",
        "kernel/drivers/infiniband",
        "kernel/drivers/media",
        "kernel/drivers/net/ethernet",
        "kernel/drivers/net/wireless",
        "kernel/drivers/staging",
        "kernel/drivers/usb",
        "kernel/sound",
    ),
)


def machine_image() -> Path:
    """Return the machine's disk, built unless it is cached."""
    return image(recipe=_RECIPE)
