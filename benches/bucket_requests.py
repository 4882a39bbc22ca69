"""The registries' own collectors and regsweep on the same bucket: requests, and how long they take.

    python benches/bucket_requests.py --repositories 24 --images 75 --output benches/results/DATE-MACHINE/buckets-20k

A server of each provider's kind is started and filled with a store (``tests/support/shaped_store.py``). Then everyone
makes a dry run with ``-m`` from the same configuration, through a proxy that counts requests and can make each of them
take longer, as one to a real bucket does. All must find the same blobs and manifests eligible. With ``--sweep``
everyone collects a copy of the bucket of its own, after the dry runs.

regsweep runs without its cache of manifests, and again with a cache that has been filled, as every night but the first.

What is unfair: servers that run beside the collector answer in a millisecond or less, so that without ``--latency``
the time is mostly theirs, and regsweep, which asks for many things at once, waits for the same two cores; with it, the
proxy is written in Python, and passes some thousand requests a second at best.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from rows import keep, table
from support.buckets import Azurite, BucketServer, FakeGcs, Moto, Versitygw
from support.counting_proxy import CountingProxy
from support.reference import REGSWEEP, Run, run_program, run_reference_on
from support.sections import write_section
from support.shaped_store import make_store, objects_of

ROOT = "some/root"
SERVERS: dict[str, type[BucketServer]] = {
    "versitygw": Versitygw,
    "moto": Moto,
    "azurite": Azurite,
    "fake-gcs": FakeGcs,
}
REFERENCES = {"2.8.2": 2, "3.1.2": 3}
# The slowest of them, with latency: 2.8.2 sends each request when the one before is answered.
TIMEOUT_SECONDS = 4 * 3600.0
COLUMNS = (
    "server",
    "objects",
    "latency_ms",
    "run",
    "collector",
    "requests",
    "requests_to_regsweep",
    "wall_seconds",
    "wall_to_regsweep",
    "least_requests",
)
Collect = Callable[[BucketServer, str, tuple[str, ...]], Run]


@dataclass
class Row:
    """The runs of one collector.

    Attributes:
        kinds: requests by what they ask for.
        requests_to_regsweep: how many times as many as regsweep makes without a cache.
        least_requests: a listing of all keys in full pages, and each linked manifest once.
        wall_seconds: the median of ``walls``.
        eligible: blobs and manifests.
    """

    server: str
    objects: int
    latency_ms: float
    run: str
    collector: str
    requests: int
    kinds: dict[str, int]
    requests_to_regsweep: float
    wall_seconds: float
    walls: list[float]
    wall_to_regsweep: float
    least_requests: int
    eligible: tuple[int, int]
    objects_left: int


class Comparison:
    """Everyone in turn on one bucket of one server."""

    def __init__(self, name: str, server: BucketServer, options: argparse.Namespace, directory: Path) -> None:
        self.name = name
        self.server = server
        self.options = options
        self.directory = directory
        self.rows: list[Row] = []
        self.bucket = server.fresh_bucket()
        objects = objects_of(make_store(options.repositories, options.images), ROOT)
        server.put_all(self.bucket, objects)
        self.object_count = len(objects)
        page_size = 5000 if server.provider == "azure" else 1000
        manifests = {key.rsplit("/", 2)[1] for key in objects if "/revisions/" in key}
        self.least = -(-len(objects) // page_size) + len(manifests)

    def collectors(self) -> Iterator[tuple[str, Collect]]:
        """The fast ones first, whose figures the others are compared with."""
        yield "regsweep", regsweep("--no-cache")
        cached = regsweep("--cache-dir", str(self.directory / "cache"))
        cached(self.server, self.bucket, ("-d", "-m"))
        yield "regsweep, cache filled", cached
        for name in self.options.references:
            try:
                self.server.registry_section(self.bucket, ROOT, REFERENCES[name])
            except NotImplementedError as reason:
                print(f"{name} takes no part: {reason}", file=sys.stderr)
                continue
            yield name, reference(REFERENCES[name])

    def run(self) -> Iterator[Row]:
        """A row for each collector, as soon as it is through."""
        found: set[str] | None = None
        for name, collect in self.collectors():
            count = self.options.runs if name.startswith("regsweep") else 1
            row, run = self.measure("dry run -m", name, collect, [self.bucket] * count, ("-d", "-m"))
            eligible = run.blobs | run.revisions().keys()
            if found is not None and eligible != found:
                raise SystemExit(f"{name} finds others eligible: {sorted(eligible ^ found)[:3]}")
            found = eligible
            yield row
        for name, collect in self.collectors() if self.options.sweep else ():
            row, _ = self.measure("sweep -m", name, collect, [self.server.duplicate(self.bucket)], ("-m",))
            yield row

    def measure(
        self, what: str, name: str, collect: Collect, buckets: Sequence[str], flags: tuple[str, ...]
    ) -> tuple[Row, Run]:
        """One run on each bucket, counted; gives back the last one."""
        walls = []
        for bucket in buckets:
            with CountingProxy(self.server, latency_seconds=self.options.latency / 1000) as proxy:
                began = time.perf_counter()
                run = collect(proxy.front, bucket, flags)
                walls.append(round(time.perf_counter() - began, 3))
                kinds: dict[str, int] = dict(sorted(proxy.counts.items()))
            if run.exit_code != 0:
                raise SystemExit(f"{name}: exit code {run.exit_code}: {run.stderr[-2000:]}")
        requests, wall = sum(kinds.values()), statistics.median(walls)
        own = next((row for row in self.rows if row.run == what), None)
        row = Row(
            server=self.name,
            objects=self.object_count,
            latency_ms=self.options.latency,
            run=what,
            collector=name,
            requests=requests,
            kinds=kinds,
            requests_to_regsweep=round(requests / (own.requests if own else requests), 2),
            wall_seconds=wall,
            walls=walls,
            wall_to_regsweep=round(wall / (own.wall_seconds if own else wall), 2),
            least_requests=self.least,
            eligible=(len(run.blobs), sum(run.manifests.values())),
            objects_left=len(self.server.keys(bucket)),
        )
        self.rows.append(row)
        return row, run


def regsweep(*more: str) -> Collect:
    """The drop-in, as a whole process."""

    def collect(server: BucketServer, bucket: str, flags: tuple[str, ...]) -> Run:
        section = server.registry_section(bucket, ROOT, 3)
        with directory_for(server) as directory:
            config = write_section(directory, section)
            command = [str(REGSWEEP), "garbage-collect", *flags, *more, str(config)]
            return run_program(command, section.environment, timeout_seconds=TIMEOUT_SECONDS)

    return collect


def reference(major: int) -> Collect:
    """A registry's own collector."""

    def collect(server: BucketServer, bucket: str, flags: tuple[str, ...]) -> Run:
        section = server.registry_section(bucket, ROOT, major)
        with directory_for(server) as directory:
            return run_reference_on(major, section, directory, *flags, timeout_seconds=TIMEOUT_SECONDS)

    return collect


@contextmanager
def directory_for(server: BucketServer) -> Iterator[Path]:
    """A directory for a configuration."""
    with tempfile.TemporaryDirectory(dir=server.directory) as path:
        yield Path(path)


def main() -> None:
    """Compares on the servers that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--servers", nargs="+", choices=SERVERS, default=["versitygw", "azurite", "fake-gcs"])
    parser.add_argument("--references", nargs="*", choices=REFERENCES, default=list(REFERENCES))
    parser.add_argument("--repositories", type=int, default=5)
    parser.add_argument("--images", type=int, default=20, help="In each repository, every other one with a tag.")
    parser.add_argument("--latency", type=float, default=0.0, help="Milliseconds that every request takes longer.")
    parser.add_argument("--sweep", action="store_true", help="Real collections, too.")
    parser.add_argument("--runs", type=int, default=3, help="Dry runs of regsweep; the others make one.")
    parser.add_argument("--directory", help="Where servers keep what they hold.")
    parser.add_argument("--output", type=Path, help="Without a suffix: .json and .md are added.")
    options = parser.parse_args()
    rows: list[Row] = []
    for name in options.servers:
        with tempfile.TemporaryDirectory(dir=options.directory) as path, SERVERS[name](Path(path)) as server:
            for row in Comparison(name, server, options, Path(path)).run():
                rows.append(row)
                print(table(COLUMNS, [row]).splitlines()[-1], flush=True)
                keep(options, COLUMNS, rows)


if __name__ == "__main__":
    main()
