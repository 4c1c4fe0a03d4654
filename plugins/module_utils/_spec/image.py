# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What a user declares of one image. All bad input of an image dies in ``ImageSpec.from_params``."""

from __future__ import annotations

import hashlib
import os
import posixpath
import typing as t
from dataclasses import dataclass, field
from urllib.parse import SplitResult, unquote, urlsplit

from .._errors import SpecError
from .image_checksum import Checksum, ChecksumFile
from .image_format import FORMATS, PUBLISHED_FORMATS, published_format
from .image_host import HostSource
from .image_instance import InstanceSource
from .image_metadata import ImageMetadata
from .image_signature import ImageSignature
from .image_transport import Transport
from .local_path import local_path
from .names import check_name, check_names, is_one_word
from .size import parse_size

_SCHEMES = ("http", "https", "file")
_URL_EXAMPLE = "give it as http://, https:// or file:///"
_SECRET_LENGTH = 8
DEFAULT_MAX_SIZE_GB = 256


@dataclass(frozen=True)
class ImageSpec:
    """One declared image: exactly one of ``path``, ``url``, ``host`` and ``instance`` when it is to be present."""

    name: str
    pool: str = "default"
    present: bool = True
    path: str | None = None
    """A file on the machine where the module runs."""
    url: str | None = None
    """With its secrets; only for the request itself."""
    host: HostSource | None = None
    """Where it is on another hypervisor."""
    instance: InstanceSource | None = None
    """Whose disk it is a copy of."""
    checksum: Checksum | None = None
    checksum_file: ChecksumFile | None = None
    """Where the checksum is to be found."""
    signature: ImageSignature | None = None
    signed_by: str | None = None
    """The key that was found to have signed the checksums."""
    signers: frozenset[str] = frozenset()
    """The keys of which one must have signed the image itself, by their fingerprints."""
    format: str | None = None
    convert_to: str | None = None
    transport: Transport = field(default_factory=Transport)
    max_size_gb: int = DEFAULT_MAX_SIZE_GB
    cache_max_size: int | None = None
    """Bytes that all images of the pool may take together when this one is there; None is any number."""
    cache_keep: frozenset[str] = frozenset()
    """Names of images that stay in any case."""
    metadata: ImageMetadata = field(default_factory=ImageMetadata)

    @staticmethod
    def from_params(params: t.Mapping[str, t.Any]) -> ImageSpec:
        """Check a module's parameters."""
        name = check_name("name", params["name"])
        if not params["pool"]:
            raise SpecError("pool", "it is empty", "name a storage pool of the hypervisor")
        transport = Transport.from_params(params)
        if params["state"] == "absent":
            return ImageSpec(name=name, pool=params["pool"], present=False, transport=transport)
        host = HostSource.from_params(params.get("source_host"), name)
        instance = InstanceSource.from_params(params)
        path, url = _source(params.get("src"), params.get("url"), host, instance)
        checksum, checksum_file = _checksum(params.get("checksum"), path, url, host)
        image_format = _choice("format", None if params.get("format") == "auto" else params.get("format"), FORMATS)
        convert_to = _choice("convert_to", params.get("convert_to"), PUBLISHED_FORMATS)
        if image_format == "iso" and convert_to:
            raise SpecError("convert_to", "an ISO image is published as it is", "leave it out")
        return ImageSpec(
            name=name,
            pool=params["pool"],
            path=path,
            url=url,
            host=host,
            instance=instance,
            checksum=checksum,
            checksum_file=checksum_file,
            signature=ImageSignature.from_params(params, bool(checksum_file), bool(path or url)),
            format=image_format,
            convert_to=convert_to,
            transport=transport,
            max_size_gb=_positive_size(params["max_size_gb"]),
            cache_max_size=_cache_size(params.get("cache_max_size")),
            cache_keep=check_names("cache_keep", params.get("cache_keep") or ()),
            metadata=ImageMetadata.from_params(params.get("metadata")),
        )

    @property
    def source(self) -> str:
        """Return where the image comes from as it may be shown: a URL without user, password and query."""
        return visible_url(self.url) if self.url else str(self.host or self.instance or self.path)

    @property
    def is_signed_itself(self) -> bool:
        """Tell whether the image must have a signature, and not its checksums."""
        return self.signature is not None and not self.signature.of_checksums

    @property
    def timeout(self) -> int:
        """Return how many seconds fetching may take, or waiting for another run."""
        return self.transport.timeout

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
        if self.host:
            return f"host:{self.host}"
        if self.instance:
            return self.instance.source_id
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


def _source(
    src: str | None, url: str | None, host: HostSource | None, instance: InstanceSource | None
) -> tuple[str | None, str | None]:
    """Return (path, None), (None, url) or (None, None); a file URL is a path."""
    if sum(map(bool, (src, url, host, instance))) != 1:
        raise SpecError(
            "src",
            "exactly one of src, url, source_host and source_instance is needed for state=present",
            "give a file, a URL, another hypervisor or an instance",
        )
    if host or instance:
        return None, None
    if src:
        return local_path("src", os.path.expanduser(src)), None
    parts, server = _parts(str(url))
    if parts.scheme not in _SCHEMES:
        raise SpecError("url", f"the scheme {parts.scheme!r} is not known", _URL_EXAMPLE)
    if parts.scheme != "file":
        if not server:
            raise SpecError("url", "it names no host", _URL_EXAMPLE)
        return None, url
    if server not in (None, "localhost"):
        raise SpecError("url", f"a file on the host {server} can't be read", "a file URL is file:///path")
    return local_path("url", unquote(parts.path)), None


def _parts(url: str, option: str = "url") -> tuple[SplitResult, str | None]:
    """Take a URL apart; what is wrong with it is not told in its own words, which may be secret."""
    if not is_one_word(url):
        raise SpecError(option, "it holds white space or control characters", _URL_EXAMPLE)
    try:
        parts = urlsplit(url)
        _port = parts.port  # raises if it is no number
    except ValueError as exc:
        raise SpecError(option, "it is not a URL", _URL_EXAMPLE) from exc
    return parts, parts.hostname


def _checksum(
    text: str | None, path: str | None, url: str | None, host: HostSource | None
) -> tuple[Checksum | None, ChecksumFile | None]:
    if not text:
        return None, None
    place = unquote(urlsplit(url).path) if url else (host.name if host else str(path))
    file = ChecksumFile.parse(text, posixpath.basename(place))
    if file is None:
        return Checksum.parse(text), None
    parts, server = _parts(file.url, "checksum")
    if parts.scheme.lower() == "file" and server not in (None, "localhost"):
        raise SpecError("checksum", f"a file on the host {server} can't be read", "a file URL is file:///path")
    return None, file


def _choice(option: str, value: str | None, choices: tuple[str, ...]) -> str | None:
    if value is not None and value not in choices:
        raise SpecError(option, f"{value!r} is not accepted", f"it is {', '.join(choices[:-1])} or {choices[-1]}")
    return value


def _cache_size(text: str | None) -> int | None:
    return None if text is None else parse_size("cache_max_size", text)


def _positive_size(size: int) -> int:
    if size < 1:
        raise SpecError("max_size_gb", f"{size} is no size", "give at least 1")
    return size
