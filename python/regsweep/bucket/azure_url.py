"""Azure's containers by URL, with the variables of Azure's own tools.

- ``az://container/root``: the account comes from ``?account=…`` or the environment, as for object_store and adlfs.
- ``az://container@account/root``, and ``abfs://`` and ``abfss://`` with ``container@account.dfs.core.windows.net``, as
  Hadoop writes it. (``account@container``, the other way round, nobody reads.)
- ``https://account.blob.core.windows.net/container/root``, as the portal shows and azcopy takes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import unquote

from regsweep.bucket.azure_environment import AzureEnvironment
from regsweep.bucket.azure_service import (
    account_endpoint,
    check_account_name,
    check_encrypted,
)
from regsweep.bucket.endpoint import base_url
from regsweep.bucket.location import BucketLocation, check_bucket_name, normal_root, present
from regsweep.bucket.url_parts import UrlParts, url_error

QUERY = frozenset({"account", "endpoint", "verify_tls"})
# What follows the account in a host: of blobs, and of the same storage as a file system.
_SERVICES = ("blob", "dfs")


def locate(url: UrlParts, environment: Mapping[str, str]) -> BucketLocation:
    """The container that the URL names.

    Raises:
        DriverError: it names none, or an address that is not Azure's; the account is not known, or named twice
            differently; credentials are not to be had.
    """
    container, account, endpoint, root = _place(url)
    if not container:
        raise url_error("the URL names no container", url.scheme, next_step="write az://container/root")
    check_bucket_name(container, url.scheme)
    azure = AzureEnvironment(environment, url.scheme)
    asked = url.query.get("account")
    if account and asked and account != asked:
        raise url_error(f"the URL names two accounts, {account} and {asked}", url.scheme)
    account = account or asked or azure.account
    if not account:
        raise url_error(
            "the storage account is not known",
            url.scheme,
            next_step="write az://container@account/root, or set AZURE_STORAGE_ACCOUNT",
        )
    check_account_name(account, url.scheme)
    if custom := url.query.get("endpoint"):
        endpoint = base_url(custom, "endpoint", url.scheme)
    elif endpoint is None:
        endpoint = azure.endpoint(account)
    identity = azure.identity(account)
    if identity["credentials"] in ("default", "client_secret"):
        check_encrypted(endpoint, url.scheme)
    settings = {
        "account": account,
        "endpoint": endpoint,
        "verify_tls": url.unverified,
        "leading_slash": "auto",
        **identity,
    }
    return BucketLocation("azure", container, root, present(settings))


def _place(url: UrlParts) -> tuple[str, str, str | None, str]:
    """Container, account (maybe empty), an address where the URL has another than the public cloud's, and root."""
    if url.scheme in ("http", "https"):
        account, endpoint = _account_of(url.authority, url)
        if not account or url.scheme == "http":
            raise url_error(
                "an address over the web is taken only as https://account.blob.core.windows.net/container/root",
                url.scheme,
                next_step="for another service write s3://bucket?endpoint=…, gs://… or az://container?endpoint=…",
            )
        container, _, root = unquote(url.path).partition("/")
        return container, account, endpoint, normal_root(root, url.scheme)
    container, at, host = url.authority.partition("@")
    if not at:
        return container, "", None, url.path
    if "." not in host:
        return container, host, None, url.path
    account, endpoint = _account_of(host, url)
    if not account:
        raise url_error(
            f"{host!r} is not the host of a storage account",
            url.scheme,
            next_step="write az://container@account/root, with ?endpoint=… for a service of your own",
        )
    return container, account, endpoint, url.path


def _account_of(host: str, url: UrlParts) -> tuple[str, str | None]:
    """Account and address of a host like ``account.blob.core.windows.net``; no account where it is none."""
    account, _, rest = host.lower().partition(".")
    labels = rest.split(".")
    for service in _SERVICES:
        if service in labels[:-1]:
            if labels[0] == service:
                return account, account_endpoint(account, rest.removeprefix(f"{service}."), url.scheme)
            # With a zone in between: account.z12.blob.storage.azure.net
            return account, base_url(host.lower().replace(".dfs.", ".blob."), "the host", url.scheme)
    return "", None
