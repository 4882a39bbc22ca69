"""The ways to set aside what a plan names, and which of them is taken where nobody says.

=================  ================================================================================================
``move``           by renames, on a filesystem: the only way there
``delete-marker``  in a bucket that keeps versions: hidden where it is (``rust/core/src/store/bucket/hidden.rs``)
``condemn``        in a bucket: written down, and removed only when a second mark finds it dead, too (``condemned``)
``copy``           in a bucket: each object is copied into the run's quarantine, and removed where it was
=================  ================================================================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from regsweep.errors import BucketOptionError

if TYPE_CHECKING:
    from regsweep.library import Store

Way: TypeAlias = Literal["move", "delete-marker", "condemn", "copy"]
# What can be asked for. What ``auto`` means depends on the store.
Wanted: TypeAlias = Literal["auto", "delete-marker", "condemn", "copy"]
WANTED: tuple[Wanted, ...] = ("auto", "delete-marker", "condemn", "copy")


def way_for(store: Store, wanted: Wanted) -> Way:
    """How things are set aside in a store. The one place where ``auto`` is decided.

    Raises:
        BucketOptionError: the store has no such way.
        StorageError: the bucket cannot be asked whether it keeps versions.
    """
    if not store.is_bucket:
        if wanted != "auto":
            raise BucketOptionError(
                f"--set-aside {wanted} is for buckets: on a filesystem things are moved into quarantine",
                key="set_aside",
                next_step="leave it out, or say auto",
            )
        return "move"
    if wanted == "auto":
        return "delete-marker" if store.keeps_versions else "condemn"
    if wanted == "delete-marker" and not store.keeps_versions:
        raise BucketOptionError(
            f"--set-aside delete-marker is for buckets that keep versions, and {store.root} does not, or not so that "
            "regsweep could find them again as they were",
            key="set_aside",
            next_step="say condemn or copy, or turn the bucket's versioning on",
        )
    return wanted
