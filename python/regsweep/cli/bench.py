"""``regsweep bench``: make a synthetic store, compare collectors on one."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from regsweep._core import Progress

_OPTIONS_HELP = (
    "Change one option of the shape: seed, repositories, images (a repository), huge_images (the first), tagged, "
    "overwritten, layers, shared, bases, indexes, referrers, deleted, orphans, dangling, sha512, layer_bytes "
    "(repeatable)."
)
_PLACES = ("--store", "--work", "--output", "--registry2", "--registry3")
_PRESETS = ("small", "100k", "1m", "1m-sweep", "5m", "one-repository")


@click.group()
def bench() -> None:
    """Make synthetic stores and compare collectors on them."""


def _shape(preset: str, changes: tuple[str, ...]) -> dict[str, object]:
    options: dict[str, object] = {"preset": preset}
    for change in changes:
        name, equals, value = change.partition("=")
        if not equals:
            raise click.UsageError(f"--set takes NAME=VALUE, not {change!r}")
        try:
            options[name] = json.loads(value)
        except json.JSONDecodeError as error:
            raise click.UsageError(f"--set {name}: {value!r} is no number") from error
    return options


@bench.command()
@click.argument("root", type=click.Path(path_type=Path))
@click.option("--preset", type=click.Choice(_PRESETS), default="small", show_default=True, help="The shape.")
@click.option("--set", "changes", multiple=True, metavar="NAME=VALUE", help=_OPTIONS_HELP)
@click.option("--json", "as_json", is_flag=True, help="Say what was made as JSON.")
def generate(root: Path, preset: str, changes: tuple[str, ...], as_json: bool) -> None:
    """Make a synthetic store under ROOT, which must be empty or not exist.

    Layers are sparse files: their sizes are real, and they use no room.
    """
    from regsweep import _core

    def show(progress: Progress) -> None:
        click.echo(f"\r{progress.blobs:,} blobs", nl=False, err=True)

    options = json.dumps(_shape(preset, changes))
    try:
        made = json.loads(_core.generate_store(root, options, progress=show if sys.stderr.isatty() else None))
    except (OSError, ValueError) as error:
        raise click.ClickException(str(error)) from error
    if sys.stderr.isatty():
        click.echo("\r\x1b[2K", nl=False, err=True)
    if as_json:
        click.echo(json.dumps(made))
        return
    click.echo(
        f"made {root}: {made['repositories']:,} repositories, {made['tags']:,} tags, {made['manifests']:,} manifests, "
        f"{made['layer_links']:,} layer links, {made['blobs']:,} blobs of {made['bytes'] / (1 << 30):,.1f} GiB\n"
        f"garbage: {made['eligible_plain']:,} blobs; with untagged manifests {made['eligible_untagged']:,} blobs and "
        f"{made['eligible_revisions']:,} manifests"
    )


def _command() -> str:
    """The command line as results quote it: without where things are on this machine."""
    words = iter(sys.argv[1:])
    kept = ["regsweep"]
    for word in words:
        if word in _PLACES:
            next(words, None)
        elif word.partition("=")[0] not in _PLACES:
            kept.append(word)
    return " ".join(kept)


@bench.command()
@click.option("--preset", type=click.Choice(_PRESETS), default="100k", show_default=True, help="The shape.")
@click.option("--set", "changes", multiple=True, metavar="NAME=VALUE", help=_OPTIONS_HELP)
@click.option("--work", type=click.Path(path_type=Path), default=Path("bench-work"), help="Where to make stores.")
@click.option(
    "--store",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Measure on this storage root, which stays as it is, instead of making one.",
)
@click.option("--image-gib", type=int, help="Make the store in a filesystem image of that size (needs root).")
@click.option("--image-blocks", type=click.Choice(["1024", "4096"]), default="4096", help="The image's block size.")
@click.option("--cold", is_flag=True, help="Dry runs on a cold cache, too (needs root).")
@click.option("--untagged/--no-untagged", default=True, help="Dry runs with -m, too.")
@click.option("--cycle", is_flag=True, help="Planning, setting aside and undoing, too.")
@click.option("--sweep", is_flag=True, help="Real sweeps, each on a copy of the image (needs --image-gib).")
@click.option("--sweep-runs", type=click.IntRange(1), default=1, show_default=True, help="Real sweeps of everyone.")
@click.option("--runs", type=click.IntRange(1), default=5, show_default=True, help="Runs of regsweep and minimal.")
@click.option("--reference-runs", type=click.IntRange(0), default=3, show_default=True, help="Runs of the references.")
@click.option("--registry2", default="docker-registry", show_default=True, help="Program of 2.8.")
@click.option("--registry3", default="registry", show_default=True, help="Program of 3.x.")
@click.option("--output", type=click.Path(path_type=Path), default=Path("bench-results"), help="Where results go.")
@click.option("--name", help="What results are called; by default the preset.")
def run(
    preset: str,
    changes: tuple[str, ...],
    work: Path,
    store: Path | None,
    image_gib: int | None,
    image_blocks: str,
    cold: bool,
    untagged: bool,
    cycle: bool,
    sweep: bool,
    sweep_runs: int,
    runs: int,
    reference_runs: int,
    registry2: str,
    registry3: str,
    output: Path,
    name: str | None,
) -> None:
    """Compare regsweep, the registries' own collectors and a minimal program on one store."""
    import signal
    import subprocess

    from regsweep.bench import report
    from regsweep.bench.session import Session

    if sweep and image_gib is None:
        raise click.UsageError("--sweep needs --image-gib: every contender sweeps a copy of the same image")
    if store is not None and (image_gib is not None or cycle):
        raise click.UsageError("--store is for dry runs: everything else makes its own store")
    session = Session(
        work=work,
        shape=_shape(preset, changes),
        registries={"2.8.2": registry2, "3.1.2": registry3} if reference_runs else {},
        runs=runs,
        reference_runs=reference_runs,
        log=lambda line: click.echo(line, err=True),
    )
    # Images are to be unmounted, whatever ends this. (Shells let what they start in the background ignore SIGINT.)
    for ending in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ending, signal.default_int_handler)
    sweeps = sweep_runs if sweep else 0
    try:
        session.run(
            store=store,
            image_gib=image_gib,
            blocks=int(image_blocks),
            cold=cold,
            untagged=untagged,
            cycle=cycle,
            sweeps=sweeps,
        )
    except (OSError, RuntimeError, ValueError, subprocess.CalledProcessError) as error:
        raise click.ClickException(str(error)) from error
    finally:
        # Runs take hours: what was measured before a failure or Ctrl-C is kept.
        if session.series:
            report.write(output, name or preset, session.series, {"preset": preset, **session.made}, _command())
            click.echo(report.table(session.series))
