# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What can go wrong, one class for each kind; only ``_module`` turns these into a failed task.

ComputeError
    SpecError            an option is wrong
    MissingLibraryError  a Python library is not installed where the module runs
    UnreachableError     no hypervisor at that URI
    DriverError          libvirt refused a call
        NotFoundError    the named object is not there
        ExistsError      an object of that name is there already
        UnsupportedError this hypervisor cannot do that
        AgentAbsentError the domain has no channel to a guest agent
        AgentAwayError   the guest agent is not connected, not yet or no longer, or does not answer
    GuestError           what runs in the guest, or the guest itself, failed
    CapacityError        the host has no room
    ImageError           an image could not be fetched, verified or published
    ConflictError        something else holds the name or the object
    WaitTimeoutError     the expected state did not come in time
    BatchError           some of several instances failed
"""

from __future__ import annotations

import typing as t


class ComputeError(Exception):
    """Base of all errors of this collection; ``code`` is for machines, the message for people."""

    code = "COMPUTE_ERROR"

    def __init__(self, message: str, details: dict[str, t.Any] | None = None) -> None:
        """Keep ``message`` (one sentence) and ``details`` (plain data for the task's result)."""
        super().__init__(message)
        self.message = message
        self.details = details or {}


class SpecError(ComputeError):
    """An option holds something that can't be honoured."""

    code = "INVALID_OPTION"

    def __init__(self, option: str, problem: str, remedy: str = "") -> None:
        """Name the ``option``, the ``problem`` and what would be right."""
        sentence = f"Option {option}: {problem}"
        super().__init__(f"{sentence}; {remedy}." if remedy else f"{sentence}.", {"option": option})
        self.option, self.problem, self.remedy = option, problem, remedy


class MissingLibraryError(ComputeError):
    """A Python library is not installed where the module runs."""

    code = "MISSING_LIBRARY"


class UnreachableError(ComputeError):
    """No hypervisor could be reached at the URI."""

    code = "CONNECTION_FAILED"


class DriverError(ComputeError):
    """Libvirt refused a call."""

    code = "LIBVIRT_ERROR"


class NotFoundError(DriverError):
    """The named object is not there."""

    code = "NOT_FOUND"


class ExistsError(DriverError):
    """An object of that name is there already."""

    code = "ALREADY_EXISTS"


class UnsupportedError(DriverError):
    """The hypervisor cannot do that."""

    code = "UNSUPPORTED"


class AgentAbsentError(DriverError):
    """The domain has no channel to a guest agent; waiting does not help."""

    code = "NO_AGENT"


class AgentAwayError(DriverError):
    """The guest agent is not connected, not yet or no longer, or does not answer; later it may."""

    code = "AGENT_NOT_CONNECTED"


class GuestError(ComputeError):
    """What runs in the guest, or the guest itself, failed."""

    code = "GUEST_FAILED"


class CapacityError(ComputeError):
    """The host has no room for what was asked."""

    code = "NO_CAPACITY"


class ImageError(ComputeError):
    """An image could not be fetched, verified or published."""

    code = "IMAGE_ERROR"


class ConflictError(ComputeError):
    """Something that is not ours holds the name or the object."""

    code = "CONFLICT"


class WaitTimeoutError(ComputeError):
    """The expected state did not come in time."""

    code = "TIMEOUT"


class BatchError(ComputeError):
    """Some of several instances failed; the others were done."""

    code = "BATCH_FAILED"
