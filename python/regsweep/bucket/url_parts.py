"""The parts of a bucket's URL, and what its errors have in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from regsweep.bucket.go_values import BOOLEANS
from regsweep.errors import DriverError


@dataclass(frozen=True, slots=True)
class UrlParts:
    """A URL, taken apart.

    Attributes:
        scheme: what stands before ``://``, in lower case.
        authority: what stands up to the next slash.
        path: the rest, without slashes around it.
        query: the parameters, each once and with a value.
    """

    scheme: str
    authority: str
    path: str
    query: Mapping[str, str]

    def boolean(self, name: str) -> bool | None:
        """A parameter that is true or false; ``None`` where it is not given.

        Raises:
            DriverError: it is neither.
        """
        text = self.query.get(name)
        if text is not None and text not in BOOLEANS:
            raise url_error(f"{name} in the URL is neither true nor false", self.scheme)
        return None if text is None else BOOLEANS[text]

    @property
    def unverified(self) -> bool | None:
        """``False``, for ``verify_tls``, where certificates are not to be checked; else ``None``."""
        return False if self.boolean("verify_tls") is False else None


def url_error(message: str, scheme: str, *, next_step: str = "") -> DriverError:
    """An error of a URL, named by its scheme alone."""
    return DriverError(message, driver=scheme, next_step=next_step)
