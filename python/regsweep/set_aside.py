"""The ways to set aside what a plan names, and which of them is taken where nobody says.

===========  ================================================================================================
``move``     by renames, on a filesystem: the only way there
``condemn``  in a bucket: written down, and removed only when a second mark finds it dead, too (``condemned``)
``copy``     in a bucket: each object is copied into the run's quarantine, and removed where it was
===========  ================================================================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from regsweep.errors import BucketOptionError

if TYPE_CHECKING:
    from regsweep.library import Store

Way: TypeAlias = Literal["move", "condemn", "copy"]
# What can be asked for. What ``auto`` means depends on the store.
Wanted: TypeAlias = Literal["auto", "condemn", "copy"]
WANTED: tuple[Wanted, ...] = ("auto", "condemn", "copy")


def way_for(store: Store, wanted: Wanted) -> Way:
    """How things are set aside in a store. The one place where ``auto`` is decided.

    Raises:
        BucketOptionError: the store has no such way.
    """
    if not store.is_bucket:
        if wanted != "auto":
            raise BucketOptionError(
                f"--set-aside {wanted} is for buckets: on a filesystem things are moved into quarantine",
                key="set_aside",
                next_step="leave it out, or say auto",
            )
        return "move"
    return "condemn" if wanted == "auto" else wanted
