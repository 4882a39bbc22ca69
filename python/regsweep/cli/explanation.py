"""What keeps something, or that nothing does, in words: the text of ``regsweep why``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from regsweep._core import (
    Aside,
    AsideExplanation,
    Chain,
    ChainStep,
    DigestExplanation,
    Keeper,
    RepositoryExplanation,
    TagExplanation,
    TagPart,
)
from regsweep.cli import set_aside, summary
from regsweep.cli.fitting import enumerated, short_digest, wrapped
from regsweep.cli.output import table
from regsweep.units import format_bytes, format_count

if TYPE_CHECKING:
    from regsweep.journal import Run
    from regsweep.library import Explanation, Marks

# Enough to see what kind of thing keeps it.
MAX_CHAINS = 10
MAX_NAMED = 3

# Kind of a root to its words; {repository} and {tag} are its own.
_ROOTS = {
    "tag": "tag {repository}:{tag}",
    "tag-history": "history of tag {repository}:{tag}, which has no current link",
    "manifest-link": "manifest link in {repository}",
    "untold-manifest-link": "manifest link in {repository}, which has no tags directory",
    "damaged-manifest-link": "manifest link in damaged {repository}",
    "damaged-layer-link": "layer link in damaged {repository}",
    "keep-list": "keep list",
    "young-manifest-link": "young manifest link in {repository}",
    "young-blob": "its age",
    "young-layer-link": "young layer link in {repository}",
    "unknown-algorithm-link": "layer link of an unknown algorithm in {repository}",
    "young-quarantined-link": "link in quarantine, written since it was set aside",
}
# Kind of a root to the word for one and for several.
_KINDS = {
    "tag": ("tag", "tags"),
    "tag-history": ("tag without a current link", "tags without a current link"),
    "manifest-link": ("manifest link", "manifest links"),
    "untold-manifest-link": ("link without a tags directory", "links without a tags directory"),
    "damaged-manifest-link": ("manifest link of a damaged repository", "manifest links of damaged repositories"),
    "damaged-layer-link": ("layer link of a damaged repository", "layer links of damaged repositories"),
    "keep-list": ("keep-list entry", "keep-list entries"),
    "young-manifest-link": ("young manifest link", "young manifest links"),
    "young-blob": ("young blob", "young blobs"),
    "young-layer-link": ("young layer link", "young layer links"),
    "unknown-algorithm-link": ("layer link of an unknown algorithm", "layer links of an unknown algorithm"),
    "young-quarantined-link": ("link that was written in quarantine", "links that were written in quarantine"),
}
_CONTENTS = {
    "image": "image manifest",
    "index": "index",
    "schema1": "schema 1 manifest",
    "unknown": "manifest of an unknown type",
    "damaged": "damaged manifest",
    "blob": "blob",
}
_RELATIONS = {"any": "names", "alias": "stands for"}


@dataclass(frozen=True)
class Telling:
    """How to tell an answer.

    Attributes:
        store: the store, as it was typed.
        runs: the records of runs by id, as far as they are known.
        untagged_go: whether marking let untagged manifests go.
        limit: how many chains to show; ``None`` for all.
        width: of the terminal, if it is one.
    """

    store: str
    runs: Mapping[str, Run]
    untagged_go: bool
    limit: int | None
    width: int | None

    def lines(self, answer: Explanation, marks: Marks) -> Iterator[str]:
        """All that there is to say."""
        match answer:
            case DigestExplanation():
                yield from self._digest_lines(answer)
            case TagExplanation():
                yield from self._tag_lines(answer)
            case AsideExplanation():
                yield from self._aside_lines(answer)
            case _:
                yield from self._repository_lines(answer, marks)

    def _digest_lines(self, answer: DigestExplanation) -> Iterator[str]:
        size = "not stored" if answer.size_bytes is None else format_bytes(answer.size_bytes)
        if answer.stored_as is not None:
            size = f"stored as {answer.stored_as}"
        yield answer.digest
        yield f"{_CONTENTS[answer.content]}, {size}: {answer.verdict}"
        if answer.verdict == "quarantined":
            yield _fate(answer, self.store)
        yield from set_aside.lines(answer.asides, self.runs, self.store)
        if answer.keeper_counts:
            yield from self._kept_lines(answer)
        else:
            yield from _dead_lines(answer)

    def _kept_lines(self, answer: DigestExplanation) -> Iterator[str]:
        counts = answer.keeper_counts
        told = [format_count(counts[kind], *words) for kind, words in _KINDS.items() if kind in counts]
        yield f"{'kept' if answer.verdict == 'live' else 'needed'} by {enumerated(told)}"
        if set(counts) == {"manifest-link"} and not self.untagged_go:
            yield "no tag keeps it: --delete-untagged says whether it stays when untagged manifests go"
        yield ""
        for chain in islice(answer.chains(), self.limit):
            yield from wrapped([_root(chain), *map(_step, chain.steps)], "->", indent="  ", width=self.width)
        count = answer.chain_count
        if self.limit is not None and (count is None or count > self.limit):
            more = (
                "more chains than can be counted" if count is None else format_count(count - self.limit, "more chain")
            )
            yield f"and {more} (--all shows them)"

    def _tag_lines(self, answer: TagExplanation) -> Iterator[str]:
        parts = answer.parts
        if not parts:
            yield f"{answer.repository}:{answer.tag} points to nothing that can be read: its repository is damaged"
        else:
            targets = [part.digest for part in parts if part.depth == 0]
            pointed = "points to" if answer.current else "has no current link, and has pointed to"
            yield f"{answer.repository}:{answer.tag} {pointed} {enumerated(targets)}"
            yield ""
            yield from table([("SIZE", "REACHES", "ALSO KEPT BY"), *map(_part_cells, parts)], "><<", width=self.width)
            yield ""
            yield (
                f"{format_bytes(answer.total_bytes)} in {format_count(answer.total_blob_count, 'blob')}, of which "
                f"nothing else keeps {format_bytes(answer.unique_bytes)} in "
                f"{format_count(answer.unique_blob_count, 'blob')}"
            )
        if returning := sorted({part.quarantined_in for part in parts if part.quarantined_in is not None}):
            yield (
                f"what is set aside by {enumerated([f'run {run}' for run in returning])} is needed: "
                f"'regsweep confirm {self.store}' brings it back"
            )
        if answer.asides:
            yield "there was a tag of this name before:"
            yield from set_aside.lines(answer.asides, self.runs, self.store)

    def _aside_lines(self, answer: AsideExplanation) -> Iterator[str]:
        if answer.tag is None:
            yield f"{answer.repository} is not in the registry any more: quarantined"
        else:
            yield f"{answer.repository}:{answer.tag} is not in the registry any more: quarantined"
            targets = dict.fromkeys(_targets(answer.asides))
            if targets:
                yield f"pointed to {enumerated([*targets])}"
        yield from set_aside.lines(answer.asides, self.runs, self.store)
        yield (
            f"'regsweep confirm {self.store}' brings it back only if it was pushed to since; "
            f"'regsweep purge {self.store}' removes it for good"
        )

    def _repository_lines(self, answer: RepositoryExplanation, marks: Marks) -> Iterator[str]:
        yield answer.repository
        yield (
            f"{format_count(answer.tag_count, 'tag')}, {format_count(answer.manifest_link_count, 'manifest link')}, "
            f"{answer.untagged_count} of them to manifests that no tag of it reaches"
        )
        yield (
            f"reaches {format_bytes(answer.total_bytes)} in {format_count(answer.total_blob_count, 'blob')}, "
            f"{format_count(answer.manifest_count, 'manifest')} among them"
        )
        yield (
            f"no other repository reaches {format_bytes(answer.unique_bytes)} in "
            f"{format_count(answer.unique_blob_count, 'blob')} of that"
        )
        yield (
            f"a collection would remove {format_count(answer.eligible_manifest_count, 'manifest link')} and "
            f"{format_count(answer.eligible_layer_link_count, 'layer link')}"
        )
        yield from set_aside.lines(answer.asides, self.runs, self.store)
        damaged = [damage for damage in marks.damaged if damage.repository == answer.repository]
        yield from summary.limited(map(summary.damage_line, damaged), len(damaged), "damage")
        broken = [image for image in marks.broken if image.counts and image.repository == answer.repository]
        yield from summary.limited(map(summary.broken_line, broken), len(broken), "broken images")


def _targets(asides: Sequence[Aside]) -> Iterator[str]:
    for aside in asides:
        yield from (digest for _, _, digest in aside.tags if digest is not None)


def _fate(answer: DigestExplanation, store: str) -> str:
    """What becomes of a blob in quarantine."""
    if answer.comes_back:
        return f"it is needed: 'regsweep confirm {store}' brings it back"
    if answer.keeper_counts:
        return (
            "only a keep list or an age keeps it, and confirming asks for neither: "
            f"'regsweep purge {store}' may remove it for good"
        )
    return f"nothing needs it: confirming leaves it there, and 'regsweep purge {store}' removes it for good"


def _dead_lines(answer: DigestExplanation) -> Iterator[str]:
    links = answer.dead_links
    for repository, manifest in links[:MAX_CHAINS]:
        who = f"repository {repository} links it, and no tag reaches it"
        if manifest != answer.digest:
            only = "only " if len(links) == 1 else ""
            name = short_digest(manifest)
            who = f"{only}the untagged manifest {name} of repository {repository} refers to it"
        yield f"{who}: collected with --delete-untagged"
    if len(links) > MAX_CHAINS:
        yield f"and {format_count(len(links) - MAX_CHAINS, 'more untagged manifest')}"
    if not links and answer.verdict != "quarantined":
        yield "nothing refers to it" if answer.verdict == "garbage" else "nothing that stays refers to it"
    if repositories := answer.dead_layer_links:
        yield f"its layer links go with it: {enumerated(repositories, MAX_NAMED)}"


def _root(chain: Chain | Keeper) -> str:
    return _ROOTS[chain.kind].format(repository=chain.repository, tag=chain.tag)


def _step(step: ChainStep) -> str:
    if step.relation is None:
        name = "manifest" if step.content == "image" else _CONTENTS[step.content]
    else:
        name = _RELATIONS.get(step.relation, step.relation)
    place = f" (layer link in {step.repository})" if step.repository is not None else ""
    return f"{name} {short_digest(step.digest)}{place}"


def _part_cells(part: TagPart) -> tuple[str, str, str]:
    if part.size_bytes is not None:
        size = format_bytes(part.size_bytes)
    else:
        size = "-" if part.quarantined_in is None else "set aside"
    name = _CONTENTS[part.content] if part.relation is None else _RELATIONS.get(part.relation, part.relation)
    indent = "  " * min(part.depth, 10)
    return size, f"{indent}{name} {short_digest(part.digest)}", _others(part.others, part.other_count)


def _others(others: Sequence[Keeper], count: int) -> str:
    named = Counter(_other(keeper) for keeper in others)
    more = [f"{count - len(others)} more"] if count > len(others) else []
    return enumerated([*named, *more]) if named or more else "-"


def _other(keeper: Keeper) -> str:
    if keeper.kind == "manifest-link":
        return f"untagged manifest {short_digest(keeper.digest)} of {keeper.repository}"
    return _root(keeper)
