"""From decisions on tags to what a mark gives up, repository by repository."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, TypeAlias

from regsweep.errors import PlanError, PolicyError, PullsError
from regsweep.policy.choice import Choice
from regsweep.policy.decide import Decision, Moment, Tag, decide
from regsweep.policy.rules import Policy, RepositoryPolicy
from regsweep.units import format_duration

if TYPE_CHECKING:
    from regsweep.library import Catalog, TagRow
    from regsweep.pulls import PullTimes

# Configs read and parsed at once: a config has a few kilobytes.
_PORTION = 4096


# Given the catalog and the moment: what is decided on those repositories on which anything is.
Decider: TypeAlias = "Callable[[Catalog, float], list[Choice]]"
# Given a repository's name, its tags and the moment: for each tag that goes, the reason.
TagChooser: TypeAlias = Callable[[str, Sequence[Tag], Moment], Mapping[str, str]]


def by_policy(policy: Policy, pulls: PullTimes | None = None) -> Decider:
    """Decides as a policy says.

    Args:
        policy: the policy.
        pulls: when tags were pulled; needed where a rule asks for it.

    Raises:
        PolicyError: the policy lets nothing go; or (when deciding) a rule asks for pull times, and there are none.
    """
    if not any(one.delete or one.untagged or one.referrers == "delete-orphans" for one in policy.policies):
        raise PolicyError(policy.path, [(0, "the policy lets nothing go: it has no delete and no untagged rule")])

    def choose(catalog: Catalog, now: float) -> list[Choice]:
        check_pulls(policy, pulls, catalog, now)
        rows = catalog.tags()
        choices = []
        for index, name in enumerate(catalog.repositories()):
            one = policy.for_repository(name)
            if one is not None:
                decisions = _decisions(policy, catalog, index, name, rows[index], now, pulls)
                choices.append(_choice(index, one, rows[index], decisions, now))
        return choices

    return choose


# Logs reach a collector with some delay; what was pulled after they end may be in use all the same.
_PULLS_ALLOWANCE_SECONDS = 24 * 3600.0


def check_pulls(policy: Policy, pulls: PullTimes | None, catalog: Catalog, now: float) -> None:
    """Refuses pull times that do not answer what a policy asks.

    Raises:
        PolicyError: a rule asks for pull times, and there are none.
        PullsError: they end too long ago, or seem to be of another registry.
    """
    if not policy.needs_pulls:
        return
    if pulls is None:
        problem = "asks when tags were pulled: give the times with --pulls (see 'regsweep pulls')"
        raise PolicyError(policy.path, [(rule.line, f"{rule.name}: {problem}") for rule in policy.needs_pulls])
    if pulls.until is None or now - pulls.until > _PULLS_ALLOWANCE_SECONDS:
        end = "cover no time" if pulls.until is None else f"end {format_duration(now - pulls.until)} ago"
        raise PullsError(
            f"the pull times {end}: what was pulled since would count as not pulled",
            key="--pulls",
            next_step="bring them up to date with 'regsweep pulls update'",
        )
    if not pulls.repositories() & set(catalog.repositories()):
        raise PullsError(
            "the pull times name no repository of this store: they are of another registry, or a proxy renames them",
            key="--pulls",
            next_step="'regsweep pulls show' lists what they name",
        )


def explain(
    policy: Policy, catalog: Catalog, repository: str, now: float, pulls: PullTimes | None = None
) -> list[Decision]:
    """What a policy decides on each tag of a repository, and which rule does.

    Raises:
        PlanError: there is no such repository.
    """
    names = catalog.repositories()
    if repository not in names:
        raise PlanError(f"{repository}: the store has no such repository", key=repository)
    index = names.index(repository)
    return _decisions(policy, catalog, index, repository, catalog.tags()[index], now, pulls)


def _decisions(
    policy: Policy,
    catalog: Catalog,
    index: int,
    name: str,
    rows: Sequence[TagRow],
    now: float,
    pulls: PullTimes | None,
) -> list[Decision]:
    one = policy.for_repository(name)
    tags = repository_tags(catalog, index, rows, with_configs=one is not None and one.needs_configs)
    if pulls is not None:
        tags = _with_pulls(pulls, catalog, index, name, rows, tags)
    return decide(one, tags, Moment(now, pulls.since if pulls else None), policy.min_age)


def by_function(function: TagChooser) -> Decider:
    """Decides as a function says, which gives the reason for each tag that goes."""

    def choose(catalog: Catalog, now: float) -> list[Choice]:
        rows = catalog.tags()
        choices = []
        for index, name in enumerate(catalog.repositories()):
            going = function(name, repository_tags(catalog, index, rows[index], with_configs=True), Moment(now))
            numbers = {row.name: number for number, row in enumerate(rows[index])}
            tags = [(numbers[tag], function.__name__, reason) for tag, reason in going.items()]
            choices.append(Choice(index, function.__name__, tags))
        return choices

    return choose


def by_name(names: Iterable[tuple[str, str | None]]) -> Decider:
    """Decides that these repositories and tags go: a repository as a whole where no tag is given.

    Raises:
        PlanError: (when deciding) one of them does not exist.
    """
    wanted: dict[str, set[str | None]] = {}
    for repository, tag in names:
        wanted.setdefault(repository, set()).add(tag)

    def choose(catalog: Catalog, _: float) -> list[Choice]:
        indexes = {name: index for index, name in enumerate(catalog.repositories())}
        rows = catalog.tags()
        choices = []
        for repository, tags in wanted.items():
            if repository not in indexes:
                raise PlanError(f"{repository}: the store has no such repository", key=repository)
            index = indexes[repository]
            numbers = {row.name: number for number, row in enumerate(rows[index])}
            if missing := sorted(tag for tag in tags if tag is not None and tag not in numbers):
                raise PlanError(
                    f"{repository}:{missing[0]}: the store has no such tag", key=f"{repository}:{missing[0]}"
                )
            whole = None in tags
            going = sorted(numbers.values() if whole else (numbers[tag] for tag in tags if tag is not None))
            choices.append(Choice(index, "rm", [(number, "rm", "named") for number in going], whole=whole))
        return choices

    return choose


def _with_pulls(
    pulls: PullTimes, catalog: Catalog, index: int, name: str, rows: Sequence[TagRow], tags: list[Tag]
) -> list[Tag]:
    """The tags with their last pulls. Who pins a platform of an index by its digest pulls the index's tag as well."""
    numbers = {row.name: number for number, row in enumerate(rows)}
    images = catalog.images(index, [numbers[tag.name] for tag in tags])
    return [
        replace(tag, pulled=pulls.last_pull(name, tag.name, *manifests))
        for tag, (manifests, _) in zip(tags, images, strict=True)
    ]


def repository_tags(catalog: Catalog, index: int, rows: Sequence[TagRow], *, with_configs: bool) -> list[Tag]:
    """The tags of a repository that a policy can decide on: those that lead to a manifest and have a time.

    Tags that only carry referrers are not among them: they go with their subject.
    """
    numbered = [
        (number, row)
        for number, row in enumerate(rows)
        if row.digest is not None and row.pushed is not None and not row.carries_referrers
    ]
    tags = [Tag(row.name, row.digest or "", row.pushed or 0.0) for _, row in numbered]
    if not with_configs:
        return tags
    told = _configs(catalog, index, [number for number, _ in numbered])
    return [replace(tag, created=created, labels=labels) for tag, (created, labels) in zip(tags, told, strict=True)]


def _configs(catalog: Catalog, index: int, numbers: list[int]) -> list[tuple[float | None, dict[str, str]]]:
    """What the configs of tags' images say. Of an index with several platforms: the latest time, the labels of all."""
    digests = [configs for _, configs in catalog.images(index, numbers)]
    distinct = sorted({digest for configs in digests for digest in configs})
    told: dict[str, tuple[float | None, dict[str, str]]] = {}
    for start in range(0, len(distinct), _PORTION):
        portion = distinct[start : start + _PORTION]
        for digest, content in zip(portion, catalog.read_blobs(portion), strict=True):
            if content is not None and (config := _parse(content)) is not None:
                told[digest] = config
    return [_combine([told[digest] for digest in configs if digest in told]) for configs in digests]


def _combine(platforms: list[tuple[float | None, dict[str, str]]]) -> tuple[float | None, dict[str, str]]:
    if not platforms:
        return None, {}
    times = [created for created, _ in platforms if created is not None]
    first, *others = (labels for _, labels in platforms)
    shared = {key: value for key, value in first.items() if all(labels.get(key) == value for labels in others)}
    return (max(times) if len(times) == len(platforms) else None), shared


def _parse(content: bytes) -> tuple[float | None, dict[str, str]] | None:
    """Creation time and labels of an image's config (image specification, "Image Configuration"); ``None`` for anything
    else: the config of an attestation says nothing of an image.
    """
    import simdjson  # only rules that ask for it pay for its import

    try:
        document = simdjson.Parser().parse(content, recursive=True)
    except (ValueError, RuntimeError):
        return None
    if not isinstance(document, dict) or not isinstance(document.get("rootfs"), dict):
        return None
    created = document.get("created")
    config = document.get("config")
    labels = config.get("Labels") if isinstance(config, dict) else None
    texts = {key: value for key, value in (labels or {}).items() if isinstance(value, str)}
    try:
        return (datetime.fromisoformat(created).timestamp() if isinstance(created, str) else None), texts
    except ValueError:
        return None, texts


def _choice(
    index: int, policy: RepositoryPolicy, rows: Sequence[TagRow], decisions: Sequence[Decision], now: float
) -> Choice:
    numbers = {row.name: number for number, row in enumerate(rows)}
    untagged = policy.untagged
    return Choice(
        repository=index,
        policy=policy.name,
        tags=[
            (numbers[decision.tag.name], decision.rule, decision.reason) for decision in decisions if not decision.keeps
        ],
        untagged=None if untagged is None else (int(now - untagged.older_than), untagged.keep),
        referrers=policy.referrers,
    )
