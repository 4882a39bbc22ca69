"""What clients have pushed to a registry with success, and what of it has to be there now.

Whoever pushes or deletes a manifest of a repository holds that repository's lock while the registry answers, so that
the ledger knows the order. Nothing else is serialised: blobs, other repositories, pulls, and whatever collects.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

from support.registry import Contents, NotThere, Refused, Registry

# The kernel's clock for file times lags behind by a tick.
_TICK_SECONDS = 0.02


class Entry(NamedTuple):
    """The manifest that was pushed, and when its push began, in seconds since 1970."""

    digest: str
    began: float


@dataclass
class Ledger:
    """What was pushed and not deleted since.

    Attributes:
        passing: tags that begin with this go with every collection; none do where it is empty.
        cutoff: what was pushed before may be collected: manifests without a tag, and such tags.
    """

    repositories: tuple[str, ...]
    passing: str = ""
    cutoff: float = 0.0
    tags: dict[tuple[str, str], Entry] = field(default_factory=dict)
    manifests: dict[tuple[str, str], Entry] = field(default_factory=dict)
    deleted: set[tuple[str, str]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._locks = {repository: threading.Lock() for repository in self.repositories}

    @contextmanager
    def changing(self, repository: str) -> Iterator[float]:
        """The manifests of a repository change just now; gives the time."""
        with self._locks[repository]:
            yield time.time()

    def pushed(self, repository: str, digest: str, tag: str | None, began: float) -> None:
        """The registry has acknowledged a manifest."""
        self.manifests[repository, digest] = Entry(digest, began)
        self.deleted.discard((repository, digest))
        if tag is not None:
            self.tags[repository, tag] = Entry(digest, began)

    def gone(self, repository: str, digest: str, *, acknowledged: bool) -> None:
        """A manifest was deleted, and with it the tags that pointed to it; or may have been."""
        self.manifests.pop((repository, digest), None)
        for key in [key for key, entry in self.tags.items() if key[0] == repository and entry.digest == digest]:
            del self.tags[key]
        if acknowledged:
            self.deleted.add((repository, digest))

    def collected(self, cutoff: float) -> None:
        """Something collects what is older than this."""
        self.cutoff = max(self.cutoff, cutoff)

    def required(self) -> dict[tuple[str, str], str]:
        """What has to be there: repository and reference, and the manifest that this is."""
        tags = {key: one for key, one in self.tags.items() if not (self.passing and key[1].startswith(self.passing))}
        found = {**self.tags, **self.manifests}
        young = {key: one for key, one in found.items() if one.began - _TICK_SECONDS >= self.cutoff}
        return {key: entry.digest for key, entry in (young | tags).items()}

    def lost(self, registry: Registry) -> dict[tuple[str, str], str]:
        """What has to be there and cannot be pulled, every byte checked against its digest; and why."""
        pulled: dict[tuple[str, str], Contents] = {}
        lost = {}
        for (repository, reference), digest in sorted(self.required().items()):
            try:
                if reference != digest and (found := registry.manifest(repository, reference).digest) != digest:
                    lost[repository, reference] = f"is {found}, not {digest}"
                if (repository, digest) not in pulled:
                    pulled[repository, digest] = registry.pull(repository, digest)
                if missing := [one for one, content in pulled[repository, digest].items() if content is None]:
                    lost[repository, reference] = f"misses {missing}"
            except (NotThere, Refused, AssertionError) as error:
                lost[repository, reference] = str(error)
        return lost

    def give_up(self, references: Iterable[tuple[str, str]]) -> None:
        """These are known to be lost: they are not looked for any more until they are pushed again."""
        for key in references:
            self.tags.pop(key, None)
            self.manifests.pop(key, None)

    def came_back(self, registry: Registry) -> list[tuple[str, str]]:
        """What was deleted and can be had again."""
        found = []
        for repository, digest in sorted(self.deleted):
            try:
                registry.manifest(repository, digest)
            except (NotThere, Refused):
                continue
            found.append((repository, digest))
        return found
