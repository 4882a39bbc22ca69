"""``regsweep verify``: every blob's content against its digest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import click

from regsweep import _core, exit_codes
from regsweep._core import BrokenImage
from regsweep.cli.common import FloatType, bucket_options, command, open_for, progress_line, say, store_argument
from regsweep.cli.output import Result, json_option, show_all
from regsweep.cli.progress import describe_scan, describe_verify
from regsweep.errors import UnitError
from regsweep.library import BucketOptions, Store
from regsweep.units import format_bytes, format_count, format_duration, parse_rate
from regsweep.verify import Finding, Verification

SCHEMA = "regsweep.verify/1"
_MAX_IMAGES = 5
_MAX_NOTES = 20
_KINDS = ("missing", "truncated", "corrupt", "unreadable")


class _Rate(FloatType):
    """``50MB/s``: bytes a second."""

    name = "rate"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Bytes a second of what was typed."""
        try:
            return value if isinstance(value, float) else parse_rate(str(value))
        except UnitError as error:
            self.fail(str(error), param, ctx)


@click.command()
@store_argument
@click.option(
    "--repository",
    "repositories",
    multiple=True,
    metavar="PATTERN",
    help="Check only what the repositories reach that match (team/*, team/**, !team/tmp). Repeatable.",
)
@click.option("--jobs", type=click.IntRange(1, 1024), help="Threads that read and hash; by default two for each core.")
@click.option("--max-rate", type=_Rate(), help="Read no more than so much a second (50MB/s, 20MiB/s).")
@click.option(
    "--state",
    metavar="FILE",
    help="Keep in FILE how far it is; where FILE says that an earlier run was interrupted, go on from there.",
)
@json_option
@bucket_options
@command
def verify(
    store: str,
    bucket: BucketOptions,
    repositories: tuple[str, ...],
    jobs: int | None,
    max_rate: float | None,
    state: str | None,
    json_path: str | None,
) -> int:
    """Check the content of every blob on STORE against its digest, and that nothing is missing.

    STORE is a storage root (the directory that holds docker/registry/v2), a bucket's URL (s3://bucket/root, gs://...,
    az://...) or a registry's configuration file. What is wrong is listed on standard output, with the images that are
    broken by it. Nothing is changed.
    """
    with Result(json_path, SCHEMA) as result:
        opened = open_for(store, bucket)
        scan_line, line = progress_line(), progress_line()
        verification = opened.verify(
            repositories=repositories,
            jobs=jobs,
            max_rate=max_rate,
            state=state,
            scanning=scan_line.start(describe_scan),
            progress=line.start(describe_verify),
        )
        scan_line.clear()
        line.clear()
        say(_others(verification))
        say(_summary(verification, has_state=state is not None))
        code = _exit_code(verification)
        # Before the lines: who reads those may have gone after hours.
        _write(result, opened, verification, repositories, max_rate, code)
        if not result.takes_stdout:
            show_all(_finding_line(finding) for finding in verification.findings)
        return code


def _exit_code(verification: Verification) -> int:
    if verification.interrupted:
        return exit_codes.INTERRUPTED
    is_kept = verification.state_error is None
    return exit_codes.DONE if verification.is_sound and is_kept else exit_codes.DONE_WITH_DAMAGE


def _finding_line(finding: Finding) -> str:
    return f"{finding.kind} {finding.digest}: {_details(finding)}; {_images(finding.images)}"


def _details(finding: Finding) -> str:
    if finding.kind == "missing":
        return "not stored, but in quarantine" if finding.set_aside else "not stored"
    if finding.size_bytes is None:
        return str(finding.error)
    if finding.kind == "truncated" and finding.expected_bytes is not None:
        return f"{finding.size_bytes} of {format_count(finding.expected_bytes, 'byte')}"
    return f"{format_bytes(finding.size_bytes)} of other content"


def _images(images: Sequence[BrokenImage]) -> str:
    names = list(dict.fromkeys(_image_name(image) for image in images))
    if not names:
        return "no image needs it"
    more = len(names) - _MAX_IMAGES
    return f"breaks {', '.join(names[:_MAX_IMAGES])}" + (f" and {more} more" if more > 0 else "")


def _image_name(image: BrokenImage) -> str:
    return f"{image.repository}@{image.manifest}" if image.tag is None else f"{image.repository}:{image.tag}"


def _others(verification: Verification) -> Iterator[str]:
    for key, error in verification.unreadable_links:
        yield f"unreadable link {key}: {error}"
    for damage in verification.damaged:
        yield f"damaged link {damage.key}: {damage.reason}"
    for note in verification.notes[:_MAX_NOTES]:
        yield f"note: {note.key}: {note.reason}"
    if len(verification.notes) > _MAX_NOTES:
        yield f"and {len(verification.notes) - _MAX_NOTES} more notes (--json names all)"
    if verification.not_here_count:
        yield (
            f"note: {format_count(verification.not_here_count, 'digest')} referred to that need not be stored "
            "(platforms of an index that were never pushed, foreign layers, and the like)"
        )
    if verification.gone_count:
        yield f"note: {format_count(verification.gone_count, 'blob')} removed while this ran"


def _summary(verification: Verification, *, has_state: bool) -> Iterator[str]:
    progress = verification.progress
    if progress.skipped_count:
        size = format_bytes(progress.skipped_bytes)
        yield f"resumed: {format_count(progress.skipped_count, 'blob')}, {size} were verified before"
    line = f"checked {format_count(progress.checked_count, 'blob')}, {format_bytes(progress.read_bytes)}"
    line += f" in {format_duration(progress.seconds)}: {_counts(verification.findings)}"
    if verification.interrupted:
        left = progress.total_count - progress.skipped_count - progress.checked_count
        line = f"interrupted: {line}; {format_count(left, 'blob')} left"
        if has_state:
            line += ", and the next run with this state goes on from here"
    yield line
    if verification.state_error is not None:
        yield str(verification.state_error)


def _counts(findings: Iterable[Finding]) -> str:
    kinds = [finding.kind for finding in findings]
    return ", ".join(f"{kinds.count(kind)} {kind}" for kind in _KINDS if kind in kinds) or "nothing wrong"


def _write(
    result: Result,
    store: Store,
    verification: Verification,
    repositories: Sequence[str],
    max_rate: float | None,
    code: int,
) -> None:
    """Writes the result as ``schema/verify-1.schema.json`` describes it."""
    progress = verification.progress
    result.write(
        {
            "regsweep_version": _core.__version__,
            "root": store.root,
            "configuration": store.config and store.config.path,
            "options": {"repositories": list(repositories), "max_rate_bytes_per_second": max_rate},
            "total_count": progress.total_count,
            "total_bytes": progress.total_bytes,
            "skipped_count": progress.skipped_count,
            "skipped_bytes": progress.skipped_bytes,
            "checked_count": progress.checked_count,
            "read_bytes": progress.read_bytes,
            "not_here_count": verification.not_here_count,
            "gone_count": verification.gone_count,
            "interrupted": verification.interrupted,
            "exit_code": code,
        },
        {
            "findings": [_finding(finding) for finding in verification.findings],
            "unreadable_links": [{"key": key, "error": error} for key, error in verification.unreadable_links],
            "damaged": [{"key": damage.key, "reason": damage.reason} for damage in verification.damaged],
            "notes": [{"key": note.key, "reason": note.reason} for note in verification.notes],
        },
    )


def _finding(finding: Finding) -> dict[str, object]:
    fields = ("kind", "digest", "size_bytes", "expected_bytes", "error", "set_aside")
    images = [
        {name: getattr(image, name) for name in ("repository", "tag", "manifest", "missing", "role")}
        for image in finding.images
    ]
    return {**{name: getattr(finding, name) for name in fields}, "images": images}
