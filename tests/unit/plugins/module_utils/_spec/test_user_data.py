# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests for user data in all its forms; Python's own parser of messages says what a multipart holds."""

from __future__ import annotations

import email
import typing as t
from email.message import Message

import pytest
import yaml
from ansible_collections.kilonova.compute.plugins.module_utils._errors import SpecError
from ansible_collections.kilonova.compute.plugins.module_utils._spec.user_data import read_user_data
from hypothesis import given
from hypothesis import strategies as st

SCRIPT = "#!/bin/sh\necho hello\n"


def parts_of(text: str) -> list[tuple[str, str, str]]:
    """Return type, file name and content of a message's parts, as a guest reads them."""
    message = email.message_from_string(text)
    assert message["MIME-Version"] == "1.0"
    payload: list[Message] = list(message.walk())[1:]
    return [
        (part.get_content_type(), part.get_filename() or "", t.cast("bytes", part.get_payload(decode=True)).decode())
        for part in payload
    ]


@pytest.mark.parametrize("value", [None, "", {}, []])
def test_nothing_is_nothing(value: t.Any) -> None:
    """A seed without user data has an empty document."""
    assert read_user_data(value, "user_data").text == ""


def test_a_dictionary_is_a_cloud_config() -> None:
    """With the header that makes it one, and its keys are seen."""
    found = read_user_data({"runcmd": ["true"], "hostname": "x"}, "user_data")
    header, body = found.text.split("\n", 1)
    assert (header, yaml.safe_load(body)) == ("#cloud-config", {"runcmd": ["true"], "hostname": "x"})
    assert found.keys == {"runcmd", "hostname"}


@pytest.mark.parametrize(
    "text",
    [
        SCRIPT,
        "#cloud-config\nruncmd: [id]\n",
        "#cloud-config",
        "#cloud-boothook\nx",
        "#include\nhttps://example.com/x",
        "## template: jinja\n#cloud-config\nhostname: x\n",
        'Content-Type: multipart/mixed; boundary="x"\nMIME-Version: 1.0\n\n--x--\n',
    ],
)
def test_a_text_with_a_header_is_passed_on(text: str) -> None:
    """Byte for byte."""
    assert read_user_data(text, "user_data").text == text


def test_keys_of_a_text_are_seen() -> None:
    """At the top level of a cloud-config only."""
    text = "#cloud-config\npassword: x\n'chpasswd' :\n  expire: false\n# hostname: y\nusers:\n- fqdn: z\n"
    assert read_user_data(text, "user_data").keys == {"password", "chpasswd", "users"}
    assert read_user_data("#!/bin/sh\npassword: x\n", "user_data").keys == frozenset()


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("hostname: x\n", "its first line is no header that cloud-init knows"),
        (" #cloud-config\n", "its first line is no header"),
        ("#cloud-configuration\n", "its first line is no header"),
        (b"#!\x1f\x8b".decode("utf-8", "surrogateescape"), "bytes that are not text"),
        ('Content-Type: multipart/mixed; boundary="x"\n\n--x--\n', "without a version"),
        (17, "neither a dictionary nor a text"),
        (True, "neither a dictionary nor a text"),
        ({"a": float("inf")}, "it holds the number inf"),
    ],
)
def test_what_a_guest_would_ignore_is_refused(value: t.Any, problem: str) -> None:
    """With the option's name; a content is never part of an error."""
    with pytest.raises(SpecError) as caught:
        read_user_data(value, "instances[0].user_data")
    assert caught.value.message.startswith("Option instances[0].user_data: ")
    assert problem in caught.value.message


def test_parts_make_a_message() -> None:
    """Types are seen or said, names are counted or said, contents stay as they are."""
    odd = "#!/bin/sh\n--boundary\nFrom me\nécho\r\n"
    found = read_user_data(
        [
            {"content": {"package_update": True}},
            {"content": odd, "filename": "10-first.sh"},
            {"content": SCRIPT, "type": "text/x-shellscript-per-boot"},
        ],
        "user_data",
    )
    assert parts_of(found.text) == [
        ("text/cloud-config", "part-001", '#cloud-config\n{\n "package_update": true\n}\n'),
        ("text/x-shellscript", "10-first.sh", odd),
        ("text/x-shellscript-per-boot", "part-003", SCRIPT),
    ]
    assert found.keys == {"package_update"}


def test_a_message_stays_as_it_is() -> None:
    """It is part of digests that are kept, so every Python has to write it the same."""
    assert read_user_data([{"content": "#!/bin/sh\n"}], "user_data").text == (
        'Content-Type: multipart/mixed; boundary="kilonova-8c5f6212b4c87050c02b8df15f754654"\n'
        "MIME-Version: 1.0\n\n"
        "--kilonova-8c5f6212b4c87050c02b8df15f754654\n"
        'Content-Type: text/x-shellscript; charset="utf-8"\n'
        "MIME-Version: 1.0\n"
        "Content-Transfer-Encoding: base64\n"
        'Content-Disposition: attachment; filename="part-001"\n\n'
        "IyEvYmluL3NoCg==\n\n"
        "--kilonova-8c5f6212b4c87050c02b8df15f754654--\n"
    )


@pytest.mark.parametrize(
    ("part", "option", "problem"),
    [
        ("text", "user_data[1]", "it is no part"),
        ({"type": "text/cloud-config"}, "user_data[1]", "it is no part"),
        ({"content": SCRIPT, "name": "x"}, "user_data[1]", "it is no part"),
        ({"content": SCRIPT, "type": "text/plain"}, "user_data[1].type", "'text/plain' is not known"),
        ({"content": {"a": 1}, "type": "text/x-shellscript"}, "user_data[1].type", "a dictionary is not"),
        ({"content": SCRIPT, "type": "text/cloud-config"}, "user_data[1].type", "is not what the content"),
        ({"content": "echo", "type": "text/x-shellscript"}, "user_data[1].content", "is no header"),
        ({"content": "echo"}, "user_data[1].content", "is no header"),
        ({"content": ""}, "user_data[1].content", "neither a dictionary nor a text"),
        ({"content": SCRIPT, "filename": "a/b"}, "user_data[1].filename", "not a plain file name"),
        ({"content": SCRIPT, "filename": "part-001"}, "user_data[1].filename", "is an earlier part's"),
    ],
)
def test_bad_parts_are_refused(part: t.Any, option: str, problem: str) -> None:
    """The option's name leads to the part."""
    with pytest.raises(SpecError) as caught:
        read_user_data([{"content": SCRIPT}, part], "user_data")
    assert caught.value.message.startswith(f"Option {option}: ")
    assert problem in caught.value.message


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=200)
PARTS = st.lists(st.tuples(st.sampled_from(["#!/bin/sh\n", "#cloud-config\n", "#include\n"]), TEXTS), min_size=1)


@given(PARTS)
def test_any_parts_are_read_back(drawn: list[tuple[str, str]]) -> None:
    """Whatever their text looks like; and the same parts make the same message."""
    value = [{"content": header + text} for header, text in drawn]
    message = read_user_data(value, "user_data").text
    assert [content for _kind, _name, content in parts_of(message)] == [part["content"] for part in value]
    assert read_user_data(value, "user_data").text == message
