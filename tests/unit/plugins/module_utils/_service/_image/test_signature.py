# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests for signatures, with real keys that gpg makes."""

from __future__ import annotations

import os
import subprocess
import typing as t
from pathlib import Path

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._errors import ImageError, MissingLibraryError
from ansible_collections.kilonova.compute.plugins.module_utils._service._image.signature import verify
from ansible_collections.kilonova.compute.plugins.module_utils._spec.image import ImageSpec
from ansible_collections.kilonova.compute.plugins.module_utils._spec.image_signature import ImageSignature

TEXT = b"what is signed\n"
OLD = "20200101T000000!"


class Keyring:
    """Keys that are made for a test."""

    def __init__(self, home: Path) -> None:
        """Keep them in ``home``."""
        self.home = home
        home.mkdir(mode=0o700)

    def gpg(self, *words: str, content: bytes = b"") -> bytes:
        """Run gpg."""
        command = [
            "gpg",
            "--homedir",
            str(self.home),
            "--batch",
            "--yes",
            "--passphrase",
            "",
            "--pinentry-mode",
            "loopback",
        ]
        return subprocess.run([*command, *words], input=content, check=True, capture_output=True).stdout

    def make(self, name: str, *words: str, expires: str = "never") -> str:
        """Make a key and return its fingerprint."""
        self.gpg(*words, "--quick-gen-key", name, "ed25519", "sign", expires)
        listed = self.gpg("--with-colons", "--list-keys", name).decode().splitlines()
        return next(line.split(":")[9] for line in listed if line.startswith("fpr:"))

    def sign(self, name: str, *words: str) -> bytes:
        """Sign the text with a key."""
        return self.gpg(*words, "--local-user", name, "--detach-sign", content=TEXT)

    def public(self, name: str) -> str:
        """Return a public key as text."""
        return self.gpg("--armor", "--export", name).decode()

    def revoke(self, fingerprint: str) -> None:
        """Revoke a key."""
        path = self.home / "openpgp-revocs.d" / f"{fingerprint}.rev"
        self.gpg("--import", content=path.read_bytes().replace(b":-----BEGIN", b"-----BEGIN"))


@pytest.fixture
def keys() -> t.Iterator[Keyring]:
    """Return a keyring with the key "good"."""
    made = Keyring(Path("/tmp") / f"kilonova-keys-{os.getpid()}")
    try:
        made.make("good")
        yield made
    finally:
        subprocess.run(["gpgconf", "--homedir", str(made.home), "--kill", "all"], check=False)
        subprocess.run(["rm", "-rf", str(made.home)], check=True)


def run(command: list[str], handle_exceptions: bool = True, pass_fds: tuple[int, ...] = ()) -> tuple[int, str, str]:
    """Run a program as a module does."""
    assert not handle_exceptions
    done = subprocess.run(command, check=False, capture_output=True, pass_fds=pass_fds)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def spec(tmp_path: Path, signature: bytes, *keys: str) -> ImageSpec:
    """Return an image with a signature."""
    (tmp_path / "sig").write_bytes(signature)
    return ImageSpec("a", path="/a", signature=ImageSignature(f"file://{tmp_path}/sig", keys))


def refusal(declared: ImageSpec, tmp_path: Path, signed: bytes = TEXT) -> str:
    """Return why a signature is refused; nothing is left of the attempt."""
    work = tmp_path / "work"
    work.mkdir()
    with pytest.raises(ImageError) as caught:
        verify(declared, signed, run, str(work))
    assert list(work.iterdir()) == []
    assert "\n" not in caught.value.message
    return caught.value.message


def test_good_signature(keys: Keyring, tmp_path: Path) -> None:
    """Of a text and of a file without a name; the key is a text or a file; armor and a second signature do not matter."""
    keys.make("other")
    fingerprint = keys.gpg("--with-colons", "--list-keys", "good").decode().split("fpr:::::::::")[1].split(":")[0]
    path = tmp_path / "key.gpg"
    path.write_bytes(keys.gpg("--export", "good"))
    both = keys.gpg("--armor", "--local-user", "other", "--local-user", "good", "--detach-sign", content=TEXT)
    for signature, key in ((keys.sign("good"), keys.public("good")), (both, str(path))):
        assert verify(spec(tmp_path, signature, key), TEXT, run, None) == fingerprint
    with open(tmp_path / "file", "w+b") as file:
        file.write(TEXT)
        file.flush()
        (tmp_path / "file").unlink()
        declared = spec(tmp_path, keys.sign("good"), keys.public("other"), keys.public("good"))
        assert verify(declared, t.cast(t.BinaryIO, file), run, None) == fingerprint
        assert file.read() == TEXT


def test_tampered_file(keys: Keyring, tmp_path: Path) -> None:
    """One byte is enough."""
    assert "one of both was changed" in refusal(
        spec(tmp_path, keys.sign("good"), keys.public("good")), tmp_path, TEXT + b"!"
    )


def test_key_of_somebody_else(keys: Keyring, tmp_path: Path) -> None:
    """However well it signs."""
    keys.make("other")
    assert "none of signing_keys" in refusal(spec(tmp_path, keys.sign("other"), keys.public("good")), tmp_path)


def test_revoked_key(keys: Keyring, tmp_path: Path) -> None:
    """Also for what it signed before."""
    fingerprint = keys.make("gone")
    signature = keys.sign("gone")
    keys.revoke(fingerprint)
    assert "its key is revoked" in refusal(spec(tmp_path, signature, keys.public("gone")), tmp_path)


def test_expired_key(keys: Keyring, tmp_path: Path) -> None:
    """Also for what it signed before."""
    keys.make("old", "--faked-system-time", OLD, expires="1d")
    signature = keys.sign("old", "--faked-system-time", OLD)
    assert "its key has expired" in refusal(spec(tmp_path, signature, keys.public("old")), tmp_path)


def test_weak_hash(keys: Keyring, tmp_path: Path) -> None:
    """A file can be made that has the same one."""
    keys.gpg("--quick-gen-key", "weak", "rsa2048", "sign", "never")
    signature = keys.sign("weak", "--digest-algo", "SHA1")
    assert "a hash that is broken" in refusal(spec(tmp_path, signature, keys.public("weak")), tmp_path)


def test_what_is_no_signature_or_key(keys: Keyring, tmp_path: Path) -> None:
    """A page, a text with its signature around it, a file that is no key, and files that are not there."""
    clear = keys.gpg("--local-user", "good", "--clear-sign", content=TEXT)
    for number, signature in enumerate((b"<html>", b"", clear)):
        place = tmp_path / str(number)
        place.mkdir()
        assert "Option signature: it is refused: " in refusal(spec(place, signature, keys.public("good")), place)
    (tmp_path / "key").write_bytes(b"no key")
    declared = spec(tmp_path, keys.sign("good"), str(tmp_path / "key"))
    assert f"the file {tmp_path}/key holds no public key" in refusal(declared, tmp_path)
    (tmp_path / "key").unlink()
    (tmp_path / "work").rmdir()
    assert f"there is no file {tmp_path}/key" in refusal(declared, tmp_path)
    (tmp_path / "sig").unlink()
    (tmp_path / "work").rmdir()
    assert "Cannot read the signature" in refusal(declared, tmp_path)


def test_gpg_is_needed(keys: Keyring, tmp_path: Path) -> None:
    """The error says what to install."""

    def missing(*unused: t.Any, **unused_options: t.Any) -> tuple[int, str, str]:
        raise FileNotFoundError(2, "No such file or directory")

    with pytest.raises(MissingLibraryError, match="install gnupg"):
        verify(spec(tmp_path, keys.sign("good"), keys.public("good")), TEXT, missing, None)
