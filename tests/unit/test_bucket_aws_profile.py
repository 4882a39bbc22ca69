"""Keys, region and address from AWS's variables and files."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import Any

import pytest

from regsweep.bucket.aws_profile import AwsEnvironment
from regsweep.errors import DriverError

KEYS = "aws_access_key_id = AKIA\naws_secret_access_key = verysecret\n"


class Home:
    """A home directory with AWS's files in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        (path / ".aws").mkdir()

    def write(self, name: str, text: str) -> None:
        (self.path / ".aws" / name).write_text(text)

    def read(self, *, config_file: bool | None = True, **variables: str) -> AwsEnvironment:
        return AwsEnvironment({"HOME": str(self.path), **variables}, "s3", config_file=config_file)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def refusal(environment: AwsEnvironment) -> DriverError:
    with pytest.raises(DriverError) as caught:
        environment.keys()
    assert "verysecret" not in "".join(traceback.format_exception(caught.value)) + caught.value.next_step
    return caught.value


def test_without_files_and_variables_there_is_nothing(home: Home) -> None:
    environment = home.read()
    assert (environment.keys(), environment.region, environment.endpoint) == ({}, "", None)
    environment = AwsEnvironment({}, "s3", config_file=True)
    assert (environment.keys(), environment.region) == ({}, "")


def test_the_default_profile(home: Home) -> None:
    home.write("credentials", f"[default]\n{KEYS}aws_session_token=token\n[other]\naws_access_key_id = x\n")
    home.write("config", "[default]\nregion = eu-west-1\n")
    environment = home.read()
    assert environment.keys() == {
        "access_key_id": "AKIA",
        "secret_access_key": "verysecret",
        "session_token": "token",
    }
    assert environment.region == "eu-west-1"


@pytest.mark.parametrize("variable", ["AWS_PROFILE", "AWS_DEFAULT_PROFILE"])
def test_a_profile_by_name(variable: str, home: Home) -> None:
    home.write("credentials", "[default]\naws_access_key_id = x\naws_secret_access_key = y\n")
    home.write("config", f"[profile prod]\nregion = eu-west-1\n{KEYS}")
    chosen: dict[str, Any] = {variable: "prod"}
    environment = home.read(**chosen)
    assert (environment.keys()["access_key_id"], environment.region) == ("AKIA", "eu-west-1")


def test_the_credentials_file_comes_before_the_other_one(home: Home) -> None:
    home.write("credentials", f"[default]\n{KEYS}")
    home.write("config", "[default]\naws_access_key_id = x\naws_secret_access_key = y\n")
    assert home.read().keys()["access_key_id"] == "AKIA"


def test_files_elsewhere(home: Home, tmp_path: Path) -> None:
    (tmp_path / "c").write_text(f"[default]\n{KEYS}")
    (tmp_path / "d").write_text("[default]\nregion = eu-west-1\n")
    environment = home.read(AWS_SHARED_CREDENTIALS_FILE=str(tmp_path / "c"), AWS_CONFIG_FILE="~/d")
    assert (environment.keys()["access_key_id"], environment.region) == ("AKIA", "eu-west-1")


def test_variables_come_before_files(home: Home) -> None:
    home.write("credentials", "[default]\nrole_arn = x\nregion = y\n")
    environment = home.read(AWS_ACCESS_KEY_ID="AKIA", AWS_SECRET_ACCESS_KEY="s", AWS_REGION="eu-west-1")
    assert (environment.keys()["access_key_id"], environment.region) == ("AKIA", "eu-west-1")


def test_the_older_names_of_the_variables(home: Home) -> None:
    assert home.read(AWS_ACCESS_KEY="AKIA", AWS_SECRET_KEY="s").keys()["access_key_id"] == "AKIA"


def test_a_web_identity_comes_before_files_and_is_the_core_s(home: Home) -> None:
    home.write("credentials", f"[default]\n{KEYS}")
    assert home.read(AWS_WEB_IDENTITY_TOKEN_FILE="/token", AWS_ROLE_ARN="x").keys() == {}


@pytest.mark.parametrize(
    "setting",
    [
        "role_arn",
        "source_profile",
        "credential_source",
        "web_identity_token_file",
        "sso_session",
        "sso_start_url",
        "login_session",
    ],
)
@pytest.mark.parametrize("keys", ["", KEYS])
def test_a_profile_with_keys_from_elsewhere_is_refused_by_name(setting: str, keys: str, home: Home) -> None:
    home.write("config", f"[profile prod]\n{setting} = x\n{keys}")
    error = refusal(home.read(AWS_PROFILE="prod"))
    assert "'prod'" in str(error)
    assert setting in str(error)
    assert "aws configure export-credentials --profile prod" in error.next_step


def test_a_program_is_not_asked_for_keys_unless_they_are_there_already(home: Home) -> None:
    home.write("config", "[default]\ncredential_process = /bin/keys\n")
    assert "credential_process" in str(refusal(home.read()))
    home.write("credentials", f"[default]\n{KEYS}")
    assert home.read().keys()["access_key_id"] == "AKIA"


def test_a_profile_that_is_nowhere_is_refused_if_it_was_asked_for(home: Home) -> None:
    home.write("credentials", f"[default]\n{KEYS}")
    assert "there is no profile 'prod'" in str(refusal(home.read(AWS_PROFILE="prod")))
    assert home.read(AWS_PROFILE="").keys()["access_key_id"] == "AKIA"


def test_a_profile_without_keys_leaves_them_to_the_core(home: Home) -> None:
    home.write("config", "[default]\nregion = eu-west-1\n")
    assert home.read().keys() == {}


def test_for_a_registry_s_configuration_the_second_file_counts_only_where_it_does_for_the_registry(
    home: Home,
) -> None:
    home.write("config", "[default]\nrole_arn = x\nregion = eu-west-1\n")
    assert (home.read(config_file=None).keys(), home.read(config_file=None).region) == ({}, "")
    assert home.read(config_file=None, AWS_SDK_LOAD_CONFIG="1").region == "eu-west-1"
    assert "role_arn" in str(refusal(home.read(config_file=None, AWS_SDK_LOAD_CONFIG="1")))


@pytest.mark.parametrize(
    "text",
    [
        "[default]\nendpoint_url = http://minio\n",
        "[default]\nservices = mine\nendpoint_url = http://x\n[services mine]\ns3 =\n  endpoint_url = http://minio\n",
    ],
)
def test_the_profile_s_address_of_s3(text: str, home: Home) -> None:
    home.write("config", text)
    assert home.read().endpoint == "http://minio"
    assert home.read(AWS_ENDPOINT_URL_S3="http://y").endpoint == "http://y"
    assert home.read(AWS_IGNORE_CONFIGURED_ENDPOINT_URLS="true").endpoint is None


@pytest.mark.parametrize("text", ["aws_secret_access_key = verysecret\n", "[default]\nverysecret\n", "\xff\n"])
def test_a_file_that_is_not_understood_is_named_and_not_quoted(text: str, home: Home) -> None:
    (home.path / ".aws" / "credentials").write_text(text, encoding="latin-1")
    assert str(home.path / ".aws" / "credentials") in str(refusal(home.read()))


def test_a_file_that_cannot_be_read_is_named(home: Home) -> None:
    (home.path / ".aws" / "credentials").mkdir()
    assert "cannot read" in str(refusal(home.read()))


def test_a_section_named_default_in_capitals_is_no_default_of_all_others(home: Home) -> None:
    home.write("credentials", f"[DEFAULT]\n{KEYS}[default]\nregion = x\n")
    assert home.read().keys() == {}
