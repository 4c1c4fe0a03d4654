# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Write pip's settings, from wherever the user keeps them, into one file.

The gates run with a HOME of their own, and ansible-test drops the PIP_* variables; a mirror or a certificate that the
user has told pip of must reach them nevertheless.
"""

from __future__ import annotations

import configparser
import os
import sys
from pathlib import Path

_NOT_SETTINGS = {"PIP_CONFIG_FILE", "PIP_CACHE_DIR", "PIP_REQUIRE_VIRTUALENV", "PIP_TARGET", "PIP_PREFIX", "PIP_USER"}


def merged(environment: dict[str, str]) -> configparser.RawConfigParser:
    """Return what pip would use, the later sources winning as in pip."""
    home = Path(environment.get("HOME") or Path.home())
    own = Path(environment.get("XDG_CONFIG_HOME") or home / ".config")
    settings = configparser.RawConfigParser()
    settings.read([home / ".pip/pip.conf", own / "pip/pip.conf", environment.get("PIP_CONFIG_FILE", "")])
    for name, value in environment.items():
        if name.startswith("PIP_") and name not in _NOT_SETTINGS:
            if not settings.has_section("global"):
                settings.add_section("global")
            settings.set("global", name[len("PIP_") :].lower().replace("_", "-"), value)
    return settings


def main(target: Path) -> None:
    """Write the file, for the user's eyes only: an address may carry a password."""
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = target.with_suffix(f".{os.getpid()}")
    with open(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        merged(dict(os.environ)).write(file)
    scratch.replace(target)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
