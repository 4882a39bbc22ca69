"""What was found wrong, and whose images are broken by it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from regsweep._core import BrokenImage, Inventory

Kind: TypeAlias = Literal["missing", "truncated", "corrupt", "unreadable"]

# What an image cannot be pulled without. Platforms of an index that were never pushed, foreign layers, and digests in
# documents that are not understood are not among it.
_NEEDED = ("manifest", "config", "layer")


@dataclass(frozen=True)
class Finding:
    """A blob that is not as it should be.

    Attributes:
        kind: ``missing`` (a manifest needs it, and it is not stored), ``truncated`` (shorter than a manifest says),
            ``corrupt`` (its content has another digest) or ``unreadable``.
        digest: which.
        size_bytes: the length of what is stored; ``None`` where nothing is, or it cannot be read.
        expected_bytes: the length that a manifest states; ``None`` where none does.
        error: what the system says; of an unreadable one only.
        set_aside: of a missing one: a quarantine holds it.
        images: those that need it, in all repositories. Empty: no manifest refers to it.
    """

    kind: Kind
    digest: str
    size_bytes: int | None = None
    expected_bytes: int | None = None
    error: str | None = None
    set_aside: bool = False
    images: tuple[BrokenImage, ...] = ()


@dataclass(frozen=True)
class Wrong:
    """What reading a blob has shown: its content does not match (``size_bytes``), or cannot be read (``error``)."""

    digest: str
    size_bytes: int | None = None
    error: str | None = None


def find_missing(inventory: Inventory) -> tuple[list[Finding], int]:
    """Findings for what is not stored, and how many more digests are referred to by what need not be here."""
    images = _by_digest(inventory.missing())
    needed = [digest for digest, all_of_it in images.items() if any(image.role in _NEEDED for image in all_of_it)]
    aside = set(inventory.set_aside(needed))
    findings = [
        Finding("missing", digest, set_aside=digest in aside, images=tuple(images[digest])) for digest in needed
    ]
    return findings, len(images) - len(needed)


def describe(inventory: Inventory, wrong: Sequence[Wrong], gone: Sequence[str]) -> list[Finding]:
    """Findings for what reading has shown.

    Args:
        inventory: what images need.
        wrong: what does not match or cannot be read.
        gone: what was listed and then not there. It is missing if an image needs it; else it was just removed.
    """
    digests = [*(one.digest for one in wrong), *gone]
    if not digests:
        return []
    images = _by_digest(inventory.affected(digests))
    stated = inventory.stated_sizes([one.digest for one in wrong if one.error is None])
    findings = [_finding(one, stated.get(one.digest), tuple(images.get(one.digest, ()))) for one in wrong]
    needed = [digest for digest in gone if any(image.role in _NEEDED for image in images.get(digest, ()))]
    aside = set(inventory.set_aside(needed))
    findings += [
        Finding("missing", digest, set_aside=digest in aside, images=tuple(images[digest])) for digest in needed
    ]
    return findings


def _finding(one: Wrong, expected_bytes: int | None, images: tuple[BrokenImage, ...]) -> Finding:
    if one.size_bytes is None:
        return Finding("unreadable", one.digest, error=one.error, images=images)
    is_short = expected_bytes is not None and one.size_bytes < expected_bytes
    kind: Kind = "truncated" if is_short else "corrupt"
    return Finding(kind, one.digest, one.size_bytes, expected_bytes, images=images)


def _by_digest(images: Iterable[tuple[str, BrokenImage]]) -> Mapping[str, list[BrokenImage]]:
    grouped: defaultdict[str, list[BrokenImage]] = defaultdict(list)
    for digest, image in images:
        grouped[digest].append(image)
    return dict(grouped)
