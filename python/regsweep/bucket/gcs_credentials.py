"""Credentials of Google Cloud: a service account's key, what the environment names, or an emulator that wants none."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from regsweep.bucket.endpoint import base_url, is_plain_http
from regsweep.errors import DriverError

CREDENTIALS_VARIABLE = "GOOGLE_APPLICATION_CREDENTIALS"
EMULATOR_VARIABLE = "STORAGE_EMULATOR_HOST"
_SERVICE_ACCOUNT = "service_account"
# A person's own, from "gcloud auth application-default login". The core reads it where the variable names it.
_AUTHORIZED_USER = "authorized_user"
# A key that says that no token has to be asked for with it.
_NO_CREDENTIALS = json.dumps({"private_key": "", "private_key_id": "", "client_email": "", "disable_oauth": True})


def emulator_endpoint(environment: Mapping[str, str], driver: str) -> str | None:
    """The emulator that ``STORAGE_EMULATOR_HOST`` names (``storage.go: NewClient`` of Google's library).

    Raises:
        DriverError: it is no address.
    """
    host = environment.get(EMULATOR_VARIABLE)
    if not host:
        return None
    scheme, _, rest = host.rpartition("://")
    # The library puts a path of its own in the place of any other.
    return base_url(f"{scheme or 'http'}://{rest.partition('/')[0]}", EMULATOR_VARIABLE, driver)


def default_credentials(environment: Mapping[str, str], endpoint: str | None, driver: str) -> dict[str, str]:
    """What the environment has for credentials; nothing where the core is to look for them itself.

    Raises:
        DriverError: the file that it names cannot be read, or is of a kind that regsweep does not understand.
    """
    path = environment.get(CREDENTIALS_VARIABLE)
    if not path:
        # Without TLS it can only be an emulator: Google has no such address.
        return {"service_account_key": _NO_CREDENTIALS} if is_plain_http(endpoint) else {}
    kind = read_key_file(path, driver).get("type")
    if kind == _SERVICE_ACCOUNT:
        return {"service_account_path": path}
    if kind == _AUTHORIZED_USER:
        return {}
    raise DriverError(
        f"the credentials in {path} are of the type {kind!r}, which regsweep does not understand",
        driver=driver,
        next_step=f"name the key of a service account with {CREDENTIALS_VARIABLE}, or run where the machine has one",
    )


def read_key_file(path: str, driver: str) -> dict[str, Any]:
    """The fields of a key file.

    Raises:
        DriverError: it cannot be read, or is no JSON object. Its content is not shown.
    """
    try:
        content = json.loads(Path(path).read_bytes())
    except OSError as error:
        reason = (error.strerror or "unknown").lower()
        raise DriverError(
            f"open {path}: {reason}", driver=driver, next_step="see that the key file is there and can be read"
        ) from error
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise DriverError(f"{path} is not a key file of Google Cloud: it is no JSON object", driver=driver)
    return content


def key_type_error(key: Mapping[Any, Any]) -> str:
    """What the registry says of a key that is not a service account's; empty where it is one."""
    kind = key.get("type", "")
    if kind == _SERVICE_ACCOUNT:
        return ""
    return f'google: read JWT from JSON credentials: \'type\' field is "{kind}" (expected "{_SERVICE_ACCOUNT}")'
