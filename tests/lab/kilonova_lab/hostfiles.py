# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""The settings that a whole host has of its own, file by file."""

from __future__ import annotations

from .layout import HostLayout

MOST_HOSTS = 64

_LIBVIRTD = """\
host_uuid = "{uuid}"
listen_tls = 0
listen_tcp = 1
auth_tcp = "none"
auth_unix_ro = "none"
auth_unix_rw = "none"
log_level = 3
log_outputs = "3:file:/var/log/libvirt/libvirtd.log"
"""
_QEMU = """\
security_driver = "none"
user = "root"
group = "root"
cgroup_controllers = []
namespaces = []
"""
_SSHD = """\
HostKey /etc/ssh/kilonova_key
AuthorizedKeysFile /etc/ssh/kilonova_authorized
PermitRootLogin prohibit-password
PasswordAuthentication no
StrictModes no
UsePAM no
PidFile /run/sshd.pid
Subsystem sftp internal-sftp
"""
_NETWORK = """\
<network>
  <name>default</name>
  <forward mode='nat'/>
  <bridge name='virbr0' stp='off' delay='0'/>
  <ip address='{subnet}.1' netmask='255.255.255.0'>
    <dhcp>
      <range start='{subnet}.2' end='{subnet}.254'/>
    </dhcp>
  </ip>
</network>
"""


def address(host: HostLayout) -> str:
    """Return the host's address on the lab's network."""
    return f"{host.lab.subnet}.{10 + host.number}"


def texts(host: HostLayout, public_key: str) -> dict[str, str]:
    """Return the files' paths and contents."""
    names = "".join(f"{address(other)} {other.name}\n" for other in map(host.lab.host, range(1, MOST_HOSTS + 1)))
    return {
        "/etc/hostname": f"{host.name}\n",
        "/etc/hosts": f"127.0.0.1 localhost\n::1 localhost\n{names}",
        "/etc/machine-id": host.host_uuid.replace("-", "") + "\n",
        "/etc/libvirt/libvirtd.conf": _LIBVIRTD.format(uuid=host.host_uuid),
        "/etc/libvirt/qemu.conf": _QEMU,
        "/etc/ssh/kilonova_sshd": _SSHD,
        "/etc/ssh/kilonova_authorized": public_key,
        "/etc/libvirt/kilonova-network.xml": _NETWORK.format(subnet=f"192.168.{100 + host.number}"),
    }
