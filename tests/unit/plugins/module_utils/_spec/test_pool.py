# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of what can be declared of a storage pool."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._errors import SpecError
from ansible_collections.kilonova.compute.plugins.module_utils._spec.pool import (
    PoolAuth,
    PoolHost,
    PoolLayout,
    PoolSpec,
)
from ansible_collections.kilonova.compute.plugins.module_utils._spec.pool_key import PoolKey

UUID = "34bc081e-26ec-402b-a2b5-6bac7d1307c3"
TARGET = "iqn.2026-01.com.example:disks"


def spec(**params: t.Any) -> PoolSpec:
    """Read a declaration in which the rest is not set."""
    unset: dict[str, t.Any] = {"name": "fast", "state": "present", "type": None, "path": None, "source": None}
    switches = {"active": True, "autostart": True, "build": False, "refresh": False}
    return PoolSpec.from_params({**unset, **switches, **params})


def host(name: str = "a.example.com", port: int | None = None) -> dict[str, t.Any]:
    """Return a declared server."""
    return {"name": name, "port": port}


def auth(**params: t.Any) -> dict[str, t.Any]:
    """Return a declared login."""
    return {"username": "libvirt", "key": None, "secret_uuid": None, "secret_usage": None, **params}


def test_each_type_is_read() -> None:
    """Paths are written in one way, and UUIDs in small letters."""
    assert spec(type="dir", path="//srv/./fast/").layout == PoolLayout("dir", path="/srv/fast")
    assert spec(type="logical", source={"name": "vg0", "devices": ["/dev/sdb"]}).layout == PoolLayout(
        "logical", name="vg0", devices=("/dev/sdb",)
    )
    login = auth(secret_uuid=UUID.upper())
    ceph = {"name": "rbd", "hosts": [host(port=6789), host("fd00::1")], "auth": login}
    assert spec(type="rbd", source=ceph).layout == PoolLayout(
        "rbd",
        name="rbd",
        hosts=(PoolHost("a.example.com", 6789), PoolHost("fd00::1")),
        auth=PoolAuth("libvirt", UUID),
    )
    share = {"hosts": [host()], "dir": "volume", "format": "glusterfs"}
    assert spec(type="netfs", path="/mnt", source=share).layout == PoolLayout(
        "netfs", "/mnt", (PoolHost("a.example.com"),), "volume", format="glusterfs"
    )


def test_a_key_goes_to_a_secret_of_the_pools_own() -> None:
    """The layout names that, and nothing shows the key."""
    source = {"name": "x", "hosts": [host()], "auth": auth(key="c2VjcmV0IHdvcmRz")}
    declared = spec(type="rbd", source=source)
    assert declared.layout
    assert declared.layout.auth == PoolAuth("libvirt", secret_usage="kilonova.compute pool fast")
    assert declared.key == PoolKey("ceph", b"secret words")
    assert "secret words" not in repr(declared)
    chap = {"hosts": [host()], "devices": [TARGET], "auth": auth(key="pass word")}
    assert spec(type="iscsi", source=chap).key == PoolKey("iscsi", b"pass word")


@pytest.mark.parametrize(
    ("pool_type", "key"), [("rbd", "no base64"), ("rbd", ""), ("iscsi", ""), ("iscsi", "a\nb"), ("dir", "x")]
)
def test_what_is_no_key_is_refused(pool_type: str, key: str) -> None:
    """Each by the option that holds it."""
    with pytest.raises(SpecError) as caught:
        PoolKey.from_text(key, pool_type)
    assert caught.value.option == "source.auth.key"
    assert not key or f"{key} " not in str(caught.value)


def test_a_key_is_recognised_by_what_does_not_tell_it() -> None:
    """Of a key that nobody can guess more is told than of a password."""
    key, password = PoolKey("ceph", b"one"), PoolKey("iscsi", b"one")
    assert key.fits(key.description())
    assert password.fits(password.description())
    assert not PoolKey("ceph", b"two").fits(key.description())
    assert len(key.description()) - len(password.description()) == 14
    assert key.fits(None)


def test_a_state_alone_is_a_declaration() -> None:
    """Without a type, nothing is said about what the pool is made on; absent needs only a name."""
    assert spec(active=False) == PoolSpec("fast", active=False)
    assert spec(state="absent", type="dir", path="nonsense") == PoolSpec("fast", present=False)


@pytest.mark.parametrize(
    ("params", "option", "words"),
    [
        ({"name": "a/b"}, "name", "not a valid name"),
        ({"path": "/srv"}, "path", "without a type"),
        ({"source": {"name": "x"}}, "source", "without a type"),
        ({"type": "dir"}, "path", "missing"),
        ({"type": "dir", "path": "srv"}, "path", "absolute"),
        ({"type": "dir", "path": "/a\nb"}, "path", "absolute"),
        ({"type": "dir", "path": "/a", "source": {"name": "x"}}, "source.name", "no use"),
        ({"type": "fs", "path": "/a", "source": {}}, "source.devices", "missing"),
        ({"type": "fs", "path": "/a", "source": {"devices": ["/b", "/c"]}}, "source.devices", "one device"),
        ({"type": "fs", "path": "/a", "source": {"devices": []}}, "source.devices", "empty"),
        ({"type": "fs", "path": "/a", "source": {"devices": ["/b"], "format": "ntfs"}}, "source.format", "ntfs"),
        ({"type": "netfs", "path": "/a", "source": {"hosts": [host(), host()], "dir": "/e"}}, "source.hosts", "one"),
        ({"type": "netfs", "path": "/a", "source": {"hosts": [host()], "dir": "e"}}, "source.dir", "absolute"),
        (
            {"type": "netfs", "path": "/a", "source": {"hosts": [host()], "dir": "", "format": "cifs"}},
            "source.dir",
            "share",
        ),
        ({"type": "logical", "source": {"name": "-f"}}, "source.name", "not a name"),
        (
            {"type": "logical", "source": {"name": "vg", "devices": ["/dev/sdb", "/dev/disk/by-id/a"]}},
            "source.devices[1]",
            "is a link",
        ),
        ({"type": "logical", "path": "/dev/vg", "source": {"name": "vg"}}, "path", "no use"),
        ({"type": "iscsi", "source": {"hosts": [host()], "devices": ["/dev/sda"]}}, "source.devices", "iSCSI name"),
        (
            {"type": "iscsi", "source": {"hosts": [host()], "devices": [TARGET], "initiator": "me"}},
            "source.initiator",
            "iSCSI name",
        ),
        ({"type": "rbd", "source": {"name": "x", "hosts": []}}, "source.hosts", "empty"),
        ({"type": "rbd", "source": {"name": "x", "hosts": [host("a b")]}}, "source.hosts[0].name", "no host"),
        ({"type": "rbd", "source": {"name": "x", "hosts": [host(port=65536)]}}, "source.hosts[0].port", "no port"),
        ({"type": "rbd", "source": {"name": "x", "hosts": [host()], "auth": auth()}}, "source.auth", "exactly one"),
        (
            {"type": "rbd", "source": {"name": "x", "hosts": [host()], "auth": auth(key="eA==", secret_usage="u")}},
            "source.auth",
            "exactly one",
        ),
        (
            {"type": "rbd", "source": {"name": "x", "hosts": [host()], "auth": auth(secret_uuid="key==")}},
            "source.auth.secret_uuid",
            "no UUID",
        ),
        (
            {"type": "rbd", "source": {"name": "x", "hosts": [host()], "auth": auth(username="", secret_usage="u")}},
            "source.auth.username",
            "empty",
        ),
        ({"active": False, "refresh": True}, "refresh", "not active"),
    ],
)
def test_bad_input_is_refused(params: dict[str, t.Any], option: str, words: str) -> None:
    """The sentence names the option, and what is wrong with it."""
    with pytest.raises(SpecError) as caught:
        spec(**params)
    assert caught.value.option == option
    assert words in caught.value.message
