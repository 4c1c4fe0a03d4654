# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Copy a file and print its digest, in one go: the yardstick. Usage: plain_copy.py SOURCE TARGET."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

_CHUNK_BYTES = 1024 * 1024


def main() -> None:
    """Read, hash and write."""
    digest = hashlib.sha256()
    with Path(sys.argv[1]).open("rb") as source, Path(sys.argv[2]).open("xb") as target:
        while chunk := source.read(_CHUNK_BYTES):
            digest.update(chunk)
            target.write(chunk)
    print(digest.hexdigest())


if __name__ == "__main__":
    main()
