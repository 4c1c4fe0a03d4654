# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What a user declares of one image. All bad input of an image dies in ``ImageSpec.from_params``."""

from __future__ import annotations

import hashlib
import os
import re
import typing as t
from dataclasses import dataclass
from urllib.parse import SplitResult, unquote, urlsplit

from .._errors import SpecError
from .image_format import FORMATS, PUBLISHED_FORMATS, published_format
from .names import check_name

_DIGEST_LENGTHS = {"sha256": 64, "sha384": 96, "sha512": 128}
_SCHEMES = ("http", "https", "file")
_URL_EXAMPLE = "give it as http://, https:// or file:///"
_SECRET_LENGTH = 8
DEFAULT_MAX_SIZE_GB = 256


@dataclass(frozen=True)
class Checksum:
    """A digest that the image must have."""

    algorithm: str
    value: str

    @staticmethod
    def parse(text: str) -> Checksum:
        """Read ``algorithm:hexadecimal``."""
        algorithm, colon, value = text.strip().partition(":")
        algorithm, value = algorithm.lower(), value.strip().lower()
        remedy = "give it as sha256:<64 hexadecimal digits>, or with sha384 or sha512"
        if not colon or algorithm not in _DIGEST_LENGTHS:
            raise SpecError("checksum", f"{text!r} does not begin with sha256:, sha384: or sha512:", remedy)
        if not re.fullmatch(f"[0-9a-f]{{{_DIGEST_LENGTHS[algorithm]}}}", value):
            raise SpecError("checksum", f"{text!r} is not an {algorithm} digest", remedy)
        return Checksum(algorithm, value)

    def __str__(self) -> str:
        """Return it as a user writes it."""
        return f"{self.algorithm}:{self.value}"


@dataclass(frozen=True)
class ImageSpec:
    """One declared image: exactly one of ``path`` and ``url`` when it is to be present."""

    name: str
    pool: str = "default"
    present: bool = True
    path: str | None = None
    """A file on the machine where the module runs."""
    url: str | None = None
    """With its secrets; only for the request itself."""
    checksum: Checksum | None = None
    format: str | None = None
    convert_to: str | None = None
    timeout: int = 3600
    max_size_gb: int = DEFAULT_MAX_SIZE_GB

    @staticmethod
    def from_params(params: t.Mapping[str, t.Any]) -> ImageSpec:
        """Check a module's parameters."""
        name = check_name("name", params["name"])
        if not params["pool"]:
            raise SpecError("pool", "it is empty", "name a storage pool of the hypervisor")
        if params["state"] == "absent":
            return ImageSpec(name=name, pool=params["pool"], present=False, timeout=_positive(params["timeout"]))
        path, url = _source(params.get("src"), params.get("url"))
        checksum = params.get("checksum")
        image_format = _choice("format", None if params.get("format") == "auto" else params.get("format"), FORMATS)
        convert_to = _choice("convert_to", params.get("convert_to"), PUBLISHED_FORMATS)
        if image_format == "iso" and convert_to:
            raise SpecError("convert_to", "an ISO image is published as it is", "leave it out")
        return ImageSpec(
            name=name,
            pool=params["pool"],
            path=path,
            url=url,
            checksum=Checksum.parse(checksum) if checksum else None,
            format=image_format,
            convert_to=convert_to,
            timeout=_positive(params["timeout"]),
            max_size_gb=_positive_size(params["max_size_gb"]),
        )

    @property
    def source(self) -> str:
        """Return where the image comes from as it may be shown: a URL without user, password and query."""
        return visible_url(self.url) if self.url else str(self.path)

    @property
    def max_size_bytes(self) -> int:
        """Return how much data the image may have, packed or not."""
        return self.max_size_gb * 1024**3

    @property
    def published_format(self) -> str | None:
        """Return what the image will be published as, None if only the image can tell."""
        if self.format:
            return published_format(self.format, self.convert_to)
        return self.convert_to

    @property
    def source_id(self) -> str:
        """Return what tells one source from another without showing it: the user and password do not count."""
        if not self.url:
            return f"path:{self.path}"
        return "url:" + hashlib.sha256(_without_user(urlsplit(self.url)).geturl().encode("utf-8")).hexdigest()


def visible_url(url: str) -> str:
    """Return ``url`` without what may be secret in it."""
    return _without_user(urlsplit(url))._replace(query="", fragment="").geturl()


def url_secrets(url: str) -> set[str]:
    """Return the passwords and the query in ``url``, as they are written and as they are meant."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return set()
    # Ansible blanks such words wherever they stand in the result, so short ones would eat figures and dates.
    query = parts.query if len(parts.query) >= _SECRET_LENGTH else ""
    found = {parts.password or "", query}
    return {secret for text in found for secret in (text, unquote(text)) if secret}


def _without_user(parts: SplitResult) -> SplitResult:
    return parts._replace(netloc=parts.netloc.rpartition("@")[2])


def _source(src: str | None, url: str | None) -> tuple[str | None, str | None]:
    """Return (path, None) or (None, url); a file URL is a path."""
    if bool(src) == bool(url):
        raise SpecError("src", "exactly one of src and url is needed for state=present", "give a file or a URL")
    if src:
        return _path("src", os.path.expanduser(src)), None
    parts, host = _parts(str(url))
    if parts.scheme not in _SCHEMES:
        raise SpecError("url", f"the scheme {parts.scheme!r} is not known", _URL_EXAMPLE)
    if parts.scheme != "file":
        if not host:
            raise SpecError("url", "it names no host", _URL_EXAMPLE)
        return None, url
    if host not in (None, "localhost"):
        raise SpecError("url", f"a file on the host {host} can't be read", "a file URL is file:///path")
    return _path("url", unquote(parts.path)), None


def _parts(url: str) -> tuple[SplitResult, str | None]:
    """Take a URL apart; what is wrong with it is not told in its own words, which may be secret."""
    if any(character.isspace() or not character.isprintable() for character in url):
        raise SpecError("url", "it holds white space or control characters", _URL_EXAMPLE)
    try:
        parts = urlsplit(url)
        _port = parts.port  # raises if it is no number
    except ValueError as exc:
        raise SpecError("url", "it is not a URL", _URL_EXAMPLE) from exc
    return parts, parts.hostname


def _path(option: str, path: str) -> str:
    if not os.path.isabs(path) or "\0" in path:
        raise SpecError(option, f"{path!r} is not an absolute path", "give it from the root directory on")
    return os.path.normpath(path)


def _choice(option: str, value: str | None, choices: tuple[str, ...]) -> str | None:
    if value is not None and value not in choices:
        raise SpecError(option, f"{value!r} is not accepted", f"it is {', '.join(choices[:-1])} or {choices[-1]}")
    return value


def _positive(timeout: int) -> int:
    if timeout < 1:
        raise SpecError("timeout", f"{timeout} is not a number of seconds", "give at least 1")
    return timeout


def _positive_size(size: int) -> int:
    if size < 1:
        raise SpecError("max_size_gb", f"{size} is no size", "give at least 1")
    return size
