# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of how a plan's steps are gone through, on libvirt's test driver."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._driver import domain as driver
from ansible_collections.kilonova.compute.plugins.module_utils._driver.connection import Connection
from ansible_collections.kilonova.compute.plugins.module_utils._driver.guests import find_guest
from ansible_collections.kilonova.compute.plugins.module_utils._errors import NotFoundError
from ansible_collections.kilonova.compute.plugins.module_utils._plan.existing import Existing, OwnDisk
from ansible_collections.kilonova.compute.plugins.module_utils._plan.instance import plan_absent
from ansible_collections.kilonova.compute.plugins.module_utils._service._instance.host import Host
from ansible_collections.kilonova.compute.plugins.module_utils._service._instance.steps import Job, perform
from ansible_collections.kilonova.compute.plugins.module_utils._spec.lifecycle import Lifecycle, Limits
from ansible_collections.kilonova.compute.plugins.module_utils._spec.machine import Machine, OsBoot
from ansible_collections.kilonova.compute.plugins.module_utils._spec.record import InstanceRecord, OwnedDisk

XML = "<domain type='test'><name>web</name><memory>2048</memory><os><type>hvm</type></os></domain>"
DISK = OwnedDisk("vda", "gone", "web-vda.qcow2")
MACHINE = Machine("test", "web", os=OsBoot("hvm"), record=InstanceRecord(disks=(DISK,)), memory_kib=2048, vcpus=1)


@pytest.fixture
def host() -> t.Iterator[Host]:
    """Return a node that has domain web and no pool of that disk."""
    lifecycle = Lifecycle("default-pool", "auto", Limits(4.0, 1.0, 1.0, 0, 512, 0), force=False, shutdown_timeout=0)
    with Connection("test:///default") as connection:
        handle = driver.define(connection, "web", XML)
        yield Host(connection, lifecycle)
        driver.undefine(connection, "web", handle)


def removal(host: Host) -> Job:
    """Return the removal of web."""
    existing = Existing(MACHINE, "shutoff", active=False, disks=(OwnDisk("vda", "gone", "web-vda.qcow2"),))
    domain = find_guest(host.connection, "web")
    return Job("web", None, plan_absent("web", None, existing), existing=existing, domain=domain)


def test_a_removal_that_misses_something_else_is_not_done(host: Host) -> None:
    """As long as the domain is there, nobody did what was wanted."""
    job = removal(host)
    with pytest.raises(NotFoundError, match="gone"):
        perform(host, job)
    assert find_guest(host.connection, "web") is not None
    assert job.done == 0


def test_a_removal_that_somebody_else_finishes_is_done(host: Host) -> None:
    """Their run was faster, and took the pool along."""
    job = removal(host)
    driver.undefine(host.connection, "web", host.connection.raw.lookupByName("web"))
    perform(host, job)
    assert find_guest(host.connection, "web") is None
