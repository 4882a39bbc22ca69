"""The ``s3`` section of a registry's configuration.

Checks are those of the driver, in its order and its words (``s3-aws/s3.go: FromParameters, New`` of 2.8.3 and 3.1.2):
what both versions refuse is refused, and so is what regsweep cannot honour. ``s3`` and ``s3aws`` are one driver.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from regsweep.bucket.aws_profile import AwsEnvironment
from regsweep.bucket.endpoint import base_url
from regsweep.bucket.go_values import Parameters
from regsweep.bucket.location import BucketLocation, normal_root, present
from regsweep.bucket.s3_service import (
    DEFAULT_REGION,
    aws_endpoint,
    check_bucket,
    fits_into_host,
    is_region,
    uses_path_style,
)

# Parameter to what is done with it, and why. docs/buckets.md shows this table; a test compares them.
PARAMETERS: Mapping[str, tuple[str, str]] = {
    "accesskey": ("honoured", "counts only with secretkey; otherwise credentials come from the environment"),
    "secretkey": ("honoured", "counts only with accesskey"),
    "region": ("honoured", "needed unless regionendpoint is given (2.8 always wants it)"),
    "regionendpoint": ("honoured", "without a scheme it is https, or http with secure: false"),
    "forcepathstyle": ("honoured", "paths by default where regionendpoint is given, as in 2.8; false: the host"),
    "bucket": ("honoured", ""),
    "rootdirectory": ("honoured", "slashes at its ends do not count; without a value it is empty"),
    "secure": ("honoured", "false: http, where regionendpoint has no scheme"),
    "skipverify": ("honoured", "true: certificates are not checked"),
    "useragent": ("honoured", ""),
    "usedualstack": ("honoured", "3.x; without effect where regionendpoint is given, as in the registry"),
    "usefipsendpoint": ("honoured", "3.x; without effect where regionendpoint is given, as in the registry"),
    "accelerate": ("honoured", "3.x; without effect where regionendpoint is given; not with usefipsendpoint"),
    "v4auth": ("refused", "where it is false: signatures of version 2 are not made"),
    "chunksize": ("checked", "of uploads"),
    "multipartcopychunksize": ("checked", "of copies"),
    "multipartcopymaxconcurrency": ("checked", "of copies"),
    "multipartcopythresholdsize": ("checked", "of copies"),
    "encrypt": ("checked", "of what is written; reading needs nothing"),
    "keyid": ("ignored", "of what is written; S3 finds the key by itself"),
    "storageclass": ("checked", "of what is written"),
    "objectacl": ("checked", "of what is written"),
    "redirectendpoint": ("checked", "3.1; where clients are sent to"),
    "loglevel": ("ignored", "of the AWS library in the registry"),
}

# s3-aws/s3.go: minChunkSize, and s3_64bit.go: maxChunkSize
_MIN_CHUNK_BYTES, _MAX_CHUNK_BYTES = 5 * 1024**2, 5 * 1024**3
_INTEGERS = {
    "chunksize": (_MIN_CHUNK_BYTES, _MAX_CHUNK_BYTES),
    "multipartcopychunksize": (_MIN_CHUNK_BYTES, _MAX_CHUNK_BYTES),
    "multipartcopymaxconcurrency": (1, 2**63 - 1),
    "multipartcopythresholdsize": (0, _MAX_CHUNK_BYTES),
}
# Those of 3.1, which are more than in 2.8.
_STORAGE_CLASSES = (
    "NONE",
    "STANDARD",
    "REDUCED_REDUNDANCY",
    "STANDARD_IA",
    "ONEZONE_IA",
    "INTELLIGENT_TIERING",
    "OUTPOSTS",
    "GLACIER_IR",
    "EXPRESS_ONEZONE",
)
_OBJECT_ACLS = (
    "private",
    "public-read",
    "public-read-write",
    "authenticated-read",
    "aws-exec-read",
    "bucket-owner-read",
    "bucket-owner-full-control",
)


def locate(driver: str, values: Mapping[str, Any], environment: Mapping[str, str]) -> BucketLocation:
    """The bucket that the section names.

    Args:
        driver: the section's name: ``s3`` or ``s3aws``.
        values: what it says.
        environment: variables of AWS, where the section has no keys.

    Raises:
        DriverError: the registry would not take it, or regsweep cannot honour it.
    """
    parameters = Parameters(driver, values)
    aws = AwsEnvironment(environment, driver)
    path_style = parameters.boolean("forcepathstyle")
    custom = parameters.text("regionendpoint")
    region = _region(parameters, aws, custom)
    bucket = parameters.text("bucket")
    if not bucket:
        raise parameters.error(
            "no bucket parameter provided", next_step=f"name the bucket with storage.{driver}.bucket"
        )
    check_bucket(bucket, driver)
    parameters.boolean("encrypt")
    secure = parameters.boolean("secure") is not False
    skip_verify = parameters.boolean("skipverify")
    v4 = parameters.boolean("v4auth") is not False
    for name, (smallest, largest) in _INTEGERS.items():
        parameters.check_integer(name, smallest, largest)
    root = normal_root(parameters.text("rootdirectory"), driver)
    _check_writing(parameters)
    dual_stack = parameters.boolean("usedualstack") or aws.uses_dual_stack
    accelerate = parameters.boolean("accelerate")
    fips = parameters.boolean("usefipsendpoint") or aws.uses_fips
    _check_signature(parameters, custom, v4=v4)
    _check_redirect_endpoint(parameters)
    if custom:
        endpoint: str | None = base_url(
            custom, f"storage.{driver}.regionendpoint", driver, scheme="https" if secure else "http"
        )
    else:
        if accelerate:
            _check_acceleration(parameters, bucket, secure=secure, fips=fips)
        endpoint = aws_endpoint(region, secure=secure, dual_stack=dual_stack, fips=fips, accelerate=bool(accelerate))
        # Accelerated requests know no paths: the AWS library ignores forcepathstyle for them.
        path_style = False if accelerate else path_style
    keys, warnings = _keys(parameters, aws)
    settings = {
        "endpoint": endpoint,
        "region": region,
        "path_style": uses_path_style(bucket, endpoint, path_style, custom=bool(custom)),
        "verify_tls": False if skip_verify else None,
        "user_agent": parameters.text("useragent"),
        **keys,
    }
    return BucketLocation("s3", bucket, root, present(settings), (*warnings, *parameters.unknown(PARAMETERS)))


def _region(parameters: Parameters, aws: AwsEnvironment, custom: str) -> str:
    region = parameters.text("region")
    if custom:
        # 3.x signs for a region named "<nil>" where there is none.
        return region or aws.region or DEFAULT_REGION
    if not region:
        raise parameters.error(
            "no region parameter provided",
            next_step=f"name the bucket's region with storage.{parameters.driver}.region",
        )
    if not is_region(region):
        raise parameters.error(
            f"invalid region provided: {region}",
            next_step="write a region of AWS (eu-central-1), or the service's address as regionendpoint",
        )
    return region


def _keys(parameters: Parameters, aws: AwsEnvironment) -> tuple[dict[str, str], list[str]]:
    access_key, secret_key = parameters.text("accesskey"), parameters.text("secretkey")
    if access_key and secret_key:
        return {"access_key_id": access_key, "secret_access_key": secret_key}, []
    warnings = []
    if access_key or secret_key:
        there, missing = ("accesskey", "secretkey") if access_key else ("secretkey", "accesskey")
        warnings.append(
            f"storage.{parameters.driver}.{there} has no effect without {missing}: credentials come from elsewhere"
        )
    return aws.keys(), warnings


def _check_writing(parameters: Parameters) -> None:
    storage_class = parameters.raw("storageclass")
    if storage_class is not None and str(storage_class).upper() not in _STORAGE_CLASSES:
        classes = " ".join(_STORAGE_CLASSES)
        raise parameters.error(f"the storageclass parameter must be one of [{classes}], {storage_class} invalid")
    acl = parameters.raw("objectacl")
    if acl is not None and acl not in _OBJECT_ACLS:
        raise parameters.error(f"invalid value for objectacl parameter: {acl}")


def _check_signature(parameters: Parameters, custom: str, *, v4: bool) -> None:
    if v4:
        return
    if not custom or "s3.amazonaws.com" in custom:
        raise parameters.error("on Amazon S3 this storage driver can only be used with v4 authentication")
    raise parameters.error(
        "v4auth is false, and regsweep signs with version 4 only",
        next_step="most servers that know version 2 know version 4, too: try "
        f"REGISTRY_STORAGE_{parameters.driver.upper()}_V4AUTH=true for this command alone",
    )


def _check_redirect_endpoint(parameters: Parameters) -> None:
    text = parameters.text("redirectendpoint")
    if not text:
        return
    try:
        parts = urlsplit(text)
    except ValueError:
        raise parameters.error("unable to parse redirectendpoint") from None
    if not parts.scheme:
        raise parameters.error("no scheme specified for redirectendpoint")
    if not parts.netloc:
        raise parameters.error("no host specified for redirectendpoint")
    if parts.path not in ("", "/"):
        raise parameters.error(f"redirectendpoint cannot contain a base path: {parts.path}")
    if parts.query:
        raise parameters.error("redirectendpoint cannot contain query parameters")


def _check_acceleration(parameters: Parameters, bucket: str, *, secure: bool, fips: bool) -> None:
    if fips:
        raise parameters.error(
            "accelerate and usefipsendpoint exclude each other: accelerated requests go to no FIPS endpoint",
            next_step="leave accelerate out; a collection gains nothing by it",
        )
    if not fits_into_host(bucket, None if secure else "http://"):
        raise parameters.error(
            f"bucket name {bucket} is not compatible with S3 Accelerate",
            next_step="leave accelerate out; a collection gains nothing by it",
        )
