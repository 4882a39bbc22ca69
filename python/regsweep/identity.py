"""What tells one store from another, wherever it is mounted and whoever opens it.

A plan is made on one machine and may be applied on another, where the root has another path. What stays the same is
the inode of the registry's directory, or the bucket's name; and the identity that the first run leaves in
``.regsweep``, which survives a move to another filesystem or bucket.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from regsweep.journal import Journal

if TYPE_CHECKING:
    from regsweep.bucket.location import BucketLocation
    from regsweep.opened import Opened

_REGISTRY = "docker/registry/v2"


def of(store: Opened) -> str:
    """The identity of a store: ``inode:…`` or ``bucket:…`` and, once a run has left one, ``id:…``."""
    parts = [f"bucket:{_bucket(store.location)}" if store.location else f"inode:{_inode(store.root)}"]
    if left := Journal(store.own_files).identity():
        parts.append(f"id:{left}")
    return " ".join(parts)


def _bucket(location: BucketLocation) -> str:
    # Buckets of one name may be of several services, and containers of several accounts.
    where = (location.settings.get(name) for name in ("account", "endpoint"))
    return "@".join([location.url, *(str(part) for part in where if part)])


def _inode(root: str) -> str:
    try:
        return str(os.stat(Path(root) / _REGISTRY).st_ino)  # noqa: PTH116 - one call as good as the other
    except OSError:
        return "none"


def is_same(one: str, other: str) -> bool:
    """Whether two identities can be of one store: the left ids agree, or where there are none all else does."""
    first, second = _parts(one), _parts(other)
    for kind in ("id", "inode", "bucket"):
        if kind in first and kind in second:
            return first[kind] == second[kind]
    return False


def _parts(identity: str) -> dict[str, str]:
    return dict(part.split(":", 1) for part in identity.split() if ":" in part)
