"""The options that say what goes, shared by ``plan`` and ``run``, and the plan that is made of them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import click

from regsweep import plan as plans
from regsweep import safety
from regsweep.cli import summary
from regsweep.cli.common import (
    marking_options,
    min_age_option,
    override_option,
    progress_line,
    read_keep_list,
    read_pulls,
    say,
)
from regsweep.cli.progress import describe_steps
from regsweep.library import Store


@dataclass(frozen=True)
class Planning:
    """What was asked for."""

    policy_file: str | None
    delete_untagged: bool
    pulls: str | None
    min_age: float
    keep_list: str | None
    accept_damage: tuple[str, ...]
    max_removed_share: float | None
    overrides: tuple[str, ...]

    def make(self, store: Store, as_of: float | None = None) -> plans.Plan:
        """Makes the plan, and says what marking found."""
        policy = decide = None
        keep = read_keep_list(self.keep_list)
        min_age = self.min_age
        if self.policy_file is not None:
            # What a policy takes to read is imported only where there is one.
            from regsweep.policy import load
            from regsweep.policy.selection import by_policy

            policy = load(self.policy_file)
            decide = by_policy(policy, read_pulls(self.pulls))
            for protected in policy.protect:
                keep += read_keep_list(str(protected))
            min_age = max(min_age, policy.min_age)
        line = progress_line()
        plan = plans.make(
            store,
            decide=decide,
            policy=policy,
            mode="policy" if policy else "untagged" if self.delete_untagged else "garbage",
            min_age=min_age,
            as_of=as_of,
            keep=keep,
            accept_damage=self.accept_damage,
            overrides=self.overrides,
            max_removed_share=self.max_removed_share,
            progress=line.start(describe_steps()),
        )
        line.clear()
        say(summary.inventory_lines(store))
        say(summary.findings(plan.marks))
        say(f"warning: guard {one.guard} is overridden: {one.message}" for one in plan.refusals if one.overridden)
        return plan


def planning_options(function: Callable[..., int]) -> Callable[..., int]:
    """Adds the options; the command gets them together as ``planning``."""

    @functools.wraps(function)
    def run(**kwargs: Any) -> int:
        planning = Planning(**{field.name: kwargs.pop(field.name) for field in fields(Planning)})
        if planning.policy_file is not None and planning.delete_untagged:
            raise click.UsageError("--delete-untagged and --policy exclude each other: the policy's 'untagged' says it")
        return function(planning=planning, **kwargs)

    options: list[Callable[..., Any]] = [
        click.option(
            "--policy", "policy_file", metavar="FILE", help="Tags and untagged manifests go as this policy says."
        ),
        click.option("--delete-untagged", is_flag=True, help="Manifests that no tag leads to go."),
        click.option(
            "--pulls", metavar="FILE", help="When tags were pulled, for policies that ask (see 'regsweep pulls')."
        ),
        min_age_option("24h"),
        marking_options,
        override_option(*safety.PLAN_GUARDS),
    ]
    for option in reversed(options):
        run = option(run)
    return run
