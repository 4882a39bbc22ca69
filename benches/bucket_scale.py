"""A bucket of millions of blobs: how fast it is scanned, in how much memory, and in how many requests it is emptied.

    python benches/bucket_scale.py --output benches/results/DATE-MACHINE/bucket-scale

The server is the one of the core's tests (``rust/fakebucket``). Buckets to scan it makes up while it lists them, so
that it costs little beside the client; a bucket to sweep holds a key for each blob, and one image that is to stay.

*bare* is a client that does nothing but count keys (``rust/fakebucket/examples/bare_lister.rs``): it knows how the
digests are spread, parses nothing, and keeps nothing. *scan* is the library's, in a process that has started: keys,
sizes and times of all blobs, parsed and checked. *dry run* is the whole program, with every blob found eligible, which
takes most memory. They run in turn, and share their cores with the server.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from rows import keep, table
from support.shaped_store import make_store, objects_of

from regsweep.bench import contenders, measure
from regsweep.bench.measure import Run

TOP = Path(__file__).parents[1]
MADE_UP, HELD = "made-up", "held"
LINES_AT_ONCE = 50_000
LONG_AGO = "2020-01-01T00:00:00Z"
COLUMNS = ("blobs", "what", "wall_seconds", "keys_per_second", "to_bare", "processor_seconds", "peak_mb", "requests")
SCAN = """
import json, os, sys, time, regsweep
store = regsweep.open(sys.argv[1], cache=False, **json.loads(sys.argv[2]))
began = time.perf_counter()
store.core.scan()
print(time.perf_counter() - began)
"""


@dataclass
class Row:
    """All runs of one kind.

    Attributes:
        wall_seconds: the median of ``walls``; of *scan* and *bare* without starting the process.
        to_bare: keys a second, as a share of what the bare client reaches.
        peak_mb: the largest, in millions of bytes.
        requests: of the last run, by kind.
    """

    blobs: int
    what: str
    walls: list[float] = field(default_factory=list)
    processors: list[float] = field(default_factory=list)
    peak_mb: float = 0.0
    requests: dict[str, int] = field(default_factory=dict)
    to_bare: float = 0.0

    @property
    def wall_seconds(self) -> float:
        return statistics.median(self.walls)

    @property
    def keys_per_second(self) -> int:
        return round(self.blobs / self.wall_seconds)

    @property
    def processor_seconds(self) -> float:
        return statistics.median(self.processors)

    def add(self, run: Run, wall_seconds: float, requests: dict[str, int]) -> None:
        """Adds a run."""
        self.walls.append(round(wall_seconds, 3))
        self.processors.append(round(run.user_seconds + run.system_seconds, 3))
        self.peak_mb = max(self.peak_mb, round(run.peak_bytes / 1e6, 1))
        self.requests = requests


class FakeBucket:
    """The server, and what can be asked of it beside its protocols."""

    def __init__(self, address: str) -> None:
        self.address = address

    def control(self, method: str, path: str, body: bytes | None = None) -> object:
        """Sends a request to the control interface."""
        request = urllib.request.Request(f"http://{self.address}/_control/{path}", data=body, method=method)
        with urllib.request.urlopen(request) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def make_up(self, blobs: int) -> None:
        """Makes a bucket whose keys are made up."""
        made_up = {"bucket": MADE_UP, "made_up": {"blobs": blobs, "last_modified": LONG_AGO}}
        self.control("POST", "buckets", json.dumps(made_up).encode())

    def fill(self, blobs: int) -> None:
        """Makes a bucket that holds one image, and as many blobs that nothing refers to."""
        self.control("PUT", f"buckets/{HELD}")
        image = objects_of(make_store(1, 1), "")
        lines = [
            json.dumps({"key": key, "content": content.decode(), "last_modified": LONG_AGO})
            for key, content in image.items()
        ]
        for number in range(blobs):
            digest = f"{number * 0x9E3779B97F4A7C15 % (1 << 64):016x}{number:048x}"
            key = f"docker/registry/v2/blobs/sha256/{digest[:2]}/{digest}/data"
            lines.append(f'{{"key":"{key}","size":1000,"last_modified":"{LONG_AGO}"}}')
            if len(lines) >= LINES_AT_ONCE or number == blobs - 1:
                self.control("POST", f"objects/{HELD}", "\n".join(lines).encode())
                lines.clear()

    @contextmanager
    def counted(self) -> Iterator[dict[str, int]]:
        """The requests of what is done meanwhile, by kind."""
        self.control("DELETE", "counts")
        counts: dict[str, int] = {}
        yield counts
        found = self.control("GET", "counts")
        assert isinstance(found, dict)
        counts.update(found)

    def environment(self) -> dict[str, str]:
        """What lets a client in."""
        return {
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT_URL_S3": f"http://{self.address}",
        }


def build() -> tuple[str, str]:
    """The server and the bare client, built; gives back their paths."""
    command = ["cargo", "build", "--release", "--quiet", "--package", "regsweep-fakebucket", "--bins"]
    command += ["--example", "bare_lister", "--message-format", "json"]
    done = subprocess.run(command, cwd=TOP, stdout=subprocess.PIPE, text=True, check=True)
    messages = [json.loads(line) for line in done.stdout.splitlines()]
    paths = {
        message["target"]["name"]: message["executable"]
        for message in messages
        if message.get("executable") is not None
    }
    return paths["regsweep-fakebucket"], paths["bare_lister"]


@contextmanager
def serving(program: str) -> Iterator[FakeBucket]:
    """Runs the server."""
    with subprocess.Popen([program, "--no-recording"], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            found = re.search(r"[\d.]+:\d+", process.stdout.readline())
            assert found is not None
            yield FakeBucket(found[0])
        finally:
            process.terminate()


def scans(server: FakeBucket, bare: str, blobs: int, options: argparse.Namespace) -> list[Row]:
    """The bare client, the scan and the dry run in turn."""
    server.make_up(blobs)
    rows = [Row(blobs, "bare"), Row(blobs, "scan"), Row(blobs, "dry run")]
    jobs = {"jobs": options.jobs} if options.jobs else {}
    scan = [sys.executable, "-c", SCAN, f"s3://{MADE_UP}", json.dumps(jobs)]
    with tempfile.TemporaryDirectory(dir=options.directory) as directory:
        config = Path(directory) / "config.yml"
        config.write_text(configuration(server, MADE_UP))
        flags = ["-d", "-q", "--no-cache", "--override", "nothing-marked"]
        flags += ["--jobs", str(options.jobs)] if options.jobs else []
        dry_run = [*contenders.program(), "garbage-collect", *flags, str(config)]
        for _ in range(options.runs):
            for row, words in zip(
                rows,
                ([bare, str(blobs), str(options.connections), server.address, MADE_UP], scan, dry_run),
                strict=True,
            ):
                with server.counted() as counts:
                    run, output = measured(words, server.environment())
                row.add(run, wall_of(output, run), counts)
    for row in rows:
        row.to_bare = round(row.keys_per_second / rows[0].keys_per_second, 3)
    return rows


def sweep(server: FakeBucket, blobs: int, options: argparse.Namespace) -> Row:
    """A collection that removes all blobs but those of one image."""
    server.fill(blobs)
    with tempfile.TemporaryDirectory(dir=options.directory) as directory:
        config = Path(directory) / "config.yml"
        config.write_text(configuration(server, HELD))
        words = [*contenders.program(), "garbage-collect", "-q", "--no-cache", str(config)]
        row = Row(blobs, "sweep")
        with server.counted() as counts:
            run = measure.run(words, server.environment())
        row.add(run, run.wall_seconds, counts)
    return row


def configuration(server: FakeBucket, bucket: str) -> str:
    """A registry's, of the bucket."""
    return (
        f"version: 0.1\nstorage:\n  s3:\n    accesskey: key\n    secretkey: secret\n    region: us-east-1\n"
        f"    regionendpoint: http://{server.address}\n    forcepathstyle: true\n    bucket: {bucket}\n"
        "  maintenance:\n    readonly:\n      enabled: true\n"
    )


def measured(words: list[str], environment: dict[str, str]) -> tuple[Run, str]:
    """Runs a program; gives back what it used, and what it printed."""
    with tempfile.NamedTemporaryFile("r") as output:
        shell = ["/bin/sh", "-c", 'exec "$@" > "$OUTPUT"', "sh", *words]
        run = measure.run(shell, {**environment, "OUTPUT": output.name})
        return run, output.read()


def wall_of(output: str, run: Run) -> float:
    """What a program says that it took, or what it took."""
    found = re.search(r"pages, ([\d.]+) s|^([\d.]+)$", output.strip())
    return float(found[1] or found[2]) if found else run.wall_seconds


def main() -> None:
    """Measures what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--blobs", type=int, nargs="+", default=[1_000_000, 10_000_000], help="To scan.")
    parser.add_argument("--sweep", type=int, default=1_000_000, help="Blobs to remove; 0: none.")
    parser.add_argument("--jobs", type=int, help="Requests in flight; by default as many as regsweep chooses.")
    parser.add_argument("--connections", type=int, default=2 * (os.cpu_count() or 1), help="Of the bare client.")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--directory", help="Where configurations are written.")
    parser.add_argument("--output", type=Path, help="Without a suffix: .json and .md are added.")
    options = parser.parse_args()
    rows: list[Row] = []
    program, bare = build()
    with serving(program) as server:
        for blobs in options.blobs:
            rows += scans(server, bare, blobs, options)
            print(table(COLUMNS, rows[-3:]), flush=True)
            keep(options, COLUMNS, rows)
        if options.sweep:
            rows.append(sweep(server, options.sweep, options))
            print(table(COLUMNS, rows[-1:]), flush=True)
            keep(options, COLUMNS, rows)


if __name__ == "__main__":
    main()
