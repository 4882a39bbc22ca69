"""The address of a service: checked, and made whole."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

from regsweep.errors import DriverError


def base_url(text: str, name: str, driver: str, *, scheme: str = "https") -> str:
    """An endpoint with a scheme and without a slash at its end.

    Args:
        text: the endpoint, with or without a scheme.
        name: what it was given as, for the error.
        driver: likewise.
        scheme: of an endpoint that has none; nothing else makes it ``http``.

    Raises:
        DriverError: it is no address of a service. Where it may hold a password, it is not shown.
    """
    whole = text if "://" in text else f"{scheme}://{text}"
    try:
        parts = urlsplit(whole)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise _not_an_address(f"{name} is not an address", driver) from None
    if parts.username is not None or parts.password is not None:
        raise _not_an_address(f"{name} holds a user or a password", driver)
    if parts.query or parts.fragment:
        raise _not_an_address(f"{name} has a query", driver)
    if parts.scheme not in ("http", "https"):
        raise _not_an_address(f"{name} {text!r} is neither http nor https", driver)
    if not host or any(letter <= " " or letter == "\\" for letter in whole):
        raise _not_an_address(f"{name} {text!r} is not an address", driver)
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"


def is_plain_http(endpoint: str | None) -> bool:
    """Whether what is sent there can be read on the way."""
    return endpoint is not None and endpoint.startswith("http://")


def is_numeric(endpoint: str) -> bool:
    """Whether the host is an address of numbers, in front of which no bucket's name can stand."""
    try:
        ip_address(urlsplit(endpoint).hostname or "")
    except ValueError:
        return False
    return True


def _not_an_address(message: str, driver: str) -> DriverError:
    return DriverError(
        message, driver=driver, next_step="write the service's address, without the bucket: https://host[:port]"
    )
