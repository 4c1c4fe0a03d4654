# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests for what is declared of a signature, and for what gpg says of one."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._errors import ImageError, SpecError
from ansible_collections.kilonova.compute.plugins.module_utils._spec.image_signature import (
    ImageSignature,
    is_key_text,
    key_fingerprints,
    signer,
)
from hypothesis import given
from hypothesis import strategies as st

KEY = "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmDME\n-----END PGP PUBLIC KEY BLOCK-----\n"
SHA256, SHA1, MD5 = "8", "2", "1"
OF_FILE, OF_KEY = "00", "18"


def declared(signature: str | None, *keys: str, of_checksums: bool = False, is_file: bool = True) -> t.Any:
    """Return what was declared."""
    params = {"signature": signature, "signing_keys": list(keys) or None}
    return ImageSignature.from_params(params, of_checksums, is_file)


@pytest.mark.parametrize(
    ("place", "url"),
    [
        ("https://h/SHA256SUMS.gpg", "https://h/SHA256SUMS.gpg"),
        ("HTTP://u:p@h:8080/a?b=c", "HTTP://u:p@h:8080/a?b=c"),
        ("file:///srv/a%20b.sig", "file:///srv/a b.sig"),
        ("file://localhost/srv/a.sig", "file:///srv/a.sig"),
        ("/srv/../srv/a.sig", "file:///srv/a.sig"),
    ],
)
def test_places(place: str, url: str) -> None:
    """On the web or here, with each key as text or the path of a file."""
    for of_checksums in (True, False):
        found = declared(place, "/etc/keys/../keys/a.gpg", f"\n  {KEY}\n", of_checksums=of_checksums)
        assert found == ImageSignature(url, ("/etc/keys/a.gpg", KEY), of_checksums)
    assert [is_key_text(key) for key in found.keys] == [False, True]


@pytest.mark.parametrize("signature", [None, ""])
def test_nothing_is_declared(signature: str | None) -> None:
    """Then nothing is verified."""
    assert declared(signature) is None


@pytest.mark.parametrize(
    ("signature", "keys", "words"),
    [
        (None, ("/k",), "Option signing_keys: there is no signature for them"),
        ("", ("/k",), "Option signing_keys: there is no signature for them"),
        ("/s", (), "Option signature: nobody is trusted"),
        ("SHA256SUMS.gpg", ("/k",), "Option signature: 'SHA256SUMS.gpg' is not an absolute path"),
        ("https:///a", ("/k",), "Option signature: "),
        ("ftp://h/a", ("/k",), "Option signature: "),
        ("file://elsewhere/a", ("/k",), "Option signature: "),
        ("https://[h/a", ("/k",), "Option signature: it is not a URL"),
        ("/s", ("k.gpg",), "Option signing_keys: 'k.gpg' is not an absolute path"),
        ("/s", (KEY.replace("PUBLIC", "PRIVATE"),), "Option signing_keys: one of them is no public key"),
        ("/s", ("/k", ""), "Option signing_keys: "),
    ],
)
def test_what_is_wrong_is_told(signature: str | None, keys: tuple[str, ...], words: str) -> None:
    """With the option, and a secret that was given for a key is not repeated."""
    with pytest.raises(SpecError) as caught:
        declared(signature, *keys)
    assert caught.value.message.startswith(words)
    assert "mDME" not in caught.value.message


def test_is_of_a_file() -> None:
    """What comes from a hypervisor is none, but its checksums are."""
    with pytest.raises(SpecError, match="the image comes from none; set checksum to the URL of signed checksums"):
        declared("/s", "/k", is_file=False)
    assert declared("/s", "/k", is_file=False, of_checksums=True)


@dataclass(frozen=True)
class Signed:
    """One signature, as gpg sees it."""

    word: str
    hash: str = SHA256
    kind: str = OF_FILE
    primary: str | None = "A" * 40

    @property
    def lines(self) -> list[str]:
        """Return what gpg says of it."""
        found = ["NEWSIG", f"{self.word} 0123456789ABCDEF somebody"]
        if self.word in ("GOODSIG", "EXPKEYSIG", "REVKEYSIG", "EXPSIG"):
            fields = ("B" * 40, "2026-01-01", "1767225600", "0", "4", "0", "22", self.hash, self.kind)
            found.append(" ".join(("VALIDSIG", *fields, *filter(None, [self.primary]))))
        return [f"[GNUPG:] {line}" for line in found]


def status(*signatures: Signed) -> str:
    """Return what gpg says of them, with its words for people between."""
    return "\n".join(("gpg: Signature made", *(line for one in signatures for line in one.lines), "gpg: GOODSIG", ""))


GOOD = Signed("GOODSIG")


def test_who_signed() -> None:
    """The fingerprint is the key's own, also where a subkey signed; who else did does not matter."""
    assert signer(status(GOOD)) == "A" * 40
    assert signer(status(Signed("GOODSIG", primary=None))) == "B" * 40
    assert signer(status(Signed("GOODSIG", kind="01"))) == "A" * 40
    for other in ("NO_PUBKEY", "ERRSIG", "EXPKEYSIG", "REVKEYSIG", "EXPSIG"):
        assert signer(status(Signed(other), GOOD)) == signer(status(GOOD, Signed(other))) == "A" * 40


@pytest.mark.parametrize(
    ("signatures", "words"),
    [
        ([], "it is no detached OpenPGP signature"),
        ([Signed("BADSIG")], "it is not of what was fetched, or one of both was changed"),
        ([GOOD, Signed("BADSIG")], "it is not of what was fetched, or one of both was changed"),
        ([Signed("REVKEYSIG")], "its key is revoked"),
        ([Signed("EXPKEYSIG")], "its key has expired"),
        ([Signed("EXPSIG")], "it has expired"),
        ([Signed("ERRSIG"), Signed("NO_PUBKEY")], "it was made with a key that is none of signing_keys"),
        ([Signed("ERRSIG")], "it can't be verified"),
        ([Signed("GOODSIG", hash=SHA1)], "it uses a hash that is broken"),
        ([Signed("GOODSIG", hash=MD5), GOOD], "it uses a hash that is broken"),
        ([Signed("GOODSIG", kind=OF_KEY)], "it is no detached OpenPGP signature"),
    ],
)
def test_why_it_is_refused(signatures: list[Signed], words: str) -> None:
    """In one sentence."""
    with pytest.raises(ImageError) as caught:
        signer(status(*signatures))
    assert caught.value.message == f"Option signature: it is refused: {words}; nothing was published."


@given(
    st.lists(
        st.builds(
            Signed,
            st.sampled_from(["GOODSIG", "BADSIG", "NO_PUBKEY", "ERRSIG", "EXPSIG", "EXPKEYSIG", "REVKEYSIG"]),
            st.sampled_from([SHA256, "10", SHA1, MD5, "0"]),
            st.sampled_from([OF_FILE, "01", OF_KEY, "1F"]),
        ),
        max_size=4,
    )
)
def test_nothing_else_is_good(signatures: list[Signed]) -> None:
    """One at least is good, of a file, with a sound hash, and none is bad."""
    good = any(one.word == "GOODSIG" and one.kind in ("00", "01") and one.hash in ("8", "10") for one in signatures)
    weak = any(one.word == "GOODSIG" and one.hash in (SHA1, MD5, "0") for one in signatures)
    if good and not weak and all(one.word != "BADSIG" for one in signatures):
        assert signer(status(*signatures)) == "A" * 40
    else:
        with pytest.raises(ImageError):
            signer(status(*signatures))


@given(st.text(), st.lists(st.sampled_from(["[GNUPG:] ", "GOODSIG", "VALIDSIG", " ", "\n", "00", "8", "NEWSIG"])))
def test_no_text_is_taken_for_a_signature(text: str, words: list[str]) -> None:
    """Whatever gpg may say."""
    for said in (text, "".join(words), f"[GNUPG:] {text}"):
        with pytest.raises(ImageError):
            signer(said)


def test_fingerprints_of_keys() -> None:
    """Of the keys themselves and not of their subkeys, and of none that is revoked."""
    listing = """tru::1:1:0:3:1:5
pub:u:255:22:AAAA:1:::u:::scESC::::::23::0:
fpr:::::::::1111AAAA:
uid:u::::1::X::vendor::::::::::0:
sub:u:255:18:BBBB:1::::::e::::::23:
fpr:::::::::2222BBBB:
pub:r:255:22:CCCC:1:::u:::scESC::::::23::0:
fpr:::::::::3333CCCC:
pub:e:255:22:DDDD:1:::u:::scESC::::::23::0:
fpr:::::::::4444DDDD:
fpr:
"""
    assert key_fingerprints(listing) == {"1111AAAA", "4444DDDD"}
    assert key_fingerprints("") == frozenset()
