"""Azure's variables: which account, where it is, and with what one gets in.

The names are those of the ``az`` command and of the object_store library. Of several credentials the first of these
counts: a connection string, the account's key, a SAS token, and then who one is by ``default_identity``.
"""

from __future__ import annotations

from collections.abc import Mapping

from regsweep.bucket.azure_service import DEFAULT_REALM, account_at, check_account_key, default_identity
from regsweep.bucket.endpoint import base_url
from regsweep.errors import DriverError

_CONNECTION_STRING = "AZURE_STORAGE_CONNECTION_STRING"
_ACCOUNT_VARIABLES = ("AZURE_STORAGE_ACCOUNT", "AZURE_STORAGE_ACCOUNT_NAME")
_KEY_VARIABLES = ("AZURE_STORAGE_KEY", "AZURE_STORAGE_ACCOUNT_KEY", "AZURE_STORAGE_ACCESS_KEY")
_SAS_VARIABLES = ("AZURE_STORAGE_SAS_TOKEN",)
_ENDPOINT_VARIABLES = ("AZURE_STORAGE_SERVICE_ENDPOINT", "AZURE_STORAGE_ENDPOINT")
# What "UseDevelopmentStorage=true" stands for: the emulator's account, with the key that is printed in its manual.
_DEVELOPMENT = {
    "accountname": "devstoreaccount1",
    "accountkey": "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==",
    "blobendpoint": "http://127.0.0.1:10000/devstoreaccount1",
}


class AzureEnvironment:
    """What the environment says of Azure.

    Args:
        environment: its variables.
        driver: for errors.

    Raises:
        DriverError: there is a connection string, and it is none.
    """

    def __init__(self, environment: Mapping[str, str], driver: str) -> None:
        self._environment = environment
        self._driver = driver
        self._connection = _connection_string(environment.get(_CONNECTION_STRING, ""), driver)

    @property
    def account(self) -> str:
        """The account; empty where nothing names one."""
        named = self._connection.get("accountname") or account_at(self._connection.get("blobendpoint", ""))
        return named or self._first(_ACCOUNT_VARIABLES)

    @property
    def endpoint(self) -> str | None:
        """The address of the account; ``None`` where nothing names one.

        Raises:
            DriverError: what is given is no address.
        """
        explicit = self._connection.get("blobendpoint") or self._first(_ENDPOINT_VARIABLES)
        if not explicit and "accountname" in self._connection:
            scheme = self._connection.get("defaultendpointsprotocol") or "https"
            suffix = self._connection.get("endpointsuffix") or DEFAULT_REALM
            explicit = f"{scheme}://{self._connection['accountname']}.blob.{suffix}"
        return base_url(explicit, "the endpoint of Azure in the environment", self._driver) if explicit else None

    def identity(self, account: str) -> dict[str, str]:
        """Credentials, as settings of a location.

        Args:
            account: the one that is wanted.

        Raises:
            DriverError: they belong to another account, or cannot be used. Secrets are not shown.
        """
        named = self._connection.get("accountname")
        if named and named != account:
            raise DriverError(
                f"{_CONNECTION_STRING} is of the account {named}, and {account} is wanted",
                driver=self._driver,
                next_step=f"unset {_CONNECTION_STRING}, or set that of {account}",
            )
        if token := self._connection.get("sharedaccesssignature"):
            return _sas(token)
        if key := self._connection.get("accountkey") or self._first(_KEY_VARIABLES):
            check_account_key(key, self._driver)
            return {"credentials": "shared_key", "access_key": key}
        if token := self._first(_SAS_VARIABLES):
            return _sas(token)
        return default_identity(self._environment, self._driver)

    def _first(self, variables: tuple[str, ...]) -> str:
        return next((value for name in variables if (value := self._environment.get(name))), "")


def _sas(token: str) -> dict[str, str]:
    return {"credentials": "sas", "sas_token": token.removeprefix("?")}


def _connection_string(text: str, driver: str) -> dict[str, str]:
    """The parts of a connection string, by their names in lower case."""
    parts: dict[str, str] = {}
    for part in filter(None, text.strip().split(";")):
        name, equals, value = part.partition("=")
        if not equals:
            raise DriverError(
                f"{_CONNECTION_STRING} is not a connection string: a part of it has no '='",
                driver=driver,
                next_step="copy it once more from the portal, in quotes",
            )
        parts[name.strip().lower()] = value.strip()
    return dict(_DEVELOPMENT) if parts.get("usedevelopmentstorage", "").lower() == "true" else parts
