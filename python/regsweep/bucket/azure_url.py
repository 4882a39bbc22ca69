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
from regsweep.bucket.azure_service import DEFAULT_REALM, account_at, check_account_name, check_encrypted
from regsweep.bucket.endpoint import base_url
from regsweep.bucket.location import BucketLocation, check_bucket_name, normal_root, present
from regsweep.bucket.url_parts import UrlParts, url_error

QUERY = frozenset({"account", "endpoint", "verify_tls"})


def locate(url: UrlParts, environment: Mapping[str, str]) -> BucketLocation:
    """The container that the URL names.

    Raises:
        DriverError: it names none, or an address that is not Azure's; the account is not known, or named twice
            differently; credentials are not to be had.
    """
    container, account, address, root = _place(url)
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
    endpoint = base_url(url.query["endpoint"], "endpoint", url.scheme) if "endpoint" in url.query else address
    if endpoint is None:
        endpoint = azure.endpoint
    if endpoint is not None and account_at(endpoint) not in ("", account):
        raise url_error(
            f"{endpoint} is the address of another account than {account}",
            url.scheme,
            next_step="see what the URL says and what AZURE_… variables are set",
        )
    identity = azure.identity(account)
    if identity["credentials"] in ("default", "client_secret"):
        check_encrypted(endpoint, url.scheme)
    settings = {
        "account": account,
        "endpoint": None if endpoint == f"https://{account}.blob.{DEFAULT_REALM}" else endpoint,
        "verify_tls": url.unverified,
        "leading_slash": "auto",
        **identity,
    }
    return BucketLocation("azure", container, root, present(settings))


def _place(url: UrlParts) -> tuple[str, str, str | None, str]:
    """Container, account (maybe empty), its address where the URL has one, and root."""
    if url.scheme in ("http", "https"):
        address = _address(url.authority, url)
        if address is None or url.scheme == "http":
            raise url_error(
                "an address over the web is taken only as https://account.blob.core.windows.net/container/root",
                url.scheme,
                next_step="for another service write s3://bucket?endpoint=…, gs://… or az://container?endpoint=…",
            )
        container, _, root = unquote(url.path).partition("/")
        return container, account_at(address), address, normal_root(root, url.scheme)
    container, _, host = url.authority.partition("@")
    if "." not in host:
        return container, host, None, url.path
    address = _address(host, url)
    if address is None:
        raise url_error(
            f"{host!r} is not the host of a storage account",
            url.scheme,
            next_step="write az://container@account/root, with ?endpoint=… for a service of your own",
        )
    return container, account_at(address), address, url.path


def _address(host: str, url: UrlParts) -> str | None:
    """The address of an account's blobs, by a host of the account; ``None`` where it is none."""
    address = f"https://{host.lower().replace('.dfs.', '.blob.', 1)}"
    return base_url(address, "the host", url.scheme) if account_at(address) else None
