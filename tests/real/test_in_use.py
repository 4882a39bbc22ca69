"""Registries in use while cycles run: what was pushed with success can be pulled, whatever was collected meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from support.in_use import InUse
from support.servers import Cache, Redis, Server

CYCLES = 3
PUSHES = 6
CLIENTS = 4


@pytest.fixture
def in_use(major: int, kind: str, tmp_path: Path) -> Iterator[InUse]:
    with ExitStack() as stack:
        cache: Cache = {"none": None, "inmemory": "inmemory"}.get(kind)
        if kind == "redis":
            cache = stack.enter_context(Redis(tmp_path))
        server = stack.enter_context(Server(major, tmp_path / "storage", tmp_path, cache=cache))
        in_use = InUse.of(server, cache, tmp_path, clients=CLIENTS)
        stack.enter_context(in_use.load)
        yield in_use


@pytest.mark.parametrize("kind", ["none", "redis", "inmemory"])
@pytest.mark.parametrize("major", [2, 3], ids=["2.8", "3.x"])
def test_nothing_is_lost_that_was_pushed_with_success(in_use: InUse) -> None:
    in_use.load.work(20)
    for _ in range(CYCLES):
        in_use.cycle(PUSHES)
        assert in_use.lost() == {}


@pytest.mark.parametrize(("major", "kind"), [(2, "inmemory"), (3, "inmemory")], ids=["2.8", "3.x"])
def test_without_a_way_back_pushes_are_lost(in_use: InUse) -> None:
    """What the test above would see: removing at once is for a registry that nobody pushes to."""
    in_use.load.work(20)
    lost: dict[tuple[str, str], str] = {}
    for _ in range(5 * CYCLES):
        in_use.set_aside(permanent=True)
        in_use.load.work(2 * PUSHES)
        if lost := in_use.lost():
            break
    assert lost
