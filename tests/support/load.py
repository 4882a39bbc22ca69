"""Clients that use a registry all the time: pushes of old and new content, mounts, moved tags, deletions, pulls.

There are more images than tags for them, and few layers, so that much of what is pushed was overwritten and set aside
before. A client asks for each blob, mounts what another repository has, and sends only the rest, as clients do.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count

from support import documents
from support.cycle import Image
from support.documents import Descriptor
from support.ledger import Ledger
from support.registry import Answer, NotThere, Refused, Registry

REPOSITORIES = ("app", "team/app", "team/base", "mirror/app")
PASSING = "pr-"
TAGS = ("latest", "stable", "1.0", "pr-1", "pr-2", "pr-3", None)
SHARED = [f"shared layer {number} ".encode() * 40 for number in range(20)]
IMAGES = [Image(f"image {number}", SHARED[number % 20], SHARED[number * 7 % 20]) for number in range(60)]
PLATFORMS = [Image(f"platform {number}", SHARED[number]) for number in range(8)]
TIMEOUT_SECONDS = 120.0


class Flights:
    """Requests in flight."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._flying: set[int] = set()
        self._numbers = count()
        self.longest = 0.0
        """Seconds that a request has taken, at most."""

    @contextmanager
    def flying(self) -> Iterator[None]:
        """A request is made."""
        began = time.monotonic()
        with self._changed:
            number = next(self._numbers)
            self._flying.add(number)
        try:
            yield
        finally:
            with self._changed:
                self._flying.remove(number)
                self.longest = max(self.longest, time.monotonic() - began)
                self._changed.notify_all()

    def land(self) -> None:
        """Waits until all requests have ended that are in flight now: what a settle period is there for."""
        with self._changed:
            flying = set(self._flying)
            assert self._changed.wait_for(lambda: not flying & self._flying, TIMEOUT_SECONDS)


class Watched(Registry):
    """A registry whose requests are watched."""

    def __init__(self, address: str, flights: Flights) -> None:
        super().__init__(address)
        self._flights = flights

    def request(
        self, method: str, path: str, *, expect: int, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> Answer:
        """One request."""
        with self._flights.flying():
            return super().request(method, path, expect=expect, body=body, headers=headers)


@dataclass(frozen=True)
class Index:
    """An image for two platforms."""

    platforms: tuple[Image, ...]

    @property
    def raw(self) -> bytes:
        """Its manifest."""
        children = [Descriptor(one.digest, len(one.raw), documents.OCI_MANIFEST) for one in self.platforms]
        return documents.encode(documents.index(children))


class Load:
    """Clients at work, from ``with`` on until its end.

    Args:
        ledger: is told what was acknowledged.
        registry: the registry, as it is now; another one after a restart.
        clients: how many there are.
        indexes: whether images for two platforms are pushed as well.
        tags: what is pushed gets one of these; ``None`` is none, so that only its own link leads to it.
    """

    def __init__(
        self,
        ledger: Ledger,
        registry: Callable[[], Registry],
        *,
        clients: int,
        seed: int = 1,
        indexes: bool = True,
        tags: Sequence[str | None] = TAGS,
    ) -> None:
        self.ledger = ledger
        self.counts: Counter[str] = Counter()
        self._registry = registry
        self._indexes = indexes
        self._tags = tags
        self._changed = threading.Condition()
        self._busy = 0
        self._closed = self._ended = False
        self._failure: BaseException | None = None
        self._clients = [
            threading.Thread(target=self._run, args=(random.Random(f"{seed} {number}"),)) for number in range(clients)
        ]

    def __enter__(self) -> Load:
        for client in self._clients:
            client.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._ended = True
            self._changed.notify_all()
        for client in self._clients:
            client.join()

    def work(self, pushes: int) -> None:
        """Comes back when so many more images were pushed."""
        with self._changed:
            aim = self.counts["pushed"] + pushes
            done = self._changed.wait_for(lambda: self._failure or self.counts["pushed"] >= aim, TIMEOUT_SECONDS)
        if self._failure is not None:
            raise self._failure
        assert done, f"the clients get nowhere: {self.counts}"

    @contextmanager
    def paused(self) -> Iterator[None]:
        """No client does anything meanwhile."""
        with self._changed:
            self._closed = True
            assert self._changed.wait_for(lambda: not self._busy, TIMEOUT_SECONDS)
        try:
            yield
        finally:
            with self._changed:
                self._closed = False
                self._changed.notify_all()

    # ---- one client ----

    def _run(self, chance: random.Random) -> None:
        try:
            while self._begin():
                try:
                    self._act(chance)
                finally:
                    self._end()
        except BaseException as error:
            with self._changed:
                self._failure = error
                self._changed.notify_all()

    def _begin(self) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._ended or not self._closed)
            self._busy += not self._ended
            return not self._ended

    def _end(self) -> None:
        with self._changed:
            self._busy -= 1
            self._changed.notify_all()

    def _count(self, what: str) -> None:
        with self._changed:
            self.counts[what] += 1
            self._changed.notify_all()

    def _act(self, chance: random.Random) -> None:
        repository = chance.choice(REPOSITORIES)
        match chance.choices(("push", "index", "delete", "pull"), (70, 10 * self._indexes, 10, 10))[0]:
            case "push":
                self._push(chance, repository, chance.choice(IMAGES), chance.choice(self._tags))
            case "index":
                self._push_index(chance, repository)
            case "delete":
                self._delete(repository, chance.choice(IMAGES))
            case _:
                self._pull(chance)

    def _push(self, chance: random.Random, repository: str, image: Image, tag: str | None) -> bool:
        """Pushes; where the registry refuses the manifest, sends all of it and tries again."""
        for attempt in range(3):
            try:
                self._send(chance, repository, image, everything=attempt > 0)
                self._put(repository, image.raw, documents.OCI_MANIFEST, tag)
            except (Refused, NotThere):
                self._count("refused")
            else:
                self._count("pushed")
                return True
        return False

    def _send(self, chance: random.Random, repository: str, image: Image, *, everything: bool) -> None:
        registry = self._registry()
        for blob, digest in zip(image.blobs, image.digests, strict=True):
            if not everything and registry.has_blob(repository, digest):
                continue
            try:
                registry.mount_blob(repository, digest, chance.choice(REPOSITORIES))
                self._count("mounted")
            except Refused:
                registry.put_blob(repository, blob)
                self._count("uploaded")

    def _put(self, repository: str, raw: bytes, media_type: str, tag: str | None) -> None:
        digest = documents.digest_of(raw)
        with self.ledger.changing(repository) as began:
            self._registry().put_manifest(repository, tag or digest, raw, media_type)
            self.ledger.pushed(repository, digest, tag, began)

    def _push_index(self, chance: random.Random, repository: str) -> None:
        index = Index(tuple(chance.sample(PLATFORMS, 2)))
        for _ in range(3):
            try:
                if all(self._push(chance, repository, one, None) for one in index.platforms):
                    self._put(repository, index.raw, documents.OCI_INDEX, chance.choice(self._tags))
            except (Refused, NotThere):
                self._count("refused")
            else:
                self._count("pushed")
                return

    def _delete(self, repository: str, image: Image) -> None:
        with self.ledger.changing(repository):
            if (repository, image.digest) not in self.ledger.manifests:
                return
            try:
                self._registry().delete_manifest(repository, image.digest)
            except (Refused, NotThere):
                self.ledger.gone(repository, image.digest, acknowledged=False)
                self._count("not deleted")
            else:
                self.ledger.gone(repository, image.digest, acknowledged=True)
                self._count("deleted")

    def _pull(self, chance: random.Random) -> None:
        found = list(self.ledger.tags)
        if not found:
            return
        try:
            self._registry().pull(*chance.choice(found))
        except (Refused, NotThere):
            self._count("not pulled")
        else:
            self._count("pulled")
