"""Where S3 is: hosts of AWS, and whether the bucket's name goes into the host or into the path.

Hosts are those that aws-sdk-go 1.55.5 resolves (``aws/endpoints/defaults.go``), which 3.1 of the registry uses; the
three newest partitions are those of AWS's own documentation.
"""

from __future__ import annotations

import re

from regsweep.bucket.endpoint import is_numeric, is_plain_http
from regsweep.bucket.location import check_bucket_name
from regsweep.errors import DriverError

# The names of all regions are of this shape. Which exist, AWS knows better than a list here: of a region that does
# not, the host does not resolve.
_REGION = re.compile(r"[a-z]{2,4}(?:-[a-z]+)+-[0-9]+")
_DEFAULT_SUFFIX = "amazonaws.com"
_SUFFIXES = {
    "cn-": "amazonaws.com.cn",
    "us-iso-": "c2s.ic.gov",
    "us-isob-": "sc2s.sgov.gov",
    "us-isof-": "csp.hci.ic.gov",
    "eu-isoe-": "cloud.adc-e.uk",
    "eusc-": "amazonaws.eu",
}
# service/s3/host_style_bucket.go: dnsCompatibleBucketName
_HOST_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_NUMERIC = re.compile(r"(?:[0-9]+\.){3}[0-9]+")

# What S3-compatible servers sign with, where nothing is said.
DEFAULT_REGION = "us-east-1"


def is_region(name: str) -> bool:
    """Whether this can be the name of a region of AWS."""
    return _REGION.fullmatch(name) is not None


def check_bucket(name: str, driver: str) -> None:
    """Makes sure that a bucket is an ordinary one.

    Raises:
        DriverError: it is a directory bucket or an access point, or cannot be the name of a bucket at all.
    """
    if name.endswith("--x-s3"):
        # They list in no order, and want a session for each bucket.
        raise DriverError(f"{name} is a directory bucket (S3 Express), which regsweep does not support", driver=driver)
    if name.startswith("arn:"):
        raise DriverError(
            f"the bucket is named by an ARN, {name}, which regsweep does not understand",
            driver=driver,
            next_step="name the bucket, or the alias of the access point",
        )
    check_bucket_name(name, driver)


def aws_endpoint(
    region: str, *, secure: bool = True, dual_stack: bool = False, fips: bool = False, accelerate: bool = False
) -> str | None:
    """The address of S3 in a region; ``None`` where that is ``https://s3.<region>.amazonaws.com``."""
    suffix = next((suffix for prefix, suffix in _SUFFIXES.items() if region.startswith(prefix)), _DEFAULT_SUFFIX)
    if secure and suffix == _DEFAULT_SUFFIX and not (dual_stack or fips or accelerate):
        return None
    service = "s3-accelerate" if accelerate else "s3-fips" if fips else "s3"
    # Accelerated requests go to the nearest point of presence, in whatever region.
    parts = [service, *(["dualstack"] if dual_stack else []), *([] if accelerate else [region]), suffix]
    return f"{'https' if secure else 'http'}://{'.'.join(parts)}"


def fits_into_host(bucket: str, endpoint: str | None) -> bool:
    """Whether a bucket's name may stand in front of the service's host (``hostCompatibleBucketName``).

    With TLS a name with dots may not: the certificate is for one component.
    """
    if "." in bucket and not is_plain_http(endpoint):
        return False
    return bool(_HOST_NAME.fullmatch(bucket)) and not _NUMERIC.fullmatch(bucket) and ".." not in bucket


def uses_path_style(bucket: str, endpoint: str | None, wanted: bool | None, *, custom: bool) -> bool:
    """Whether the bucket goes into the path of a request.

    2.8 does it whenever the endpoint is the operator's own, 3.x only where it is told to. Servers that operators run
    themselves answer to paths, and to names only with a DNS entry for each bucket. So: paths for an endpoint of the
    operator's own, unless the opposite is written.

    Args:
        bucket: its name.
        endpoint: the service; ``None`` for that of AWS.
        wanted: what is written; ``None`` for nothing.
        custom: the endpoint is the operator's own.
    """
    if wanted or not fits_into_host(bucket, endpoint) or (endpoint is not None and is_numeric(endpoint)):
        return True
    return custom and wanted is None
