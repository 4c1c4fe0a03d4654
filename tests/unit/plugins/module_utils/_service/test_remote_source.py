# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of what can't be done in pools that libvirt only knows over a network."""

from __future__ import annotations

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._errors import SpecError
from ansible_collections.kilonova.compute.plugins.module_utils._service.remote_source import (
    refuse_between,
    refuse_remote,
)
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
    refuse_between(CEPH, CEPH, "source")
    refuse_between(DIR, pool("fast", "logical"), "source")
    for one, other in ((CEPH, DIR), (DIR, CEPH), (CEPH, pool("more", "rbd"))):
        with pytest.raises(SpecError, match="Option source: libvirt can't copy between pool ceph of type rbd"):
            refuse_between(one, other, "source")
