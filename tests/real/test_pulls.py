"""Both registries, pulled from by skopeo and plain requests: the pulls are in all that they log and post.

The registries run in a time zone of their own, so that a time that is read without its zone would be noticed.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from support.clients import Clients
from support.registry import ACCEPTED, NotThere, Registry
from support.servers import Server

from regsweep import pulls
from regsweep.pulls import PullTimes

CONFIG = """\
version: 0.1
log:
  level: info
  formatter: {formatter}
  fields: {{service: registry, "odd key": 'a "b"'}}
storage: {{filesystem: {{rootdirectory: {root}}}}}
http: {{addr: 127.0.0.1:0}}
notifications:
  events: {{includereferences: true}}
  endpoints: [{{name: here, url: "{url}", timeout: 5s, threshold: 3, backoff: 1s}}]
"""
ZONE = "Asia/Kolkata"
# Each is a repository below team/, with a tag 1.0.
BY_TAG = ("by-skopeo", "by-request", "asked-for", "unchanged", "from-mirror", "escaped")
BY_DIGEST = ("digest-by-skopeo", "digest-by-request", "digest-escaped")
UNPULLED = ("only-pushed", "only-blobs", "only-refused", "only-listed")
# It is pulled last: when its event has come, all have.
LAST = "last"


class Endpoint(ThreadingHTTPServer):
    """Where a registry posts its events; keeps the bodies."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), EventHandler)
        self.bodies: list[bytes] = []
        self.arrived = threading.Condition()

    @property
    def url(self) -> str:
        """For the registry's configuration."""
        return f"http://127.0.0.1:{self.server_port}/events"

    def wait_for_pull(self, repository: str) -> None:
        """Returns when the event of a pull has come."""
        wanted = (b'"action": "pull"', f'"repository": "{repository}"'.encode())
        with self.arrived:
            assert self.arrived.wait_for(
                lambda: any(all(text in body for text in wanted) for body in self.bodies), timeout=60
            )


class EventHandler(BaseHTTPRequestHandler):
    server: Endpoint

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with self.server.arrived:
            self.server.bodies.append(body)
            self.server.arrived.notify_all()
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@dataclass(frozen=True)
class Pulled:
    """What a registry has written while it was pulled from, by source; and the digests of the repositories' tags."""

    sources: dict[str, Path]
    digests: dict[str, str]
    began: float
    ended: float

    def read(self, source: str, directory: Path) -> tuple[PullTimes, pulls.Update]:
        """The pull times of one source."""
        done = pulls.update(directory / "pulls.csv", [str(self.sources[source])])
        return pulls.read(directory / "pulls.csv"), done

    def items(self, *, of_tags: bool, of_their_digests: bool) -> set[str]:
        """What was pulled."""
        items = {f"team/{name}@{self.digests[name]}" for name in BY_DIGEST}
        if of_tags:
            items |= {f"team/{name}:1.0" for name in (*BY_TAG, LAST)}
        if of_their_digests:
            items |= {f"team/{name}@{self.digests[name]}" for name in (*BY_TAG, LAST)}
        return items


def pull_everything(registry: Registry, clients: Clients, digests: dict[str, str]) -> None:
    """Each repository in its own way, and what is no pull."""

    def ask(method: str, path: str, *, expect: int = 200, **headers: str) -> None:
        headers = {"Accept": ACCEPTED, "User-Agent": 'my "agent\\ x', **headers}
        registry.request(method, f"/v2/{path}", expect=expect, headers=headers)

    clients.pull(registry.address, "team/by-skopeo:1.0")
    clients.pull(registry.address, f"team/digest-by-skopeo@{digests['digest-by-skopeo']}")
    ask("GET", "team/by-request/manifests/1.0")
    ask("GET", f"team/digest-by-request/manifests/{digests['digest-by-request']}")
    ask("HEAD", "team/asked-for/manifests/1.0")
    ask("GET", "team/unchanged/manifests/1.0", expect=304, **{"If-None-Match": f'"{digests["unchanged"]}"'})
    ask("GET", "team/from-mirror/manifests/1.0?ns=docker.io")
    ask("GET", "team%2Fescaped/manifests/%31.0")
    ask("GET", f"team/digest-escaped/manifests/{digests['digest-escaped'].replace(':', '%3a')}")

    registry.blob("team/only-blobs", registry.put_blob("team/only-blobs", b"content"))
    with pytest.raises(NotThere):
        registry.manifest("team/only-refused", "2.0")
    registry.tags("team/only-listed")
    registry.repositories()
    ask("GET", f"team/{LAST}/manifests/1.0")


@pytest.fixture(
    scope="module",
    params=[(2, "text"), (2, "json"), (2, "logstash"), (3, "text"), (3, "json")],
    ids=lambda param: f"{'2.8' if param[0] == 2 else '3.x'}-{param[1]}",
)
def pulled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Pulled:
    major, formatter = request.param
    directory = tmp_path_factory.mktemp("pulls")
    root = directory / "storage"
    clients = Clients.in_directory(directory / "clients")
    endpoint = Endpoint()
    threading.Thread(target=endpoint.serve_forever, daemon=True).start()
    server = Server(major, root, directory)
    server.config.write_text(CONFIG.format(formatter=formatter, root=root, url=endpoint.url))
    digests = {}
    began = time.time()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", ZONE)
        with server:
            for name in (*BY_TAG, *BY_DIGEST, *UNPULLED, LAST):
                clients.make_image(name, layers=1)
                clients.push(name, server.registry.address, f"team/{name}:1.0")
                tag = root / f"docker/registry/v2/repositories/team/{name}/_manifests/tags/1.0"
                digests[name] = (tag / "current" / "link").read_text()
            pull_everything(server.registry, clients, digests)
            endpoint.wait_for_pull(f"team/{LAST}")
    endpoint.shutdown()
    endpoint.server_close()
    lines = server.log.read_bytes().splitlines(keepends=True)
    contents = {
        "access log": b"".join(line for line in lines if line.startswith(b"127.0.0.1 - ")),
        "log": b"".join(line for line in lines if not line.startswith(b"127.0.0.1 - ")),
        "both": b"".join(lines),
        "events": b"".join(endpoint.bodies),
    }
    sources = {}
    for name, content in contents.items():
        sources[name] = directory / name
        sources[name].write_bytes(content)
    return Pulled(sources, digests, began, time.time())


@pytest.mark.parametrize("source", ["access log", "log", "both"])
def test_logs_tell_what_was_pulled_as_it_was_asked_for(pulled: Pulled, source: str, tmp_path: Path) -> None:
    times, done = pulled.read(source, tmp_path)
    assert set(times.last_pulls) == pulled.items(of_tags=True, of_their_digests=False)
    assert done.pull_count == len(times.last_pulls) * (2 if source == "both" else 1)
    assert done.unknown_count == 0


def test_events_tell_the_digests_of_tags_as_well_but_know_nothing_of_304(pulled: Pulled, tmp_path: Path) -> None:
    times, done = pulled.read("events", tmp_path)
    unchanged = {"team/unchanged:1.0", f"team/unchanged@{pulled.digests['unchanged']}"}
    assert set(times.last_pulls) == pulled.items(of_tags=True, of_their_digests=True) - unchanged
    assert done.unknown_count == 0


@pytest.mark.parametrize("source", ["access log", "log", "both", "events"])
def test_times_are_read_with_their_zones(pulled: Pulled, source: str, tmp_path: Path) -> None:
    times, _ = pulled.read(source, tmp_path)
    assert times.since is not None
    assert times.until is not None
    known = [times.since, *times.last_pulls.values(), times.until]
    # Access logs have whole seconds, cut off; all others are rounded up.
    assert min(known) == times.since >= int(pulled.began)
    assert max(known) == times.until <= pulled.ended + 1


def test_every_source_tells_of_a_pull_by_tag_what_a_policy_asks(pulled: Pulled, tmp_path: Path) -> None:
    for source in pulled.sources:
        (tmp_path / source).mkdir()
        times, _ = pulled.read(source, tmp_path / source)
        for name in BY_TAG:
            if (source, name) != ("events", "unchanged"):
                assert times.last_pull(f"team/{name}", "1.0", pulled.digests[name]) is not None
        for name in BY_DIGEST:
            assert times.last_pull(f"team/{name}", "1.0", pulled.digests[name]) is not None
        for name in UNPULLED:
            assert times.last_pull(f"team/{name}", "1.0", pulled.digests[name]) is None


def test_all_sources_together_and_once_more_are_as_each_by_itself(pulled: Pulled, tmp_path: Path) -> None:
    path = tmp_path / "pulls.csv"
    everything = [str(source) for source in pulled.sources.values()]
    first = pulls.update(path, everything).pulls
    assert set(first.last_pulls) >= pulled.items(of_tags=True, of_their_digests=False)
    assert pulls.update(path, everything).pulls == first
    for source in everything:
        assert pulls.update(path, [source]).pulls == first
