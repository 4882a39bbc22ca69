"""``gs://bucket/root``, with the variables of Google's own tools."""

from __future__ import annotations

from collections.abc import Mapping

from regsweep.bucket.endpoint import base_url
from regsweep.bucket.gcs_credentials import default_credentials, emulator_endpoint
from regsweep.bucket.location import BucketLocation, check_bucket_name, present
from regsweep.bucket.url_parts import UrlParts, url_error

QUERY = frozenset({"endpoint", "verify_tls"})


def locate(url: UrlParts, environment: Mapping[str, str]) -> BucketLocation:
    """The bucket that the URL names.

    Raises:
        DriverError: it names none, or what the environment names cannot be used.
    """
    if not url.authority:
        raise url_error("the URL names no bucket", url.scheme, next_step="write gs://bucket/root")
    check_bucket_name(url.authority, url.scheme)
    if custom := url.query.get("endpoint"):
        endpoint: str | None = base_url(custom, "endpoint", url.scheme)
    else:
        endpoint = emulator_endpoint(environment, url.scheme)
    settings = {
        "endpoint": endpoint,
        "verify_tls": url.unverified,
        **default_credentials(environment, endpoint, url.scheme),
    }
    return BucketLocation("gcs", url.authority, url.path, present(settings))
