# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests for pools and volumes on libvirt's test driver: structure only, it keeps no data."""

from __future__ import annotations

import io
import typing as t
from pathlib import Path

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._driver.connection import Connection, libvirt
from ansible_collections.kilonova.compute.plugins.module_utils._driver.storage import (
    Pool,
    Volume,
    find_pool,
    pool_of_path,
    running_pools,
    while_busy,
)
from ansible_collections.kilonova.compute.plugins.module_utils._errors import ConflictError, DriverError, NotFoundError

GIB = 1024**3
NODE = """
<node>
  <pool type='dir'><name>default-pool</name><target><path>/default-pool</path></target></pool>
</node>
"""


@pytest.fixture
def connection(tmp_path: Path) -> t.Iterator[Connection]:
    """Return a connection to a host of its own, which is gone with it."""
    node = tmp_path / "node.xml"
    node.write_text(NODE)
    with Connection(f"test://{node}") as opened:
        yield opened


@pytest.fixture
def pool(connection: Connection) -> Pool:
    """Return its pool."""
    return find_pool(connection, "default-pool")


def test_missing_pool_names_those_there_are(connection: Connection) -> None:
    """The error names the option, the pool and the others."""
    with pytest.raises(NotFoundError) as caught:
        find_pool(connection, "fast")
    assert caught.value.message == (
        f"Option pool: there is no storage pool named fast at {connection.uri};" " there are: default-pool."
    )


def test_stopped_pool_is_told(connection: Connection) -> None:
    """A pool that does not run can't be used, and is not among the running ones."""
    connection.raw.storagePoolLookupByName("default-pool").destroy()
    with pytest.raises(DriverError, match="is not running; start it"):
        find_pool(connection, "default-pool")
    assert running_pools(connection) == []


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/default-pool/a.log", True),
        ("/default-pool//a.log", True),
        ("/other/../default-pool/a.log", True),
        ("/default-pool/deeper/a.log", False),
        ("/default-pool2/a.log", False),
        ("/a.log", False),
    ],
)
def test_the_pool_that_a_file_lies_in(connection: Connection, path: str, found: bool) -> None:
    """The file itself need not be known to the pool."""
    pool = pool_of_path(connection, path)
    assert (pool.name if pool else None) == ("default-pool" if found else None)


def test_a_stopped_pool_holds_nothing(connection: Connection) -> None:
    """Nothing can be read through it."""
    connection.raw.storagePoolLookupByName("default-pool").destroy()
    assert pool_of_path(connection, "/default-pool/a.log") is None


def test_volumes_come_and_go(connection: Connection, pool: Pool) -> None:
    """A volume is created, found, listed with one call, deleted, and deleting it again is fine."""
    assert pool.find("a") is None
    created = pool.create("a", GIB, "raw")
    assert (created.name, created.capacity, created.allocation, created.backing) == ("a", GIB, 0, None)
    assert created.path == f"{pool.describe().path}/a"
    with pytest.raises(DriverError, match="Cannot create volume a in storage pool default-pool: "):
        pool.create("a", GIB, "raw")
    pool.create("b", GIB, "raw", allocation=GIB // 2)

    directory = pool.describe().path
    connection.calls.clear()
    listed = pool.volumes()
    assert {volume.path for volume in listed.values()} == {f"{directory}/a", f"{directory}/b"}
    assert connection.calls == {"listAllVolumes": 1}

    listed["a"].delete()
    created.delete()
    assert set(pool.volumes()) == {"b"}
    pool.refresh()


def test_info_is_in_bytes(pool: Pool) -> None:
    """A pool says what it is and how full."""
    before = pool.describe()
    assert (before.name, before.uuid, before.type) == ("default-pool", pool.uuid, "dir")
    pool.create("a", GIB, "raw", allocation=GIB)
    after = pool.describe()
    assert after.allocation_bytes - before.allocation_bytes == GIB
    assert after.available_bytes == after.capacity_bytes - after.allocation_bytes


def test_data_needs_a_real_daemon(pool: Pool) -> None:
    """A hypervisor that keeps no data says so, by the volume's name."""
    with pytest.raises(DriverError, match="Cannot upload volume a of storage pool default-pool: "):
        pool.create("a", 3, "raw").upload(io.BytesIO(b"abc"), 3)


def test_the_tail_of_nothing(pool: Pool) -> None:
    """An empty file is not downloaded: to libvirt no length means all of it."""
    assert pool.create("a", 0, "raw").read_tail(10) == (b"", 0)


def _refusal(code_name: str) -> DriverError:
    return DriverError("busy", {"libvirt_code": getattr(libvirt, code_name)})


def test_busy_is_tried_again() -> None:
    """Another job in the pool ends sooner or later."""
    answers = [_refusal("VIR_ERR_INTERNAL_ERROR"), _refusal("VIR_ERR_INTERNAL_ERROR"), None]

    def work() -> str:
        answer = answers.pop(0)
        if answer:
            raise answer
        return "done"

    assert while_busy(work, "VIR_ERR_INTERNAL_ERROR") == "done"
    assert answers == []


@pytest.mark.parametrize(("code", "calls"), [("VIR_ERR_NO_SUPPORT", 1), ("VIR_ERR_INTERNAL_ERROR", 2)])
def test_no_patience_for_ever_or_for_others(code: str, calls: int) -> None:
    """Other errors are raised at once, this one when patience ends."""
    seen = []

    def work() -> None:
        seen.append(1)
        raise _refusal(code)

    with pytest.raises(DriverError, match="busy"):
        while_busy(work, "VIR_ERR_INTERNAL_ERROR", patience=0.01)
    assert len(seen) == calls


class Unsteady:
    """Libvirt's pool as it is with a QEMU that fails at ``failures`` LUKS keys before it makes one."""

    def __init__(self, pool: t.Any, failures: int, message: str = "img: Unable to get accurate CPU usage") -> None:
        """Take the pool that makes the volume in the end."""
        self._pool = pool
        self._message = message
        self.left = failures

    def name(self) -> str:
        """Return its name."""
        return str(self._pool.name())

    def UUIDString(self) -> str:  # noqa: N802  # pylint: disable=invalid-name  # libvirt's own
        """Return its UUID."""
        return str(self._pool.UUIDString())

    def XMLDesc(self, flags: int) -> str:  # noqa: N802  # pylint: disable=invalid-name  # libvirt's own
        """Return what it is."""
        return str(self._pool.XMLDesc(flags))

    def createXML(self, text: str, flags: int) -> t.Any:  # noqa: N802  # pylint: disable=invalid-name  # libvirt's own
        """Make the volume, sooner or later."""
        if self.left:
            self.left -= 1
            raise libvirt.libvirtError(self._message)
        return self._pool.createXML(text, flags)


@pytest.mark.parametrize(("failures", "left"), [(0, 0), (3, 0), (19, 0), (40, 20)])
def test_an_unlucky_key_is_made_again(connection: Connection, failures: int, left: int) -> None:
    """But not for ever."""
    raw = Unsteady(connection.raw.storagePoolLookupByName("default-pool"), failures)
    pool = Pool(connection, raw)
    if left:
        with pytest.raises(DriverError, match="accurate CPU usage"):
            pool.create("a", GIB, "raw")
    else:
        assert pool.create("a", GIB, "raw").name == "a"
    assert raw.left == left


class Group:
    """A pool that is a volume group, and remembers how much room its volumes were given."""

    def __init__(self, pool_type: str) -> None:
        """Take the type, so that others can be looked at too."""
        self.type = pool_type
        self.texts: list[str] = []

    def name(self) -> str:
        """Return its name."""
        return "group"

    def UUIDString(self) -> str:  # noqa: N802  # pylint: disable=invalid-name  # libvirt's own
        """Return its UUID."""
        return "b6f30f5e-7b6b-4a39-8e58-1d6b0c5cf0d3"

    def XMLDesc(self, _flags: int) -> str:  # noqa: N802  # pylint: disable=invalid-name  # libvirt's own
        """Return what it is."""
        return f"<pool type='{self.type}'><name>group</name></pool>"

    def createXML(self, text: str, _flags: int) -> t.Any:  # noqa: N802  # pylint: disable=invalid-name  # libvirt's own
        """Remember the volume."""
        self.texts.append(text)
        return self


@pytest.mark.parametrize(
    ("pool_type", "volume_format", "room"),
    [("logical", "raw", GIB), ("logical", "qcow2", 0), ("zfs", "raw", 0), ("dir", "raw", 0)],
)
def test_a_volume_group_gives_all_the_room(
    connection: Connection, pool_type: str, volume_format: str, room: int
) -> None:
    """Where libvirt would else make a snapshot that LVM drops when it is written to; others stay sparse."""
    raw = Group(pool_type)
    Pool(connection, raw).create("a", GIB, volume_format)
    assert [f'<allocation unit="bytes">{room}</allocation>' in text for text in raw.texts] == [True]


def test_another_failure_is_none_of_luck(connection: Connection) -> None:
    """It is told at once."""
    raw = Unsteady(connection.raw.storagePoolLookupByName("default-pool"), 5, "No space left on device")
    with pytest.raises(DriverError, match="No space left"):
        Pool(connection, raw).create("a", GIB, "raw")
    assert raw.left == 4


class Image:
    """Libvirt's volume that is an image in a Ceph cluster, which others removed, or keep."""

    def __init__(self, reason: t.Any, description: str = "") -> None:
        """Be refused for that reason."""
        self._reason, self._description = reason, description

    def name(self) -> str:
        """Return a name that the pool does not know."""
        return "image"

    def key(self) -> str:
        """Return what it is called in the cluster."""
        return "instances/image"

    def XMLDesc(self, _flags: int) -> str:  # noqa: N802  # pylint: disable=invalid-name  # libvirt's
        """Return what libvirt knows of it."""
        if not self._description:
            raise self._reason
        return self._description

    def delete(self, _flags: int) -> None:
        """Be kept."""
        raise self._reason


def refused(pool: Pool) -> t.Any:
    """Return an error of libvirt's own that says nothing."""
    with pytest.raises(libvirt.libvirtError) as caught:
        pool._raw.storageVolLookupByName("image")  # pylint: disable=protected-access
    assert caught.value.err
    caught.value.err = (38, *caught.value.err[1:])
    return caught.value


def test_an_image_that_others_removed_is_gone(connection: Connection, pool: Pool) -> None:
    """Libvirt says that it can't be opened; that the pool does not have it any more is seen by looking again."""
    with pytest.raises(NotFoundError, match="is gone"):
        assert Volume(connection, Image(refused(pool)), pool.name).description


def test_an_image_that_ceph_keeps_says_how_it_ends(connection: Connection, pool: Pool) -> None:
    """Whatever libvirt makes of the reason."""
    known = "<volume type='network'><name>image</name></volume>"
    with pytest.raises(ConflictError, match="rbd flatten"):
        Volume(connection, Image(refused(pool), known), pool.name).delete()
