"""Names of repositories and tags, by the grammar of the distribution specification ("Pulling manifests")."""

from __future__ import annotations

import re

from regsweep.errors import InvalidNameError

DIGEST = r"sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128}"
REPOSITORY = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*"
TAG = r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}"

_NAME = re.compile(rf"(?P<repository>{REPOSITORY})(?::(?P<tag>{TAG}))?")


def parse_name(text: str) -> tuple[str, str | None]:
    """Repository and tag of ``repository`` or ``repository:tag``.

    Raises:
        InvalidNameError: it is neither.
    """
    match = _NAME.fullmatch(text)
    if match is None:
        raise InvalidNameError(
            f"{text!r} is neither a repository nor repository:tag",
            key=text,
            next_step="write the repository as it is in the storage: without the registry's host name, in full",
        )
    return match["repository"], match["tag"]
