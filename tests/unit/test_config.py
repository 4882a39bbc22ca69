"""The registry's configuration is read as the registry reads it."""

from pathlib import Path

import pytest
from configurations import BASE, ENVIRONMENT, FILES, Case

from regsweep import config
from regsweep.errors import ConfigurationError, DriverError, LoggingError


def load(tmp_path: Path, text: str, environment: dict[str, str] | None = None) -> config.RegistryConfig:
    file = tmp_path / "config.yml"
    file.write_text(text, newline="")
    return config.load(file, environment or {})


def message(tmp_path: Path, text: str, environment: dict[str, str] | None = None) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load(tmp_path, text, environment)
    return str(caught.value).replace(str(tmp_path / "config.yml"), "X")


@pytest.mark.parametrize(
    "case", [*FILES.values(), *ENVIRONMENT.values()], ids=[*FILES, *(f"env-{n}" for n in ENVIRONMENT)]
)
def test_the_root_is_the_one_that_the_registry_collects_in(case: Case, tmp_path: Path) -> None:
    if case.expected is not None:
        assert load(tmp_path, case.text, case.environment).root == case.expected
        return
    try:
        loaded = load(tmp_path, case.text, case.environment)
    except (ConfigurationError, DriverError):
        return
    # A driver that does not exist is found out when the storage is opened.
    assert loaded.root is None


@pytest.mark.parametrize(
    ("text", "environment", "expected"),
    [
        ("", {}, 'error parsing X: unsupported version: ""'),
        ("version: 0.2\n", {}, 'error parsing X: unsupported version: "0.2"'),
        ("version: 1\n", {}, 'error parsing X: strconv.ParseUint: parsing "": invalid syntax'),
        ("version: 0.1\n", {}, "error parsing X: no storage configuration provided"),
        (
            BASE + "  s3: {}\n",
            {},
            "error parsing X: must provide exactly one storage type. Provided: [filesystem s3]",
        ),
        (
            BASE,
            {"REGISTRY_STORAGE_S3_BUCKET": "x"},
            "error parsing X: multiple storage drivers specified in configuration or environment: filesystem, s3",
        ),
        (
            BASE + "http:\n  draintimeout: abc\n  relativeurls: something long\n",
            {},
            "error parsing X: yaml: unmarshal errors:\n"
            "  line 6: cannot unmarshal !!str `abc` into time.Duration\n"
            "  line 7: cannot unmarshal !!str `somethi...` into bool",
        ),
        ("a: b: c", {}, "error parsing X: yaml: line 1: mapping values are not allowed in this context"),
        (
            BASE,
            {"REGISTRY_HTTP_ADDR": "[a]"},
            "error parsing X: parsing environment variable REGISTRY_HTTP_ADDR: yaml: unmarshal errors:\n"
            "  line 1: cannot unmarshal !!seq into string",
        ),
        (
            BASE + "loglevel: bogus\n",
            {},
            "error parsing X: invalid loglevel bogus Must be one of [error, warn, info, debug]",
        ),
    ],
)
def test_errors_are_worded_as_the_registry_words_them(
    text: str, environment: dict[str, str], expected: str, tmp_path: Path
) -> None:
    assert message(tmp_path, text, environment) == expected


def test_a_file_that_cannot_be_read_is_named_as_go_names_it(tmp_path: Path) -> None:
    absent = tmp_path / "absent.yml"
    with pytest.raises(ConfigurationError) as caught:
        config.load(absent, {})
    assert str(caught.value) == f"open {absent}: no such file or directory"
    assert caught.value.key == str(absent)
    with pytest.raises(ConfigurationError) as caught:
        config.load(tmp_path, {})
    assert str(caught.value) == f"error parsing {tmp_path}: read {tmp_path}: is a directory"


def test_the_log_format_is_an_error_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(LoggingError, match=r'^unsupported logging formatter: "xml"$'):
        load(tmp_path, BASE + "log: {formatter: xml}\n")


@pytest.mark.parametrize("value", ["", " ~", " null"])
def test_a_root_without_value_is_refused_and_not_taken_for_a_directory_named_nil(value: str, tmp_path: Path) -> None:
    with pytest.raises(DriverError, match="<nil>") as caught:
        load(tmp_path, BASE.replace(" AA", value))
    assert caught.value.driver == "filesystem"
    assert "/var/lib/registry" in caught.value.next_step
    with pytest.raises(DriverError, match="<nil>"):
        load(tmp_path, BASE, {"REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY": ""})


@pytest.mark.parametrize("value", ["[a]", "{a: b}", "1.5"])
def test_a_root_that_is_no_path_is_refused(value: str, tmp_path: Path) -> None:
    with pytest.raises(DriverError, match="must be the path of a directory"):
        load(tmp_path, BASE.replace("AA", value))


@pytest.mark.parametrize(
    "text",
    ["version: 0.1\nstorage: filesystem\n", "version: 0.1\nstorage: {filesystem: }\n", BASE.replace("rootd", "Rootd")],
)
def test_the_default_root_is_the_drivers_own(text: str, tmp_path: Path) -> None:
    assert load(tmp_path, text).root == "/var/lib/registry"


def test_an_empty_root_is_the_root_of_the_file_system(tmp_path: Path) -> None:
    assert load(tmp_path, BASE.replace("AA", "''")).root == "/"


def test_what_matters_to_a_collection_is_kept(tmp_path: Path) -> None:
    loaded = load(
        tmp_path,
        BASE + "  maintenance: {readonly: {enabled: true}, uploadpurging: {enabled: true, age: 24h}}\n"
        "  delete: {enabled: true}\n  cache: {blobdescriptor: redis}\n",
    )
    assert (loaded.driver, loaded.read_only, loaded.delete_enabled, loaded.cache) == ("filesystem", True, True, "redis")
    assert loaded.upload_age_seconds == 86400
    assert loaded.parameters == {"rootdirectory": "AA"}
    assert loaded.path == str(tmp_path / "config.yml")
    assert loaded.warnings == ()


def test_defaults(tmp_path: Path) -> None:
    loaded = load(tmp_path, BASE)
    assert (loaded.read_only, loaded.delete_enabled, loaded.cache) == (False, False, None)
    assert loaded.upload_age_seconds == 168 * 3600


@pytest.mark.parametrize(
    ("section", "cache"),
    [("{layerinfo: inmemory}", "inmemory"), ("{blobdescriptor: memcached}", None), ("{}", None), ("", None)],
)
def test_the_descriptor_cache(section: str, cache: str | None, tmp_path: Path) -> None:
    assert load(tmp_path, f"{BASE}  cache: {section}\n").cache == cache


def test_upload_purging_switched_off(tmp_path: Path) -> None:
    purging = "  maintenance: {uploadpurging: {enabled: false}}\n"
    assert load(tmp_path, BASE + purging).upload_age_seconds is None


def test_another_driver_is_kept_by_name_and_has_no_root(tmp_path: Path) -> None:
    loaded = load(tmp_path, "version: 0.1\nstorage: {swift: {container: b, region: r}}\n")
    assert (loaded.driver, loaded.root, loaded.parameters["container"]) == ("swift", None, "b")


def test_unknown_variables_are_warned_of_and_the_path_variable_is_known(tmp_path: Path) -> None:
    environment = {"REGISTRY_FOO_BAR": "x", "REGISTRY_CONFIGURATION_PATH": "x", "REGISTRYFOO": "x", "OTHER": "x"}
    assert load(tmp_path, BASE, environment).warnings == (
        "Ignoring unrecognized environment variable REGISTRY_FOO_BAR",
    )


def test_a_nested_section_of_the_file_cannot_be_reached_by_a_variable(tmp_path: Path) -> None:
    # An oddity of the registry: it warns, and stays writable.
    variable = "REGISTRY_STORAGE_MAINTENANCE_READONLY_ENABLED"
    loaded = load(tmp_path, BASE + "  maintenance: {readonly: {enabled: false}}\n", {variable: "true"})
    assert not loaded.read_only
    assert loaded.warnings == (f"Ignoring environment variable {variable} involving map with non-string keys",)
    assert load(tmp_path, BASE, {variable: "true"}).read_only


def test_an_alias_bomb_is_refused_quickly(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x]"] + [f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 40)]
    text = BASE + "log:\n  fields:\n" + "".join(f"    {line}\n" for line in lines)
    assert "excessive aliasing" in message(tmp_path, text)


def test_merges_of_merges_are_as_limited(tmp_path: Path) -> None:
    """Each line has the one before twice: two to the fortieth at the end."""
    lines = [
        "a0: &a0 {k: v}",
        *(f"a{number}: &a{number} {{<<: [*a{number - 1}, *a{number - 1}]}}" for number in range(1, 41)),
    ]
    text = "version: 0.1\nlog:\n  fields:\n    " + "\n    ".join(lines) + "\n"
    assert "excessive aliasing" in message(tmp_path, text)


def test_a_merge_of_itself_is_no_endless_way(tmp_path: Path) -> None:
    assert "contains itself" in message(tmp_path, "version: 0.1\nlog:\n  fields: &a\n    <<: *a\n")


def test_deep_nesting_is_an_error_and_no_crash(tmp_path: Path) -> None:
    assert "X: yaml: " in message(tmp_path, BASE + "log: {fields: {x: " + "[" * 5000 + "]" * 5000 + "}}\n")


def test_bytes_that_are_no_text_are_an_error(tmp_path: Path) -> None:
    file = tmp_path / "config.yml"
    file.write_bytes(BASE.encode() + b"\xff\xff\n")
    with pytest.raises(ConfigurationError, match="yaml: "):
        config.load(file, {})


def test_the_path_comes_from_the_argument_then_from_the_environment() -> None:
    environment = {"REGISTRY_CONFIGURATION_PATH": "b"}
    assert config.resolve_path("a", environment) == "a"
    assert config.resolve_path(None, environment) == "b"
    for argument, variables in ((None, {}), ("", environment), (None, {"REGISTRY_CONFIGURATION_PATH": ""})):
        with pytest.raises(ConfigurationError, match=r"^configuration path unspecified$"):
            config.resolve_path(argument, variables)
