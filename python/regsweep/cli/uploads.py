"""``regsweep uploads``: pushes under way, and those that nobody will finish."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import click

from regsweep import _core, exit_codes
from regsweep.cli.common import Duration, bucket_options, command, open_for, progress_line, say, store_argument
from regsweep.cli.output import Result, json_option, show_all, table
from regsweep.cli.progress import describe_upload_removal
from regsweep.errors import OutputError, UploadAgeError
from regsweep.library import BucketOptions, Store
from regsweep.units import format_bytes, format_count, format_duration, format_moment
from regsweep.uploads import MultipartUpload, RemovedUploads, Upload, Uploads, remove_uploads

SCHEMA = "regsweep.uploads/1"
# Below this, an upload may well be one that a client is just pausing in.
_HASTY_SECONDS = 3600.0
_MAX_NOTES = 20


@click.command()
@store_argument
@click.option(
    "--older-than",
    type=Duration(),
    help="Uploads are stale when they began, and were last written to, longer ago. By default what the registry's "
    "configuration says, else 168h.",
)
@click.option("--purge", is_flag=True, help="Remove stale uploads.")
@json_option
@bucket_options
@command
def uploads(store: str, bucket: BucketOptions, older_than: float | None, purge: bool, json_path: str | None) -> int:
    """List uploads on STORE that are not finished; with --purge, remove the stale ones.

    STORE is a storage root (the directory that holds docker/registry/v2), a bucket's URL (s3://bucket/root, gs://...,
    az://...) or a registry's configuration file. On S3, multipart uploads that nobody has finished are uploads, too.
    """
    with Result(json_path, SCHEMA) as result:
        opened = open_for(store, bucket)
        found = opened.uploads()
        age = found.default_age_seconds if older_than is None else older_than
        if purge and age is None:
            raise click.UsageError(f"{UploadAgeError()}: --purge needs --older-than")
        stale = [] if age is None else found.stale(age)
        stale_multipart = [] if age is None else found.stale_multipart(age)
        count = len(stale) + len(stale_multipart)
        if not result.takes_stdout:
            show_all(_tables(found, stale, stale_multipart))
        say(_notes(found))
        say(_summaries(found, stale, stale_multipart, age, purge=purge))
        if not purge or age is None or not count:
            _write(result, opened, found, stale, stale_multipart, age, purge=purge)
            return exit_codes.DONE

        if age < _HASTY_SECONDS and not (opened.config and opened.config.read_only):
            say(["warning: clients may still be at work on uploads this young; who loses one has to push again"])
        line = progress_line()
        removed = remove_uploads(found, older_than=age, progress=line.start(describe_upload_removal(count)))
        line.clear()
        say(_outcome(removed))
        try:
            _write(result, opened, found, stale, stale_multipart, age, purge=purge, removed=removed)
        except OutputError as error:
            say([str(error)])
            return max(_code(removed), exit_codes.DONE_WITH_DAMAGE)
        return _code(removed)


def _code(removed: RemovedUploads | None) -> int:
    if removed is None:
        return exit_codes.DONE
    if removed.interrupted:
        return exit_codes.INTERRUPTED
    return exit_codes.DONE_WITH_DAMAGE if removed.failures else exit_codes.DONE


def _tables(found: Uploads, stale: Collection[Upload], stale_multipart: Collection[MultipartUpload]) -> Iterator[str]:
    if found.all:
        yield from table([*_rows(found.all, stale)])
    if found.all and found.multipart:
        yield ""
    if found.multipart:
        yield from table([*_multipart_rows(found.multipart, stale_multipart)])


def _multipart_rows(
    multipart: Collection[MultipartUpload], stale: Collection[MultipartUpload]
) -> Iterator[tuple[str, ...]]:
    stale_ids = {(upload.key, upload.id) for upload in stale}
    yield "MULTIPART UPLOAD OF", "INITIATED", "LAST WRITE", "SIZE", ""
    for upload in multipart:
        yield (
            upload.key,
            format_moment(upload.initiated),
            format_moment(upload.last_write),
            format_bytes(upload.size_bytes),
            "stale" if (upload.key, upload.id) in stale_ids else "",
        )


def _rows(all_uploads: Collection[Upload], stale: Collection[Upload]) -> Iterator[tuple[str, ...]]:
    stale_keys = {upload.key for upload in stale}
    yield "REPOSITORY", "UPLOAD", "STARTED", "LAST WRITE", "SIZE", ""
    for upload in all_uploads:
        yield (
            upload.repository,
            upload.id,
            upload.started or "unknown",
            format_moment(upload.last_write),
            format_bytes(upload.size_bytes),
            "stale" if upload.key in stale_keys else "",
        )


def _notes(found: Uploads) -> Iterator[str]:
    notes = found.notes
    for note in notes[:_MAX_NOTES]:
        yield f"note: {note.key}: {note.reason}"
    if len(notes) > _MAX_NOTES:
        yield f"and {len(notes) - _MAX_NOTES} more notes (--json names all)"


def _summaries(
    found: Uploads,
    stale: Collection[Upload],
    stale_multipart: Collection[MultipartUpload],
    age: float | None,
    *,
    purge: bool,
) -> Iterator[str]:
    yield _summary(format_count(len(found.all), "upload"), found.all, stale, age, purge=purge)
    if found.multipart:
        said = format_count(len(found.multipart), "multipart upload") + " beside them"
        yield _summary(said, found.multipart, stale_multipart, age, purge=purge)


def _summary(
    said: str,
    all_uploads: Collection[Upload] | Collection[MultipartUpload],
    stale: Collection[Upload] | Collection[MultipartUpload],
    age: float | None,
    *,
    purge: bool,
) -> str:
    line = f"{said}, {_size(all_uploads)}"
    if age is None:
        return f"{line}; the registry's configuration names no age for stale ones: --older-than does"
    line += f"; stale (older than {format_duration(age)}): {len(stale)}, {_size(stale)}"
    return f"{line}; --purge would remove those" if stale and not purge else line


def _size(some: Collection[Upload] | Collection[MultipartUpload]) -> str:
    return format_bytes(sum(upload.size_bytes for upload in some))


def _outcome(removed: RemovedUploads) -> Iterator[str]:
    for failure in removed.failures:
        yield f"failed to remove {failure.key}: {failure.error}"
    line = f"removed {format_count(removed.upload_count, 'upload')}"
    if removed.multipart_count:
        line += f" and {format_count(removed.multipart_count, 'multipart upload')}"
    line += f", {format_bytes(removed.size_bytes)}"
    if removed.left_count:
        line += f"; {removed.left_count} went on meanwhile and stayed"
    if removed.gone_count:
        line += f"; {removed.gone_count} had gone already"
    if removed.failures:
        line += f"; {format_count(len(removed.failures), 'removal')} failed"
    yield f"interrupted: {line}; running again finishes the work" if removed.interrupted else line


def _write(
    result: Result,
    store: Store,
    found: Uploads,
    stale: Collection[Upload],
    stale_multipart: Collection[MultipartUpload],
    age: float | None,
    *,
    purge: bool,
    removed: RemovedUploads | None = None,
) -> None:
    """Writes the result as ``schema/uploads-1.schema.json`` describes it."""
    stale_keys = {upload.key for upload in stale}
    stale_ids = {(upload.key, upload.id) for upload in stale_multipart}
    result.write(
        {
            "regsweep_version": _core.__version__,
            "root": store.root,
            "configuration": store.config and store.config.path,
            "options": {"older_than_seconds": age, "purge": purge},
            "removed": removed and _removed(removed),
            "exit_code": _code(removed),
        },
        {
            "uploads": [
                {
                    "repository": upload.repository,
                    "id": upload.id,
                    "key": upload.key,
                    "started": upload.started,
                    "last_write": format_moment(upload.last_write),
                    "size_bytes": upload.size_bytes,
                    "multipart": [_multipart(part) for part in upload.multipart],
                    "strange": upload.strange,
                    "stale": upload.key in stale_keys,
                }
                for upload in found.all
            ],
            "multipart_uploads": [
                {
                    **_multipart(upload),
                    "known": upload.is_known,
                    "stale": (upload.key, upload.id) in stale_ids,
                }
                for upload in found.multipart
            ],
            "notes": [{"key": note.key, "reason": note.reason} for note in found.notes],
        },
    )


def _multipart(upload: MultipartUpload) -> dict[str, object]:
    return {
        "key": upload.key,
        "id": upload.id,
        "initiated": format_moment(upload.initiated),
        "last_write": format_moment(upload.last_write),
        "size_bytes": upload.size_bytes,
    }


def _removed(removed: RemovedUploads) -> dict[str, object]:
    counts = ("upload_count", "multipart_count", "size_bytes", "left_count", "gone_count", "interrupted")
    return {
        **{name: getattr(removed, name) for name in counts},
        "failures": [{"key": failure.key, "error": failure.error} for failure in removed.failures],
    }
