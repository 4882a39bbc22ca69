"""Uploads: pushes under way, and those that nobody will finish.

::

    uploads = regsweep.open("/etc/docker/registry/config.yml").uploads()
    for upload in uploads.stale():
        print(upload.repository, upload.started, upload.size_bytes)
    removed = regsweep.remove_uploads(uploads)

An upload is stale when it was started, and last written to, longer ago than some age: by default the registry's own, at
which its ``maintenance.uploadpurging`` would take it (which looks at the start alone).

On S3 there may be multipart uploads that belong to no upload any more: a registry that purges uploads itself forgets
them. They are listed, and go, by the same age.
"""

from __future__ import annotations

from regsweep import _core
from regsweep._core import MultipartUpload, RemovedUploads, Upload
from regsweep.config import DEFAULT_UPLOAD_AGE_SECONDS
from regsweep.errors import StorageError, UploadAgeError
from regsweep.units import seconds_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from regsweep._core import Note
    from regsweep.callbacks import ProgressCallback
    from regsweep.config import RegistryConfig

__all__ = ["MultipartUpload", "RemovedUploads", "Upload", "Uploads", "list_uploads", "remove_uploads"]


class Uploads:
    """The uploads of a store at one moment. Holds nothing that can remove.

    Attributes:
        default_age_seconds: the age at which the store's registry purges uploads; ``None`` where it does not.
    """

    def __init__(self, core: _core.Uploads, *, default_age_seconds: float | None) -> None:
        self._core = core
        self.default_age_seconds = default_age_seconds

    @property
    def listed(self) -> datetime:
        """When they were listed, in UTC; ages count back from then."""
        return self._core.listed

    @property
    def all(self) -> list[Upload]:
        """By repository, the oldest first."""
        return self._core.all

    @property
    def multipart(self) -> list[MultipartUpload]:
        """Multipart uploads of S3 that belong to none of them, by key."""
        return self._core.multipart

    @property
    def notes(self) -> list[Note]:
        """Odd things that are left alone, and uploads of which nobody knows when they were started."""
        return self._core.notes

    def stale(self, older_than: timedelta | float | None = None) -> list[Upload]:
        """The uploads that were started, and last written to, longer ago.

        Args:
            older_than: the age, a number is seconds; by default that of the registry.

        Raises:
            UploadAgeError: no age is given, and the registry has none.
        """
        return self._core.stale(self._age_seconds(older_than))

    def stale_multipart(self, older_than: timedelta | float | None = None) -> list[MultipartUpload]:
        """The multipart uploads without an upload that were begun, and last written to, longer ago.

        Args:
            older_than: the age, a number is seconds; by default that of the registry.

        Raises:
            UploadAgeError: no age is given, and the registry has none.
        """
        return self._core.stale_multipart(self._age_seconds(older_than))

    def _age_seconds(self, older_than: timedelta | float | None) -> float:
        if older_than is not None:
            return seconds_of(older_than)
        if self.default_age_seconds is None:
            raise UploadAgeError
        return self.default_age_seconds


def _default_age_seconds(config: RegistryConfig | None) -> float | None:
    """The age at which a registry purges uploads: 168 hours where nothing says another, ``None`` where it does not."""
    return DEFAULT_UPLOAD_AGE_SECONDS if config is None else config.upload_age_seconds


def list_uploads(
    core: _core.Store, config: RegistryConfig | None, *, progress: ProgressCallback | None = None
) -> Uploads:
    """What ``Store.uploads`` gives.

    Raises:
        StorageError: something could not be listed or read.
    """
    try:
        return Uploads(core.uploads(progress=progress), default_age_seconds=_default_age_seconds(config))
    except _core.CoreError as error:
        raise StorageError.from_core(error) from error


def remove_uploads(
    uploads: Uploads, *, older_than: timedelta | float | None = None, progress: ProgressCallback | None = None
) -> RemovedUploads:
    """Removes the stale ones of the uploads, and aborts the stale ones of the multipart uploads without one.

    Each is looked at again right before; one that goes on is left.

    A failed removal never stops the rest: look at ``failures`` of the result. Running again is always safe.

    Args:
        uploads: what ``Store.uploads`` gave.
        older_than: the age, a number is seconds; by default that of the registry.
        progress: called about ten times a second, from this thread.

    Raises:
        UploadAgeError: no age is given, and the registry has none; nothing was removed.
    """
    return _core.remove_uploads(uploads._core, uploads._age_seconds(older_than), progress=progress)
