"""A store of each registry, filled once; a copy of it for each test that changes it; one collected in each mode."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from support import scenario
from support.clients import Clients
from support.reference import REGSWEEP, Run, run_program
from support.registry import Contents
from support.scenario import Scenario
from support.servers import Server
from support.store_builder import duplicate


@dataclass(frozen=True)
class Pushed:
    """A storage root that clients have filled through a registry, which is stopped now."""

    major: int
    root: Path
    clients: Clients
    scenario: Scenario

    def copy(self, directory: Path) -> Path:
        """The same store once more, times and all."""
        return duplicate(self.root, directory / "storage")

    def server(self, root: Path, *, read_only: bool = False) -> Server:
        """The registry on a copy, its configuration beside that."""
        return Server(self.major, root, root.parent, read_only=read_only)

    def collect(self, config: Path, *flags: str) -> Run:
        """Runs regsweep with a registry's own configuration, writing the lines of that registry's version."""
        return run_program([str(REGSWEEP), "garbage-collect", f"--compat={self.major}", *flags, str(config)])


@dataclass(frozen=True)
class Collected:
    """A copy that was collected while the registry, read-only, gave out images from it."""

    pushed: Pushed
    delete_untagged: bool
    root: Path
    config: Path
    run: Run
    pulled_meanwhile: dict[str, Contents]
    """What every tag gave after the collection, from the registry that was running all the time."""

    @property
    def flags(self) -> list[str]:
        """Those that it was collected with."""
        return ["--delete-untagged"] * self.delete_untagged


@pytest.fixture(scope="session", params=[2, 3], ids=["2.8", "3.x"])
def pushed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Pushed:
    major: int = request.param
    directory = tmp_path_factory.mktemp(f"registry-{major}")
    root = directory / "storage"
    with Server(major, root, directory) as server:
        clients = Clients.in_directory(directory / "clients")
        return Pushed(major, root, clients, scenario.play(server.registry, clients))


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "delete-untagged"])
def collected(request: pytest.FixtureRequest, pushed: Pushed, tmp_path_factory: pytest.TempPathFactory) -> Collected:
    delete_untagged: bool = request.param
    root = pushed.copy(tmp_path_factory.mktemp("collected"))
    with pushed.server(root, read_only=True) as server:
        run = pushed.collect(server.config, *["--delete-untagged"] * delete_untagged)
        return Collected(pushed, delete_untagged, root, server.config, run, server.registry.pull_everything())
