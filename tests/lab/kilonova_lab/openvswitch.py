# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Open vSwitch on a whole host, all of it in user space: the kernel that hosts share need not have it, nor the machine."""

from __future__ import annotations

import re

from . import packages, whole
from .errors import LabError
from .layout import CACHE_DIR, HostLayout
from .run import find, run

_PACKAGE = "openvswitch-switch"
_PLANNED = re.compile(r"^Inst (\S+) (?:\[\S+\] )?\((\S+)", re.MULTILINE)
_START = """
set -e
data=/etc/openvswitch state=/var/run/openvswitch
if ! test -e $state/db.sock; then
  mkdir -p $data $state
  test -e $data/conf.db || ovsdb-tool create $data/conf.db /usr/share/openvswitch/vswitch.ovsschema
  ovsdb-server --detach --no-chdir --pidfile --remote=punix:$state/db.sock $data/conf.db
  ovs-vsctl --no-wait init
  $(command -v ovs-vswitchd || echo /usr/lib/openvswitch-switch/ovs-vswitchd) --detach --no-chdir --pidfile
fi
ovs-vsctl --timeout=20 --may-exist add-br "$0" -- set bridge "$0" datapath_type=netdev
"""


def start(host: HostLayout, bridge: str) -> None:
    """Have a bridge of Open vSwitch on a host, which has the programs from here on."""
    root = whole.path_from_outside(host, "/")
    if not (root / "usr/bin/ovs-vsctl").exists():
        with packages.sole_use(CACHE_DIR):
            files = [packages.fetch(package, CACHE_DIR) for package in _missing()]
            with packages.scratch(CACHE_DIR) as work:
                for file in files:
                    packages.unpack(file, work / "root")
                tar = find("tar", "tar")
                run([tar, "-C", str(work / "root"), "-cf", str(work / "all.tar"), "."])
                # A package brings directories that are links on the host, such as /bin.
                run([tar, "-C", str(root), "--keep-directory-symlink", "-xf", str(work / "all.tar")])
        _inside(host, "ldconfig")
    _inside(host, "sh", "-c", _START, bridge)


def _missing() -> list[packages.Package]:
    """Return what apt would install."""
    command = [find("apt-get", "apt"), "--simulate", "--no-install-recommends", "install", _PACKAGE]
    found = [packages.Package(name, version) for name, version in _PLANNED.findall(run(command))]
    if not found:
        raise LabError(f"{_PACKAGE} is installed, but its programs are not there.")
    return found


def _inside(host: HostLayout, *words: str) -> None:
    command, environment = whole.command(host, list(words))
    run(command, env=environment)
