"""URLs that name buckets: where they lead, what they may hold, and what the environment adds."""

from __future__ import annotations

from typing import Any

import pytest

from regsweep.bucket.urls import parse
from regsweep.errors import DriverError

AWS = {"AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "verysecret", "AWS_REGION": "eu-west-1"}
AZURE = {"AZURE_STORAGE_KEY": "dmVyeXNlY3JldA=="}
DEVELOPMENT = "http://127.0.0.1:10000/devstoreaccount1"


def options(url: str, environment: dict[str, str] | None = None) -> dict[str, Any]:
    return dict(parse(url, environment or {}).options)


def refusal(url: str, environment: dict[str, str] | None = None) -> DriverError:
    with pytest.raises(DriverError) as caught:
        parse(url, environment or {})
    return caught.value


def test_s3() -> None:
    assert options("s3://reg/a/b/", AWS | {"AWS_SESSION_TOKEN": "token"}) == {
        "provider": "s3",
        "bucket": "reg",
        "root": "a/b",
        "region": "eu-west-1",
        "access_key_id": "AKIA",
        "secret_access_key": "verysecret",
        "session_token": "token",
        "path_style": False,
    }


def test_google() -> None:
    assert options("gs://reg/a") == {"provider": "gcs", "bucket": "reg", "root": "a"}


def test_azure() -> None:
    assert options("az://reg@account/a", AZURE) == {
        "provider": "azure",
        "bucket": "reg",
        "root": "a",
        "account": "account",
        "credentials": "shared_key",
        "access_key": "dmVyeXNlY3JldA==",
        "leading_slash": "auto",
    }


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("s3://reg", "s3://reg"),
        ("S3://reg/", "s3://reg"),
        ("s3://reg/a/?region=eu-west-1&endpoint=http://x", "s3://reg/a"),
        ("gs://reg/a b", "gs://reg/a b"),
        ("az://reg@account/a", "az://reg/a"),
        ("https://account.blob.core.windows.net/reg/a", "az://reg/a"),
    ],
)
def test_the_url_that_is_shown_has_no_settings(url: str, shown: str) -> None:
    assert parse(url, AWS | AZURE).url == shown


# S3


def test_parameters_of_s3() -> None:
    found = options("s3://reg?endpoint=http://127.0.0.1:7070&region=us-east-1&path_style=true&verify_tls=false", AWS)
    assert (found["endpoint"], found["region"]) == ("http://127.0.0.1:7070", "us-east-1")
    assert (found["path_style"], found["verify_tls"]) == (True, False)


@pytest.mark.parametrize(
    ("url", "environment", "endpoint", "path_style"),
    [
        ("s3://reg", {}, None, False),
        ("s3://reg?path_style=true", {}, None, True),
        ("s3://reg?endpoint=https://minio", {}, "https://minio", True),
        ("s3://reg?endpoint=minio:9000", {}, "https://minio:9000", True),
        ("s3://reg?endpoint=https://minio&path_style=false", {}, "https://minio", False),
        ("s3://reg", {"AWS_ENDPOINT_URL": "http://minio"}, "http://minio", True),
        ("s3://reg", {"AWS_ENDPOINT_URL": "http://x", "AWS_ENDPOINT_URL_S3": "http://y"}, "http://y", True),
        ("s3://reg?endpoint=http://z", {"AWS_ENDPOINT_URL_S3": "http://y"}, "http://z", True),
        (
            "s3://reg",
            {"AWS_ENDPOINT_URL": "http://x", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"},
            None,
            False,
        ),
        ("s3://reg?region=cn-north-1", {}, "https://s3.cn-north-1.amazonaws.com.cn", False),
        ("s3://reg", {"AWS_USE_FIPS_ENDPOINT": "true"}, "https://s3-fips.eu-west-1.amazonaws.com", False),
    ],
)
def test_the_address_of_s3(url: str, environment: dict[str, str], endpoint: str | None, path_style: bool) -> None:
    found = options(url, AWS | environment)
    assert (found.get("endpoint"), found["path_style"]) == (endpoint, path_style)


def test_the_region_is_that_of_the_url_then_of_the_environment() -> None:
    environment = {"AWS_REGION": "a", "AWS_DEFAULT_REGION": "b"}
    assert options("s3://reg?region=c", environment)["region"] == "c"
    assert options("s3://reg", environment)["region"] == "a"
    assert options("s3://reg", {"AWS_DEFAULT_REGION": "b"})["region"] == "b"
    assert options("s3://reg?endpoint=http://x")["region"] == "us-east-1"


def test_without_region_and_endpoint_s3_cannot_be_found() -> None:
    error = refusal("s3://reg")
    assert str(error) == "the bucket's region is not known"
    assert "AWS_REGION" in error.next_step


def test_without_keys_the_core_asks_the_machine() -> None:
    assert not {"access_key_id", "secret_access_key"} & set(options("s3://reg", {"AWS_REGION": "eu-west-1"}))


def test_half_a_pair_of_keys_is_refused() -> None:
    assert str(refusal("s3://reg", {"AWS_ACCESS_KEY_ID": "AKIA", "AWS_REGION": "x"})) == (
        "AWS_ACCESS_KEY_ID is set, and AWS_SECRET_ACCESS_KEY is not"
    )


# Google


def test_the_emulator_of_the_environment_and_of_the_url() -> None:
    environment = {"STORAGE_EMULATOR_HOST": "http://127.0.0.1:4443/storage/v1/"}
    assert options("gs://reg", environment)["endpoint"] == "http://127.0.0.1:4443"
    found = options("gs://reg?endpoint=http://localhost:1", environment)
    assert found["endpoint"] == "http://localhost:1"
    assert "disable_oauth" in found["service_account_key"]


def test_another_address_of_google_still_wants_credentials() -> None:
    assert "service_account_key" not in options("gs://reg?endpoint=https://storage-x.p.googleapis.com")


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("service_account", {"service_account_path"}), ("authorized_user", set())],
)
def test_the_file_of_google_s_credentials(kind: str, expected: set[str], tmp_path: Any) -> None:
    file = tmp_path / "key.json"
    file.write_text(f'{{"type": "{kind}", "private_key": "verysecret"}}')
    found = options("gs://reg", {"GOOGLE_APPLICATION_CREDENTIALS": str(file)})
    assert {name for name in found if name.startswith("service")} == expected


@pytest.mark.parametrize("text", ['{"type": "external_account"}', "verysecret", "[]", "{}"])
def test_credentials_that_are_not_understood_are_refused_unseen(text: str, tmp_path: Any) -> None:
    file = tmp_path / "key.json"
    file.write_text(text)
    error = refusal("gs://reg", {"GOOGLE_APPLICATION_CREDENTIALS": str(file)})
    assert str(file) in str(error)
    assert "verysecret" not in f"{error} {error.next_step}"


# Azure


@pytest.mark.parametrize(
    ("url", "environment", "account", "endpoint"),
    [
        ("az://reg@account", {}, "account", None),
        ("az://reg?account=account", {}, "account", None),
        ("az://reg", {"AZURE_STORAGE_ACCOUNT": "account"}, "account", None),
        ("az://reg", {"AZURE_STORAGE_ACCOUNT_NAME": "account"}, "account", None),
        ("az://reg@account", {"AZURE_STORAGE_ACCOUNT": "other"}, "account", None),
        ("az://reg@account.blob.core.windows.net/a", {}, "account", None),
        ("abfs://reg@account.dfs.core.windows.net/a", {}, "account", None),
        ("abfss://reg@account.dfs.core.windows.net/a", {}, "account", None),
        (
            "abfss://reg@account.dfs.core.chinacloudapi.cn/a",
            {},
            "account",
            "https://account.blob.core.chinacloudapi.cn",
        ),
        ("https://account.blob.core.windows.net/reg/a", {}, "account", None),
        (
            "https://account.blob.core.usgovcloudapi.net/reg",
            {},
            "account",
            "https://account.blob.core.usgovcloudapi.net",
        ),
        (
            "https://account.z12.blob.storage.azure.net/reg",
            {},
            "account",
            "https://account.z12.blob.storage.azure.net",
        ),
        (f"az://reg@devstoreaccount1?endpoint={DEVELOPMENT}", {}, "devstoreaccount1", DEVELOPMENT),
        ("az://reg@account", {"AZURE_STORAGE_SERVICE_ENDPOINT": "https://x/"}, "account", "https://x"),
        ("az://reg@account", {"AZURE_STORAGE_ENDPOINT": "https://x"}, "account", "https://x"),
    ],
)
def test_accounts_and_their_addresses(
    url: str, environment: dict[str, str], account: str, endpoint: str | None
) -> None:
    found = options(url, AZURE | environment)
    assert (found["bucket"], found["account"], found.get("endpoint")) == ("reg", account, endpoint)


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"AZURE_STORAGE_KEY": "a2V5"}, {"credentials": "shared_key", "access_key": "a2V5"}),
        ({"AZURE_STORAGE_ACCOUNT_KEY": "a2V5"}, {"credentials": "shared_key", "access_key": "a2V5"}),
        ({"AZURE_STORAGE_SAS_TOKEN": "?sv=1&sig=x"}, {"credentials": "sas", "sas_token": "sv=1&sig=x"}),
        (
            {"AZURE_TENANT_ID": "t", "AZURE_CLIENT_ID": "c", "AZURE_CLIENT_SECRET": "s"},
            {"credentials": "client_secret", "tenant_id": "t", "client_id": "c", "client_secret": "s"},
        ),
        ({}, {"credentials": "default"}),
        (
            {"AZURE_STORAGE_KEY": "a2V5", "AZURE_STORAGE_SAS_TOKEN": "sig=x", "AZURE_TENANT_ID": "t"},
            {"credentials": "shared_key", "access_key": "a2V5"},
        ),
    ],
)
def test_credentials_of_azure(environment: dict[str, str], expected: dict[str, str]) -> None:
    found = options("az://reg@account", environment)
    place = ("provider", "bucket", "root", "account", "leading_slash")
    assert {name: value for name, value in found.items() if name not in place} == expected


def test_a_connection_string() -> None:
    text = "DefaultEndpointsProtocol=https;AccountName=account;AccountKey=a2V5Cg==;EndpointSuffix=core.windows.net"
    found = options("az://reg", {"AZURE_STORAGE_CONNECTION_STRING": text})
    assert (found["account"], found["access_key"], found.get("endpoint")) == ("account", "a2V5Cg==", None)
    text = "BlobEndpoint=https://account.example.com/;SharedAccessSignature=sv=1&sig=x%3D"
    found = options("az://reg@account", {"AZURE_STORAGE_CONNECTION_STRING": text})
    assert (found["sas_token"], found["endpoint"]) == ("sv=1&sig=x%3D", "https://account.example.com")


def test_a_connection_string_without_a_name_names_the_account_by_its_address() -> None:
    text = "BlobEndpoint=https://account.blob.core.windows.net/;SharedAccessSignature=sv=1"
    found = options("az://reg", {"AZURE_STORAGE_CONNECTION_STRING": text})
    assert (found["account"], found.get("endpoint")) == ("account", None)


@pytest.mark.parametrize(
    ("url", "environment"),
    [
        ("az://reg@account", {"AZURE_STORAGE_ENDPOINT": "https://other.blob.core.windows.net"}),
        ("az://reg@account?endpoint=https://other.blob.core.windows.net", {}),
        ("az://reg@account", {"AZURE_STORAGE_CONNECTION_STRING": "BlobEndpoint=https://other.blob.core.windows.net"}),
        ("az://reg@account", {"AZURE_STORAGE_CONNECTION_STRING": "AccountName=other"}),
    ],
)
def test_the_address_of_another_account_is_refused(url: str, environment: dict[str, str]) -> None:
    assert "https://other.blob.core.windows.net is the address of another account" in str(
        refusal(url, AZURE | environment)
    )


@pytest.mark.parametrize(
    "url", ["https://account.blob.core.windows.net/reg", "abfss://reg@account.dfs.core.windows.net"]
)
def test_an_address_in_the_url_comes_before_the_environment_s(url: str) -> None:
    assert "endpoint" not in options(url, AZURE | {"AZURE_STORAGE_ENDPOINT": DEVELOPMENT})


def test_the_emulator_s_connection_string() -> None:
    found = options("az://reg", {"AZURE_STORAGE_CONNECTION_STRING": "UseDevelopmentStorage=true"})
    assert (found["account"], found["endpoint"], found["credentials"]) == (
        "devstoreaccount1",
        DEVELOPMENT,
        "shared_key",
    )


def test_a_connection_string_of_another_account_is_not_used_for_this_one() -> None:
    environment = {"AZURE_STORAGE_CONNECTION_STRING": "AccountName=other;AccountKey=dmVyeXNlY3JldA=="}
    error = refusal(f"az://reg@account?endpoint={DEVELOPMENT}", environment)
    assert str(error) == "AZURE_STORAGE_CONNECTION_STRING is of the account other, and account is wanted"


def test_a_token_is_not_sent_where_it_can_be_read() -> None:
    error = refusal("az://reg@account?endpoint=http://x", {})
    assert str(error) == "authenticated requests are not permitted for non TLS protected (https) endpoints"


# What is refused


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("ftp://reg", "ftp:// names no storage that regsweep knows"),
        ("file:///data", "file:// names no storage that regsweep knows"),
        ("s3://", "the URL names no bucket"),
        ("s3:///a", "the URL names no bucket"),
        ("gs://", "the URL names no bucket"),
        ("az://", "the URL names no container"),
        ("az://reg", "the storage account is not known"),
        ("az://reg@a?account=b", "the URL names two accounts, a and b"),
        ("az://reg@minio.example.com", "'minio.example.com' is not the host of a storage account"),
        ("az://reg@a_b", "'a_b' cannot be the name of a storage account"),
        ("s3://a@b", "'a@b' cannot be the name of a bucket"),
        ("s3://reg/a//b", "the root directory 'a//b' has a component that is empty, '.' or '..'"),
        ("s3://reg/../b", "the root directory '../b' has a component that is empty, '.' or '..'"),
        ("s3://reg#a", "a bucket's URL has no part after '#'"),
        ("s3://reg?regoin=x", "regoin is no parameter of a URL with s3://"),
        ("gs://reg?region=x", "region is no parameter of a URL with gs://"),
        ("s3://reg?region=a&region=b", "region is given twice in the URL"),
        ("s3://reg?region=", "region has no value in the URL"),
        ("s3://reg?region=x&path_style=maybe", "path_style in the URL is neither true nor false"),
        ("s3://reg?endpoint=ftp://x", "endpoint 'ftp://x' is neither http nor https"),
        ("s3://reg?endpoint=http://", "endpoint 'http://' is not an address"),
        ("s3://reg?endpoint=http://x:y", "endpoint is not an address"),
        ("s3://reg--use1-az4--x-s3", "reg--use1-az4--x-s3 is a directory bucket (S3 Express), which regsweep does"),
        ("https://reg.s3.amazonaws.com/a", "an address over the web is taken only as https://account.blob"),
        ("http://account.blob.core.windows.net/reg", "an address over the web is taken only as https://account.blob"),
        ("https://storage.googleapis.com/reg", "an address over the web is taken only as https://account.blob"),
    ],
)
def test_what_is_no_bucket_s_url_is_refused(url: str, text: str) -> None:
    assert str(refusal(url, AZURE)).startswith(text)


@pytest.mark.parametrize(
    "url",
    [
        "s3://AKIA:verysecret@reg/a",
        "s3://reg?secret_access_key=verysecret",
        "s3://reg?aws_secret_access_key=verysecret",
        "s3://reg?X-Amz-Signature=verysecret",
        "s3://reg?a=b&access_key_id=verysecret",
        "s3://reg?endpoint=http://user:verysecret@minio",
        "s3://reg?endpoint=http://minio?token=verysecret",
        "gs://reg?service_account_key=verysecret",
        "az://reg?account=a&sas_token=verysecret",
        "az://verysecret:x@account/reg",
        "https://account.blob.core.windows.net/reg?sv=1&sig=verysecret",
        "https://user:verysecret@account.blob.core.windows.net/reg",
    ],
)
def test_a_secret_in_a_url_is_refused_and_not_repeated(url: str) -> None:
    error = refusal(url, AWS)
    shown = f"{error} {error.next_step} {error.key} {error.driver}"
    assert "verysecret" not in shown
    assert "secret" in str(error) or "password" in str(error) or "query" in str(error)
