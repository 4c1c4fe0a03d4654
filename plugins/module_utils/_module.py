# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The outermost layer of every module: common options, the connection, and errors turned into a failed task."""

from __future__ import annotations

import traceback
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ._driver.connection import Connection
from ._errors import ComputeError
from ._options import connection_options
from ._secrets import censored, has_nested_secrets, secret_words

Declared = t.TypeVar("Declared")


class ComputeModule:
    """Wraps ``AnsibleModule``: the connection options are always there, and check mode is always supported."""

    def __init__(self, argument_spec: dict[str, t.Any], **kwargs: t.Any) -> None:
        """Take a module's own options and the keyword arguments of ``AnsibleModule``."""
        spec = {**connection_options(), **argument_spec}
        self.ansible = AnsibleModule(
            argument_spec=spec, supports_check_mode=True, no_log=has_nested_secrets(spec), **kwargs
        )
        self.params: dict[str, t.Any] = self.ansible.params
        self._invocation = {"module_args": censored(spec, self.params)}
        self.ansible.no_log_values = set(secret_words(spec, self.params))
        self.check_mode: bool = self.ansible.check_mode

    def run(
        self,
        read: t.Callable[[dict[str, t.Any]], Declared],
        work: t.Callable[[Connection, Declared, bool], dict[str, t.Any]],
    ) -> t.NoReturn:
        """Make data of the options, connect, do the ``work`` (told whether only to check), exit with what it returns.

        Bad options are refused before anything is connected to; any :class:`ComputeError` fails the task.
        """
        try:
            declared = read(self.params)
            with Connection(self.params["uri"]) as connection:
                result = work(connection, declared, self.check_mode)
        except ComputeError as exc:
            self.fail(exc)
        for warning in result.pop("warnings", ()):
            self.ansible.warn(warning)
        if not self.ansible._diff:  # pylint: disable=protected-access  # diff mode has no public name
            result.pop("diff", None)
        self.ansible.exit_json(**result, invocation=self._invocation)

    def fail(self, exc: ComputeError) -> t.NoReturn:
        """Fail the task with the error's sentence, its code and its details."""
        self.ansible.fail_json(
            msg=exc.message,
            error_code=exc.code,
            exception=traceback.format_exc(),
            invocation=self._invocation,
            **exc.details,
        )
