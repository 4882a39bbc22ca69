"""Which paths name a manifest, and which manifest."""

from __future__ import annotations

import pytest
from pull_logs import DIGEST, SHA512

from regsweep.pulls import requests


@pytest.mark.parametrize(
    ("uri", "items"),
    [
        ("/v2/team/app/manifests/1.0", ["team/app:1.0"]),
        ("/v2/app/manifests/latest", ["app:latest"]),
        (f"/v2/team/app/manifests/{DIGEST}", [f"team/app@{DIGEST}"]),
        (f"/v2/team/app/manifests/{SHA512}", [f"team/app@{SHA512}"]),
        ("/v2/team/app/manifests/1.0?ns=docker.io", ["team/app:1.0"]),
        ("/v2/team%2Fapp/manifests/%31.0", ["team/app:1.0"]),
        ("/v2/team%2Fapp%2Fmanifests%2F1.0", ["team/app:1.0"]),
        (f"/v2/team/app/manifests/{DIGEST.replace(':', '%3a')}", [f"team/app@{DIGEST}"]),
        ("/pre/fix/v2/team/app/manifests/1.0", ["team/app:1.0"]),
        ("http://user@registry.example:5000/v2/team/app/manifests/1.0", ["team/app:1.0"]),
        ("/v2//team/app//manifests/1.0", ["team/app:1.0"]),
        ("/v2/a/manifests/b/manifests/c", ["a/manifests/b:c"]),
    ],
)
def test_the_path_names_repository_and_tag_or_digest(uri: str, items: list[str]) -> None:
    assert list(requests.items_of(uri.encode())) == items


def test_where_the_prefix_ends_is_not_known_each_reading_counts() -> None:
    assert set(requests.items_of(b"/v2/mirror/v2/app/manifests/1")) == {"mirror/v2/app:1", "app:1"}


@pytest.mark.parametrize(
    "uri",
    [
        "/v2/",
        "/v2/manifests/1.0",
        "/v2/Team/app/manifests/1.0",
        "/v2/team/../app/manifests/1.0",
        "/v2/-team/manifests/1.0",
        "/v2/team/manifests/",
        "/v2/team/manifests/.1",
        "/v2/team/manifests/a b",
        "/v2/team/manifests/1.0%0A",
        "/v2/te%C3%A4m/manifests/1.0",
        "/v2/team/manifests/" + "t" * 129,
        "/v2/team/manifests/sha256:abc",
        f"/v2/team/manifests/{DIGEST.upper()}",
        "/v2/team/app/manifests/1.0/",
        f"/v2/team/app/blobs/{DIGEST}",
        "/v2/team/app/tags/list?x=/v2/a/manifests/1",
        "/v1/team/app/manifests/1.0",
        '/v2/team\\"/manifests/1.0',
        "",
    ],
)
def test_what_has_no_valid_name_is_nothing(uri: str) -> None:
    assert requests.items_of(uri.encode()) == ()


@pytest.mark.parametrize(("status", "counts"), [(b"200", 1), (b"206", 1), (b"304", 1), (b"307", 0), (b"404", 0)])
def test_304_is_a_success_and_other_redirections_are_not(status: bytes, counts: int) -> None:
    assert requests.is_success(status) == bool(counts)
