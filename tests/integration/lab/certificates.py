# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Certificates of a test's own authority, valid for a day."""

from __future__ import annotations

import subprocess
from pathlib import Path

_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


class Authority:
    """Signs what a test needs; ``certificate`` is its own."""

    def __init__(self, directory: Path) -> None:
        """Make it in an empty directory."""
        directory.mkdir()
        self._directory = directory
        self.certificate = directory / "ca.pem"
        self._key = directory / "ca-key.pem"
        _openssl(
            "req", "-x509", *_KEY, "-subj", "/CN=tests", "-days", "1", "-keyout", self._key, "-out", self.certificate
        )

    def sign(self, name: str, address: str) -> tuple[Path, Path]:
        """Return a certificate for a host by that name and address, and its key."""
        stem = self._directory / name
        certificate, key, request, extension = (stem.with_suffix(end) for end in (".pem", ".key", ".csr", ".ext"))
        extension.write_text(f"subjectAltName=DNS:{name},IP:{address}\n")
        _openssl("req", *_KEY, "-subj", f"/CN={name}", "-keyout", key, "-out", request)
        signer = ("-CA", self.certificate, "-CAkey", self._key, "-CAcreateserial", "-days", "1")
        _openssl("x509", "-req", "-in", request, *signer, "-extfile", extension, "-out", certificate)
        return certificate, key


def _openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)
