# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""A signature is verified by gpg, with no keys but those that were declared: the user's own are neither asked nor touched."""

from __future__ import annotations

import contextlib
import tempfile
import typing as t
from dataclasses import replace
from pathlib import Path

from ..._errors import ImageError, MissingLibraryError
from ..._spec.image import ImageSpec
from ..._spec.image_signature import ImageSignature, is_key_text, key_fingerprints, signer
from .small_file import read_small_file

RunCommand = t.Callable[..., tuple[int, str, str]]
"""Runs a program as Ansible's modules do; None where no program may be run."""

_MOST_SIGNATURE_BYTES = 256 * 1024
_QUIET = ("--batch", "--no-tty", "--no-options", "--no-autostart", "--trust-model", "always", "--status-fd", "1")


def verify(spec: ImageSpec, signed: bytes | t.BinaryIO, run: RunCommand | None, directory: str | None) -> str:
    """Return the fingerprint of the key that signed the text, or the open file, or refuse it."""
    wanted = spec.signature
    if wanted is None or run is None:
        raise ImageError("Option signature: it can't be verified here.")
    content = read_small_file(spec, wanted.url, "signature", "the signature", _MOST_SIGNATURE_BYTES)
    with _gpg(run, directory) as gpg:
        return _verify(wanted, content, signed, gpg)


def name_signers(spec: ImageSpec, run: RunCommand | None, directory: str | None) -> ImageSpec:
    """Return ``spec`` with whose signature of the image counts, so that it is known whether a published one has it."""
    wanted = spec.signature
    if wanted is None or run is None or not spec.is_signed_itself:
        return spec
    with _gpg(run, directory) as gpg:
        for number, key in enumerate(wanted.keys, 1):
            _import(gpg, number, key)
        return replace(spec, signers=key_fingerprints(gpg.status("--with-colons", "--list-keys")))


@contextlib.contextmanager
def _gpg(run: RunCommand, directory: str | None) -> t.Iterator[_Gpg]:
    with tempfile.TemporaryDirectory(prefix="gpg-", dir=directory) as home:
        try:
            yield _Gpg(run, Path(home))
        finally:
            # Some versions leave a daemon that keeps the keys.
            with contextlib.suppress(OSError):
                run(["gpgconf", "--homedir", home, "--kill", "all"], handle_exceptions=False)


class _Gpg:
    def __init__(self, run: RunCommand, home: Path) -> None:
        self._run = run
        self.home = home

    def status(self, *arguments: str, pass_fds: tuple[int, ...] = ()) -> str:
        """Run gpg, and return its status lines."""
        command = ["gpg", "--homedir", str(self.home), *_QUIET, *arguments]
        try:
            _code, out, _err = self._run(command, handle_exceptions=False, pass_fds=pass_fds)
        except OSError as exc:
            raise MissingLibraryError(
                "Option signature: the program gpg, which verifies it, can't be run where the module runs"
                f" ({exc.strerror}): install gnupg."
            ) from exc
        return out


def _verify(wanted: ImageSignature, content: bytes, signed: bytes | t.BinaryIO, gpg: _Gpg) -> str:
    for number, key in enumerate(wanted.keys, 1):
        _import(gpg, number, key)
    signature = gpg.home / "signature"
    signature.write_bytes(content)
    if isinstance(signed, bytes):
        file = gpg.home / "signed"
        file.write_bytes(signed)
        return signer(gpg.status("--verify", str(signature), str(file)))
    # It may have no name.
    signed.seek(0)
    descriptor = signed.fileno()
    status = gpg.status(
        "--enable-special-filenames", "--verify", str(signature), f"-&{descriptor}", pass_fds=(descriptor,)
    )
    signed.seek(0)
    return signer(status)


def _import(gpg: _Gpg, number: int, key: str) -> None:
    path = Path(key)
    if is_key_text(key):
        path = gpg.home / "key"
        path.write_text(key, encoding="utf-8")
    elif not path.is_file():
        raise ImageError(f"Option signing_keys: there is no file {key}.")
    if "[GNUPG:] IMPORT_OK " not in gpg.status("--import", str(path)):
        shown = f"key {number}" if is_key_text(key) else f"the file {key}"
        raise ImageError(f"Option signing_keys: {shown} holds no public key that gpg can read.")
