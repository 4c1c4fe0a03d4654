# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""User data: what cloud-init or its like runs in a guest, in any of the forms in which it may be declared."""

from __future__ import annotations

import hashlib
import json
import re
import typing as t
from dataclasses import dataclass, field
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText

from .._errors import SpecError
from .yaml_text import check_text, write_yaml

CLOUD_CONFIG = "text/cloud-config"
_JINJA = "text/jinja2"
_SCRIPT = "text/x-shellscript"
# By the beginning of a text, longest first: the type that cloud-init takes it for.
_TYPES = {
    "#cloud-config-archive": "text/cloud-config-archive",
    "#cloud-config-jsonp": "text/cloud-config-jsonp",
    "## template: jinja": _JINJA,
    "#cloud-boothook": "text/cloud-boothook",
    "#cloud-config": CLOUD_CONFIG,
    "#include-once": "text/x-include-once-url",
    "#part-handler": "text/part-handler",
    "#include": "text/x-include-url",
    "#!": _SCRIPT,
}
_SCRIPTS = frozenset({_SCRIPT, *(f"{_SCRIPT}-per-{when}" for when in ("boot", "instance", "once"))})
_KNOWN_TYPES = frozenset({*_TYPES.values(), *_SCRIPTS})
_HEADER_REMEDY = "begin it with #cloud-config, #! or another header of cloud-init's, or give a dictionary"
_MIME_HEADER = re.compile(r"(content-type|mime-version):", re.IGNORECASE)
_MIME_VERSION = "mime-version:"
_MIME_HEAD_CHARACTERS = 4096
"""How far cloud-init looks for the MIME version."""
_TOP_LEVEL_KEY = re.compile(r"""^["']?([A-Za-z][\w-]*)["']?[ \t]*:""", re.MULTILINE)
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_PART_KEYS = ("content", "filename", "type")


@dataclass(frozen=True)
class UserData:
    """The document ``user-data``, and the cloud-config keys it is seen to set at its top level."""

    text: str = field(repr=False)
    keys: frozenset[str]


def read_user_data(value: t.Any, option: str) -> UserData:
    """Validate an option's value: a dictionary, a text with a header, or a list of parts; None and empty mean none."""
    if value is None or value in ("", {}, []):
        return UserData("", frozenset())
    if isinstance(value, (list, tuple)):
        parts = [_read_part(part, f"{option}[{index}]", index) for index, part in enumerate(value)]
        _refuse_same_names(parts, option)
        return UserData(_multipart(parts), frozenset().union(*(part.keys for part in parts)))
    if isinstance(value, str) and _MIME_HEADER.match(value):
        return UserData(_read_mime(value, option), frozenset())
    content = _read_content(value, None, option)
    return UserData(content.text, content.keys)


@dataclass(frozen=True)
class _Part:
    text: str
    type: str
    keys: frozenset[str]
    file_name: str = ""


def _read_content(value: t.Any, wanted: str | None, option: str) -> _Part:
    """Return a dictionary or a text as what it is; ``wanted`` is the type that it is declared to have."""
    if isinstance(value, dict):
        if wanted not in (None, CLOUD_CONFIG):
            raise SpecError(
                _type_option(option), f"a dictionary is not {wanted}", f"leave it out, or say {CLOUD_CONFIG}"
            )
        text = "#cloud-config\n" + write_yaml(value, option)
        return _Part(text, CLOUD_CONFIG, frozenset(map(str, value)))
    if not isinstance(value, str) or not value:
        raise SpecError(option, "it is neither a dictionary nor a text", _HEADER_REMEDY)
    check_text(option, value)
    seen = _type_of(value)
    if seen is None and wanted in (None, _JINJA, *_SCRIPTS):
        raise SpecError(option, "its first line is no header that cloud-init knows", _HEADER_REMEDY)
    if wanted and seen and wanted != seen and not {wanted, seen} <= _SCRIPTS:
        raise SpecError(_type_option(option), f"{wanted} is not what the content begins like, {seen}", "leave it out")
    kind = wanted or seen or CLOUD_CONFIG
    keys = _TOP_LEVEL_KEY.findall(value) if kind in (CLOUD_CONFIG, _JINJA) else []
    return _Part(value, kind, frozenset(keys))


def _type_option(option: str) -> str:
    """Return where the type is declared of the content that is declared in ``option``."""
    return option.rpartition(".")[0] + ".type"


def _type_of(text: str) -> str | None:
    for header, kind in _TYPES.items():
        if text.startswith(header):
            follows = text[len(header) : len(header) + 1]
            if header == "#!" or not follows or follows.isspace():
                return kind
    return None


def _read_mime(text: str, option: str) -> str:
    check_text(option, text)
    if _MIME_VERSION not in text[:_MIME_HEAD_CHARACTERS].lower():
        raise SpecError(option, "it is a MIME message without a version", "add the header line MIME-Version: 1.0")
    return text


def _read_part(part: t.Any, option: str, index: int) -> _Part:
    if not isinstance(part, dict) or "content" not in part or not set(part) <= set(_PART_KEYS):
        raise SpecError(option, "it is no part", f"give a dictionary with content, and of {', '.join(_PART_KEYS)} only")
    kind = part.get("type")
    if kind is not None and kind not in _KNOWN_TYPES:
        raise SpecError(f"{option}.type", f"{kind!r} is not known", f"take one of {', '.join(sorted(_KNOWN_TYPES))}")
    name = part.get("filename") or f"part-{index + 1:03d}"
    if not isinstance(name, str) or not _FILE_NAME.fullmatch(name):
        raise SpecError(f"{option}.filename", f"{name!r} is not a plain file name", "use letters, digits, . _ and -")
    content = _read_content(part["content"], kind, f"{option}.content")
    return _Part(content.text, content.type, content.keys, name)


def _refuse_same_names(parts: list[_Part], option: str) -> None:
    names = [part.file_name for part in parts]
    for index, name in enumerate(names):
        if name in names[:index]:
            raise SpecError(
                f"{option}[{index}].filename", f"{name} is an earlier part's", "each part needs a name of its own"
            )


def _multipart(parts: list[_Part]) -> str:
    """Return a MIME message; equal parts give an equal one, its boundary included."""
    content = json.dumps([(part.type, part.file_name, part.text) for part in parts])
    message = MIMEMultipart(boundary=f"kilonova-{hashlib.sha256(content.encode()).hexdigest()[:32]}")
    for part in parts:
        # In UTF-8 it is written as base64, in which no line can look like a boundary or a header.
        body = MIMEText(part.text, part.type.partition("/")[2], "utf-8")
        body.add_header("Content-Disposition", "attachment", filename=part.file_name)
        message.attach(body)
    return message.as_string()
