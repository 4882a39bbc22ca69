"""The guards: signs that a collection is about to remove what somebody still needs.

A guard looks at totals only. It never changes what is live; it stops the removal and says what was seen, why that is
dangerous and how to go on. Each has a name, and each is switched off by that name alone (``--override GUARD``).
"""

from __future__ import annotations

from regsweep.errors import Refusal
from regsweep.units import format_count, format_share

# A name of our own, here and in other files: importing typing costs 7 ms at start-up.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from typing import Protocol

    class Totals(Protocol):
        """What the guards look at: the totals of ``library.Marks``."""

        @property
        def mode(self) -> str:
            """What made manifests and tags go (``library.Mode``)."""

        @property
        def database_in_use(self) -> bool:
            """Whether a GitLab registry keeps the tags in a database."""

        @property
        def keep_count(self) -> int:
            """Entries of the keep list."""

        @property
        def newer_than_tags_count(self) -> int:
            """Eligible revisions more than a day newer than the newest tag of the whole registry."""

        @property
        def blob_count(self) -> int:
            """Stored blobs."""

        @property
        def marked_count(self) -> int:
            """Live digests."""

        @property
        def eligible_blob_count(self) -> int:
            """Blobs that would be removed."""

        def emptied_repositories(self) -> Sequence[str]:
            """Repositories that would keep none of their tags."""


DATABASE_IN_USE = "database-in-use"
NEWER_THAN_TAGS = "newer-than-tags"
NOTHING_MARKED = "nothing-marked"
MAX_REMOVED_SHARE = "max-removed-share"
ALL_TAGS = "all-tags"
# Guards of applying and purging.
OTHER_STORE = "other-store"
PLAN_TOO_OLD = "plan-too-old"
NOT_SETTLED = "not-settled"
CACHE_UNKNOWN = "cache-unknown"
CACHE_NOT_CLEARED = "cache-not-cleared"
REGISTRY_NOT_RESTARTED = "registry-not-restarted"
CACHE_CANNOT_FORGET = "cache-cannot-forget"
GUARDS = (DATABASE_IN_USE, NEWER_THAN_TAGS, NOTHING_MARKED, MAX_REMOVED_SHARE)
PLAN_GUARDS = (*GUARDS, ALL_TAGS)
APPLY_GUARDS = (OTHER_STORE, PLAN_TOO_OLD)
PURGE_GUARDS = (CACHE_UNKNOWN, CACHE_NOT_CLEARED, REGISTRY_NOT_RESTARTED, CACHE_CANNOT_FORGET)

# One or two revisions newer than every tag are ordinary: a tag was deleted, a signature has none. Three are a pattern.
NEWER_THAN_TAGS_MINIMUM = 3


def check(marks: Totals, *, overrides: Collection[str] = (), max_removed_share: float | None = None) -> list[Refusal]:
    """All guards that refuse, in the order of ``PLAN_GUARDS``; the overridden ones are marked as such."""
    messages: list[tuple[str, str]] = []
    if marks.database_in_use:
        messages.append(
            (
                DATABASE_IN_USE,
                "the storage has docker/registry/lockfiles/database-in-use: a GitLab registry keeps its tags and "
                "manifests in a database, so what looks unused here may be in use. Collect with that registry's own "
                "online garbage collector",
            )
        )
    by_tags = marks.mode in ("untagged", "policy")
    if by_tags and marks.keep_count == 0 and marks.newer_than_tags_count >= NEWER_THAN_TAGS_MINIMUM:
        messages.append(
            (
                NEWER_THAN_TAGS,
                f"{marks.newer_than_tags_count} manifests that no tag reaches are more than a day newer than the "
                "newest tag of the whole registry: its tags seem to be kept elsewhere (Harbor stores none since "
                "2025-11), and removing what is untagged would remove images in use. Give the live images with "
                "--keep-list, or collect only what no manifest link reaches (neither --delete-untagged nor --policy)",
            )
        )
    if marks.blob_count > 0 and marks.marked_count == 0:
        messages.append(
            (
                NOTHING_MARKED,
                f"the storage holds {format_count(marks.blob_count, 'blob')}, and nothing in it is live: every blob "
                "would be removed. That is what a wrong root directory, an unmounted volume or a lost repositories/ "
                "directory looks like. Check the root directory",
            )
        )
    if max_removed_share is not None and marks.blob_count > 0:
        share = marks.eligible_blob_count / marks.blob_count
        if share > max_removed_share:
            messages.append(
                (
                    MAX_REMOVED_SHARE,
                    f"{marks.eligible_blob_count} of {format_count(marks.blob_count, 'blob')} "
                    f"({format_share(share)}) would be removed, more than the {format_share(max_removed_share)} of "
                    "--max-removed-share. Look at a dry run's list, then raise the share",
                )
            )
    if marks.mode == "policy" and (emptied := marks.emptied_repositories()):
        more = f" and {len(emptied) - 1} more" if len(emptied) > 1 else ""
        messages.append(
            (
                ALL_TAGS,
                f"every tag of {emptied[0]}{more} would be removed: a keep rule is probably missing from the policy "
                "(most_recently_pushed: 1 keeps the last)",
            )
        )
    return [Refusal(guard, message, overridden=guard in overrides) for guard, message in messages]


def refusing(refusals: Collection[Refusal]) -> list[Refusal]:
    """Those that were not overridden."""
    return [refusal for refusal in refusals if not refusal.overridden]
