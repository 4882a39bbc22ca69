"""From what an operator writes to the core's ``open_bucket``: by URL, by configuration, by every command."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

import regsweep
from regsweep import _core, library
from regsweep.bucket import cache
from regsweep.cli import garbage_collect
from regsweep.cli.group import group
from regsweep.errors import BucketOptionError, ConfigurationError, DriverError

ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "verysecret",
    "AWS_REGION": "eu-west-1",
}
CONFIG = """\
version: 0.1
storage:
  s3: {accesskey: AKIAEXAMPLE, secretkey: verysecret, region: eu-west-1, bucket: reg, rootdirectory: /a}
  maintenance: {readonly: {enabled: true}}
"""
# Every command with an argument STORE, and what else it has to be given. "apply" finds its store in a plan.
COMMANDS = {
    "confirm": [],
    "du": [],
    "empty": [],
    "plan": ["--output", "plan"],
    "policy explain": ["team/app", "--policy", "POLICY"],
    "purge": [],
    "report": [],
    "rm": ["team/app:v1", "--output", "plan"],
    "run": [],
    "runs": [],
    "undo": ["run"],
    "uploads": [],
    "verify": [],
    "why": ["team/app:v1"],
}


class Opened(Exception):
    """Ends a command where the core would take over."""


class Core:
    """Stands in for ``_core.Store``: keeps what a bucket is opened with, and goes no further."""

    def __init__(self) -> None:
        self.options: dict[str, Any] = {}
        self.settings: dict[str, Any] = {}

    def open_bucket(self, options: dict[str, Any], **settings: Any) -> Any:
        self.options, self.settings = options, settings
        raise Opened


@pytest.fixture
def core(monkeypatch: pytest.MonkeyPatch) -> Core:
    stand_in = Core()
    monkeypatch.setattr(_core, "Store", stand_in)
    return stand_in


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "config.yml"
    file.write_text(CONFIG)
    return file


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {**ENVIRONMENT, "HOME": str(tmp_path)}


def test_a_url_is_opened_with_what_the_environment_has(core: Core, environment: dict[str, str]) -> None:
    with pytest.raises(Opened):
        regsweep.open("s3://reg/a", environment=environment, jobs=3)
    assert core.options["bucket"] == "reg"
    assert core.options["secret_access_key"] == "verysecret"
    assert core.settings == {
        "jobs": 3,
        "max_requests_per_second": None,
        "cache_directory": f"{environment['HOME']}/.cache/regsweep/manifests",
        "cache_bytes": 2**30,
        "inventory": None,
    }


def test_a_configuration_is_opened_with_what_it_says(core: Core, config: Path, environment: dict[str, str]) -> None:
    with pytest.raises(Opened):
        regsweep.open(
            config,
            environment=environment,
            max_requests_per_second=5,
            cache=config.parent / "c",
            cache_bytes=9,
            inventory=config.parent / "manifest.json",
        )
    assert (core.options["bucket"], core.options["root"]) == ("reg", "a")
    assert core.settings == {
        "jobs": None,
        "max_requests_per_second": 5,
        "cache_directory": str(config.parent / "c"),
        "cache_bytes": 9,
        "inventory": str(config.parent / "manifest.json"),
    }


def test_the_store_is_called_by_its_url(
    monkeypatch: pytest.MonkeyPatch, config: Path, environment: dict[str, str]
) -> None:
    class Opens:
        open_bucket = staticmethod(lambda options, **settings: None)

    monkeypatch.setattr(_core, "Store", Opens)
    store = regsweep.open(config, environment=environment)
    assert store.root == "s3://reg/a"
    assert store.config is not None
    assert store.location is store.config.bucket
    assert regsweep.open("s3://reg?path_style=true", environment=environment).root == "s3://reg"


def test_a_url_of_nothing_known_is_refused_and_a_missing_path_is_named_as_ever(tmp_path: Path) -> None:
    with pytest.raises(DriverError, match="ftp:// names no storage"):
        regsweep.open("ftp://reg")
    with pytest.raises(ConfigurationError, match=r"^open .*/none: no such file or directory$"):
        regsweep.open(tmp_path / "none")


@pytest.mark.parametrize("path", ["/data", "data", "./s3:/a", "C:\\data", "a b://c", "://x", ""])
def test_paths_are_no_urls(path: str) -> None:
    assert not library.is_url(path)


@pytest.mark.parametrize(
    "settings", [{"max_requests_per_second": 5}, {"cache": False}, {"cache_bytes": 5}, {"inventory": "manifest.json"}]
)
def test_what_is_for_buckets_is_refused_on_a_filesystem(settings: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "config.yml"
    file.write_text(f"version: 0.1\nstorage: {{filesystem: {{rootdirectory: {tmp_path}}}}}\n")
    for path in (tmp_path, file):
        with pytest.raises(BucketOptionError, match="is on a filesystem") as caught:
            regsweep.open(path, **settings)
        assert "--max-requests-per-second" in caught.value.next_step


# Where the cache is


@pytest.mark.parametrize(
    ("variables", "directory"),
    [
        ({"HOME": "AA"}, "AA/.cache/regsweep/manifests"),
        ({"HOME": "AA", "XDG_CACHE_HOME": "AA/x"}, "AA/x/regsweep/manifests"),
        ({"HOME": "AA", "XDG_CACHE_HOME": "relative"}, "AA/.cache/regsweep/manifests"),
        ({"XDG_CACHE_HOME": "AA/x"}, "AA/x/regsweep/manifests"),
        ({"HOME": ""}, None),
        ({"HOME": "relative"}, None),
        ({"HOME": "/proc/none"}, None),
        ({}, None),
    ],
)
def test_the_cache_is_where_caches_are_or_nowhere(
    variables: dict[str, str], directory: str | None, tmp_path: Path
) -> None:
    environment = {name: value.replace("AA", str(tmp_path)) for name, value in variables.items()}
    expected = None if directory is None else directory.replace("AA", str(tmp_path))
    assert cache.directory_for(False, environment) is None
    assert not list(tmp_path.iterdir())
    assert cache.directory_for(True, environment) == expected
    assert expected is None or Path(expected).stat().st_mode & 0o777 == 0o700


def test_a_directory_that_was_asked_for_must_be_writable(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert cache.directory_for(str(tmp_path / "a/b"), {}) == str(tmp_path / "a/b")
    for directory in (tmp_path / "file", tmp_path / "file/below", Path("/proc/none")):
        with pytest.raises(BucketOptionError, match="manifests cannot be kept in"):
            cache.directory_for(directory, {})


# The commands


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_takes_a_url_and_the_options_of_buckets(
    name: str, core: Core, environment: dict[str, str], tmp_path: Path
) -> None:
    policy = tmp_path / "policy.yml"
    policy.write_text("version: 1\npolicies:\n  - {repositories: ['**'], keep: [{tags: ['v*']}]}\n")
    more = [str(policy) if text == "POLICY" else text for text in COMMANDS[name]]
    options = ["--max-requests-per-second", "2.5", "--cache-dir", str(tmp_path), "--cache-size", "2MiB"]
    result = CliRunner(env=environment).invoke(group, [*name.split(), "s3://reg/a", *more, *options])
    assert isinstance(result.exception, Opened), result.output
    assert core.options["bucket"] == "reg"
    assert core.settings["max_requests_per_second"] == 2.5
    assert (core.settings["cache_directory"], core.settings["cache_bytes"]) == (str(tmp_path), 2 * 1024**2)


def test_all_commands_with_a_store_are_in_the_table() -> None:
    def names(of: click.Group, before: str) -> set[str]:
        found = set()
        for name in of.list_commands(click.Context(of)):
            command = of.get_command(click.Context(of), name)
            assert command is not None
            if isinstance(command, click.Group):
                found |= names(command, f"{before}{name} ")
            elif any("STORE" in str(parameter.metavar) for parameter in command.params):
                found.add(f"{before}{name}")
        return found

    assert names(group, "") == {*COMMANDS, "apply"}


def test_no_cache_excludes_the_cache_s_options(environment: dict[str, str]) -> None:
    result = CliRunner(env=environment).invoke(group, ["du", "s3://reg", "--no-cache", "--cache-size", "1G"])
    assert result.exit_code == 2
    assert "--no-cache excludes" in result.output


@pytest.mark.parametrize("options", [["--cache-size", "much"], ["--max-requests-per-second", "0"]])
def test_what_is_no_size_and_no_rate_is_a_mistake_of_usage(options: list[str]) -> None:
    assert CliRunner().invoke(group, ["du", "s3://reg", *options]).exit_code == 2


@pytest.mark.parametrize("url", ["s3://reg?secret_key=verysecret", "s3://AKIAEXAMPLE:verysecret@reg"])
def test_a_secret_in_a_url_is_in_no_output_and_no_report(url: str, environment: dict[str, str], tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("page.html", "report.json", "metrics.prom")]
    targets = [f"--{option}={file}" for option, file in zip(("html", "json", "prometheus"), files, strict=True)]
    result = CliRunner(env=environment).invoke(group, ["report", url, *targets])
    assert result.exit_code == 1
    assert all(file.exists() for file in files)
    assert "verysecret" not in "".join([result.output, *(file.read_text() for file in files)])
    assert json.loads(files[1].read_text())["outcome"]["error"]


def test_the_drop_in_command_opens_the_bucket_of_its_configuration(
    core: Core, config: Path, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    arguments = ["--no-cache", "--max-requests-per-second=7", "-d", str(config)]
    with pytest.raises(Opened):
        garbage_collect.run(arguments)
    assert core.options["bucket"] == "reg"
    assert core.settings["cache_directory"] is None
    assert core.settings["max_requests_per_second"] == 7


def test_nothing_of_buckets_is_imported_for_a_filesystem(tmp_path: Path) -> None:
    file = tmp_path / "config.yml"
    file.write_text(f"version: 0.1\nstorage: {{filesystem: {{rootdirectory: {tmp_path}}}}}\n")
    program = (
        "import sys, regsweep\n"
        "from regsweep.cli import garbage_collect\n"
        f"regsweep.open({str(file)!r})\n"
        "print([name for name in sys.modules if name.startswith('regsweep.bucket')])\n"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert run.stdout == "[]\n"
