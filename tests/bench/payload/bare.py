# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Create a fleet with nothing but libvirt-python: the yardstick. Usage: bare.py URI < items.json."""

from __future__ import annotations

import json
import sys

import libvirt


def main() -> None:
    """Make a volume, define a domain and start it, one after the other."""
    connection = libvirt.open(sys.argv[1])
    pool = connection.storagePoolLookupByName("default")
    for item in json.load(sys.stdin):
        pool.createXML(item["volume_xml"], 0)
        connection.defineXML(item["domain_xml"]).create()
    connection.close()


if __name__ == "__main__":
    main()
