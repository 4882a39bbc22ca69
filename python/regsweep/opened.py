"""What an opened store is to those that only look at it: ``library.Store`` without its verbs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from regsweep import _core
    from regsweep.bucket.location import BucketLocation
    from regsweep.own_files import OwnFiles


class Opened(Protocol):
    """An opened store."""

    @property
    def core(self) -> _core.Store:
        """The core's store."""

    @property
    def root(self) -> str:
        """The directory, or the URL of a bucket."""

    @property
    def location(self) -> BucketLocation | None:
        """Where the bucket is; ``None`` on a filesystem."""

    @property
    def own_files(self) -> OwnFiles:
        """What regsweep itself leaves in the store."""
