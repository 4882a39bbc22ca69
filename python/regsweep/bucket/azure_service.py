"""Azure's storage accounts: their names, addresses and keys, and who one is to them."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping

from regsweep.bucket.endpoint import base_url, is_plain_http
from regsweep.errors import DriverError

DEFAULT_REALM = "core.windows.net"
# azidentity: validTenantID
_TENANT = re.compile(r"[A-Za-z0-9.-]+")
_ACCOUNT = re.compile(r"[A-Za-z0-9-]+")


def account_endpoint(account: str, realm: str, driver: str) -> str | None:
    """The address of an account; ``None`` where it is in the public cloud.

    Raises:
        DriverError: the realm is no part of a host's name.
    """
    return None if realm == DEFAULT_REALM else base_url(f"https://{account}.blob.{realm}", "the realm", driver)


def account_at(endpoint: str) -> str:
    """The account whose address it is; empty where the host does not tell.

    ``account.blob.core.windows.net``, or with a zone in between: ``account.z12.blob.storage.azure.net``.
    """
    account, _, rest = endpoint.partition("://")[2].partition("/")[0].partition(".")
    return account if "blob" in rest.split(".")[:-1] else ""


def check_account_name(account: str, driver: str) -> None:
    """Makes sure that an account's name can stand in a host's.

    Raises:
        DriverError: it cannot.
    """
    if not _ACCOUNT.fullmatch(account):
        raise DriverError(
            f"{account!r} cannot be the name of a storage account",
            driver=driver,
            next_step="it has letters and digits only: the part of the account's address before .blob.",
        )


def check_account_key(key: str, driver: str) -> None:
    """Makes sure that a key is one (``azblob.NewSharedKeyCredential``); it is not shown.

    Raises:
        DriverError: it is not Base64.
    """
    try:
        base64.b64decode(key, validate=True)
    except (binascii.Error, ValueError):
        raise DriverError(
            "shared key credentials: decode account key: illegal base64 data",
            driver=driver,
            next_step="copy the account's key once more, with the equals signs at its end",
        ) from None


def check_encrypted(endpoint: str | None, driver: str) -> None:
    """Makes sure that tokens do not go where they can be read (``azcore: checkHTTPSForAuth``).

    Raises:
        DriverError: they would.
    """
    if is_plain_http(endpoint):
        raise DriverError(
            "authenticated requests are not permitted for non TLS protected (https) endpoints",
            driver=driver,
            next_step="write the address with https://, or sign with the account's key",
        )


def client_secret(tenant: str, client: str, secret: str, driver: str) -> dict[str, str]:
    """An application's sign-in, as settings of a location.

    Raises:
        DriverError: a part of it is missing or malformed; the secret is not shown.
    """
    if not _TENANT.fullmatch(tenant):
        raise DriverError("client secret credentials: invalid tenantID", driver=driver, next_step="see the portal")
    if not client:
        raise DriverError("client secret credentials: client ID can't be empty string", driver=driver)
    if not secret:
        raise DriverError("client secret credentials: secret can't be empty string", driver=driver)
    return {"credentials": "client_secret", "tenant_id": tenant, "client_id": client, "client_secret": secret}


def default_identity(environment: Mapping[str, str], driver: str) -> dict[str, str]:
    """Who one is by the environment, as settings of a location: Azure's default credentials.

    An application's secret in variables comes first (``azidentity: NewDefaultAzureCredential``). For the others, a
    workload's or a machine's identity, and who is signed in with ``az``, the core asks.

    Raises:
        DriverError: the variables name a certificate, which regsweep cannot sign in with.
    """
    tenant, client = environment.get("AZURE_TENANT_ID", ""), environment.get("AZURE_CLIENT_ID", "")
    secret = environment.get("AZURE_CLIENT_SECRET", "")
    if tenant and client and secret:
        return client_secret(tenant, client, secret, driver)
    if tenant and client and environment.get("AZURE_CLIENT_CERTIFICATE_PATH"):
        raise DriverError(
            "AZURE_CLIENT_CERTIFICATE_PATH is set, and regsweep does not sign in with certificates",
            driver=driver,
            next_step="use AZURE_CLIENT_SECRET, a managed identity, or the account's key",
        )
    return {"credentials": "default", "tenant_id": tenant, "client_id": client}
