"""Which requests are pulls, and of what.

A pull is a GET or HEAD of a manifest, by tag or by digest, that was answered with 2xx or 304. HEAD and 304 count
because that is all that a client asks for that has the image already (a node that starts a container from its cache,
with the pull policy "always"); that update checkers do the same only keeps more. Blobs do not count: who needs one has
asked for its manifest before.
"""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import unquote

from regsweep import names

READING_METHODS = (b"GET", b"HEAD")

_REPOSITORY = re.compile(names.REPOSITORY)
_REFERENCE = re.compile(rf"(?P<digest>{names.DIGEST})|{names.TAG}")
_API = "/v2/"
_SLASHES = re.compile("/{2,}")


def is_success(status: bytes) -> bool:
    """Whether a status says that the client got, or has, what it asked for."""
    return status[:1] == b"2" or status == b"304"


def item(repository: str, reference: str) -> str | None:
    """``repository:tag`` or ``repository@digest``; ``None`` where these are no names that a registry accepts."""
    found = _REFERENCE.fullmatch(reference)
    if found is None or _REPOSITORY.fullmatch(repository) is None:
        return None
    return f"{repository}@{reference}" if found["digest"] else f"{repository}:{reference}"


@lru_cache(maxsize=65536)
def items_of(uri: bytes) -> tuple[str, ...]:
    """What a request for a manifest asks for; empty where it is not one.

    The path is decoded first, as the registry does it, and slashes are merged, as proxies do it. What comes before
    ``/v2/`` is a prefix. Where there is more than one ``/v2/`` (a component of the prefix or of the repository's name),
    each reading counts: more pulls keep more.
    """
    path = uri.partition(b"?")[0]
    text = unquote(path.decode("latin-1")) if b"%" in path else path.decode("latin-1")
    front, manifests, reference = _SLASHES.sub("/", text).rpartition("/manifests/")
    if not manifests:
        return ()
    found = []
    begin = front.find(_API)
    while begin >= 0:
        found.append(item(front[begin + len(_API) :], reference))
        begin = front.find(_API, begin + 1)
    return tuple(one for one in found if one is not None)
