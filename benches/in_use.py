"""Registries in use while something collects: what was pushed with success and cannot be pulled afterwards.

    python benches/in_use.py --output benches/results/DATE-MACHINE/in-use

Clients push, move tags, mount, delete and pull all the time (``tests/support/load.py``), on each registry, with each of
its descriptor caches. Meanwhile regsweep goes through its cycle, as programs and with real settle periods; and, for
comparison, the registry's own collector runs with ``-m``. After each cycle the clients pause, a registry is started
that caches nothing, and everything is pulled that has to be there. Where the cache is in the registry's memory, the
registry is restarted in each cycle, for both.

What is unfair: nobody promises that the registry's own collector can run while clients push; its documentation asks for
a read-only registry. And as 2.8 destroys images for several platforms even at rest, it is spared those.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from rows import keep, table
from support.in_use import InUse
from support.reference import REGSWEEP, run_reference
from support.servers import Cache, Redis, Server

import regsweep
from regsweep import plan
from regsweep.journal import Journal

CHANGED = "the store changes meanwhile"
HALF_WRITTEN = "a tag's link that is empty or holds no digest"


@dataclass
class Row:
    """What came of one registry with one cache.

    Attributes:
        checked: how often something that had to be there was pulled in full.
        lost: how much of it could not be.
        set_aside: blobs that went into quarantine.
        brought_back: tags, links and blobs that confirmations brought back.
        refused: manifests that the registry did not take, for it misses what they need; they were pushed again.
        tries: of a step that found the store changing while it was looked at.
        half_written: steps that took a link for damaged that the registry was just writing, and kept its repository.
    """

    registry: str
    cache: str
    collector: str
    cycles: int
    pushed: int
    checked: int
    lost: int
    set_aside: int
    brought_back: int
    refused: int
    uploaded: int
    mounted: int
    deleted: int
    came_back: int
    pulled: int
    not_pulled: int
    tries: int
    half_written: int
    failed: int
    longest_request_seconds: float
    wall_seconds: float


class Regsweep:
    """The cycle, by the installed program, with the registry's configuration."""

    name = "regsweep"

    def __init__(self, in_use: InUse, settle: float) -> None:
        self.in_use = in_use
        self.settle = f"{settle:.1f}s"
        self.tries = self.half_written = self.failed = 0

    def steps(self) -> list[Callable[[], None]]:
        """What is done in a cycle, in this order."""
        restart = [self.in_use.restart] if self.in_use.cache == "inmemory" else []
        return [self.plan, self.apply, self.confirm, *restart, self.purge]

    def plan(self) -> None:
        """Manifests without a tag go, and tags that are there to go."""
        config, policy = str(self.in_use.server.config), str(self.in_use.directory / "policy.yml")
        output = str(self.in_use.plan_file)
        self.run("plan", config, "--policy", policy, "--min-age", "0s", "--override", "all-tags", "--output", output)
        self.in_use.load.ledger.collected(plan.read_head(output).cutoff)

    def apply(self) -> None:
        """Sets aside."""
        self.run("apply", str(self.in_use.plan_file), "--store", str(self.in_use.server.config))

    def confirm(self) -> None:
        """Waits, and brings back."""
        self.run("confirm", str(self.in_use.server.config), "--settle", self.settle)

    def purge(self) -> None:
        """Removes for good."""
        self.run("purge", str(self.in_use.server.config), "--older-than", "0s", "--registry-restarted")

    def run(self, *arguments: str) -> None:
        """Runs a command, again where the store has changed while it was looked at."""
        while True:
            done = subprocess.run([str(REGSWEEP), *arguments], capture_output=True, text=True, check=False)
            if done.returncode == 1 and CHANGED in done.stderr:
                self.tries += 1
                continue
            half_written = done.returncode == 3 and HALF_WRITTEN in done.stderr
            self.half_written += half_written
            self.failed += done.returncode != 0 and not half_written
            if done.returncode != 0 and not half_written:
                print(f"  {arguments[0]}: exit code {done.returncode}: {done.stderr.strip()[:500]}", file=sys.stderr)
            return


class Reference:
    """The registry's own collector."""

    name = "its own collector"

    def __init__(self, in_use: InUse, settle: float) -> None:
        self.in_use = in_use
        self.tries = self.half_written = self.failed = 0
        in_use.load.ledger.passing = ""

    def steps(self) -> list[Callable[[], None]]:
        """What is done in a cycle, in this order."""
        return [self.collect, *([self.in_use.restart] if self.in_use.cache == "inmemory" else [])]

    def collect(self) -> None:
        """Removes what nothing links, and what no tag leads to."""
        run = run_reference(self.in_use.server.major, self.in_use.server.root, "-m")
        self.failed += run.exit_code != 0
        # It may have taken whatever has no tag, however young.
        self.in_use.load.ledger.collected(time.time())


def measure(
    major: int, kind: str, collector: type[Regsweep] | type[Reference], options: argparse.Namespace, cycles: int
) -> Row:
    """One registry with one cache."""
    began = time.monotonic()
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=options.directory)))
        caches: dict[str, Cache] = {"none": None, "inmemory": "inmemory"}
        cache = stack.enter_context(Redis(directory)) if kind == "redis" else caches[kind]
        server = stack.enter_context(Server(major, directory / "storage", directory, cache=cache))
        in_use = InUse.of(server, cache, directory, clients=options.clients, indexes=collector is Regsweep)
        load = stack.enter_context(in_use.load)
        work = collector(in_use, options.settle)
        load.work(50)
        checked = lost = 0
        for _ in range(cycles):
            steps = work.steps()
            for step in steps:
                step()
                load.work(-(-options.pushes // (options.cycles * len(steps))))
            found = in_use.lost()
            checked += len(load.ledger.required())
            lost += len(found)
            for (repository, reference), reason in list(found.items())[:3] if collector is Regsweep else []:
                print(f"  LOST {repository} {reference}: {reason}", file=sys.stderr)
            load.ledger.give_up(found)
        counts = load.counts
        return Row(
            registry={2: "2.8.2", 3: "3.1.2"}[major],
            cache=kind,
            collector=work.name,
            cycles=cycles,
            pushed=counts["pushed"],
            checked=checked,
            lost=lost,
            set_aside=noted(in_use, "applied", "blobs"),
            brought_back=noted(in_use, "confirmed", "blobs", "layer_links", "manifests", "tags"),
            refused=counts["refused"],
            uploaded=counts["uploaded"],
            mounted=counts["mounted"],
            deleted=counts["deleted"],
            came_back=in_use.counts["came back after a deletion"],
            pulled=counts["pulled"],
            not_pulled=counts["not pulled"],
            tries=work.tries,
            half_written=work.half_written,
            failed=work.failed,
            longest_request_seconds=round(in_use.flights.longest, 3),
            wall_seconds=round(time.monotonic() - began, 1),
        )


def noted(in_use: InUse, what: str, *counts: str) -> int:
    """The sum of what the runs' records say of something that they did."""
    events = [event for run in Journal(regsweep.open(in_use.server.root).own_files).runs() for event in run.events]
    return sum(event[count] for event in events if event["what"] == what for count in counts)


COLUMNS = (
    "registry",
    "cache",
    "collector",
    "cycles",
    "pushed",
    "checked",
    "lost",
    "refused",
    "tries",
    "half_written",
    "failed",
)


def main() -> int:
    """Measures what was asked for; 1 if regsweep has lost anything."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pushes", type=int, default=2000, help="Images pushed in --cycles cycles, at least.")
    parser.add_argument("--cycles", type=int, default=20)
    parser.add_argument("--reference-cycles", type=int, default=5, help="Of the registry's own collector.")
    parser.add_argument("--clients", type=int, default=6)
    parser.add_argument("--settle", type=float, default=2.0, help="Seconds; longer than the longest request.")
    parser.add_argument("--directory", help="Where storages are made.")
    parser.add_argument("--output", type=Path, help="Without a suffix: .json and .md are added.")
    options = parser.parse_args()
    rows: list[Row] = []
    for collector, cycles in ((Regsweep, options.cycles), (Reference, options.reference_cycles)):
        for major in (2, 3):
            for kind in ("none", "redis", "inmemory"):
                rows.append(measure(major, kind, collector, options, cycles))
                print(table(COLUMNS, rows[-1:]), flush=True)
                keep(options, COLUMNS, rows)
    return int(any(row.lost for row in rows if row.collector == Regsweep.name))


if __name__ == "__main__":
    sys.exit(main())
