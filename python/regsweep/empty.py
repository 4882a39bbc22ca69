"""Directories that nothing is left in: of layer links and blobs that were removed, of tags, of whole repositories.

::

    store = regsweep.open("/var/lib/registry")
    print(store.empty().repositories)
    regsweep.remove_empty(store)
"""

from __future__ import annotations

from regsweep import _core
from regsweep._core import EmptyDirectories
from regsweep.journal import unfinished
from regsweep.library import DEFAULT_EMPTY_SECONDS
from regsweep.lock import StoreLock
from regsweep.units import seconds_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from datetime import timedelta

    from regsweep.callbacks import ProgressCallback
    from regsweep.library import Store

__all__ = ["EmptyDirectories", "remove_empty"]


def remove_empty(
    store: Store,
    *,
    older_than: timedelta | float = DEFAULT_EMPTY_SECONDS,
    progress: ProgressCallback | None = None,
) -> EmptyDirectories:
    """Removes the directories that ``Store.empty`` would find now, by a call that takes none with anything in it.

    A failed removal never stops the rest: look at ``failures`` of the result. Running again is always safe.

    Args:
        store: where.
        older_than: how long they have not changed; a number is seconds.
        progress: called about ten times a second, from this thread.

    Raises:
        LockedError: another run is at work on the store; nothing was removed.
        UnfinishedError: something could not be listed; what was removed until then is removed.
    """
    with (
        StoreLock(store.own_files, "empty"),
        unfinished("empty directories were being removed", "run it again"),
    ):
        return _core.remove_empty(store.core, seconds_of(older_than), progress=progress)
