"""The ``azure`` section of a registry's configuration.

2.8 and 3.x differ more here than anywhere else. 2.8 knows four parameters, always signs with the account's key, and
puts a slash in front of every name; 3.x has credentials of three types, which it must be told, and no such slash
(``azure/azure.go`` of 2.8.3; ``azure/parser.go`` and ``azure/auth.go`` of 3.1.2, which decodes strictly and finds keys
in any case). Which of the two spellings of names a container has, the core sees by looking.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from regsweep.bucket.azure_service import (
    DEFAULT_REALM,
    account_endpoint,
    check_account_key,
    check_account_name,
    check_encrypted,
    client_secret,
    default_identity,
)
from regsweep.bucket.endpoint import base_url
from regsweep.bucket.go_values import Parameters
from regsweep.bucket.location import BucketLocation, check_bucket_name, normal_root, present
from regsweep.go_yaml import is_go_duration

# Parameter to what is done with it, and why. docs/buckets.md shows this table; a test compares them.
PARAMETERS: Mapping[str, tuple[str, str]] = {
    "accountname": ("honoured", ""),
    "accountkey": ("honoured", "2.8, and 3.x with the type shared_key"),
    "container": ("honoured", ""),
    "credentials": ("honoured", "3.x: type, clientid, tenantid, secret; without a type, accountkey counts as in 2.8"),
    "realm": ("honoured", "where serviceurl is not given"),
    "serviceurl": ("honoured", "3.x"),
    "rootdirectory": ("honoured", "3.x; slashes at its ends do not count"),
    "skipverify": ("honoured", "3.x; true: certificates are not checked"),
    "connectionstring": ("checked", "3.x reads it, too, and does nothing with it"),
    "max_retries": ("checked", "3.x; regsweep has its own retries"),
    "retry_delay": ("checked", "3.x; regsweep has its own retries"),
}

T = TypeVar("T", str, bool)

_SHARED_KEY, _CLIENT_SECRET, _DEFAULT = "shared_key", "client_secret", "default_credentials"
_GO_TYPES = {
    bool: "bool",
    int: "int",
    float: "float64",
    str: "string",
    list: "[]interface {}",
}


def locate(driver: str, values: Mapping[str, Any], environment: Mapping[str, str]) -> BucketLocation:
    """The container that the section names.

    Args:
        driver: the section's name.
        values: what it says.
        environment: where default credentials are.

    Raises:
        DriverError: the registry would not take it, or regsweep cannot honour it.
    """
    parameters = Parameters(driver, _folded(values))
    credentials = _credentials_section(parameters)
    _strict(parameters, "connectionstring", str)
    _check_retries(parameters)
    skip_verify = _strict(parameters, "skipverify", bool)
    account, container = parameters.text("accountname"), parameters.text("container")
    if not account:
        raise parameters.error(
            "no accountname parameter provided", next_step="name the storage account with storage.azure.accountname"
        )
    if not container:
        raise parameters.error(
            "no container parameter provided", next_step="name the container with storage.azure.container"
        )
    check_account_name(account, driver)
    check_bucket_name(container, driver)
    service = _strict(parameters, "serviceurl", str)
    if service:
        endpoint: str | None = base_url(service, "storage.azure.serviceurl", driver)
    else:
        endpoint = account_endpoint(account, parameters.text("realm") or DEFAULT_REALM, driver)
    root = normal_root(_strict(parameters, "rootdirectory", str) or "", driver)
    settings = {
        "account": account,
        "endpoint": endpoint,
        "verify_tls": False if skip_verify else None,
        "leading_slash": "auto",
        **_identity(parameters, credentials, endpoint, environment),
    }
    return BucketLocation("azure", container, root, present(settings), tuple(parameters.unknown(PARAMETERS)))


def _identity(
    parameters: Parameters, credentials: Parameters, endpoint: str | None, environment: Mapping[str, str]
) -> dict[str, str]:
    kind = _strict(credentials, "type", str) or ""
    if kind not in ("", _SHARED_KEY, _CLIENT_SECRET, _DEFAULT):
        raise parameters.error(
            f'invalid credentials type: "{kind}"', next_step=f"write {_SHARED_KEY}, {_CLIENT_SECRET} or {_DEFAULT}"
        )
    if kind in (_CLIENT_SECRET, _DEFAULT):
        check_encrypted(endpoint, parameters.driver)
        if kind == _DEFAULT:
            return default_identity(environment, parameters.driver)
        tenant, client, secret = (_strict(credentials, name, str) or "" for name in ("tenantid", "clientid", "secret"))
        return client_secret(tenant, client, secret, parameters.driver)
    key = parameters.text("accountkey")
    if not key:
        raise parameters.error(
            "no accountkey parameter provided",
            next_step=f"write storage.azure.accountkey, or another type than {_SHARED_KEY} as credentials.type",
        )
    check_account_key(key, parameters.driver)
    return {"credentials": "shared_key", "access_key": key}


def _credentials_section(parameters: Parameters) -> Parameters:
    section = parameters.raw("credentials")
    if section is not None and not isinstance(section, dict):
        raise parameters.error(f"'credentials' expected a map, got '{_go_type(section)}'")
    return Parameters(parameters.driver, _folded(section or {}))


def _check_retries(parameters: Parameters) -> None:
    retries = parameters.raw("max_retries")
    if retries is not None and (isinstance(retries, bool) or not isinstance(retries, int | float)):
        raise _wrong_type(parameters, "max_retries", "int")
    delay = _strict(parameters, "retry_delay", str)
    if delay and not is_go_duration(delay):
        raise parameters.error(f'time: invalid duration "{delay}"')


def _strict(parameters: Parameters, name: str, type_: type[T]) -> T | None:
    """A value of just this type, as 3.x decodes (``mapstructure``); ``None`` where there is none."""
    value = parameters.raw(name)
    if value is None or isinstance(value, type_):
        return value
    raise _wrong_type(parameters, name, _GO_TYPES[type_])


def _wrong_type(parameters: Parameters, name: str, wanted: str) -> Exception:
    found = _go_type(parameters.raw(name))
    # The registry shows the value as well, be it a secret or not.
    return parameters.error(f"'{name}' expected type '{wanted}', got unconvertible type '{found}'")


def _go_type(value: object) -> str:
    return "map[interface {}]interface {}" if isinstance(value, dict) else _GO_TYPES.get(type(value), "interface {}")


def _folded(section: Mapping[Any, Any]) -> dict[str, Any]:
    """With keys in lower case; one that was written so counts before its variants."""
    folded: dict[str, Any] = {}
    for key, value in section.items():
        if isinstance(key, str) and (key.lower() == key or key.lower() not in folded):
            folded[key.lower()] = value
    return folded
