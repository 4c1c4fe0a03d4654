# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of what libvirt can't do in pools of some types."""

from __future__ import annotations

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._errors import SpecError
from ansible_collections.kilonova.compute.plugins.module_utils._service.pool_limits import (
    refuse_beyond,
    refuse_copy,
    refuse_remote,
)
from ansible_collections.kilonova.compute.plugins.module_utils._spec.encryption import EncryptionSpec
from ansible_collections.kilonova.compute.plugins.module_utils._spec.volume import StoredVolumeSpec
from ansible_collections.kilonova.compute.plugins.module_utils._xml.volume import PoolDescription


def pool(name: str, pool_type: str) -> PoolDescription:
    """Return a pool of that type."""
    return PoolDescription(name, "uuid", pool_type, None, 0, 0, 0)


CEPH, DIR = pool("ceph", "rbd"), pool("default", "dir")


def test_what_libvirt_cannot_read_or_write_is_refused() -> None:
    """With the option, the pool, and what can."""
    refuse_remote(DIR, "src", "write", "import it")
    with pytest.raises(SpecError) as caught:
        refuse_remote(CEPH, "src", "write", "import it")
    assert str(caught.value) == "Option src: libvirt can't write volumes of pool ceph of type rbd; import it."


def test_nothing_is_copied_in_or_out() -> None:
    """Within the pool it is, and elsewhere as ever; another Ceph pool is elsewhere, too."""
    refuse_copy(CEPH, CEPH, "source")
    refuse_copy(DIR, pool("fast", "logical"), "source")
    for one, other in ((CEPH, DIR), (DIR, CEPH), (CEPH, pool("more", "rbd"))):
        with pytest.raises(SpecError, match="Option source: libvirt can't copy between pool ceph of type rbd"):
            refuse_copy(one, other, "source")


@pytest.mark.parametrize(
    ("spec", "option"),
    [
        (StoredVolumeSpec("a", encryption=EncryptionSpec("words")), "encryption"),
        (StoredVolumeSpec("a", present=False, wipe=True), "wipe"),
    ],
)
def test_what_libvirt_cannot_do_of_zfs_is_refused(spec: StoredVolumeSpec, option: str) -> None:
    """It can elsewhere."""
    refuse_beyond(spec, pool("vg", "logical"))
    with pytest.raises(SpecError) as caught:
        refuse_beyond(spec, pool("tank", "zfs"))
    assert caught.value.option == option


def test_files_go_to_zfs_and_come_back_and_copies_do_not() -> None:
    """Not even within the pool."""
    refuse_beyond(StoredVolumeSpec("a", src="/b", dest="/c"), pool("tank", "zfs"))
    for origin in (pool("tank", "zfs"), DIR):
        with pytest.raises(SpecError, match="can't copy to pool tank of type zfs"):
            refuse_copy(pool("tank", "zfs"), origin, "source")
    refuse_copy(DIR, pool("tank", "zfs"), "source")
    for option, spec in (("src", StoredVolumeSpec("a", src="/b")), ("dest", StoredVolumeSpec("a", dest="/b"))):
        with pytest.raises(SpecError, match=f"Option {option}: libvirt can't"):
            refuse_beyond(spec, CEPH)
