"""``acr purge`` commands: those of its help and of its documentation, and its source, retold, as an oracle.

Source: Azure/acr-cli at cfbb835 (``cmd/acr/purge.go``, ``cmd/repository/image_functions.go``, README.md) and
MicrosoftDocs/azure-management-docs, ``container-registry-auto-purge.md``.
"""

from __future__ import annotations

import re
import shlex

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.imported_policies import DATA, Image, gone, image, parsed, warned

from regsweep.errors import PolicyImportError
from regsweep.policy.importers import acr
from regsweep.policy.importers.draft import Draft

LOCKED = "locked tags and manifests, which acr purge spares, have to be named in `protect`: nothing here knows of locks"


def example(name: str) -> Draft:
    return acr.convert((DATA / "acr" / f"{name}.txt").read_bytes(), f"{name}.txt")


def convert(arguments: str) -> Draft:
    return acr.convert(f"acr purge {arguments}".encode(), "a.txt")


def problems(text: str) -> list[str]:
    with pytest.raises(PolicyImportError) as caught:
        acr.convert(text.encode(), "a.txt")
    return [f"{line}: {message}" for line, message in caught.value.problems]


HELLO = [image(9, "hello-1"), image(8, "hello-2"), image(7.5, "hello-3"), image(3, "hello-4"), image(30, "say-hello")]


@pytest.mark.parametrize(
    ("name", "repository", "images", "removed"),
    [
        ("one-day", "hello-world", [image(1.1, "a"), image(1.1)], {"a"}),
        ("one-day", "hello-world2", [image(1.1, "a")], set()),
        ("all-repositories", "a/b/c", [image(7.1, "a"), image(6.9, "b"), image(8)], {"a"}),
        # The two that are kept are the newest of those that are old enough to go, not of all.
        ("keep", "hello-world", HELLO, {"hello-1"}),
        ("untagged", "hello-world", [image(6, "mytest1"), image(6, "prod"), image(6), image(4)], {"mytest1", "@6"}),
        ("untagged-only", "any/where", [image(9, "a"), image(1.1)], {"@1.1"}),
        ("untagged-only-of-one", "hello-world", [image(9, "a"), image(1.1)], {"@1.1"}),
        ("untagged-only-of-one", "other", [image(1.1)], set()),
        ("page-size", "a", [image(7.1, "a")], {"a"}),
        ("include-locked", "a", [image(7.1, "a")], {"a"}),
        ("on-demand", "hello-world", [image(1.1, "a"), image(1.1), image(0.9, "b")], {"a", "@1.1"}),
        ("weekly", "samples/devimage2", [image(1.1, "a"), image(1.1)], {"a", "@1.1"}),
        ("weekly", "samples/devimage3", [image(1.1, "a")], set()),
        ("no-tags", "samples/devimage1", [image(1.1, "a"), image(1.1)], {"@1.1"}),
    ],
)
def test_published_commands(name: str, repository: str, images: list[Image], removed: set[str]) -> None:
    draft = example(name)
    assert gone(draft, repository, images) == removed
    assert warned(draft) == ([] if name == "include-locked" else [LOCKED])


@pytest.mark.parametrize(
    ("expression", "matched"),
    [
        # README.md, "Examples of filters"
        ("app:^hello.*", {"hello", "hello-world"}),
        (r"app:\w*world\b", {"hello-world", "world", "underworld", "world-1"}),
        ("app:hello-world", {"hello-world"}),
        ("app:.*", {"hello", "hello-world", "world", "underworld", "world-1", "worlds"}),
        ("app:^$", None),
        # Text is found anywhere in a tag, and the whole of a repository's name has to match.
        ("ap:.*", set()),
        ("ap.:^worlds$|^hello$", {"worlds", "hello"}),
        ("(?:app|lib):(?i:WORLDS)", {"worlds"}),
        ("app:(?!hello)o", {"world", "underworld", "world-1", "worlds", "hello-world", "hello"}),
    ],
)
def test_filters(expression: str, matched: set[str] | None) -> None:
    images = [image(9, name) for name in ("hello", "hello-world", "world", "underworld", "world-1", "worlds")]
    if matched is None:
        assert problems(f"acr purge --filter '{expression}' --ago 1d") == [
            f'1: --filter "{expression}" matches no tag: nothing to import'
        ]
    else:
        assert gone(convert(f"--filter '{expression}' --ago 1d"), "app", images) == matched


@pytest.mark.parametrize("name", ["cache", "x/cache", "x/y/cache", "cache/x", "xcache"])
def test_filters_of_repositories_ending_in_cache(name: str) -> None:
    draft = convert("--filter '.*/cache:.*' --ago 1d")
    assert gone(draft, name, [image(9, "a")]) == ({"a"} if name.endswith("/cache") else set())


def test_an_alternation_in_a_repository_is_torn_apart_as_acr_does_it() -> None:
    draft = convert("--filter 'app|lib:.*' --ago 1d")
    purged = {name for name in ("app", "lib", "apps", "mylib", "library") if gone(draft, name, [image(9, "a")])}
    assert purged == {"app", "apps", "lib", "mylib"}
    assert "is not in a group" in warned(draft)[0]


def test_filters_of_one_repository_are_one_and_share_what_is_kept() -> None:
    draft = convert("-f 'app:^a' --filter='app:^b' -f 'a.*:^c' --ago 5d --keep=2")
    images = [image(6, "a1"), image(7, "b1"), image(8, "c1"), image(9, "a2"), image(4, "a3")]
    assert gone(draft, "app", images) == {"c1", "a2"}
    assert gone(draft, "apps", images) == set()


def test_the_ago_of_days_and_a_go_duration() -> None:
    draft = convert("--filter 'app:.*' --ago 2d3h6m")
    assert gone(draft, "app", [image(2 + 3.2 / 24, "a"), image(2 + 3 / 24, "b")]) == {"a"}


def test_untagged_with_keep_and_ago_stay_and_this_is_said() -> None:
    draft = convert("--filter 'app:.*' --ago 5d --keep 1 --untagged")
    assert gone(draft, "app", [image(9), image(8), image(9, "a"), image(8, "b")]) == {"a"}
    (message,) = [message for message in warned(draft) if message != LOCKED]
    assert message.startswith("--untagged with --ago and --keep keeps the newest 1 of those that are old enough to go")
    assert "write 'untagged: {older_than: 5d, keep: 1}'" in message
    assert "# --untagged, of which a policy cannot say --ago and --keep together: all stay" in draft.text()
    rules = parsed(convert("--untagged-only --keep 5")).policies[0].untagged
    assert rules is not None
    assert (rules.older_than, rules.keep) == (0, 5)


@pytest.mark.parametrize(
    "text",
    [
        "az acr run --registry r --cmd 'acr purge --filter \"app:.*\" --ago 1d' /dev/null",
        "/usr/bin/acr purge --filter app:.* --ago 1d",
        "{{ .Run.Registry }}/acr:latest purge --filter 'app:.*' --ago 1d",
        "# nightly\nacr \\\n  purge \\\n  --filter 'app:.*' --ago \\\n  1d  # a day\n",
    ],
)
def test_commands_are_found_where_people_have_them(text: str) -> None:
    assert gone(acr.convert(text.encode(), "a.txt"), "app", [image(2, "a")]) == {"a"}


def test_what_else_a_command_may_have_is_nothing_to_a_policy() -> None:
    draft = convert(
        "-r example -u user -p secret --config c.json --concurrency 4 --repository-page-size=50 --verbose "
        "--filter-timeout-seconds 5 --untagged=false --filter 'app:.*' --ago 1d"
    )
    assert gone(draft, "app", [image(2, "a"), image(2)]) == {"a"}
    assert "secret" not in draft.text()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("echo hello", "has no acr purge command: give one"),
        ("acr purge --untagged-only\nacr purge --untagged-only", "has 2 acr purge command"),
        ("acr purge --filter 'app:.*", "is not a command that a shell takes: No closing quotation"),
        ("# here\nacr purge --ago 1d", "2: has no --filter, which acr purge needs"),
        ("acr purge --filter 'app:.*'", "has no --ago, which acr purge needs"),
        ("acr purge --filter 'app:.*' --ago 7", "--ago '7' is not understood: write it like 7d"),
        ("acr purge --filter 'app:.*' --ago 1w", "--ago '1w' is not understood"),
        ("acr purge --filter 'app:.*' --ago -1d", "--ago '-1d' is not understood"),
        ("acr purge --filter 'app:.*' --ago", "--ago needs a value"),
        ("acr purge --filter 'app:.*' --ago 1d --keep x", "--keep 'x' is not a number"),
        ("acr purge --filter 'app:.*' --ago 1d --keap 1", "has --keap, which is not known here"),
        ("acr purge --filter 'app:.*' --ago 1d -x", "has -x, which is not known here"),
        ("acr purge --filter 'app:.*' --ago 1d && echo", "'&&' is not understood: give the command alone"),
        ("acr purge --filter 'app:.*' --ago 1d --untagged=maybe", "--untagged takes true or false, not 'maybe'"),
        ("acr purge --filter 'app:.*' --ago 1d --untagged --untagged-only", "of which acr purge takes one"),
        ("acr purge --filter app --ago 1d", "--filter 'app' is not a repository and a tag with a colon between them"),
        ("acr purge --filter 'a:b:c' --ago 1d", "--filter 'a:b:c' is not a repository and a tag"),
        ("acr purge --filter 'app:' --ago 1d", "--filter 'app:' is not a repository and a tag"),
        ("acr purge --filter 'app:(?<=v)1' --ago 1d", "cannot be said: '(?<=v)1'"),
        ("acr purge --filter 'app:[[:digit:]]' --ago 1d", "cannot be said: '[[:digit:]]'"),
    ],
)
def test_what_is_not_a_command_or_cannot_be_said_is_refused_with_its_place(text: str, expected: str) -> None:
    found = problems(text)
    assert any(expected in one for one in found), found


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("preview", "2: has --dry-run, so that it removes nothing: leave it out"),
        ("untagged-only-keep", "1: --untagged-only with --ago and --keep keeps the newest 5"),
    ],
)
def test_published_commands_that_cannot_be_said(name: str, expected: str) -> None:
    (found,) = problems((DATA / "acr" / f"{name}.txt").read_text())
    assert expected in found


# The source of acr purge, retold.


def purges(filters: list[tuple[str, str]], days: int, keep: int, repository: str, images: list[Image]) -> set[str]:
    tags = "|".join(tag for name, tag in filters if re.search(f"^{name}$", repository))
    if not tags:
        return set()
    eligible = [one for one in images if re.search(tags, one.tags[0]) and one.pushed > days]
    return {one.tags[0] for one in sorted(eligible, key=lambda one: one.pushed)[keep:]}


FILTERS = st.tuples(
    st.sampled_from(["app", "a.*", ".*", ".*/app", "app|lib", "x/.*", "li[bx]"]),
    st.sampled_from([".*", "^v", "1$", "v1|dev", "^dev-[0-9]+$", "v."]),
)


@settings(deadline=None)
@given(
    filters=st.lists(FILTERS, min_size=1, max_size=3),
    days=st.integers(2, 9),
    keep=st.integers(0, 3),
    pushed=st.permutations([1.5, 3.5, 4.5, 5.5, 6.5, 8.5, 21.5]),
)
def test_an_import_removes_what_acr_purge_removes(
    filters: list[tuple[str, str]], days: int, keep: int, pushed: list[float]
) -> None:
    images = [image(age, name) for age, name in zip(pushed, ["v1", "v2", "dev-1", "dev", "a1", "xv", "b"], strict=True)]
    arguments = " ".join(f"--filter {shlex.quote(f'{name}:{tag}')}" for name, tag in filters)
    draft = convert(f"{arguments} --ago {days}d --keep {keep}")
    for repository in ("app", "apps", "lib", "mylib", "x/app", "other"):
        assert gone(draft, repository, images) == purges(filters, days, keep, repository, images)
