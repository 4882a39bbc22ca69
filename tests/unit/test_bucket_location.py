"""A bucket's location says where it is, and never shows what opens it."""

from __future__ import annotations

import traceback
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest
from bucket_configurations import ALL, Case
from bucket_files import SECRETS, fill_in

from regsweep import config
from regsweep.bucket.location import SECRET_SETTINGS, BucketLocation, check_bucket_name
from regsweep.errors import DriverError

URLS = {"s3": "s3://reg/a/b", "gcs": "gs://reg/a/b", "azure": "az://reg/a/b"}


@pytest.mark.parametrize("case", ALL.values(), ids=ALL)
def test_no_text_that_is_shown_has_a_secret_in_it(case: Case, tmp_path: Path) -> None:
    text, environment = fill_in(case, tmp_path, "http://127.0.0.1:1")
    file = tmp_path / "config.yml"
    file.write_text(text)
    try:
        loaded = config.load(file, environment)
    except DriverError as error:
        # With its causes, as an uncaught error would be printed.
        shown = ["".join(traceback.format_exception(error)), error.next_step, error.key]
    else:
        assert loaded.bucket is not None
        shown = [repr(loaded.bucket), str(loaded.bucket), loaded.bucket.url, repr(loaded), *loaded.warnings]
    assert not [secret for secret in SECRETS for text in shown if secret in text]


@pytest.mark.parametrize("name", sorted(SECRET_SETTINGS))
def test_secret_settings_are_there_and_not_shown(name: str) -> None:
    location = BucketLocation("s3", "reg", "", {name: "verysecret"})
    assert location.options[name] == "verysecret"
    assert "verysecret" not in f"{location!r} {location} {location.url}"
    assert name in repr(location)


@pytest.mark.parametrize("provider", ["s3", "gcs", "azure"])
def test_the_url_names_bucket_and_root(provider: str) -> None:
    location = BucketLocation(provider, "reg", "a/b")  # type: ignore[arg-type]
    assert location.url == URLS[provider]
    assert BucketLocation(provider, "reg", "").url == URLS[provider].removesuffix("/a/b")  # type: ignore[arg-type]


def test_a_location_cannot_be_changed() -> None:
    settings: dict[str, str | bool | int] = {"region": "eu-west-1"}
    location = BucketLocation("s3", "reg", "", settings)
    settings["region"] = "mars"
    location.options["region"] = "mars"
    assert location.options["region"] == "eu-west-1"
    with pytest.raises(FrozenInstanceError):
        location.bucket = "other"  # type: ignore[misc]
    with pytest.raises(TypeError):
        location.settings["region"] = "mars"  # type: ignore[index]


@pytest.mark.parametrize("name", ["a/b", "a b", "a?b", "..", "a%2fb", "ä", "a@b", "a:b"])
def test_a_name_that_would_be_something_else_in_a_url_is_refused(name: str) -> None:
    with pytest.raises(DriverError, match="cannot be the name of a bucket"):
        check_bucket_name(name, "gcs")


@pytest.mark.parametrize("name", ["reg", "a.b-c_d", "$web", "2026"])
def test_the_names_that_services_allow(name: str) -> None:
    check_bucket_name(name, "gcs")
