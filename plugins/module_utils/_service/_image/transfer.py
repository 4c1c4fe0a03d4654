# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Getting something from the web: over again where it broke off, and given up with one sentence."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import ssl
import time
import typing as t
import urllib.error
from http import HTTPStatus

from ansible.module_utils.urls import ConnectionError as UrlConnectionError
from ansible.module_utils.urls import SSLValidationError, open_url

from ..._errors import ImageError
from ..._spec.image import visible_url
from ..._spec.image_transport import Transport
from ..progress import DOWNLOAD, SILENT, Progress

_CHUNK_BYTES = 256 * 1024
_FIRST_PAUSE_SECONDS, _PAUSE_GROWTH, _LONGEST_PAUSE_SECONDS = 0.25, 3, 30.0
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+)")


class Sink(t.Protocol):
    """Where it goes."""

    @property
    def received(self) -> int:
        """Return how many bytes came so far."""

    def update(self, chunk: bytes) -> None:
        """Take the next bytes."""

    def restart(self) -> None:
        """Forget what came, to begin anew."""


class _PassingError(Exception):
    """It may go better the next time."""


class _FinalError(Exception):
    """It will go no better the next time."""


class Transfer:
    """One file on its way from ``url`` to ``sink``."""

    def __init__(self, url: str, transport: Transport, sink: Sink, what: str, progress: Progress = SILENT) -> None:
        """Fetch ``what``, in the words of an error."""
        self._expect: t.Callable[[int | None], None] = lambda _total: None
        self._progress = progress
        self._url = url
        self._transport = transport
        self._sink = sink
        self._failed = f"Cannot fetch {what} {visible_url(url)}:"
        self._validator: str | None = None
        """What names the content that is half here, for the server to compare."""

    def run(self, expect: t.Callable[[int | None], None] | None = None) -> None:
        """Fetch all of it, or say why not; ``expect`` is told how much it will be, as far as the server tells."""
        self._expect = expect or self._expect
        end = time.monotonic() + self._transport.timeout
        failures, pause = 0, _FIRST_PAUSE_SECONDS
        while True:
            before = self._sink.received
            try:
                self._attempt(end)
                return
            except _FinalError as exc:
                raise ImageError(f"{self._failed} {exc}.") from exc
            except _PassingError as exc:
                if self._sink.received > before and self._validator:
                    failures, pause = 0, _FIRST_PAUSE_SECONDS
                failures += 1
                if failures > self._transport.retries or time.monotonic() + pause > end:
                    raise ImageError(f"{self._failed} {exc}{_count(failures)}.") from exc
            time.sleep(pause)
            pause = min(_PAUSE_GROWTH * pause, _LONGEST_PAUSE_SECONDS)

    def _attempt(self, end: float) -> None:
        """Fetch what is missing, and translate every way it can go wrong."""
        try:
            with contextlib.closing(self._open(end)) as response:
                self._receive(response, end)
        except urllib.error.HTTPError as exc:
            if exc.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and self._sink.received:
                self._begin_anew()
                raise _PassingError("the server has no more of it") from exc
            kind = _PassingError if exc.code in _PASSING else _FinalError
            raise kind(f"the server answered {exc.code} {exc.reason}") from exc
        except urllib.error.URLError as exc:
            self._raise(exc.reason if isinstance(exc.reason, Exception) else exc, str(exc.reason))
        except (UrlConnectionError, SSLValidationError, OSError, http.client.HTTPException, ValueError) as exc:
            self._raise(exc, str(exc))

    def _raise(self, exc: Exception, words: str) -> t.NoReturn:
        """Raise what is no answer of the server, in words without the URL's secrets."""
        if isinstance(exc, TimeoutError):
            raise _PassingError("the server was silent for too long") from exc
        final = isinstance(exc, (ssl.SSLError, SSLValidationError, ValueError))
        if isinstance(exc, OSError) and exc.filename is not None:
            final = True
        text = words.replace(self._url, visible_url(self._url)).rstrip(".") or type(exc).__name__
        raise (_FinalError if final else _PassingError)(text) from exc

    def _open(self, end: float) -> t.Any:
        headers = {"Accept-Encoding": "identity"}
        if self._sink.received and self._validator:
            headers.update({"Range": f"bytes={self._sink.received}-", "If-Range": self._validator})
        transport = self._transport
        with _proxied(transport.proxy):
            return open_url(
                self._url,
                headers=headers,
                timeout=max(1.0, min(transport.stall_timeout, end - time.monotonic())),
                decompress=False,
                url_username=transport.username,
                url_password=transport.password,
                ca_path=transport.ca_path,
                unredirected_headers=["Authorization"],
            )

    def _receive(self, response: t.Any, end: float) -> None:
        if self._url.startswith("https:") and not response.geturl().startswith("https:"):
            raise _FinalError("the server redirects to an address without TLS")
        total = self._begin(response)
        self._expect(total)
        while chunk := response.read1(_CHUNK_BYTES):
            try:
                self._sink.update(chunk)
            except OSError as exc:
                raise _FinalError(f"it can't be stored: {exc.strerror}") from exc
            self._progress.note(DOWNLOAD, self._sink.received, total)
            if time.monotonic() > end:
                raise _FinalError(
                    f"it took longer than {self._transport.timeout} seconds; raise option timeout or use a faster server"
                )
        if total is not None and self._sink.received != total:
            raise _PassingError(f"the body broke off after {self._sink.received} of {total} bytes")

    def _begin(self, response: t.Any) -> int | None:
        """Look at what the server is about to send, and return how many bytes there will be in all."""
        if response.status == HTTPStatus.PARTIAL_CONTENT:
            answer = _RANGE.fullmatch(response.headers.get("Content-Range") or "")
            if answer and int(answer[1]) == self._sink.received and _validator(response) in (None, self._validator):
                return int(answer[2])
            self._begin_anew()
            raise _PassingError("the server sent another part than it was asked for")
        if self._sink.received:
            self._sink.restart()
        self._validator = _validator(response)
        announced = response.headers.get("Content-Length") or ""
        return int(announced) if announced.isdigit() else None

    def _begin_anew(self) -> None:
        self._sink.restart()
        self._validator = None


def _validator(response: t.Any) -> str | None:
    """Return what tells this content from any other, byte by byte; weak tags do not."""
    tag = response.headers.get("ETag")
    if tag and not tag.startswith("W/"):
        return str(tag)
    return response.headers.get("Last-Modified") or None


def _count(failures: int) -> str:
    return f" ({failures} times in a row)" if failures > 1 else ""


@contextlib.contextmanager
def _proxied(proxy: str | None) -> t.Iterator[None]:
    """Let requests go through ``proxy``; it can be given to Python's HTTP client in its environment alone."""
    names = ("http_proxy", "https_proxy")
    before = {name: os.environ.get(name) for name in names}
    if proxy:
        os.environ.update(dict.fromkeys(names, proxy))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
