"""The click group: help, version, and commands that are imported when they are called."""

from __future__ import annotations

from importlib import import_module

import click

from regsweep import _core, exit_codes

# Command to the module and the name in it that holds the click command.
_LAZY_COMMANDS = {
    name: (f"regsweep.cli.{name}", name)
    for name in (
        "apply",
        "bench",
        "confirm",
        "du",
        "empty",
        "plan",
        "policy",
        "pulls",
        "purge",
        "report",
        "rm",
        "run",
        "runs",
        "undo",
        "uploads",
        "verify",
        "why",
    )
}


class LazyGroup(click.Group):
    """A group whose commands' modules are imported when a command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All commands, in the order of their names."""
        return sorted([*super().list_commands(ctx), *_LAZY_COMMANDS])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, imported; ``None`` where there is none of the name."""
        if cmd_name in _LAZY_COMMANDS:
            module, attribute = _LAZY_COMMANDS[cmd_name]
            command: click.Command = getattr(import_module(module), attribute)
            if not isinstance(command, click.Group):
                command.epilog = f"\b\n{exit_codes.help_text()}"
            return command
        return super().get_command(ctx, cmd_name)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(_core.__version__, prog_name="regsweep")
def group() -> None:
    """Garbage collector for container-registry storage."""


@group.command(
    "garbage-collect",
    add_help_option=False,
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def garbage_collect(ctx: click.Context, arguments: tuple[str, ...]) -> None:
    """Remove what no manifest references any more."""
    from regsweep.cli.garbage_collect import run

    ctx.exit(run(arguments))
