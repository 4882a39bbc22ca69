"""What is decided on a repository, as marking takes it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Choice:
    """What is decided on one repository; the core reads its attributes (``rust/python/src/choices.rs``).

    Attributes:
        repository: its index in the catalog.
        policy: what decided, by name.
        tags: the tags that go: index, rule, reason.
        untagged: manifests without a tag go whose link was written before (seconds since 1970), but for so many.
        referrers: ``follow``, ``keep`` or ``delete-orphans``.
        whole: all of the repository goes.
    """

    repository: int
    policy: str
    tags: list[tuple[int, str, str]]
    untagged: tuple[int, int] | None = None
    referrers: str = "follow"
    whole: bool = False
