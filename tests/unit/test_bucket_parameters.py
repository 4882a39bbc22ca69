"""The storage sections of buckets are read as the registry's drivers read them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from bucket_configurations import ALL, Case
from bucket_files import fill_in

from regsweep import config
from regsweep.bucket import azure_parameters, gcs_parameters, s3_parameters
from regsweep.bucket.location import BucketLocation
from regsweep.errors import DriverError

ENDPOINT = "http://127.0.0.1:1"
S3 = {"accesskey": "a", "secretkey": "b", "region": "eu-west-1", "bucket": "reg"}
AZURE = {"accountname": "account", "accountkey": "a2V5", "container": "reg"}
# What the drivers of 2.8.3 and 3.1.2 read (FromParameters, NewParameters).
READ_BY_S3 = (
    "accesskey secretkey regionendpoint region bucket encrypt secure skipverify v4auth keyid chunksize "
    "multipartcopychunksize multipartcopymaxconcurrency multipartcopythresholdsize rootdirectory storageclass "
    "useragent objectacl forcepathstyle usedualstack accelerate usefipsendpoint loglevel redirectendpoint"
)
READ_BY_GCS = "bucket rootdirectory chunksize keyfile credentials maxconcurrency useragent"
READ_BY_AZURE = (
    "accountname accountkey container realm credentials connectionstring rootdirectory serviceurl max_retries "
    "retry_delay skipverify"
)


def s3(environment: dict[str, str] | None = None, **more: Any) -> BucketLocation:
    parameters = {name: value for name, value in {**S3, **more}.items() if value != "-"}
    return s3_parameters.locate("s3", parameters, environment or {})


def gcs(environment: dict[str, str] | None = None, **parameters: Any) -> BucketLocation:
    return gcs_parameters.locate("gcs", {"bucket": "reg", **parameters}, environment or {})


def azure(environment: dict[str, str] | None = None, **more: Any) -> BucketLocation:
    parameters = {name: value for name, value in {**AZURE, **more}.items() if value != "-"}
    return azure_parameters.locate("azure", parameters, environment or {})


@pytest.mark.parametrize("case", ALL.values(), ids=ALL)
def test_a_section_is_taken_as_the_table_says(case: Case, tmp_path: Path) -> None:
    text, environment = fill_in(case, tmp_path, ENDPOINT)
    file = tmp_path / "config.yml"
    file.write_text(text)
    if case.ours:
        loaded = config.load(file, environment)
        assert loaded.bucket is not None
        assert loaded.root is None
    else:
        with pytest.raises(DriverError) as caught:
            config.load(file, environment)
        assert caught.value.driver in ("s3", "s3aws", "gcs", "azure")


@pytest.mark.parametrize("case", ALL.values(), ids=ALL)
def test_what_either_version_takes_is_taken_unless_the_table_says_why_not(case: Case) -> None:
    assert (case.ours == bool(case.two or case.three)) or case.why


@pytest.mark.parametrize(
    ("module", "read"),
    [(s3_parameters, READ_BY_S3), (gcs_parameters, READ_BY_GCS), (azure_parameters, READ_BY_AZURE)],
)
def test_every_parameter_of_both_versions_is_in_the_module_s_table(module: Any, read: str) -> None:
    assert set(module.PARAMETERS) == set(read.split())
    assert {use for use, _ in module.PARAMETERS.values()} <= {"honoured", "checked", "ignored", "refused"}


def test_a_filesystem_has_no_bucket(tmp_path: Path) -> None:
    file = tmp_path / "config.yml"
    file.write_text("version: 0.1\nstorage: {filesystem: {rootdirectory: /x}}\n")
    assert config.load(file, {}).bucket is None


@pytest.mark.parametrize("driver", ["inmemory", "oss", "swift", "mine"])
def test_other_drivers_have_none_either(driver: str, tmp_path: Path) -> None:
    file = tmp_path / "config.yml"
    file.write_text(f"version: 0.1\nstorage: {{{driver}: {{bucket: x}}}}\n")
    loaded = config.load(file, {})
    assert (loaded.bucket, loaded.root) == (None, None)


def test_warnings_of_the_section_are_those_of_the_configuration(tmp_path: Path) -> None:
    file = tmp_path / "config.yml"
    file.write_text("version: 0.1\nstorage: {s3: {region: eu-west-1, bucket: reg, accesskey: a, rootdirctory: x}}\n")
    assert config.load(file, {}).warnings == (
        "storage.s3.accesskey has no effect without secretkey: credentials come from elsewhere",
        "storage.s3.rootdirctory is no parameter of this driver, and has no effect",
    )


# S3


def test_the_options_of_a_plain_section() -> None:
    assert s3(rootdirectory="/a/b/").options == {
        "provider": "s3",
        "bucket": "reg",
        "root": "a/b",
        "region": "eu-west-1",
        "access_key_id": "a",
        "secret_access_key": "b",
        "path_style": False,
    }


@pytest.mark.parametrize(
    ("parameters", "text"),
    [
        ({"bucket": "-"}, "no bucket parameter provided"),
        ({"region": "-"}, "no region parameter provided"),
        ({"region": "mars"}, "invalid region provided: mars"),
        ({"secure": "maybe"}, "the secure parameter should be a boolean"),
        ({"chunksize": 1}, "the chunksize 1 parameter should be a number between 5242880 and 5368709120 (inclusive)"),
        ({"chunksize": "x"}, "chunksize parameter must be an integer, x invalid"),
        ({"objectacl": "x"}, "invalid value for objectacl parameter: x"),
        ({"v4auth": False}, "on Amazon S3 this storage driver can only be used with v4 authentication"),
        ({"redirectendpoint": "cdn"}, "no scheme specified for redirectendpoint"),
    ],
)
def test_errors_are_worded_as_the_driver_words_them(parameters: dict[str, Any], text: str) -> None:
    with pytest.raises(DriverError) as caught:
        s3(**parameters)
    assert str(caught.value) == text
    assert caught.value.driver == "s3"


def test_old_signatures_are_refused_with_a_way_on() -> None:
    with pytest.raises(DriverError, match="v4auth is false") as caught:
        s3(v4auth="false", regionendpoint=ENDPOINT)
    assert "REGISTRY_STORAGE_S3_V4AUTH=true" in caught.value.next_step


@pytest.mark.parametrize(
    ("parameters", "endpoint"),
    [
        ({}, None),
        ({"regionendpoint": "http://minio:9000"}, "http://minio:9000"),
        ({"regionendpoint": "http://minio:9000/"}, "http://minio:9000"),
        ({"regionendpoint": "minio:9000"}, "https://minio:9000"),
        ({"regionendpoint": "minio:9000", "secure": False}, "http://minio:9000"),
        ({"regionendpoint": "https://minio:9000", "secure": False}, "https://minio:9000"),
        ({"regionendpoint": "https://host/s3", "usedualstack": True, "accelerate": True}, "https://host/s3"),
        ({"secure": False}, "http://s3.eu-west-1.amazonaws.com"),
        ({"usedualstack": True}, "https://s3.dualstack.eu-west-1.amazonaws.com"),
        ({"usefipsendpoint": True, "region": "us-east-1"}, "https://s3-fips.us-east-1.amazonaws.com"),
        (
            {"usefipsendpoint": True, "usedualstack": True, "region": "us-east-1"},
            "https://s3-fips.dualstack.us-east-1.amazonaws.com",
        ),
        ({"accelerate": True}, "https://s3-accelerate.amazonaws.com"),
        ({"accelerate": True, "usedualstack": "true"}, "https://s3-accelerate.dualstack.amazonaws.com"),
        ({"region": "cn-north-1"}, "https://s3.cn-north-1.amazonaws.com.cn"),
        ({"region": "us-gov-west-1"}, None),
        ({"region": "us-iso-east-1"}, "https://s3.us-iso-east-1.c2s.ic.gov"),
        ({"region": "us-isob-east-1"}, "https://s3.us-isob-east-1.sc2s.sgov.gov"),
    ],
)
def test_the_address_of_the_service(parameters: dict[str, Any], endpoint: str | None) -> None:
    assert s3(**parameters).options.get("endpoint") == endpoint


@pytest.mark.parametrize("variable", ["AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT"])
def test_variables_choose_the_address_as_they_do_for_the_registry(variable: str) -> None:
    word = "s3-fips." if "FIPS" in variable else "s3.dualstack."
    assert str(s3({variable: "true"}).options["endpoint"]).startswith(f"https://{word}")


@pytest.mark.parametrize(
    ("parameters", "path_style"),
    [
        ({}, False),
        ({"forcepathstyle": True}, True),
        # 2.8 has paths whenever there is an endpoint, 3.x only where it is told to.
        ({"regionendpoint": "https://host"}, True),
        ({"regionendpoint": "https://host", "forcepathstyle": None}, True),
        ({"regionendpoint": "https://host", "forcepathstyle": "true"}, True),
        ({"regionendpoint": "https://host", "forcepathstyle": "false"}, False),
        # Nothing can stand in front of a number, or in front of a host whose certificate is for one component.
        ({"regionendpoint": "http://127.0.0.1:9000", "forcepathstyle": False}, True),
        ({"regionendpoint": "http://[::1]:9000", "forcepathstyle": False}, True),
        ({"bucket": "a.b"}, True),
        ({"bucket": "a.b", "secure": False}, False),
        ({"bucket": "A_b"}, True),
        ({"accelerate": True, "forcepathstyle": True}, False),
    ],
)
def test_whether_the_bucket_goes_into_the_path(parameters: dict[str, Any], path_style: bool) -> None:
    assert s3(**parameters).options["path_style"] is path_style


def test_certificates_are_checked_unless_the_section_says_otherwise() -> None:
    assert "verify_tls" not in s3().options
    assert "verify_tls" not in s3(skipverify=False).options
    assert s3(skipverify="true").options["verify_tls"] is False


def test_an_endpoint_without_a_region_takes_the_environment_s_or_the_usual_one() -> None:
    assert s3(region="-", regionendpoint="http://x").options["region"] == "us-east-1"
    assert s3({"AWS_REGION": "eu-north-1"}, region="-", regionendpoint="http://x").options["region"] == "eu-north-1"


def test_keys_of_the_section_come_before_those_of_the_environment_and_have_no_token() -> None:
    environment = {"AWS_ACCESS_KEY_ID": "c", "AWS_SECRET_ACCESS_KEY": "d", "AWS_SESSION_TOKEN": "e"}
    options = s3(environment).options
    assert (options["access_key_id"], options["secret_access_key"]) == ("a", "b")
    assert "session_token" not in options
    options = s3(environment, secretkey="-").options
    assert (options["access_key_id"], options["secret_access_key"], options["session_token"]) == ("c", "d", "e")


def test_the_environment_s_endpoint_is_for_urls_only_as_the_registry_does_not_read_it() -> None:
    assert "endpoint" not in s3({"AWS_ENDPOINT_URL": "http://minio"}).options


@pytest.mark.parametrize("root", ["a//b", "a/../b", "./a", "a\nb"])
def test_a_root_that_might_become_another_on_its_way_is_refused(root: str) -> None:
    with pytest.raises(DriverError, match="the root directory"):
        s3(rootdirectory=root)


@pytest.mark.parametrize(("text", "root"), [("", ""), ("/", ""), ("//", ""), ("a", "a"), ("/a/b//", "a/b")])
def test_slashes_around_a_root_do_not_count(text: str, root: str) -> None:
    assert [location.root for location in (s3(rootdirectory=text), gcs(rootdirectory=text))] == [root, root]
    assert azure(rootdirectory=text).root == root


# Google


def test_credentials_as_a_map_are_the_text_of_a_key() -> None:
    options = gcs(credentials={"type": "service_account", "private_key": "x"}).options
    assert options["service_account_key"] == '{"type": "service_account", "private_key": "x"}'


def test_a_key_file_is_named_and_comes_first(tmp_path: Path) -> None:
    key = tmp_path / "key.json"
    key.write_text('{"type": "service_account"}')
    options = gcs(keyfile=str(key), credentials={"type": "x"}).options
    assert options["service_account_path"] == str(key)
    assert "service_account_key" not in options


def test_without_credentials_the_core_looks_for_the_machine_s() -> None:
    assert gcs().options == {"provider": "gcs", "bucket": "reg", "root": ""}


def test_an_emulator_needs_no_credentials() -> None:
    options = gcs({"STORAGE_EMULATOR_HOST": "127.0.0.1:4443"}).options
    assert options["endpoint"] == "http://127.0.0.1:4443"
    assert '"disable_oauth": true' in str(options["service_account_key"])


@pytest.mark.parametrize(
    ("parameters", "text"),
    [
        ({"bucket": ""}, "no bucket parameter provided"),
        ({"chunksize": 5}, "chunksize 5 must be larger than or equal to 262144"),
        ({"chunksize": 262145}, "chunksize should be a multiple of 262144"),
        ({"keyfile": "/nonexistent"}, "open /nonexistent: no such file or directory"),
        ({"maxconcurrency": "x"}, "maxconcurrency config error: parameter must be an integer, 'x' invalid"),
        (
            {"credentials": {"type": "x"}},
            'google: read JWT from JSON credentials: \'type\' field is "x" (expected "service_account")',
        ),
    ],
)
def test_errors_of_google_s_driver(parameters: dict[str, Any], text: str) -> None:
    with pytest.raises(DriverError) as caught:
        gcs(**parameters)
    assert str(caught.value) == text


# Azure


def test_a_section_of_2_8() -> None:
    assert azure().options == {
        "provider": "azure",
        "bucket": "reg",
        "root": "",
        "account": "account",
        "credentials": "shared_key",
        "access_key": "a2V5",
        "leading_slash": "auto",
    }


@pytest.mark.parametrize(
    ("parameters", "endpoint"),
    [
        ({"realm": "core.windows.net"}, None),
        ({"realm": "core.usgovcloudapi.net"}, "https://account.blob.core.usgovcloudapi.net"),
        ({"realm": "x", "serviceurl": "http://127.0.0.1:10000/account/"}, "http://127.0.0.1:10000/account"),
    ],
)
def test_the_address_of_the_account(parameters: dict[str, Any], endpoint: str | None) -> None:
    assert azure(**parameters).options.get("endpoint") == endpoint


def test_an_application_s_secret() -> None:
    section = {"type": "client_secret", "tenantid": "t", "clientid": "c", "secret": "s"}
    options = azure(credentials=section).options
    assert {name: options.get(name) for name in ("credentials", "tenant_id", "client_id", "client_secret")} == {
        "credentials": "client_secret",
        "tenant_id": "t",
        "client_id": "c",
        "client_secret": "s",
    }
    assert "access_key" not in options


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, {"credentials": "default"}),
        ({"AZURE_CLIENT_ID": "c"}, {"credentials": "default", "client_id": "c"}),
        (
            {"AZURE_CLIENT_ID": "c", "AZURE_TENANT_ID": "t", "AZURE_CLIENT_SECRET": "s"},
            {"credentials": "client_secret", "client_id": "c", "tenant_id": "t", "client_secret": "s"},
        ),
    ],
)
def test_default_credentials(environment: dict[str, str], expected: dict[str, str]) -> None:
    options = azure(environment, credentials={"type": "default_credentials"}).options
    names = ("credentials", "client_id", "tenant_id", "client_secret", "access_key")
    assert {name: options[name] for name in names if name in options} == expected


def test_a_certificate_is_refused_by_its_variable() -> None:
    environment = {"AZURE_CLIENT_ID": "c", "AZURE_TENANT_ID": "t", "AZURE_CLIENT_CERTIFICATE_PATH": "/x"}
    with pytest.raises(DriverError, match="AZURE_CLIENT_CERTIFICATE_PATH"):
        azure(environment, credentials={"type": "default_credentials"})


@pytest.mark.parametrize(
    ("parameters", "text"),
    [
        ({"accountname": "-"}, "no accountname parameter provided"),
        ({"container": "-"}, "no container parameter provided"),
        ({"accountkey": "-"}, "no accountkey parameter provided"),
        ({"credentials": {"type": "x"}}, 'invalid credentials type: "x"'),
        ({"skipverify": "true"}, "'skipverify' expected type 'bool', got unconvertible type 'string'"),
        ({"rootdirectory": 5}, "'rootdirectory' expected type 'string', got unconvertible type 'int'"),
        ({"credentials": "x"}, "'credentials' expected a map, got 'string'"),
        ({"retry_delay": "soon"}, 'time: invalid duration "soon"'),
    ],
)
def test_errors_of_azure_s_driver(parameters: dict[str, Any], text: str) -> None:
    with pytest.raises(DriverError) as caught:
        azure(**parameters)
    assert str(caught.value) == text
