"""Registries on buckets, in use while cycles run: what was pushed with success can be pulled."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest
from support.buckets import BucketServer
from support.in_use import InUse
from support.load import PASSING, TAGS
from support.servers import Server

from regsweep.set_aside import Wanted

PUSHES = 5
CLIENTS = 4
# Copies have no times by which a link or a tag could be told that was written while it was set aside: `test_races` says
# what that loses. Whatever a tag leads to that does not pass has to be there all the same.
LASTING = [tag for tag in TAGS if tag is not None and not tag.startswith(PASSING)]

PLACES: list[tuple[str, int, Wanted, Sequence[str | None], int]] = [
    ("versitygw", 2, "copy", LASTING, 2),
    ("versitygw", 3, "copy", LASTING, 2),
    ("azurite", 3, "copy", LASTING, 1),
    ("versitygw", 3, "condemn", TAGS, 2),
    ("moto", 3, "delete-marker", TAGS, 1),
]


@pytest.fixture(params=PLACES, ids=lambda place: "-".join(map(str, place[:3])))
def in_use(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[InUse, int]]:
    """A registry in use, and how many cycles there is time for."""
    name, major, set_aside, tags, cycles = request.param
    buckets: BucketServer = request.getfixturevalue(name)
    bucket = buckets.fresh_bucket(versioning=set_aside == "delete-marker")
    with ExitStack() as stack:
        server = stack.enter_context(Server(major, buckets.registry_section(bucket, "some/root", major), tmp_path))
        in_use = InUse.of(server, None, tmp_path, clients=CLIENTS, tags=tags, set_aside_by=set_aside)
        stack.enter_context(in_use.load)
        yield in_use, cycles


def test_nothing_is_lost_that_was_pushed_with_success(in_use: tuple[InUse, int]) -> None:
    use, cycles = in_use
    use.load.work(20)
    for _ in range(cycles):
        use.cycle(PUSHES)
        assert use.lost() == {}
    assert use.counts["set aside"] + use.counts["condemned"]
