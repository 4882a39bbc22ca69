"""The ``gcs`` section of a registry's configuration.

Checks are those of the driver, in its order and its words (``gcs/gcs.go: FromParameters`` of 2.8.3 and 3.1.2, the
words of 3.1.2).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from regsweep.bucket.gcs_credentials import default_credentials, emulator_endpoint, key_type_error, read_key_file
from regsweep.bucket.go_values import Parameters, go_text, parse_integer
from regsweep.bucket.location import BucketLocation, check_bucket_name, normal_root, present
from regsweep.config import check_limit
from regsweep.errors import DriverError
from regsweep.go_yaml import StringMap

# Parameter to what is done with it, and why. docs/buckets.md shows this table; a test compares them.
PARAMETERS: Mapping[str, tuple[str, str]] = {
    "bucket": ("honoured", ""),
    "keyfile": ("honoured", "the key of a service account"),
    "credentials": ("honoured", "the same as a map, where there is no keyfile"),
    "rootdirectory": ("honoured", "slashes at its ends do not count; without a value it is refused"),
    "useragent": ("honoured", "3.x"),
    "chunksize": ("checked", "of uploads"),
    "maxconcurrency": ("checked", "regsweep has --jobs and --max-requests-per-second"),
}

_CHUNK_UNIT_BYTES = 256 * 1024


def locate(driver: str, values: Mapping[str, Any], environment: Mapping[str, str]) -> BucketLocation:
    """The bucket that the section names.

    Args:
        driver: the section's name.
        values: what it says.
        environment: where credentials are, where the section names none; an emulator's address.

    Raises:
        DriverError: the registry would not take it, or regsweep cannot honour it.
    """
    parameters = Parameters(driver, values)
    bucket = parameters.text_with_value("bucket")
    if not bucket:
        raise parameters.error("no bucket parameter provided", next_step="name the bucket with storage.gcs.bucket")
    check_bucket_name(bucket, driver)
    root = normal_root(parameters.text_with_value("rootdirectory"), driver)
    _check_chunk_size(parameters)
    endpoint = emulator_endpoint(environment, driver)
    credentials = _credentials(parameters)
    if credentials is None:
        credentials = default_credentials(environment, endpoint, driver)
    check_limit(parameters.raw("maxconcurrency"), "maxconcurrency", driver)
    agent = parameters.raw("useragent")
    settings = {"endpoint": endpoint, "user_agent": agent if isinstance(agent, str) else None, **credentials}
    return BucketLocation("gcs", bucket, root, present(settings), tuple(parameters.unknown(PARAMETERS)))


def _check_chunk_size(parameters: Parameters) -> None:
    if "chunksize" not in parameters:
        return
    value = parameters.raw("chunksize")
    numbers = [] if isinstance(value, bool) else parse_integer(go_text(value) or "")
    if not numbers:
        raise parameters.error(f"chunksize must be an integer, {go_text(value) or 'what is given'} invalid")
    if numbers[0] < _CHUNK_UNIT_BYTES:
        raise parameters.error(f"chunksize {numbers[0]} must be larger than or equal to {_CHUNK_UNIT_BYTES}")
    if numbers[0] % _CHUNK_UNIT_BYTES:
        raise parameters.error(f"chunksize should be a multiple of {_CHUNK_UNIT_BYTES}")


def _credentials(parameters: Parameters) -> dict[str, str] | None:
    """What the section says; ``None`` where that is nothing."""
    if "keyfile" in parameters:
        path = parameters.text_with_value("keyfile")
        if error := key_type_error(read_key_file(path, parameters.driver)):
            raise parameters.error(error)
        return {"service_account_path": path}
    if "credentials" not in parameters:
        return None
    credentials = parameters.raw("credentials")
    if not isinstance(credentials, dict) or isinstance(credentials, StringMap):
        # A map that environment variables have made is of another type in Go, which the driver does not take.
        raise parameters.error(
            "the credentials were not specified in the correct format",
            next_step="write the fields of the key file below storage.gcs.credentials, or name the file as keyfile",
        )
    for key in credentials:
        if not isinstance(key, str):
            raise parameters.error(f"one of the credential keys was not a string: {go_text(key)}")
    if any(isinstance(value, dict) for value in credentials.values()):
        raise DriverError("failed to marshal gcs credentials to json", driver=parameters.driver)
    if error := key_type_error(credentials):
        raise parameters.error(error)
    return {"service_account_key": json.dumps(credentials)}
