# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""How what lies on the web is fetched: whom to tell which secret, and how long to bear what goes wrong."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from .._errors import SpecError


@dataclass(frozen=True)
class Transport:
    """The ways and limits of all requests for one image."""

    timeout: int = 3600
    stall_timeout: int = 60
    """How many seconds a server may send nothing."""
    retries: int = 4
    """How many times in a row it may fail without a byte coming in between."""
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_path: str | None = None
    """A file with the certificates to trust in place of the system's."""
    proxy: str | None = field(default=None, repr=False)

    @staticmethod
    def from_params(params: t.Mapping[str, t.Any]) -> Transport:
        """Check a module's parameters."""
        timeout = params["timeout"]
        for option in ("timeout", "stall_timeout"):
            if params[option] < 1:
                raise SpecError(option, f"{params[option]} is not a number of seconds", "give at least 1")
        if params["retries"] < 0:
            raise SpecError("retries", f"{params['retries']} is not a number of times", "give 0 or more")
        if params.get("password") and not params.get("username"):
            raise SpecError("password", "it needs a user", "set option username too")
        return Transport(
            timeout=timeout,
            stall_timeout=params["stall_timeout"],
            retries=params["retries"],
            username=params.get("username") or None,
            password=params.get("password"),
            ca_path=params.get("ca_path"),
            proxy=_proxy(params.get("proxy")),
        )


def _proxy(url: str | None) -> str | None:
    """Check the proxy's address; it may hold a password, so it is not told in its own words."""
    if not url:
        return None
    example = "give it as http://host:port"
    try:
        parts = urlsplit(url)
        _port = parts.port  # raises if it is no number
    except ValueError as exc:
        raise SpecError("proxy", "it is not a URL", example) from exc
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise SpecError("proxy", "it is not the http:// or https:// URL of a host", example)
    return url
