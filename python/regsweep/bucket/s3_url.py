"""``s3://bucket/root``, with the variables and profiles of AWS's own tools."""

from __future__ import annotations

from collections.abc import Mapping

from regsweep.bucket.aws_profile import AwsEnvironment
from regsweep.bucket.endpoint import base_url
from regsweep.bucket.location import BucketLocation, present
from regsweep.bucket.s3_service import DEFAULT_REGION, aws_endpoint, check_bucket, uses_path_style
from regsweep.bucket.url_parts import UrlParts, url_error

QUERY = frozenset({"endpoint", "path_style", "region", "verify_tls"})


def locate(url: UrlParts, environment: Mapping[str, str]) -> BucketLocation:
    """The bucket that the URL names.

    Raises:
        DriverError: it names none; AWS's region is not known; credentials are not to be had.
    """
    if not url.authority:
        raise url_error("the URL names no bucket", url.scheme, next_step="write s3://bucket/root")
    check_bucket(url.authority, url.scheme)
    aws = AwsEnvironment(environment, url.scheme, config_file=True)
    region = url.query.get("region") or aws.region
    custom = url.query.get("endpoint") or aws.endpoint
    if custom:
        region = region or DEFAULT_REGION
        endpoint: str | None = base_url(custom, "endpoint", url.scheme)
    else:
        if not region:
            raise url_error(
                "the bucket's region is not known", url.scheme, next_step="add ?region=… to the URL, or set AWS_REGION"
            )
        endpoint = aws_endpoint(region, dual_stack=aws.uses_dual_stack, fips=aws.uses_fips)
    path_style = uses_path_style(url.authority, endpoint, url.boolean("path_style"), custom=bool(custom))
    settings = {
        "endpoint": endpoint,
        "region": region,
        "path_style": path_style,
        "verify_tls": url.unverified,
        **aws.keys(),
    }
    return BucketLocation("s3", url.authority, url.path, present(settings))
