"""Keep lists: files that name what must stay, whatever the storage says.

One entry a line: a digest, ``repository:tag`` or ``repository@digest``. ``#`` starts a comment, blank lines are
nothing. A list that is not understood to its last line protects less than its author thinks, so a bad line is an error.
"""

from __future__ import annotations

import re

from regsweep.errors import KeepListError
from regsweep.names import DIGEST, REPOSITORY, TAG

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from os import PathLike

# A digest that is cut off or in capitals would pass as the tag of a repository named "sha256".
_TAGGED = rf"(?!sha(?:256|384|512):){REPOSITORY}:{TAG}"
_ENTRY = re.compile(rf"(?P<digest>{DIGEST})|{REPOSITORY}@(?P<repository_digest>{DIGEST})|(?P<tagged>{_TAGGED})")


def parse(lines: Iterable[str], name: str) -> list[str]:
    """Entries in the form that ``Catalog.mark`` takes: digests and ``repository:tag``, in order, each once.

    ``repository@digest`` becomes the digest: liveness goes by digest, in whatever repository.

    Raises:
        KeepListError: a line is not an entry; names the file and the line.
    """
    entries: dict[str, None] = {}
    for number, line in enumerate(lines, start=1):
        text = line.partition("#")[0].strip()
        if not text:
            continue
        match = _ENTRY.fullmatch(text)
        if match is None:
            raise KeepListError(
                f"{name}:{number}: {text!r} is neither a digest nor repository:tag nor repository@digest",
                key=f"{name}:{number}",
                next_step="write the repository as it is in the storage: without the registry's host name, in full",
            )
        entries[match["digest"] or match["repository_digest"] or match["tagged"]] = None
    return list(entries)


def read(path: str | PathLike[str]) -> list[str]:
    """Reads a keep list from a file.

    Raises:
        KeepListError: the file cannot be read, is not UTF-8, or has a bad line.
    """
    try:
        with open(path, encoding="utf-8") as file:  # noqa: PTH123 - pathlib costs start-up time
            return parse(file, str(path))
    except OSError as error:
        raise KeepListError(f"open {path}: {error.strerror}", key=str(path)) from error
    except UnicodeDecodeError as error:
        raise KeepListError(f"{path}: not UTF-8 text", key=str(path)) from error
