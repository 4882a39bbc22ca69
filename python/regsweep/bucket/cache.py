"""Where manifests of a bucket are kept from run to run. They never change, so that they need not be read twice."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from regsweep.errors import BucketOptionError

DEFAULT_BYTES = 2**30
_BELOW_CACHES = "regsweep/manifests"


def directory_for(cache: bool | str | os.PathLike[str], environment: Mapping[str, str]) -> str | None:
    """The directory of the cache, which is made where it is missing; ``None`` for no cache.

    Args:
        cache: a directory, or whether there is to be a cache where such things go. If that is not to be had, as for
            a service without a home, there is none: it only saves time.
        environment: says where such things go (``XDG_CACHE_HOME``, ``HOME``).

    Raises:
        BucketOptionError: a directory is named that cannot be written to.
    """
    if isinstance(cache, bool):
        directory = _default_directory(environment) if cache else None
        return str(directory) if directory is not None and _make(directory) is None else None
    directory = Path(cache).absolute()
    if reason := _make(directory):
        raise BucketOptionError(
            f"manifests cannot be kept in {directory}: {reason}",
            key=str(directory),
            next_step="name another directory with --cache-dir, or give --no-cache (in Python: cache)",
        )
    return str(directory)


def _default_directory(environment: Mapping[str, str]) -> Path | None:
    # A relative one is to be ignored (XDG Base Directory Specification).
    caches = environment.get("XDG_CACHE_HOME", "")
    if Path(caches).is_absolute():
        return Path(caches) / _BELOW_CACHES
    home = environment.get("HOME", "")
    return Path(home) / ".cache" / _BELOW_CACHES if Path(home).is_absolute() else None


def _make(directory: Path) -> str | None:
    """Why a directory cannot be made or written to; ``None`` where it can, and is there now."""
    try:
        # What is in it names what is in a registry: nobody else's business.
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        return error.strerror or "unknown"
    return None if os.access(directory, os.W_OK | os.X_OK) else "permission denied"
