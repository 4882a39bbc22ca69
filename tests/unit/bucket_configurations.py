"""Storage sections of buckets, and whether 2.8.2, 3.1.2 and regsweep take them.

``ENDPOINT`` stands for the address of a server that refuses every request. A section is taken if its driver can be
made of it; what the service says afterwards is another matter. The rule is that what either version takes is taken;
``why`` says why not, where that is so. ``test_bucket_parameters.py`` holds regsweep to the table, and
``test_bucket_servers.py`` the registries; ``None`` is not asked. (Debian's 2.8.2 has neither ``azure`` nor ``gcs``.)
"""

from __future__ import annotations

from typing import NamedTuple


class Case(NamedTuple):
    storage: str
    two: bool | None
    three: bool | None
    ours: bool
    why: str = ""
    environment: dict[str, str] = {}  # noqa: RUF012 - never changed


YES, NO = True, False


def _section(driver: str, parameters: dict[str, str], more: str, leave_out: tuple[str, ...]) -> str:
    lines = [f"{name}: {value}" for name, value in parameters.items() if name not in leave_out]
    return f"  {driver}:\n" + "".join(f"    {line}\n" for line in (*lines, *more.splitlines()))


def _s3(more: str = "", *leave_out: str, driver: str = "s3") -> str:
    parameters = {
        "accesskey": "AKIAEXAMPLE",
        "secretkey": "verysecret",
        "region": "us-east-1",
        "regionendpoint": "ENDPOINT",
        "forcepathstyle": "true",
        "bucket": "reg",
    }
    return _section(driver, parameters, more, leave_out)


def _azure(more: str = "", *leave_out: str) -> str:
    parameters = {
        "accountname": "account",
        "accountkey": "dmVyeXNlY3JldA==",
        "container": "reg",
        "serviceurl": "ENDPOINT",
        "credentials": "{type: shared_key}",
    }
    return _section("azure", parameters, more, leave_out)


def _gcs(more: str = "", *leave_out: str) -> str:
    return _section("gcs", {"bucket": "reg", "keyfile": "KEYFILE"}, more, leave_out)


WRITTEN_WRONG = "what the registry would do with it nobody can mean"

S3 = {
    "plain": Case(_s3(), YES, YES, YES),
    "s3aws": Case(_s3(driver="s3aws"), YES, YES, YES),
    "no-keys": Case(_s3("", "accesskey", "secretkey"), YES, YES, YES),
    "half-a-pair-of-keys": Case(_s3("", "secretkey"), YES, YES, YES),
    "key-is-a-number": Case(_s3("accesskey: 12345", "accesskey"), YES, YES, YES),
    "key-is-a-list": Case(_s3("accesskey: [a]", "accesskey"), YES, YES, NO, WRITTEN_WRONG),
    "no-bucket": Case(_s3("", "bucket"), NO, NO, NO),
    "empty-bucket": Case(_s3("bucket: ''", "bucket"), NO, NO, NO),
    "bucket-without-value": Case(_s3("bucket:", "bucket"), NO, NO, NO),
    "bucket-is-a-number": Case(_s3("bucket: 2026", "bucket"), YES, YES, YES),
    "bucket-with-a-slash": Case(_s3("bucket: a/b", "bucket"), YES, YES, NO, "no bucket has such a name"),
    "bucket-by-arn": Case(
        _s3("bucket: 'arn:aws:s3:us-east-1:1:accesspoint/x'", "bucket"), YES, YES, NO, "not supported"
    ),
    "directory-bucket": Case(_s3("bucket: reg--use1-az4--x-s3", "bucket"), YES, YES, NO, "not supported"),
    "no-region": Case(_s3("", "region"), NO, YES, YES),
    "no-region-and-no-endpoint": Case(_s3("", "region", "regionendpoint"), NO, NO, NO),
    "no-such-region": Case(_s3("region: nowhere", "region", "regionendpoint"), NO, NO, NO),
    "a-newer-region": Case(
        _s3("region: ap-southeast-7", "region", "regionendpoint"), NO, NO, YES, "regions are not listed: AWS adds some"
    ),
    "any-region-with-an-endpoint": Case(_s3("region: nowhere", "region"), YES, YES, YES),
    "endpoint-of-aws": Case(_s3("", "regionendpoint"), YES, YES, YES),
    "endpoint-of-china": Case(_s3("region: cn-north-1", "region", "regionendpoint"), YES, YES, YES),
    "endpoint-without-scheme": Case(
        _s3("regionendpoint: '127.0.0.1:1'\nsecure: false", "regionendpoint"), YES, YES, YES
    ),
    "endpoint-of-another-scheme": Case(
        _s3("regionendpoint: 'ftp://127.0.0.1:1'", "regionendpoint"), YES, YES, NO, "no request gets there"
    ),
    "endpoint-with-a-password": Case(
        _s3("regionendpoint: 'http://user:verysecret@127.0.0.1:1'", "regionendpoint"), YES, YES, NO, "S3 wants none"
    ),
    "path-style-text": Case(_s3("forcepathstyle: 'true'", "forcepathstyle"), YES, YES, YES),
    "path-style-wrong": Case(_s3("forcepathstyle: maybe", "forcepathstyle"), YES, NO, NO, "only 3.x reads it"),
    "path-style-number": Case(_s3("forcepathstyle: 1", "forcepathstyle"), YES, NO, NO, "only 3.x reads it"),
    "encrypt": Case(_s3("encrypt: true\nkeyid: abc"), YES, YES, YES),
    "encrypt-wrong": Case(_s3("encrypt: maybe"), NO, NO, NO),
    "secure-t": Case(_s3("secure: 't'"), YES, YES, YES),
    "secure-number": Case(_s3("secure: 1"), NO, NO, NO),
    "secure-without-value": Case(_s3("secure:"), YES, YES, YES),
    "skip-verify": Case(_s3("skipverify: 'TRUE'"), YES, YES, YES),
    "skip-verify-wrong": Case(_s3("skipverify: maybe"), NO, NO, NO),
    "v4": Case(_s3("v4auth: true"), YES, YES, YES),
    "v4-wrong": Case(_s3("v4auth: maybe"), NO, NO, NO),
    "v2": Case(_s3("v4auth: false"), YES, YES, NO, "signatures of version 2 are not made"),
    "v2-on-aws": Case(_s3("v4auth: false", "regionendpoint"), NO, NO, NO),
    "chunk-size": Case(_s3("chunksize: 5242880"), YES, YES, YES),
    "chunk-size-text": Case(_s3("chunksize: '5242880'"), YES, YES, YES),
    "chunk-size-hexadecimal-text": Case(_s3("chunksize: '0x500000'"), YES, NO, YES),
    "chunk-size-with-a-unit": Case(_s3("chunksize: 5242880B"), NO, YES, YES),
    "chunk-size-too-small": Case(_s3("chunksize: 5242879"), NO, NO, NO),
    "chunk-size-too-large": Case(_s3("chunksize: 5368709121"), NO, NO, NO),
    "chunk-size-word": Case(_s3("chunksize: large"), NO, NO, NO),
    "chunk-size-list": Case(_s3("chunksize: [1]"), NO, NO, NO),
    "chunk-size-exponent": Case(_s3("chunksize: 1e7"), NO, NO, NO),
    "copy-chunk-size": Case(_s3("multipartcopychunksize: 1"), NO, NO, NO),
    "copy-concurrency": Case(_s3("multipartcopymaxconcurrency: 0"), NO, NO, NO),
    "copy-concurrency-fraction": Case(_s3("multipartcopymaxconcurrency: 2.5"), NO, YES, NO, WRITTEN_WRONG),
    "copy-threshold": Case(_s3("multipartcopythresholdsize: 0"), YES, YES, YES),
    "copy-threshold-negative": Case(_s3("multipartcopythresholdsize: -1"), NO, NO, NO),
    "root": Case(_s3("rootdirectory: /a/b/"), YES, YES, YES),
    "root-without-value": Case(_s3("rootdirectory:"), YES, YES, YES),
    "root-number": Case(_s3("rootdirectory: 5"), YES, YES, YES),
    "root-with-an-empty-component": Case(
        _s3("rootdirectory: a//b"), YES, YES, NO, "on the way to a service it may become another root"
    ),
    "root-map": Case(_s3("rootdirectory: {a: b}"), YES, YES, NO, WRITTEN_WRONG),
    "storage-class": Case(_s3("storageclass: reduced_redundancy"), YES, YES, YES),
    "storage-class-none": Case(_s3("storageclass: NONE"), YES, YES, YES),
    "storage-class-of-3": Case(_s3("storageclass: GLACIER_IR"), NO, YES, YES),
    "storage-class-wrong": Case(_s3("storageclass: FAST"), NO, NO, NO),
    "storage-class-number": Case(_s3("storageclass: 5"), NO, NO, NO),
    "object-acl": Case(_s3("objectacl: public-read"), YES, YES, YES),
    "object-acl-wrong": Case(_s3("objectacl: Private"), NO, NO, NO),
    "object-acl-list": Case(_s3("objectacl: [private]"), NO, NO, NO),
    "user-agent": Case(_s3("useragent: me"), YES, YES, YES),
    "dual-stack": Case(_s3("usedualstack: true", "regionendpoint"), YES, YES, YES),
    "dual-stack-wrong": Case(_s3("usedualstack: maybe"), YES, NO, NO, "only 3.x reads it"),
    "fips": Case(_s3("usefipsendpoint: true", "regionendpoint"), YES, YES, YES),
    "fips-wrong": Case(_s3("usefipsendpoint: maybe"), YES, NO, NO, "only 3.x reads it"),
    "accelerate": Case(_s3("accelerate: true", "regionendpoint", "forcepathstyle"), YES, YES, YES),
    "accelerate-wrong": Case(_s3("accelerate: maybe"), YES, NO, NO, "only 3.x reads it"),
    "accelerate-and-fips": Case(
        _s3("accelerate: true\nusefipsendpoint: true", "regionendpoint"),
        YES,
        YES,
        NO,
        "the registry silently leaves FIPS out",
    ),
    "accelerate-with-dots": Case(
        _s3("accelerate: true\nbucket: a.b", "regionendpoint", "bucket"), YES, YES, NO, "3.x fails at its first request"
    ),
    "log-level": Case(_s3("loglevel: debug"), YES, YES, YES),
    "log-level-off": Case(_s3("loglevel: off"), YES, YES, YES),
    "log-level-list": Case(_s3("loglevel: [a]"), YES, YES, YES),
    "redirect-endpoint": Case(_s3("redirectendpoint: https://cdn.example.com"), YES, YES, YES),
    "redirect-endpoint-no-scheme": Case(_s3("redirectendpoint: cdn"), YES, NO, NO, "only 3.1 reads it"),
    "redirect-endpoint-no-host": Case(_s3("redirectendpoint: 'https:///'"), YES, NO, NO, "only 3.1 reads it"),
    "redirect-endpoint-path": Case(_s3("redirectendpoint: https://cdn/v1"), YES, NO, NO, "only 3.1 reads it"),
    "redirect-endpoint-query": Case(_s3("redirectendpoint: https://cdn/?a=b"), YES, NO, NO, "only 3.1 reads it"),
    "unknown": Case(_s3("rootdirctory: x"), YES, YES, YES),
    "from-the-environment": Case(_s3("", "bucket"), YES, YES, YES, environment={"REGISTRY_STORAGE_S3_BUCKET": "reg"}),
    "by-name-alone": Case(
        "  s3:\n",
        YES,
        YES,
        YES,
        environment={
            "REGISTRY_STORAGE_S3_BUCKET": "reg",
            "REGISTRY_STORAGE_S3_REGION": "us-east-1",
            "REGISTRY_STORAGE_S3_REGIONENDPOINT": "ENDPOINT",
            "REGISTRY_STORAGE_S3_FORCEPATHSTYLE": "true",
        },
    ),
}

GCS = {
    "plain": Case(_gcs(), None, YES, YES),
    "no-bucket": Case(_gcs("", "bucket"), None, NO, NO),
    "empty-bucket": Case(_gcs("bucket: ''", "bucket"), None, NO, NO),
    "bucket-without-value": Case(_gcs("bucket:", "bucket"), None, YES, NO, "the registry uses a bucket named <nil>"),
    "root": Case(_gcs("rootdirectory: /a/"), None, YES, YES),
    "root-without-value": Case(_gcs("rootdirectory:"), None, YES, NO, "the registry uses a root named <nil>"),
    "chunk-size": Case(_gcs("chunksize: 262144"), None, YES, YES),
    "chunk-size-text": Case(_gcs("chunksize: '524288'"), None, YES, YES),
    "chunk-size-too-small": Case(_gcs("chunksize: 1024"), None, NO, NO),
    "chunk-size-odd": Case(_gcs("chunksize: 262145"), None, NO, NO),
    "chunk-size-word": Case(_gcs("chunksize: large"), None, NO, NO),
    "chunk-size-without-value": Case(_gcs("chunksize:"), None, NO, NO),
    "chunk-size-bool": Case(_gcs("chunksize: true"), None, NO, NO),
    "key-file-absent": Case(_gcs("keyfile: /nonexistent/key.json", "keyfile"), None, NO, NO),
    "key-file-without-value": Case(_gcs("keyfile:", "keyfile"), None, NO, NO),
    "key-file-of-another-kind": Case(_gcs("keyfile: OTHERKEY", "keyfile"), None, NO, NO),
    "key-file-no-json": Case(_gcs("keyfile: NOKEY", "keyfile"), None, NO, NO),
    "credentials": Case(_gcs("credentials: CREDENTIALS", "keyfile"), None, YES, YES),
    "credentials-text": Case(_gcs("credentials: abc", "keyfile"), None, NO, NO),
    "credentials-without-value": Case(_gcs("credentials:", "keyfile"), None, NO, NO),
    "credentials-of-another-kind": Case(_gcs("credentials: {type: authorized_user}", "keyfile"), None, NO, NO),
    "credentials-with-a-number-as-key": Case(
        _gcs("credentials: {type: service_account, 5: x}", "keyfile"), None, NO, NO
    ),
    "credentials-nested": Case(_gcs("credentials: {type: service_account, a: {b: c}}", "keyfile"), None, NO, NO),
    "credentials-from-the-environment": Case(
        _gcs("", "keyfile"),
        None,
        NO,
        NO,
        environment={"REGISTRY_STORAGE_GCS_CREDENTIALS_TYPE": "service_account"},
    ),
    "default-credentials": Case(
        _gcs("", "keyfile"), None, YES, YES, environment={"GOOGLE_APPLICATION_CREDENTIALS": "KEYFILE"}
    ),
    "no-credentials": Case(
        _gcs("", "keyfile"), None, NO, YES, "the machine's own are looked for when the bucket is opened"
    ),
    "max-concurrency": Case(_gcs("maxconcurrency: 5"), None, YES, YES),
    "max-concurrency-text": Case(_gcs("maxconcurrency: '0x20'"), None, YES, YES),
    "max-concurrency-word": Case(_gcs("maxconcurrency: many"), None, NO, NO),
    "max-concurrency-fraction": Case(_gcs("maxconcurrency: 1.5"), None, NO, NO),
    "user-agent": Case(_gcs("useragent: me"), None, YES, YES),
    "user-agent-number": Case(_gcs("useragent: 5"), None, YES, YES),
}

AZURE = {
    "plain": Case(_azure(), None, YES, YES),
    "as-2.8-has-it": Case(_azure("", "credentials"), None, NO, YES, "2.8 takes it"),
    "no-key": Case(_azure("", "accountkey"), None, YES, NO, "no request can be signed"),
    "no-key-as-2.8-has-it": Case(_azure("", "accountkey", "credentials"), None, NO, NO),
    "key-is-no-base64": Case(_azure("accountkey: '***'", "accountkey"), None, NO, NO),
    "no-account": Case(_azure("", "accountname"), None, NO, NO),
    "account-is-a-number": Case(_azure("accountname: 123", "accountname"), None, NO, YES, "2.8 takes it"),
    "account-is-a-list": Case(_azure("accountname: [a]", "accountname"), None, NO, NO),
    "account-is-no-host": Case(_azure("accountname: a/b", "accountname"), None, YES, NO, "no account has such a name"),
    "no-container": Case(_azure("", "container"), None, NO, NO),
    "container-is-a-number": Case(_azure("container: 2026", "container"), None, NO, YES, "2.8 takes it"),
    "realm": Case(_azure("realm: core.chinacloudapi.cn"), None, YES, YES),
    "realm-without-value": Case(_azure("realm:"), None, YES, YES),
    "keys-in-capitals": Case(_azure("AccountName: account", "accountname"), None, YES, YES),
    "no-such-type": Case(_azure("credentials: {type: password}", "credentials"), None, NO, NO),
    "type-is-a-number": Case(_azure("credentials: {type: 5}", "credentials"), None, NO, NO),
    "credentials-are-a-text": Case(_azure("credentials: shared_key", "credentials"), None, NO, NO),
    "client-secret": Case(
        _azure(
            "serviceurl: https://127.0.0.1:1\n"
            "credentials: {type: client_secret, tenantid: t, clientid: c, secret: verysecret}",
            "credentials",
            "serviceurl",
        ),
        None,
        None,
        YES,
        "3.x takes it, but is not asked here: it tries to sign in for twenty seconds",
    ),
    "client-secret-over-http": Case(
        _azure("credentials: {type: client_secret, tenantid: t, clientid: c, secret: verysecret}", "credentials"),
        None,
        YES,
        NO,
        "3.x refuses it at its first request",
    ),
    "client-secret-without-secret": Case(
        _azure("credentials: {type: client_secret, tenantid: t, clientid: c}", "credentials"), None, NO, NO
    ),
    "client-secret-without-tenant": Case(
        _azure("credentials: {type: client_secret, clientid: c, secret: verysecret}", "credentials"), None, NO, NO
    ),
    "root": Case(_azure("rootdirectory: /a/b/"), None, YES, YES),
    "root-is-a-number": Case(_azure("rootdirectory: 5"), None, NO, NO),
    "root-without-value": Case(_azure("rootdirectory:"), None, YES, YES),
    "skip-verify": Case(_azure("skipverify: true"), None, YES, YES),
    "skip-verify-text": Case(_azure("skipverify: 'true'"), None, NO, NO),
    "max-retries": Case(_azure("max_retries: 3"), None, YES, YES),
    "max-retries-text": Case(_azure("max_retries: '3'"), None, NO, NO),
    "retry-delay": Case(_azure("retry_delay: 1s"), None, YES, YES),
    "retry-delay-number": Case(_azure("retry_delay: 5"), None, NO, NO),
    "retry-delay-word": Case(_azure("retry_delay: soon"), None, NO, NO),
    "connection-string": Case(_azure("connectionstring: AccountName=x"), None, YES, YES),
    "connection-string-list": Case(_azure("connectionstring: [x]"), None, NO, NO),
    "unknown": Case(_azure("rootdirctory: x"), None, YES, YES),
}

ALL = {
    f"{provider}-{name}": case
    for provider, cases in (("s3", S3), ("gcs", GCS), ("azure", AZURE))
    for name, case in cases.items()
}
