"""What tells one store from another, wherever it is mounted.

A plan is made on one machine and may be applied on another, where the root has another path. What stays the same is
the inode of the registry's directory and when that was made; and the identity that the first run leaves in
``.regsweep``, which survives a move to another filesystem.
"""

from __future__ import annotations

import os
from pathlib import Path

from regsweep.journal import Journal

_REGISTRY = "docker/registry/v2"


def of(root: str) -> str:
    """The identity of the store below a root: ``inode:…`` and, once a run has left one, ``id:…``."""
    parts = []
    try:
        parts.append(f"inode:{os.stat(Path(root) / _REGISTRY).st_ino}")  # noqa: PTH116 - one call as good as the other
    except OSError:
        parts.append("inode:none")
    if left := Journal(root).identity():
        parts.append(f"id:{left}")
    return " ".join(parts)


def is_same(one: str, other: str) -> bool:
    """Whether two identities can be of one store: the left ids agree, or where there are none the inodes do."""
    first, second = _parts(one), _parts(other)
    for kind in ("id", "inode"):
        if kind in first and kind in second:
            return first[kind] == second[kind]
    return False


def _parts(identity: str) -> dict[str, str]:
    return dict(part.split(":", 1) for part in identity.split() if ":" in part)
