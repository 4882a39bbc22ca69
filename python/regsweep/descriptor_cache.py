"""The registry's cache of blob descriptors, which goes on saying that a removed blob is there.

With ``redis`` the entries can be removed by key. With ``inmemory`` they last as long as the registry's process: only
one that was started after the removal has forgotten. (``registry/storage/cache/{redis,memory}`` of distribution; the
keys are the same in 2.8 and 3.x.)
"""

from __future__ import annotations

import csv
import io
import itertools
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from regsweep.errors import CacheError

if TYPE_CHECKING:
    from regsweep.config import RegistryConfig

# Keys a round trip: enough for the wait not to matter.
_PIPELINE = 2000


def forget(config: RegistryConfig, plan: BinaryIO, progress: Callable[[int], None] | None = None) -> int:
    """Removes from Redis what it holds of the blobs and links that a plan names, in both scopes: of the registry, and
    of each repository. Doing it again does no harm.

    Args:
        config: of the registry; its cache is ``redis``.
        plan: the plan's text.
        progress: told how many rows are done.

    Returns:
        How many entries there were.

    Raises:
        CacheError: Redis cannot be reached, or does not do it.
    """
    import redis

    try:
        client = _client(config.redis)
        removed = done = 0
        for rows in _portions(_entries(plan)):
            pipeline = client.pipeline(transaction=False)
            for repository, digest in rows:
                pipeline.delete(f"blobs::{digest}")
                if repository:
                    pipeline.srem(f"repository::{repository}::blobs", digest)
                    pipeline.delete(f"repository::{repository}::blobs::{digest}")
            removed += sum(pipeline.execute())
            done += len(rows)
            if progress is not None:
                progress(done)
        return removed
    except (redis.RedisError, OSError) as error:
        raise CacheError(f"the registry's Redis cache could not be cleared: {error}") from error


def _entries(plan: BinaryIO) -> Iterator[tuple[str, str]]:
    text = io.TextIOWrapper(plan, encoding="utf-8", newline="")
    for row in csv.DictReader(line for line in text if not line.startswith("#")):
        if row["kind"] in ("manifest", "layer-link"):
            yield row["repository"], row["digest"]
        elif row["kind"] == "blob":
            yield "", row["digest"]


def _portions(entries: Iterable[tuple[str, str]]) -> Iterator[list[tuple[str, str]]]:
    iterator = iter(entries)
    while portion := list(itertools.islice(iterator, _PIPELINE)):
        yield portion


def _client(section: Mapping[str, Any]) -> Any:
    """A client for the ``redis`` section of a registry's configuration, of 2.8 (``addr``) or 3.x (``addrs``)."""
    import redis
    from redis.cluster import ClusterNode, RedisCluster
    from redis.sentinel import Sentinel

    addresses = [_address(address) for address in section.get("addrs") or [section.get("addr") or ""]]
    if not addresses or not addresses[0][0]:
        raise CacheError("the registry's configuration names no Redis (redis.addr or redis.addrs)")
    tls = section.get("tls") or {}
    common: dict[str, Any] = {
        "username": section.get("username") or None,
        "password": section.get("password") or None,
        "socket_connect_timeout": 10,
        "socket_timeout": 60,
    }
    if tls:
        roots = tls.get("rootcas") or []
        common |= {
            "ssl": True,
            "ssl_certfile": tls.get("certificate") or None,
            "ssl_keyfile": tls.get("key") or None,
            "ssl_ca_certs": roots[0] if roots else None,
        }
    if name := section.get("mastername"):
        passwords = {"username": section.get("sentinelusername"), "password": section.get("sentinelpassword")}
        sentinel = Sentinel(addresses, sentinel_kwargs=passwords, **common)  # type: ignore[no-untyped-call]
        return sentinel.master_for(name, db=section.get("db") or 0)  # type: ignore[no-untyped-call]
    if len(addresses) > 1:
        nodes = [ClusterNode(host, port) for host, port in addresses]  # type: ignore[no-untyped-call]
        return RedisCluster(startup_nodes=nodes, **common)
    host, port = addresses[0]
    return redis.Redis(host=host, port=port, db=section.get("db") or 0, **common)


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return (host.strip("[]"), int(port)) if host and port.isdigit() else (text, 6379)


def process_started(pid: int) -> float:
    """When a process was started, in seconds since 1970.

    Raises:
        CacheError: there is no such process.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        boot = next(line for line in Path("/proc/stat").read_text().splitlines() if line.startswith("btime "))
    except (OSError, StopIteration) as error:
        raise CacheError(f"there is no process {pid}: {error}") from error
    # Field 22 of proc(5); the first one after the name is the third.
    return int(boot.split()[1]) + int(fields[19]) / os.sysconf("SC_CLK_TCK")


def restarted_since(moment: float, started: Collection[float]) -> bool:
    """Whether registry processes, by their start times, were all started after a moment; not where none is given."""
    return bool(started) and min(started) > moment
