"""``regsweep why``: what keeps something, why nothing does, or in which quarantine it lies."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any

import click

from regsweep import _core, exit_codes
from regsweep._core import AsideExplanation, Chain, DigestExplanation, TagExplanation
from regsweep.cli import set_aside
from regsweep.cli.common import (
    bucket_options,
    command,
    jobs_option,
    min_age_option,
    open_for,
    progress_line,
    read_keep_list,
    store_argument,
)
from regsweep.cli.explanation import MAX_CHAINS, MAX_NAMED, Telling
from regsweep.cli.fitting import width_of
from regsweep.cli.json_report import fields
from regsweep.cli.output import Result, json_option, show_all
from regsweep.cli.progress import describe_mark, describe_scan, describe_search
from regsweep.library import BucketOptions

if TYPE_CHECKING:
    from regsweep.journal import Run
    from regsweep.library import Explanation

SCHEMA = "regsweep.why/1"
# Chains that are worked out before some are written.
_PORTION = 1000

_STEP_FIELDS = ("relation", "repository", "digest", "content")
_KEEPER_FIELDS = ("kind", "repository", "tag", "digest")
_DIGEST_FIELDS = (
    *("digest", "content", "size_bytes", "stored_as", "verdict", "comes_back", "chain_count", "keeper_counts"),
    "dead_layer_links",
)
_TAG_FIELDS = ("repository", "tag", "current", "total_blob_count", "total_bytes", "unique_blob_count", "unique_bytes")
_PART_FIELDS = ("depth", "relation", "digest", "content", "size_bytes", "quarantined_in", "other_count")
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


@click.command()
@store_argument
@click.argument("subject", metavar="DIGEST|REPOSITORY[:TAG]")
@click.option("--all", "all_chains", is_flag=True, help=f"Show all chains, not only the {MAX_CHAINS} shortest.")
@json_option
@click.option("-m", "--delete-untagged", is_flag=True, help="Answer as for garbage-collect -m.")
@min_age_option("0")
@click.option("--keep-list", metavar="FILE", help="Digests and repository:tag that stay, one a line.")
@click.option(
    "--accept-damage",
    multiple=True,
    metavar="REPOSITORY",
    help="Damage of this repository does not keep all that it links. Repeatable.",
)
@jobs_option
@bucket_options
@command
def why(
    store: str,
    bucket: BucketOptions,
    subject: str,
    all_chains: bool,
    json_path: str | None,
    delete_untagged: bool,
    min_age: float,
    keep_list: str | None,
    accept_damage: tuple[str, ...],
    jobs: int | None,
) -> int:
    """Say what keeps something in STORE, why nothing does, or in which quarantine it lies.

    STORE is a storage root (the directory that holds docker/registry/v2), a bucket's URL (s3://bucket/root, gs://...,
    az://...) or a registry's configuration file. A DIGEST may be abbreviated to six hex digits or more. Of a tag it is
    said what it reaches, and what else keeps each part; of a repository there is a summary.
    """
    with Result(json_path, SCHEMA) as result:
        keep = read_keep_list(keep_list)
        opened = open_for(store, bucket, jobs)
        line = progress_line()
        catalog = opened.scan(progress=line.start(describe_scan))
        marks = catalog.mark(
            delete_untagged=delete_untagged,
            min_age=min_age,
            keep=keep,
            accept_damage=accept_damage,
            progress=line.start(describe_mark),
        )
        answer = marks.why(subject, others=MAX_NAMED, progress=line.start(describe_search))
        line.clear()
        runs = set_aside.runs_of(opened, answer.asides)
        limit = None if all_chains else MAX_CHAINS
        members: dict[str, Any] = {
            "regsweep_version": _core.__version__,
            "root": opened.root,
            "options": {
                "delete_untagged": delete_untagged,
                "min_age_seconds": min_age,
                "keep_list": keep_list,
                "keep_count": len(keep),
                "accept_damage": list(accept_damage),
            },
            "subject": subject,
            "exit_code": exit_codes.DONE,
        }
        _write(result, members, answer, runs, limit)
        if not result.takes_stdout:
            telling = Telling(store, runs, delete_untagged, limit, width_of(sys.stdout))
            show_all(telling.lines(answer, marks))
        return exit_codes.DONE


def _write(
    result: Result, members: Mapping[str, Any], answer: Explanation, runs: Mapping[str, Run], limit: int | None
) -> None:
    """Writes the answer as ``schema/why-1.schema.json`` describes it."""
    asides = set_aside.as_json(answer.asides, runs)
    match answer:
        case DigestExplanation():
            links = [{"repository": repository, "digest": digest} for repository, digest in answer.dead_links]
            result.write(
                {**members, "kind": "digest", **fields(*_DIGEST_FIELDS)(answer)},
                {"dead_links": links, "asides": asides},
                {"chains": _portions(answer.chains(), limit)},
            )
        case TagExplanation():
            keeper = fields(*_KEEPER_FIELDS)
            parts = [
                {**fields(*_PART_FIELDS)(part), "others": [keeper(other) for other in part.others]}
                for part in answer.parts
            ]
            result.write({**members, "kind": "tag", **fields(*_TAG_FIELDS)(answer)}, {"parts": parts, "asides": asides})
        case AsideExplanation():
            name = {"kind": "aside", "repository": answer.repository, "tag": answer.tag}
            result.write({**members, **name}, {"asides": asides})
        case _:
            result.write({**members, "kind": "repository", **fields(*_REPOSITORY_FIELDS)(answer)}, {"asides": asides})


def _portions(chains: Iterable[Chain], limit: int | None) -> Iterator[list[dict[str, object]]]:
    wanted = map(_chain, islice(chains, limit))
    while portion := list(islice(wanted, _PORTION)):
        yield portion


def _chain(chain: Chain) -> dict[str, object]:
    steps = [{name: getattr(step, name) for name in _STEP_FIELDS} for step in chain.steps]
    return {"kind": chain.kind, "repository": chain.repository, "tag": chain.tag, "steps": steps}
