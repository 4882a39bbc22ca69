"""``--help`` of every command: what it is for, and what its exit codes mean."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from regsweep.cli.group import group

COMMANDS = sorted(name for name in group.list_commands(click.Context(group)) if name != "bench")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_says_what_its_exit_codes_mean(name: str) -> None:
    command = group.get_command(click.Context(group), name)
    shown = CliRunner().invoke(group, [name, "--help"])
    assert shown.exit_code == 0
    if isinstance(command, click.Group):
        assert command.commands, "a group of nothing"
    else:
        assert "Exit codes:" in shown.output
        assert "4  refused by a guard" in shown.output
