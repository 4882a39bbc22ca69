"""``regsweep why``: what keeps something, or why nothing does."""

from __future__ import annotations

import sys
from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING

import click

from regsweep import _core, exit_codes
from regsweep.cli import summary, terminal
from regsweep.cli.looking import EPILOG, parse_seconds, session
from regsweep.cli.progress import describe_mark
from regsweep.library import DigestExplanation, TagExplanation
from regsweep.units import format_bytes, format_count

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from regsweep._core import Progress
    from regsweep.cli.json_report import JsonReport
    from regsweep.library import Chain, ChainStep, Keeper, Marks, RepositoryExplanation, TagPart

SCHEMA = "regsweep.why/1"
# Enough to see what kind of thing keeps it.
_MAX_CHAINS = 10
_MAX_NAMED = 3
# Chains that are worked out before some are written.
_PORTION = 1000

_STEP_FIELDS = ("relation", "repository", "digest", "content")
_KEEPER_FIELDS = ("kind", "repository", "tag", "digest")
_DIGEST_FIELDS = ("digest", "content", "size_bytes", "stored_as", "verdict", "chain_count", "keeper_counts")
_TAG_FIELDS = ("repository", "tag", "current", "total_blob_count", "total_bytes", "unique_blob_count", "unique_bytes")
_PART_FIELDS = ("depth", "relation", "digest", "content", "size_bytes", "other_count")
_REPOSITORY_FIELDS = (
    "repository",
    "tag_count",
    "manifest_link_count",
    "untagged_count",
    "eligible_manifest_count",
    "eligible_layer_link_count",
    "kept_whole",
    "manifest_count",
    "total_blob_count",
    "total_bytes",
    "unique_blob_count",
    "unique_bytes",
)

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


@click.command(epilog=EPILOG)
@click.argument("store", type=click.Path())
@click.argument("subject", metavar="DIGEST|REPOSITORY[:TAG]")
@click.option("--all", "show_all", is_flag=True, help=f"Show all chains, not only the {_MAX_CHAINS} shortest.")
@click.option("--json", "json_file", metavar="FILE", help="Write the result to FILE as JSON (- for standard output).")
@click.option("-m", "--delete-untagged", is_flag=True, help="Answer as for garbage-collect --delete-untagged.")
@click.option("--min-age", callback=parse_seconds, default="0", metavar="DURATION", help="... with this minimum age.")
@click.option("--keep-list", metavar="FILE", help="... with this keep list.")
@click.option(
    "--accept-damage", multiple=True, metavar="REPOSITORY", help="... with this damage accepted (repeatable)."
)
@click.option("--jobs", type=click.IntRange(1, 1024), help="Number of threads (default: fits the machine).")
@click.pass_context
def why(
    ctx: click.Context,
    store: str,
    subject: str,
    show_all: bool,
    json_file: str | None,
    delete_untagged: bool,
    min_age: float,
    keep_list: str | None,
    accept_damage: tuple[str, ...],
    jobs: int | None,
) -> None:
    """Say what keeps something in STORE, or why nothing does.

    STORE is a storage root or a registry's configuration file. A DIGEST may be abbreviated to six hex digits or more.
    Of a tag it is said what it reaches, and what else keeps each part; of a repository there is a summary.
    """
    with session(ctx) as running:
        report = running.report(json_file)
        keep: list[str] = []
        if keep_list is not None:
            from regsweep.keep_list import read

            keep = read(keep_list)
        opened, catalog = running.scan(store, jobs)
        marks = catalog.mark(
            delete_untagged=delete_untagged,
            min_age=min_age,
            keep=keep,
            accept_damage=accept_damage,
            progress=running.progress.start(describe_mark),
        )
        answer = marks.why(subject, others=_MAX_NAMED, progress=running.progress.start(_describe_search))
        running.progress.clear()
        if json_file != "-":
            width = terminal.width_of(sys.stdout)
            if isinstance(answer, DigestExplanation):
                lines = _digest_lines(answer, delete_untagged, None if show_all else _MAX_CHAINS, width)
            elif isinstance(answer, TagExplanation):
                lines = _tag_lines(answer, width)
            else:
                lines = _repository_lines(answer, marks)
            for line in lines:
                click.echo(terminal.visible(line))
        if report is not None:
            options = {
                "delete_untagged": delete_untagged,
                "min_age_seconds": min_age,
                "keep_list": keep_list,
                "keep_count": len(keep),
                "accept_damage": list(accept_damage),
            }
            known = {"regsweep_version": _core.__version__, "root": opened.root, "options": options}
            report.begin({**known, "subject": subject}, SCHEMA)
            _write_answer(report, answer, None if show_all else _MAX_CHAINS)
            report.finish({"exit_code": exit_codes.DONE})


def _describe_search(_: Progress, seconds: float) -> str:
    return f"looking for what keeps it: {seconds:.0f}s"


def _digest_lines(answer: DigestExplanation, untagged_go: bool, limit: int | None, width: int | None) -> Iterator[str]:
    size = "not stored" if answer.size_bytes is None else format_bytes(answer.size_bytes)
    if answer.stored_as is not None:
        size = f"stored as {answer.stored_as}"
    yield answer.digest
    yield f"{_CONTENTS[answer.content]}, {size}: {answer.verdict}"
    if answer.verdict in ("live", "missing"):
        yield from _kept_lines(answer, untagged_go, limit, width)
    else:
        yield from _dead_lines(answer)


def _kept_lines(answer: DigestExplanation, untagged_go: bool, limit: int | None, width: int | None) -> Iterator[str]:
    counts = answer.keeper_counts
    told = [format_count(counts[kind], *words) for kind, words in _KINDS.items() if kind in counts]
    yield f"{'kept' if answer.verdict == 'live' else 'needed'} by {_enumerated(told)}"
    if set(counts) == {"manifest-link"} and not untagged_go:
        yield "no tag keeps it: --delete-untagged says whether it stays when untagged manifests go"
    yield ""
    for chain in islice(answer.chains(), limit):
        yield from terminal.wrapped([_root(chain), *map(_step, chain.steps)], "->", indent="  ", width=width)
    more = None if answer.chain_count is None else answer.chain_count - (limit or answer.chain_count)
    if limit is not None and (more is None or more > 0):
        chains = "more chains than can be counted" if more is None else format_count(more, "more chain")
        yield f"and {chains} (--all shows them)"


def _dead_lines(answer: DigestExplanation) -> Iterator[str]:
    links = answer.dead_links
    for repository, manifest in links[:_MAX_CHAINS]:
        who = f"repository {repository} links it, and no tag reaches it"
        if manifest != answer.digest:
            only = "only " if len(links) == 1 else ""
            name = terminal.short_digest(manifest)
            who = f"{only}the untagged manifest {name} of repository {repository} refers to it"
        yield f"{who}: collected with --delete-untagged"
    if len(links) > _MAX_CHAINS:
        yield f"and {format_count(len(links) - _MAX_CHAINS, 'more untagged manifest')}"
    if not links:
        yield "nothing refers to it" if answer.verdict == "garbage" else "nothing that stays refers to it"
    repositories = answer.dead_layer_links
    if repositories:
        named = ", ".join(repositories[:_MAX_NAMED])
        more = f", and {len(repositories) - _MAX_NAMED} more" if len(repositories) > _MAX_NAMED else ""
        yield f"its layer links go with it: {named}{more}"


def _root(chain: Chain | Keeper) -> str:
    return _ROOTS[chain.kind].format(repository=chain.repository, tag=chain.tag)


def _step(step: ChainStep) -> str:
    if step.relation is None:
        name = "manifest" if step.content == "image" else _CONTENTS[step.content]
    else:
        name = _RELATIONS.get(step.relation, step.relation)
    place = f" (layer link in {step.repository})" if step.repository is not None else ""
    return f"{name} {terminal.short_digest(step.digest)}{place}"


def _enumerated(parts: Sequence[str]) -> str:
    *most, last = parts
    return f"{', '.join(most)} and {last}" if most else last


def _tag_lines(answer: TagExplanation, width: int | None) -> Iterator[str]:
    parts = answer.parts
    if not parts:
        yield f"{answer.repository}:{answer.tag} points to nothing that can be read: its repository is damaged"
        return
    targets = [part for part in parts if part.depth == 0]
    pointed = "points to" if answer.current else "has no current link, and has pointed to"
    yield f"{answer.repository}:{answer.tag} {pointed} {_enumerated([part.digest for part in targets])}"
    yield ""
    rows = [("SIZE", "REACHES", "ALSO KEPT BY"), *map(_part_cells, parts)]
    yield from terminal.table("><<", rows, width=width)
    yield ""
    yield (
        f"{format_bytes(answer.total_bytes)} in {format_count(answer.total_blob_count, 'blob')}, of which nothing else "
        f"keeps {format_bytes(answer.unique_bytes)} in {format_count(answer.unique_blob_count, 'blob')}"
    )


def _part_cells(part: TagPart) -> tuple[str, str, str]:
    size = "-" if part.size_bytes is None else format_bytes(part.size_bytes)
    name = _CONTENTS[part.content] if part.relation is None else _RELATIONS.get(part.relation, part.relation)
    indent = "  " * min(part.depth, 10)
    return size, f"{indent}{name} {terminal.short_digest(part.digest)}", _others(part.others, part.other_count)


def _others(others: Sequence[Keeper], count: int) -> str:
    named = Counter(_other(keeper) for keeper in others)
    more = [f"{count - len(others)} more"] if count > len(others) else []
    return _enumerated([*named, *more]) if named or more else "-"


def _other(keeper: Keeper) -> str:
    if keeper.kind == "manifest-link":
        return f"untagged manifest {terminal.short_digest(keeper.digest)} of {keeper.repository}"
    return _root(keeper)


def _repository_lines(answer: RepositoryExplanation, marks: Marks) -> Iterator[str]:
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
    damaged = [damage for damage in marks.damaged if damage.repository == answer.repository]
    yield from summary.limited(map(summary.damage_line, damaged), len(damaged), "damage")
    broken = [image for image in marks.broken if image.counts and image.repository == answer.repository]
    yield from summary.limited(map(summary.broken_line, broken), len(broken), "broken images")


def _write_answer(
    report: JsonReport, answer: DigestExplanation | TagExplanation | RepositoryExplanation, limit: int | None
) -> None:
    from regsweep.cli.json_report import fields

    if isinstance(answer, DigestExplanation):
        report.members({"kind": "digest", **fields(*_DIGEST_FIELDS)(answer)})
        report.array("chains", _portions(answer.chains(), limit), _chain)
        report.array("dead_links", [answer.dead_links], lambda item: {"repository": item[0], "digest": item[1]})
        report.array("dead_layer_links", [answer.dead_layer_links], str)
    elif isinstance(answer, TagExplanation):
        report.members({"kind": "tag", **fields(*_TAG_FIELDS)(answer)})
        keepers = fields(*_KEEPER_FIELDS)
        report.array(
            "parts",
            [answer.parts],
            lambda part: {**fields(*_PART_FIELDS)(part), "others": [keepers(other) for other in part.others]},
        )
    else:
        report.members({"kind": "repository", **fields(*_REPOSITORY_FIELDS)(answer)})


def _portions(chains: Iterable[Chain], limit: int | None) -> Iterator[list[Chain]]:
    wanted = islice(chains, limit)
    while portion := list(islice(wanted, _PORTION)):
        yield portion


def _chain(chain: Chain) -> dict[str, object]:
    steps = [{name: getattr(step, name) for name in _STEP_FIELDS} for step in chain.steps]
    return {"kind": chain.kind, "repository": chain.repository, "tag": chain.tag, "steps": steps}
