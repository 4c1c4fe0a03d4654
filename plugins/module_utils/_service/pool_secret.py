# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The key of a pool, as a secret of libvirt that is the pool's own: read, set, forgotten."""

from __future__ import annotations

from uuid import NAMESPACE_URL, uuid5

from .._driver.connection import Connection
from .._driver.secret import Secret, define_secret, find_secret
from .._plan.volume_secret import SecretState
from .._spec.pool import PoolSpec
from .._spec.pool_key import USAGES, PoolKey, secret_usage
from .._xml.secret import SecretDescription


def read_secret_state(connection: Connection, spec: PoolSpec) -> SecretState | None:
    """Return the pool's own secret, where a key is declared or the pool shall go."""
    secret = _find(connection, spec)
    if secret is None:
        return None
    found = secret.describe()
    return SecretState(secret.uuid, found.description, found.private)


def set_key(connection: Connection, pool: str, key: PoolKey) -> None:
    """Have libvirt keep the key; it is made private last, which can't be taken back: one that is not private is set again."""
    usage = secret_usage(pool)
    found = find_secret(connection, key.usage, usage)
    if found is not None and found.describe().private:
        found.undefine()
    uuid = found.uuid if found else str(uuid5(NAMESPACE_URL, f"{key.usage}:{usage}"))
    define_secret(connection, SecretDescription(uuid, usage, key.description(), usage=key.usage)).set_value(key.value)
    define_secret(connection, SecretDescription(uuid, usage, key.description(), private=True, usage=key.usage))


def forget_key(connection: Connection, spec: PoolSpec) -> None:
    """Have libvirt forget the key of a pool that is gone."""
    secret = _find(connection, spec)
    if secret is not None:
        secret.undefine()


def _find(connection: Connection, spec: PoolSpec) -> Secret | None:
    """Return the pool's own secret; of a pool that shall go, nobody says what type it is."""
    if spec.present and spec.key is None:
        return None
    usages = (spec.key.usage,) if spec.key else tuple(USAGES.values())
    found = (find_secret(connection, usage, secret_usage(spec.name)) for usage in usages)
    return next((secret for secret in found if secret is not None), None)
