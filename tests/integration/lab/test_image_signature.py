# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""compute_image with signatures that gpg made: nothing that is not signed comes into the pool."""

from __future__ import annotations

import contextlib
import gzip
import subprocess
import tempfile
import typing as t
from pathlib import Path

import pytest

from .conftest import Hypervisor
from .image_servers import ImageServer
from .test_image import data_volume, image, made, qcow2, record_volume, sha256


@pytest.fixture
def server() -> t.Iterator[ImageServer]:
    """Return a server of images."""
    running = ImageServer()
    yield running
    running.close()


class Signer:
    """Somebody with a key."""

    def __init__(self, home: str) -> None:
        """Make the key."""
        self.home = home
        self.gpg("--quick-gen-key", "vendor", "ed25519", "sign", "never")

    @property
    def key(self) -> str:
        """Return the public key as text."""
        return self.gpg("--armor", "--export").decode()

    @property
    def fingerprint(self) -> str:
        """Return the key's fingerprint."""
        lines = self.gpg("--with-colons", "--list-keys").decode().splitlines()
        return next(line.split(":")[9] for line in lines if line.startswith("fpr:"))

    def gpg(self, *words: str, content: bytes = b"") -> bytes:
        """Run gpg."""
        command = ["gpg", "--homedir", self.home, "--batch", "--passphrase", "", "--pinentry-mode", "loopback", *words]
        return subprocess.run(command, input=content, check=True, capture_output=True).stdout


@contextlib.contextmanager
def somebody() -> t.Iterator[Signer]:
    """Give somebody with a key, whose path has room for gpg's sockets."""
    with tempfile.TemporaryDirectory(prefix="kl-gpg-", dir="/tmp") as home:
        try:
            yield Signer(home)
        finally:
            subprocess.run(["gpgconf", "--homedir", home, "--kill", "all"], check=True)


@pytest.fixture
def vendor() -> t.Iterator[Signer]:
    """Return somebody who makes images."""
    with somebody() as found:
        yield found


def signed(server: ImageServer, vendor: Signer, packed: bytes) -> tuple[dict[str, t.Any], dict[str, t.Any]]:
    """Serve a packed image, its checksums and the signatures of both; return the options for the one and the other."""
    server.files.update({"a.qcow2.gz": packed, "SUMS": f"{sha256(packed)[7:]}  a.qcow2.gz\n".encode()})
    for name in ("a.qcow2.gz", "SUMS"):
        server.files[f"{name}.sig"] = vendor.gpg("--detach-sign", content=server.files[name])
    of_image: dict[str, t.Any] = {"signature": server.url("a.qcow2.gz.sig"), "signing_keys": [vendor.key]}
    return of_image, {**of_image, "checksum": server.url("SUMS"), "signature": server.url("SUMS.sig")}


def test_signature(hypervisor: Hypervisor, server: ImageServer, vendor: Signer, tmp_path: Path) -> None:
    """Of a packed image, and of the checksums: verified, told, done once; what was changed afterwards is refused."""
    content = qcow2(tmp_path / "a.qcow2", 1)
    url = server.url("a.qcow2.gz")
    of_image, of_sums = signed(server, vendor, gzip.compress(content))
    made(image(hypervisor, "a", url=url))
    foretold = made(image(hypervisor, "a", check=True, url=url, **of_image))
    published = made(image(hypervisor, "a", url=url, **of_image))
    assert published.data["actions"] == foretold.data["actions"]
    assert published.data["actions"][:2] == [f"fetch_image {url}", "publish_image a"]
    assert published.data["image"]["signed_by"] in vendor.gpg("--with-colons", "--list-keys").decode()
    assert not made(image(hypervisor, "a", url=url, **of_image)).changed
    assert image(hypervisor, "b", check=True, url=url, **of_sums).changed
    other = made(image(hypervisor, "b", url=url, **of_sums))
    assert other.data["image"]["signed_by"] == published.data["image"]["signed_by"]
    assert not made(image(hypervisor, "b", url=url, **of_sums)).changed
    assert hypervisor.volumes() == {record_volume("a"), record_volume("b"), data_volume(content)}

    hypervisor.clear()
    server.files.update({"a.qcow2.gz": gzip.compress(content + bytes(512)), "SUMS": server.files["SUMS"] + b"\n"})
    for check, options in ((False, of_image), (False, of_sums), (True, of_sums)):
        refused = image(hypervisor, "a", check=check, url=url, **options)
        assert refused.failed
        assert "Option signature: it is refused: it is not of what was fetched" in refused.message
        assert hypervisor.volumes() == set()


def test_keys_change(hypervisor: Hypervisor, server: ImageServer, vendor: Signer, tmp_path: Path) -> None:
    """What is published stays only while one who is trusted has signed it; who that is, is recorded, and asked for once."""
    content = qcow2(tmp_path / "a.qcow2", 1)
    url = server.url("a.qcow2.gz")
    of_image, of_sums = signed(server, vendor, gzip.compress(content))
    made(image(hypervisor, "a", url=url, **of_image))
    volumes = hypervisor.volumes()
    with somebody() as other:
        # Both are trusted, and then only the one who has not signed it.
        asked = len(server.requests)
        assert not made(
            image(hypervisor, "a", url=url, **{**of_image, "signing_keys": [other.key, vendor.key]})
        ).changed
        assert len(server.requests) == asked
        only_other = {**of_image, "signing_keys": [other.key]}
        refused = image(hypervisor, "a", url=url, **only_other)
        assert "it was made with a key that is none of signing_keys; nothing was published" in refused.message
        assert hypervisor.volumes() == volumes
        server.files["a.qcow2.gz.sig"] = other.gpg("--detach-sign", content=server.files["a.qcow2.gz"])
        again = made(image(hypervisor, "a", url=url, **only_other))
        assert f"image.signed_by: {vendor.fingerprint}" in again.data["diff"]["before"]
        assert again.data["image"]["signed_by"] == other.fingerprint
        assert hypervisor.volumes() == volumes
        assert not made(image(hypervisor, "a", url=url, **only_other)).changed
        # The checksums are still signed by the first.
        told = made(image(hypervisor, "a", url=url, **of_sums))
        assert (told.data["actions"], told.data["image"]["signed_by"]) == (["publish_image a"], vendor.fingerprint)
        assert not made(image(hypervisor, "a", url=url, **of_sums)).changed
