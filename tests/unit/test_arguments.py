"""The command line is pflag's, as scripts around the reference write it."""

import pytest

from regsweep.cli import arguments


@pytest.mark.parametrize(
    "argv",
    [
        ["-d", "-m", "c.yml"],
        ["-dm", "c.yml"],
        ["c.yml", "-m", "-d"],
        ["--dry-run", "c.yml", "--delete-untagged"],
        ["--dry-run=true", "--delete-untagged=1", "c.yml"],
        ["-d=t", "-m=TRUE", "c.yml"],
        ["-dm=True", "c.yml"],
        ["-dm", "--", "c.yml"],
        ["--delete-untagged=false", "-dm", "c.yml"],
    ],
)
def test_flags_in_all_their_forms_and_places(argv: list[str]) -> None:
    options = arguments.parse(argv)
    assert (options.dry_run, options.delete_untagged, options.quiet, options.config) == (True, True, False, "c.yml")


@pytest.mark.parametrize("argv", [["-m=false"], ["-m", "-m=0"], ["-dm", "--delete-untagged=F"], ["-dm=f"], []])
def test_the_last_state_of_a_flag_counts(argv: list[str]) -> None:
    assert arguments.parse(argv).delete_untagged is False


def test_a_flag_takes_no_separate_value() -> None:
    # pflag, too: "-m true c.yml" names the configuration "true".
    options = arguments.parse(["-m", "true", "c.yml"])
    assert options.config == "true"
    assert options.ignored_arguments == ["c.yml"]


def test_after_two_dashes_all_is_positional() -> None:
    options = arguments.parse(["--", "-d", "--quiet"])
    assert (options.config, options.ignored_arguments, options.dry_run) == ("-d", ["--quiet"], False)


def test_options_with_values_join_or_follow() -> None:
    argv = ["--compat=2", "--min-age", "24h", "c.yml", "--jobs=4", "--keep-list", "keep"]
    argv += ["--override", "nothing-marked", "--override=database-in-use"]
    argv += ["--accept-damage", "a", "--accept-damage=b/c", "--max-removed-share", "30%", "--json", "out"]
    options = arguments.parse(argv)
    expected = {
        "compat": 2,
        "min_age": 86400.0,
        "jobs": 4,
        "keep_list": "keep",
        "override": ["nothing-marked", "database-in-use"],
        "accept_damage": ["a", "b/c"],
        "max_removed_share": 0.3,
        "json": "out",
        "config": "c.yml",
        "dry_run": False,
        "delete_untagged": False,
        "quiet": False,
        "ignored_arguments": [],
        "max_requests_per_second": None,
        "no_cache": False,
        "cache_dir": None,
        "cache_size": None,
        "inventory": None,
    }
    assert vars(options) == expected


def test_defaults_are_those_of_the_reference() -> None:
    options = arguments.parse([])
    assert (options.compat, options.min_age, options.jobs, options.max_removed_share) == (3, 0.0, None, None)
    assert options.config is None


def test_a_value_may_begin_with_a_dash() -> None:
    assert arguments.parse(["--keep-list", "-strange", "--json", "-", "-q"]).keep_list == "-strange"


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--unknown"], "--unknown"),
        (["--dry"], "--dry"),
        (["-x"], "-x"),
        (["-dx", "c.yml"], "-x"),
        (["--unknown=5"], "--unknown=5"),
        (["-m=maybe"], 'invalid argument "maybe" for "-m, --delete-untagged" flag'),
        (["--dry-run="], 'invalid argument "" for "--dry-run" flag'),
        (["--json"], "expected one argument"),
        (["--json", "-", "c.yml"], "needs --quiet"),
        (["--compat", "1"], "invalid choice"),
        (["--min-age", "5"], "is not a duration"),
        (["--min-age=-5s"], "is not a duration"),
        (["--jobs", "0"], "is not a number of threads"),
        (["--jobs", "x"], "is not a number of threads"),
        (["--override", "all"], "invalid choice"),
        (["--max-removed-share", "30"], "is not a share"),
    ],
)
def test_wrong_usage_exits_2_and_says_why(argv: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        arguments.parse(argv)
    assert caught.value.code == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert message in captured.err
    assert captured.err.startswith("usage: regsweep garbage-collect [CONFIG] [OPTIONS]\n")


@pytest.mark.parametrize("argv", [["-h"], ["--help"], ["-dh"], ["c.yml", "--help"]])
def test_help_lists_options_guards_and_exit_codes(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        arguments.parse(argv)
    assert caught.value.code == 0
    text = capsys.readouterr().out
    for word in ("--max-removed-share", "newer-than-tags", "Exit codes:", "130  interrupted", "REGISTRY_CONFIGURATION"):
        assert word in text


def test_how_a_bucket_is_dealt_with() -> None:
    options = arguments.parse(["c.yml", "--max-requests-per-second", "2.5", "--cache-dir=d", "--cache-size", "1G"])
    assert (options.max_requests_per_second, options.cache, options.cache_size) == (2.5, "d", 2**30)
    assert options.config == "c.yml"
    assert arguments.parse(["--no-cache", "c.yml"]).cache is False
    assert arguments.parse(["--inventory", "s3://b/manifest.json", "c.yml"]).inventory == "s3://b/manifest.json"
    options = arguments.parse(["c.yml"])
    assert (options.max_requests_per_second, options.cache, options.cache_size) == (None, True, None)


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--no-cache", "--cache-dir", "d"], "--no-cache excludes --cache-dir and --cache-size"),
        (["--no-cache", "--cache-size", "1G"], "--no-cache excludes --cache-dir and --cache-size"),
        (["--cache-size", "much"], "'much' is not a size"),
        (["--max-requests-per-second", "0"], "'0' is not a number of requests a second"),
        (["--max-requests-per-second", "nan"], "'nan' is not a number of requests a second"),
        (["--max-requests-per-second", "many"], "'many' is not a number of requests a second"),
    ],
)
def test_what_makes_no_sense_for_a_bucket(argv: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        arguments.parse(argv)
    assert caught.value.code == 2
    assert message in capsys.readouterr().err
