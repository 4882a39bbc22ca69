"""URLs that name a bucket: ``s3://bucket/root``, ``gs://bucket/root``, ``az://container/root`` and Azure's own.

A URL says where, and by query parameters what else may be known to all: ``?endpoint=…&region=…``. Credentials come from
the environment, in the variables of the provider's own tools. A URL is seen in process lists, histories and logs, so
one that holds a secret is refused, and no error shows more of it than names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from urllib.parse import parse_qsl

from regsweep.bucket import azure_url, gcs_url, s3_url
from regsweep.bucket.location import BucketLocation, normal_root
from regsweep.bucket.url_parts import UrlParts, url_error

_READERS: Mapping[str, tuple[Callable[[UrlParts, Mapping[str, str]], BucketLocation], frozenset[str]]] = {
    "s3": (s3_url.locate, s3_url.QUERY),
    "gs": (gcs_url.locate, gcs_url.QUERY),
    **dict.fromkeys(("az", "abfs", "abfss", "https", "http"), (azure_url.locate, azure_url.QUERY)),
}
# In the name of a query parameter: what is kept secret by whoever has it. "sig" is a SAS token's.
_SECRETIVE = ("key", "secret", "token", "password", "credential", "sig")


def parse(url: str, environment: Mapping[str, str]) -> BucketLocation:
    """The bucket that a URL names.

    Args:
        url: with a scheme.
        environment: the variables that credentials, region and address come from.

    Raises:
        DriverError: it is not understood, holds a secret, or the environment lacks what it takes.
    """
    scheme, _, rest = url.partition("://")
    scheme = scheme.lower()
    if scheme not in _READERS:
        raise url_error(
            f"{scheme}:// names no storage that regsweep knows",
            scheme,
            next_step="write s3://bucket/root, gs://bucket/root, az://container/root, or the path of a directory",
        )
    locate, known = _READERS[scheme]
    if "#" in rest:
        raise url_error("a bucket's URL has no part after '#'", scheme)
    place, _, query = rest.partition("?")
    authority, _, path = place.partition("/")
    if ":" in authority.rpartition("@")[0]:
        raise url_error(
            "a password does not belong into a URL", scheme, next_step="put credentials into the environment"
        )
    return locate(UrlParts(scheme, authority, normal_root(path, scheme), _query(query, known, scheme)), environment)


def _query(text: str, known: frozenset[str], scheme: str) -> dict[str, str]:
    pairs = parse_qsl(text, keep_blank_values=True)
    secrets = [name for name, _ in pairs if name not in known and any(part in name.lower() for part in _SECRETIVE)]
    if secrets:
        raise url_error(
            f"a secret does not belong into a URL: {secrets[0]}",
            scheme,
            next_step="put credentials into the environment",
        )
    parameters: dict[str, str] = {}
    for name, value in pairs:
        if name not in known:
            raise url_error(
                f"{name} is no parameter of a URL with {scheme}://", scheme, next_step=f"there are {_listed(known)}"
            )
        if name in parameters or not value:
            raise url_error(f"{name} {'is given twice' if value else 'has no value'} in the URL", scheme)
        parameters[name] = value
    return parameters


def _listed(names: frozenset[str]) -> str:
    *others, last = sorted(names)
    return f"{', '.join(others)} and {last}"
