# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""An HTTP server for tests that knows ranges, and does wrong what it is told to."""

from __future__ import annotations

import base64
import contextlib
import http.server
import re
import threading
import typing as t
from dataclasses import dataclass, field
from http import HTTPStatus

USER, PASSWORD = "reader", "only-for-images"


@dataclass(frozen=True)
class Request:
    """What a client asked."""

    path: str
    headers: dict[str, str]


@dataclass
class FaultyServer:
    """Serves ``files``; each request for one takes the next of its ``faults``, and none of them when they are over.

    A fault is a status to answer, ``break`` or ``stall`` amid the body, ``longer`` or ``other-part`` for a lie,
    ``private`` to want a password, or a URL to redirect to.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    faults: dict[str, list[str]] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    """Each file's ETag, none where it is empty."""
    requests: list[Request] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)
    """Ends what stalls."""

    def __post_init__(self) -> None:
        """Listen on a free port of this machine."""
        handler = type("Handler", (_Handler,), {"server_data": self})
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def url(self, name: str) -> str:
        """Return the URL of a file."""
        return f"http://127.0.0.1:{self._server.server_port}/{name}"

    def asked(self, header: str) -> list[str | None]:
        """Return what all requests had as ``header``."""
        return [request.headers.get(header) for request in self.requests]

    def close(self) -> None:
        """Stop listening."""
        self.released.set()
        self._server.shutdown()
        self._server.server_close()


class _Handler(http.server.BaseHTTPRequestHandler):
    server_data: FaultyServer

    def do_GET(self) -> None:
        """Send a file, or do what is wrong."""
        data = self.server_data
        data.requests.append(Request(self.path, dict(self.headers)))
        name = re.sub(r"^http://[^/]*", "", self.path).partition("?")[0].lstrip("/")
        faults = data.faults.get(name) or []
        fault = faults.pop(0) if faults else ""
        if fault.isdigit():
            self.send_error(int(fault))
        elif "://" in fault:
            self.send_response(HTTPStatus.FOUND)
            self.send_header("Location", fault)
            self.end_headers()
        elif fault == "private" and "Authorization" not in self.headers:
            faults.insert(0, fault)
            self.send_response(HTTPStatus.UNAUTHORIZED)
            self.send_header("WWW-Authenticate", 'Basic realm="images"')
            self.end_headers()
        elif name not in data.files:
            self.send_error(HTTPStatus.NOT_FOUND)
        else:
            self._send(name, fault)

    def _send(self, name: str, fault: str) -> None:
        content, tag = self.server_data.files[name], self.server_data.tags.get(name, "")
        start = self._start(content, tag)
        self.send_response(HTTPStatus.PARTIAL_CONTENT if start else HTTPStatus.OK)
        if start:
            shown = start + 1 if fault == "other-part" else start
            self.send_header("Content-Range", f"bytes {shown}-{len(content) - 1}/{len(content)}")
        if tag:
            self.send_header("ETag", tag)
        body = content[start:]
        self.send_header("Content-Length", str(len(body) + (100 if fault == "longer" else 0)))
        self.end_headers()
        with contextlib.suppress(ConnectionError):
            if fault in ("break", "stall"):
                self.wfile.write(body[: len(body) // 2])
                if fault == "stall":
                    self.server_data.released.wait(60)
                return
            self.wfile.write(body)

    def _start(self, content: bytes, tag: str) -> int:
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if not asked or int(asked[1]) >= len(content) or self.headers.get("If-Range") not in (None, tag):
            return 0
        return int(asked[1])

    def log_message(self, *unused: t.Any) -> None:
        """Say nothing."""


def authorization(user: str, password: str) -> str:
    """Return the header that a user and a password make."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode("ascii")
