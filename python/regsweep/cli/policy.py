"""``regsweep policy``: look at retention policies."""

from __future__ import annotations

import json
from pathlib import Path

import click

from regsweep import exit_codes
from regsweep.cli.common import Moment, bucket_options, command, open_for, read_pulls, show
from regsweep.cli.policy_import import import_group
from regsweep.errors import PlanError, PolicyError
from regsweep.library import BucketOptions
from regsweep.units import format_count, format_duration


@click.group()
def policy() -> None:
    """Look at retention policies, and import those of other systems."""


policy.add_command(import_group)


@policy.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.pass_context
def check(ctx: click.Context, file: Path) -> None:
    """Check a policy FILE: every error with its line."""
    from regsweep import policy as policies

    try:
        loaded = policies.load(file)
    except PolicyError as error:
        click.echo(str(error), err=True)
        ctx.exit(exit_codes.FAILED)
    click.echo(
        f"{file}: {format_count(len(loaded.policies), 'policy', 'policies')}, "
        f"minimum age {format_duration(loaded.min_age)}"
    )
    for remark in policies.review(loaded):
        click.echo(f"{file}:{remark.line}: warning: {remark.message}", err=True)


@policy.command()
def schema() -> None:
    """Print the JSON Schema of policy files, for editors."""
    from regsweep import policy as policies

    click.echo(json.dumps(policies.schema(), indent=2))


@policy.command()
@click.argument("store", metavar="STORE")
@click.argument("name", metavar="REPOSITORY[:TAG]")
@click.option("--policy", "policy_file", required=True, metavar="FILE", help="The policy.")
@click.option("--pulls", metavar="FILE", help="When tags were pulled, for policies that ask (see 'regsweep pulls').")
@click.option("--as-of", type=Moment(), help="Decide for this moment instead of now.")
@bucket_options
@command
def explain(
    store: str, bucket: BucketOptions, name: str, policy_file: str, pulls: str | None, as_of: float | None
) -> int:
    """Say which rule decides on the tags of a repository, or on one of them, and why."""
    from regsweep import policy as policies
    from regsweep.names import parse_name
    from regsweep.policy import selection

    repository, tag = parse_name(name)
    loaded = policies.load(policy_file)
    times = read_pulls(pulls)
    catalog = open_for(store, bucket).scan()
    now = catalog.started if as_of is None else as_of
    selection.check_pulls(loaded, times, catalog, now)
    decisions = selection.explain(loaded, catalog, repository, now, times)
    decisions = [decision for decision in decisions if tag in (None, decision.tag.name)]
    if tag is not None and not decisions:
        raise PlanError(f"{name}: the store has no such tag that a policy decides on", key=name)
    one = loaded.for_repository(repository)
    show([f"{repository}: {f'policy {one.name!r} (line {one.line})' if one else 'no policy matches'}"])
    width = max((len(decision.tag.name) for decision in decisions), default=0)
    for decision in decisions:
        verdict = "stays" if decision.keeps else "goes"
        rule = f"{decision.rule}: " if decision.rule else ""
        show([f"  {decision.tag.name:<{width}}  {verdict}  {rule}{decision.reason}"])
    return exit_codes.DONE
