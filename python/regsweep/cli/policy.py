"""``regsweep policy``: look at retention policies."""

from __future__ import annotations

import json
from pathlib import Path

import click

from regsweep import exit_codes
from regsweep.cli.policy_import import import_group
from regsweep.errors import PolicyError
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
