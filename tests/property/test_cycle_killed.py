"""Any store, any decision, any step of the cycle killed or failing at any system call: nothing is lost, and it goes on.

The program is the installed one, and its system calls are struck below every library. What a plan may name is judged
by the oracle, which shares no code with the core. What the plan does not name has to be in its place at every moment,
with its content and its time, and what it names in its place or in the quarantine. The same command, given again, does
the rest, and the lock that a killed one leaves holds nobody up.
"""

from __future__ import annotations

import copy
import csv
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from support import oracle, strategies
from support.cycle import AT_ONCE
from support.documents import Descriptor
from support.store_builder import TOP, Store, blob_path, duplicate
from support.strace import (
    LIST,
    MAKE,
    MOVE,
    OPEN,
    READ,
    REMOVE,
    STAT,
    Fault,
    Traced,
    everything_in,
    need_strace,
    trace_regsweep,
)

import regsweep
from regsweep import apply, plan, quarantine, safety
from regsweep.journal import Journal
from regsweep.policy import load
from regsweep.policy.selection import Decider, by_policy
from regsweep.quarantine import Registries

Files: TypeAlias = dict[str, tuple[bytes, int]]
"""Content and time of every file, by its path below ``docker/registry/v2``."""

OVERRIDES = (*safety.PLAN_GUARDS, *safety.APPLY_GUARDS)
COMMANDS = ("apply", "confirm", "purge", "undo")
# What the journal hands to the system as names.
JOURNAL = [
    Path(name + suffix)
    for name in (".regsweep", "lock.guard", "lock", "identity", "plan", "begun", "run.json")
    for suffix in ("", ".tmp")
]


@dataclass(frozen=True)
class Decision:
    """What is to go: garbage, what is untagged, or what a policy says."""

    mode: str
    tags: tuple[str, ...] = ()
    untagged: bool = True
    referrers: str = "follow"

    def decider(self, directory: Path) -> Decider | None:
        if self.mode != "policy":
            return None
        path = directory / "policy.yml"
        path.write_text(
            "version: 1\n"
            "policies:\n"
            "  - repositories: ['**']\n"
            f"    delete: {{tags: {list(self.tags)}}}\n"
            f"    untagged: {'{older_than: 1h}' if self.untagged else 'keep'}\n"
            f"    referrers: {self.referrers}\n"
        )
        return by_policy(load(str(path)), None)

    def plan(self, root: Path, directory: Path) -> plan.Plan:
        decider = self.decider(directory)
        return plan.make(regsweep.open(root), decide=decider, mode=self.mode, overrides=OVERRIDES)


DECISIONS = st.one_of(
    st.sampled_from([Decision("garbage"), Decision("untagged")]),
    st.builds(
        Decision,
        mode=st.just("policy"),
        tags=st.sets(st.sampled_from(strategies.TAGS), min_size=1).map(sorted).map(tuple),
        untagged=st.booleans(),
        referrers=st.sampled_from(["follow", "keep", "delete-orphans"]),
    ),
)
FAULTS = st.one_of(
    st.tuples(st.sampled_from([MOVE, MAKE, REMOVE, OPEN]), st.just("signal=KILL")),
    st.tuples(st.sampled_from([MAKE, OPEN]), st.just("error=ENOSPC")),
    st.tuples(st.sampled_from([MOVE, MAKE, REMOVE]), st.just("error=EROFS")),
    st.tuples(st.sampled_from([MOVE, OPEN, LIST, READ, STAT]), st.just("error=EIO")),
)


class Cycle:
    """A store in a cycle, and what its plan names.

    Attributes:
        before: all files of the registry, before anything was done.
        planned: those of them that the plan names.
        pushed: what was written since.
    """

    def __init__(self, directory: Path, decision: Decision) -> None:
        self.directory = directory
        self.root = directory / "storage"
        self.plan_file = directory / "plan.csv"
        self.decision = decision
        made = decision.plan(self.root, directory)
        made.write(self.plan_file)
        self.run_id = made.head.id
        self.before = self.registry()
        self.directories = directories(self.root / TOP)
        with self.plan_file.open(newline="") as file:
            self.rows = list(csv.DictReader(line for line in file if not line.startswith("#")))
        self.planned = {path for row in self.rows for path in self.named_by(row)}
        self.pushed: Files = {}

    def copy(self, directory: Path) -> Cycle:
        """The same at the same moment, elsewhere."""
        directory.mkdir()
        duplicate(self.root, directory / "storage")
        other = copy.copy(self)
        other.directory, other.root = directory, directory / "storage"
        return other

    def named_by(self, row: dict[str, str]) -> Iterator[str]:
        """The files that a row of the plan stands for."""
        home = f"repositories/{row['repository']}"
        digest = row["digest"].replace(":", "/")
        match row["kind"]:
            case "blob":
                yield blob_path(row["digest"])
            case "layer-link":
                yield f"{home}/_layers/{digest}/link"
            case "manifest":
                yield f"{home}/_manifests/revisions/{digest}/link"
                of_tags = (path for path in self.before if path.startswith(f"{home}/_manifests/tags/"))
                yield from (path for path in of_tags if path.endswith(f"/index/{digest}/link"))
            case "tag" | "referrer-tag":
                tag = f"{home}/_manifests/tags/{row['tag']}/"
                yield from (path for path in self.before if path.startswith(tag))

    def assert_the_oracle_agrees(self) -> None:
        """The plan names nothing that is reachable once its tags are gone."""
        with tempfile.TemporaryDirectory() as directory:
            root = duplicate(self.root, Path(directory) / "storage")
            of_tags: set[str] = set()
            for row in self.rows:
                if row["kind"] in ("tag", "referrer-tag"):
                    of_tags.update(self.named_by(row))
                    shutil.rmtree(root / TOP / f"repositories/{row['repository']}/_manifests/tags/{row['tag']}")
            judged = oracle.judge(root, delete_untagged=self.decision.mode != "garbage")
            assert self.planned - of_tags <= {path.removeprefix(f"{TOP}/") for path in judged.files()}

    # ---- the steps ----

    def arguments(self, command: str) -> list[str]:
        root = str(self.root)
        match command:
            case "apply":
                return ["apply", str(self.plan_file), "--store", root, *(f"--override={guard}" for guard in OVERRIDES)]
            case "confirm":
                return ["confirm", root, "--settle", "0"]
            case "purge":
                return ["purge", root, "--older-than", "0", "--cache", "none"]
            case _:
                return ["undo", root, self.run_id]

    def finish(self, command: str) -> None:
        """A step, or what is left of it."""
        store = regsweep.open(self.root)
        match command:
            case "apply":
                assert not apply.apply(store, self.plan_file, overrides=OVERRIDES).failures
            case "confirm":
                assert not quarantine.confirm(store, waiting=AT_ONCE).restored.failures
            case "purge":
                assert not quarantine.purge(store, older_than=0, registries=Registries(cache="none")).failures
            case _:
                restored = quarantine.undo(store, self.run_id).restored
                assert not restored.failures
                assert not restored.replaced

    def state(self) -> str | None:
        run = Journal(regsweep.open(self.root).own_files).find(self.run_id)
        return run.state if run else None

    def push_again(self) -> None:
        """What a registry with a stale cache writes when images that were set aside are pushed: links, and no more."""
        store = Store()
        for row in self.rows:
            if row["kind"] == "manifest" and blob_path(row["digest"]) in self.before:
                repository = store.repository(row["repository"])
                repository.link(Descriptor(row["digest"]))
                repository.tag("pushed-again", Descriptor(row["digest"]))
        for path, content in store.files.items():
            place = self.root / TOP / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
        self.pushed = {path: one for path, one in self.registry().items() if path in store.files}

    # ---- what holds ----

    def registry(self) -> Files:
        return files(self.root / TOP)

    def everything(self) -> Counter[tuple[bytes, int]]:
        """Every file of the registry, set aside or not."""
        aside = [files(tree) for tree in self.root.glob(".regsweep/*/tree")]
        return Counter(one for found in (self.registry(), *aside) for one in found.values())

    def assert_nothing_is_lost(self) -> None:
        """What stays is in its place, and what goes is somewhere."""
        now = self.registry()
        stays = {path: one for path, one in self.before.items() if path not in self.planned} | self.pushed
        assert {path: now.get(path) for path in stays} == stays
        assert now.keys() <= self.before.keys() | self.pushed.keys()
        assert self.everything() == Counter([*self.before.values(), *self.pushed.values()])

    def assert_all_is_back_that_was_pushed(self) -> None:
        """Everything that the pushes reach, by the oracle's word, is in its place, links and all."""
        with tempfile.TemporaryDirectory() as directory:
            links = {path for path in self.planned if not path.startswith("blobs/")}
            whole = {path: one for path, one in self.before.items() if path not in links} | self.pushed
            for path, (content, _) in whole.items():
                place = Path(directory) / TOP / path
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(content)
            live = oracle.judge(Path(directory)).live
        used = {path.partition("/_manifests/")[0] for path in self.pushed}
        now = self.registry()
        for path in self.planned:
            algorithm, hexadecimal = path.split("/")[-3:-1]
            if path.startswith("blobs/"):
                assert path in now or f"{path.split('/')[1]}:{hexadecimal}" not in live
            elif path.partition("/_layers/")[0] in used:
                assert path in now or f"{algorithm}:{hexadecimal}" not in live


def files(top: Path) -> Files:
    found = (path for path in top.rglob("*") if path.is_file())
    return {str(path.relative_to(top)): (path.read_bytes(), path.stat().st_mtime_ns) for path in found}


def directories(top: Path) -> set[str]:
    return {str(path.relative_to(top)) for path in top.rglob("*") if path.is_dir()}


def prepare(cycle: Cycle, command: str) -> None:
    """Comes as far as the command."""
    if command != "apply":
        cycle.finish("apply")
    if command in ("confirm", "purge"):
        cycle.push_again()
    if command == "purge":
        cycle.finish("confirm")


def strike(cycle: Cycle, command: str, fault: Fault) -> Traced:
    """Runs a command until the fault hits it; then does the rest, looking at the store before and after."""
    # What starts an interpreter opens and reads, too: for such calls only those on the store count.
    common = fault.calls in (OPEN, LIST, READ, STAT)
    paths = [*everything_in(cycle.root), *JOURNAL] if common else []
    at_first = cycle.everything(), cycle.registry()
    traced = trace_regsweep([*cycle.arguments(command), "--jobs", "1"], fault, paths, fault.calls)
    run = traced.run
    assert "Traceback" not in run.stderr, run.stderr
    killed = "signal" in fault.what and run.exit_code not in (0, 3)
    if run.exit_code in (1, 4):
        assert (cycle.everything(), cycle.registry()) == at_first, f"it says that nothing was done: {run.stderr}"
    match command:
        case "apply":
            cycle.assert_nothing_is_lost()
            if cycle.state() in (None, "applying"):
                cycle.finish("apply")
            cycle.assert_nothing_is_lost()
            if killed:
                assert not cycle.registry().keys() & cycle.planned
                assert cycle.decision.plan(cycle.root, cycle.directory).head.totals.items == 0
            cycle.finish("undo")
        case "confirm":
            cycle.assert_nothing_is_lost()
            cycle.finish("confirm")
            cycle.assert_nothing_is_lost()
            cycle.assert_all_is_back_that_was_pushed()
        case "purge":
            assert cycle.registry() == at_first[1]
            if cycle.state() != "purged":
                cycle.finish("purge")
            assert cycle.registry() == at_first[1]
            assert not list(cycle.root.glob(".regsweep/*/tree"))
        case "undo":
            cycle.assert_nothing_is_lost()
            if cycle.state() != "undone":
                cycle.finish("undo")
    if command in ("apply", "undo"):
        assert cycle.registry() == cycle.before
        assert directories(cycle.root / TOP) == cycle.directories
    return traced


@strategies.examples(2)
@given(store=st.one_of(strategies.stores(), strategies.damaged_stores()), decision=DECISIONS)
def test_no_plan_names_what_is_reachable(store: Store, decision: Decision) -> None:
    with tempfile.TemporaryDirectory() as directory:
        store.write(Path(directory) / "storage")
        Cycle(Path(directory), decision).assert_the_oracle_agrees()


@given(
    store=strategies.stores(),
    decision=DECISIONS,
    command=st.sampled_from(COMMANDS),
    fault=FAULTS,
    when=st.integers(1, 12),
)
def test_any_store_any_step(store: Store, decision: Decision, command: str, fault: tuple[str, str], when: int) -> None:
    need_strace()
    with tempfile.TemporaryDirectory() as directory:
        store.write(Path(directory) / "storage")
        cycle = Cycle(Path(directory), decision)
        assume(cycle.rows)
        prepare(cycle, command)
        strike(cycle, command, Fault(*fault, str(when)))


def busy_store() -> Store:
    """Every kind of thing that a plan can name, several times."""
    store = Store()
    for name in ("a", "a/b"):
        repository = store.repository(name)
        repository.image("shared", "kept", tag="latest")
        repository.image("shared", f"tagged of {name}", tag="1.0")
        repository.tag("v2", repository.image("shared", f"overwritten of {name}", tag="latest"))
        repository.tag("latest", repository.index(repository.image("shared", f"child of {name}")))
        repository.image(f"untagged of {name}", "unlike")
        repository.layer_by_sha512(f"alias of {name}")
    store.blob("orphan")
    store.age(30 * 86400)
    return store


MOVED_BY = {"apply": MOVE, "confirm": MOVE, "purge": REMOVE, "undo": MOVE}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_kill_at_every_third_step(command: str, tmp_path: Path) -> None:
    need_strace()
    busy_store().write(tmp_path / "storage")
    cycle = Cycle(tmp_path, Decision("policy", ("1.0", "v2")))
    cycle.assert_the_oracle_agrees()
    prepare(cycle, command)
    struck = 0
    for when in range(1, 200, 3):
        copy = cycle.copy(tmp_path / str(when))
        traced = strike(copy, command, Fault(MOVED_BY[command], "signal=KILL", str(when)))
        if traced.run.exit_code == 0:
            break
        struck += 1
    assert struck >= 4, "the command moves less than it should"
