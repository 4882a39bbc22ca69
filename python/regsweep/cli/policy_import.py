"""``regsweep policy import``: retention rules of other systems, as a policy file."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from regsweep import exit_codes
from regsweep.errors import PolicyError, PolicyImportError

if TYPE_CHECKING:
    from regsweep.policy.importers.draft import Draft

_STDIN = "-"

_file = click.argument("file")
_output = click.option(
    "--output", type=click.Path(path_type=Path), help="Write the policy to this file, which must not exist yet."
)


@click.group("import")
def import_group() -> None:
    """Turn the retention rules of another system into a policy file.

    What a policy cannot say is refused. Where it keeps more than the rules that it is made from, it says so beside the
    rule, and on standard error. FILE may be - for standard input.
    """


def _checked_by(pattern: re.Pattern[str], example: str) -> Callable[[click.Context, click.Parameter, str], str]:
    def check(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
        if not pattern.fullmatch(value):
            raise click.BadParameter(f"{value!r} is not a name like {example}")
        return value

    return check


def _repository_patterns(_context: click.Context, _parameter: click.Parameter, value: tuple[str, ...]) -> Any:
    from regsweep.policy import patterns

    try:
        if value:
            patterns.repositories(value)
    except patterns.PatternError as error:
        raise click.BadParameter(str(error)) from error
    return value


# GitLab writes the names of repositories in lower case.
_GITLAB_PROJECT = re.compile(r"[A-Za-z0-9._-]+(?:/[A-Za-z0-9._-]+)+")
_HARBOR_PROJECT = re.compile(r"[a-z0-9]+(?:[._-]+[a-z0-9]+)*")


@import_group.command()
@_file
@_output
@click.option(
    "--repository",
    "repositories",
    multiple=True,
    callback=_repository_patterns,
    metavar="PATTERN",
    help="What the policy is for (repeatable); needed unless the file names its repository.",
)
@click.pass_context
def ecr(ctx: click.Context, file: str, output: Path | None, repositories: tuple[str, ...]) -> None:
    """An Amazon ECR lifecycle policy (JSON), or what `aws ecr get-lifecycle-policy` prints."""
    from regsweep.policy.importers import ecr as importer

    _import(ctx, file, output, partial(importer.convert, repositories=repositories))


@import_group.command()
@_file
@_output
@click.option(
    "--project",
    required=True,
    callback=_checked_by(_HARBOR_PROJECT, "library"),
    metavar="NAME",
    help="The project that the policy is for.",
)
@click.pass_context
def harbor(ctx: click.Context, file: str, output: Path | None, project: str) -> None:
    """A Harbor tag retention policy, as its API shows it (JSON)."""
    from regsweep.policy.importers import harbor as importer

    _import(ctx, file, output, partial(importer.convert, project=project))


@import_group.command()
@_file
@_output
@click.pass_context
def zot(ctx: click.Context, file: str, output: Path | None) -> None:
    """The retention in zot's configuration (JSON)."""
    from regsweep.policy.importers import zot as importer

    _import(ctx, file, output, importer.convert)


@import_group.command()
@_file
@_output
@click.option(
    "--project",
    required=True,
    callback=_checked_by(_GITLAB_PROJECT, "group/project"),
    metavar="GROUP/PROJECT",
    help="The project that the policy is for.",
)
@click.pass_context
def gitlab(ctx: click.Context, file: str, output: Path | None, project: str) -> None:
    """A GitLab cleanup policy (container_expiration_policy), as its API shows it (JSON)."""
    from regsweep.policy.importers import gitlab as importer

    _import(ctx, file, output, partial(importer.convert, project=project))


@import_group.command()
@_file
@_output
@click.pass_context
def acr(ctx: click.Context, file: str, output: Path | None) -> None:
    """An `acr purge` command, in a file."""
    from regsweep.policy.importers import acr as importer

    _import(ctx, file, output, importer.convert)


def _import(ctx: click.Context, file: str, output: Path | None, convert: Callable[[bytes, str], Draft]) -> None:
    from regsweep import policy

    name = "standard input" if file == _STDIN else file
    try:
        draft = convert(_read(file, name), name)
        text = draft.text()
        # An importer makes policies. Should it ever not, nobody gets to see it.
        policy.parse(text.encode(), f"policy imported from {name}")
        if output is not None:
            _create(output, text)
    except PolicyError as error:
        click.echo(str(error), err=True)
        ctx.exit(exit_codes.FAILED)
    for warning in draft.warnings:
        place = f"{name}:{warning.line}" if warning.line else name
        click.echo(f"{place}: warning: {warning.message}", err=True)
    if output is None:
        click.echo(text, nl=False)


def _read(file: str, name: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if file == _STDIN else Path(file).read_bytes()
    except OSError as error:
        raise PolicyImportError(name, [(0, f"cannot be read: {error.strerror}")]) from error


def _create(output: Path, text: str) -> None:
    """Writes a file that was not there: a policy that somebody wrote is not to be lost."""
    try:
        with output.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except OSError as error:
        raise PolicyImportError(str(output), [(0, f"cannot be written: {error.strerror}")]) from error
