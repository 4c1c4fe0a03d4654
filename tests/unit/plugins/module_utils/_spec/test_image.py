# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests for what a user may declare of an image."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._errors import SpecError
from ansible_collections.kilonova.compute.plugins.module_utils._spec.image import ImageSpec, url_secrets
from ansible_collections.kilonova.compute.plugins.module_utils._spec.image_checksum import Checksum, ChecksumFile
from ansible_collections.kilonova.compute.plugins.module_utils._spec.image_transport import Transport

PARAMS: dict[str, t.Any] = {
    "name": "debian",
    "state": "present",
    "src": None,
    "url": "https://images.example.com/d.qcow2",
    "checksum": None,
    "format": "auto",
    "convert_to": None,
    "max_size_gb": 8,
    "pool": "default",
    "timeout": 60,
    "stall_timeout": 10,
    "retries": 2,
    "username": None,
    "password": None,
    "ca_path": None,
    "proxy": None,
}


def spec(**changes: t.Any) -> ImageSpec:
    """Return a declared image with ``changes``."""
    return ImageSpec.from_params({**PARAMS, **changes})


@pytest.mark.parametrize(
    ("changes", "option", "words"),
    [
        ({"name": "a/b"}, "name", "'a/b'"),
        ({"pool": ""}, "pool", "empty"),
        ({"url": None}, "src", "exactly one"),
        ({"src": "/a"}, "src", "exactly one"),
        ({"source_host": {"uri": "qemu:///system"}}, "src", "exactly one"),
        ({"url": None, "source_host": {"uri": ""}}, "source_host.uri", "not a URI"),
        ({"url": None, "source_host": {"uri": "qemu:///a b"}}, "source_host.uri", "not a URI"),
        ({"url": None, "source_host": {"uri": "q", "image": "a/b"}}, "source_host.image", "'a/b'"),
        ({"url": None, "source_host": {"uri": "q", "image": "a", "volume": "b"}}, "source_host.volume", "image"),
        ({"url": "ftp://h/a"}, "url", "'ftp'"),
        ({"url": "images/d.qcow2"}, "url", "https://"),
        ({"url": "http:///d.qcow2"}, "url", "no host"),
        ({"url": "http://[::1/d"}, "url", "not a URL"),
        ({"url": "http://h:port/d"}, "url", "not a URL"),
        ({"url": "http://h/a b"}, "url", "white space"),
        ({"url": "http://h/a\r\nHost: x"}, "url", "white space"),
        ({"url": "file://elsewhere/a"}, "url", "elsewhere"),
        ({"url": "file:a"}, "url", "absolute"),
        ({"url": None, "src": "a.qcow2"}, "src", "absolute"),
        ({"checksum": "abc"}, "checksum", "sha256:"),
        ({"checksum": "md5:" + "a" * 32}, "checksum", "sha512"),
        ({"checksum": "sha256:" + "a" * 63}, "checksum", "not an sha256 digest"),
        ({"checksum": "sha256:" + "g" * 64}, "checksum", "not an sha256 digest"),
        ({"format": "vdi"}, "format", "vhdx or iso"),
        ({"convert_to": "vmdk"}, "convert_to", "qcow2 or raw"),
        ({"format": "iso", "convert_to": "raw"}, "convert_to", "as it is"),
        ({"max_size_gb": 0}, "max_size_gb", "at least 1"),
        ({"checksum": "md5:https://h/MD5SUMS"}, "checksum", "md5"),
        ({"checksum": "https://h/SHA256SUMS", "url": "https://h/"}, "checksum", "no file name"),
        ({"checksum": "file://elsewhere/SHA256SUMS"}, "checksum", "elsewhere"),
        ({"checksum": "https://h:port/SHA256SUMS"}, "checksum", "not a URL"),
        ({"timeout": 0}, "timeout", "at least 1"),
        ({"stall_timeout": 0}, "stall_timeout", "at least 1"),
        ({"retries": -1}, "retries", "0 or more"),
        ({"password": "x"}, "password", "username"),
        ({"proxy": "proxy:3128"}, "proxy", "http://"),
        ({"proxy": "http://proxy:port"}, "proxy", "not a URL"),
        ({"state": "absent", "timeout": -1}, "timeout", "at least 1"),
    ],
)
def test_bad_input_names_its_option(changes: dict[str, t.Any], option: str, words: str) -> None:
    """Each mistake has one sentence that begins with the option."""
    with pytest.raises(SpecError) as caught:
        spec(**changes)
    assert caught.value.option == option
    assert words in caught.value.message


def test_good_input() -> None:
    """Defaults and forms are brought into one shape."""
    declared = spec(checksum=" SHA256:" + "A" * 64 + "\n", format="raw")
    assert declared.checksum == Checksum("sha256", "a" * 64)
    assert str(declared.checksum) == "sha256:" + "a" * 64
    assert declared.format == "raw"
    assert spec().format is None
    sums = "https://h/SHA512SUMS?x"
    assert spec(checksum=f"sha512:{sums}").checksum_file == ChecksumFile(sums, "d.qcow2", "sha512")
    assert spec(checksum="file:///a", url="http://h/a%20b.raw").checksum_file == ChecksumFile("file:///a", "a b.raw")
    assert spec(checksum=sums, url=None, src="/srv/b.raw").checksum_file == ChecksumFile(sums, "b.raw")
    assert spec(username="me", password="p").transport == Transport(60, 10, 2, "me", "p")
    assert spec().max_size_bytes == 8 * 1024**3
    limited = spec(cache_max_size="1.5G", cache_keep=["a", "b"])
    assert (limited.cache_max_size, limited.cache_keep) == (3 * 2**29, frozenset({"a", "b"}))
    assert spec(url=None, src="/srv//a/../b.raw").path == "/srv/b.raw"
    assert spec(url="file:///srv/a%20b.raw").path == "/srv/a b.raw"
    assert spec(state="absent", url=None) == ImageSpec("debian", present=False, transport=Transport(60, 10, 2))


def test_secrets_are_not_shown() -> None:
    """User, password, query and fragment belong to the request alone."""
    declared = spec(url="https://me:p%40ss@images.example.com:8443/d.qcow2?token=t1#x")
    assert declared.source == "https://images.example.com:8443/d.qcow2"
    assert not any(secret in declared.source_id for secret in ("me", "p%40ss", "t1"))
    assert url_secrets(str(declared.url)) == {"p%40ss", "p@ss", "token=t1"}
    assert url_secrets("http://[") == set()
    assert url_secrets("http://h/a") == set()
    with pytest.raises(SpecError) as caught:
        spec(url="https://me:pa/ss@h/")
    assert "pa" not in caught.value.message


def test_identity_of_a_source() -> None:
    """The password does not count, the query does; files and URLs are never the same."""
    plain = spec(url="https://h/a?v=1").source_id
    assert spec(url="https://me:secret@h/a?v=1").source_id == plain
    assert spec(url="https://h/a?v=2").source_id != plain
    assert spec(url=None, src="/a").source_id == spec(url="file:///a").source_id != plain


@pytest.mark.parametrize(
    ("changes", "published"),
    [
        ({}, None),
        ({"format": "qcow2"}, "qcow2"),
        ({"format": "raw"}, "raw"),
        ({"format": "vhdx"}, "qcow2"),
        ({"format": "vhdx", "convert_to": "raw"}, "raw"),
        ({"format": "iso"}, "raw"),
        ({"convert_to": "raw"}, "raw"),
    ],
)
def test_format_that_will_be_published(changes: dict[str, t.Any], published: str | None) -> None:
    """What is not declared can only be told by the image."""
    assert spec(**changes).published_format == published
