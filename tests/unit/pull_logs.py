"""Lines of logs as registries write them, for tests: shortened, but for what is looked at."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

from regsweep.pulls import Reading, logs
from regsweep.pulls.times import format_time, parse_rfc3339

DIGEST = "sha256:a9e52282c12b57f62ffc32fa6605c30044298f029189385d102f0b35ae8ff56d"
OTHER = "sha256:" + "0" * 64
SHA512 = "sha512:" + "f" * 128
# The moment of every line here, unless a test says something else.
NOON = parse_rfc3339("2026-03-01T12:00:00Z")
NEVER_FUTURE = 1e12


def access(
    path: str = "/v2/team/app/manifests/1.0",
    *,
    method: str = "GET",
    status: int = 200,
    time: str = "01/Mar/2026:12:00:00 +0000",
    user: str = "-",
) -> str:
    """A line of the registry's access log."""
    return f'127.0.0.1 - {user} [{time}] "{method} {path} HTTP/1.1" {status} 501 "" "my \\"agent\\\\ x"'


def at(seconds: float, path: str = "/v2/") -> str:
    """A line of the access log, of so many seconds after noon."""
    day, clock = format_time(NOON + seconds).rstrip("Z").split("T")
    year, month, date = day.split("-")
    months = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()  # noqa: SIM905
    return access(path, time=f"{date}/{months[int(month) - 1]}/{year}:{clock} +0000")


def text(
    uri: str = "/v2/team/app/manifests/1.0",
    *,
    method: str = "GET",
    status: int = 200,
    time: str = "2026-03-01T12:00:00Z",
    message: str = "response completed",
    more: str = "",
) -> str:
    """A line of the registry's log as text; 2.8 has no ``vars``."""
    return (
        f'time="{time}" level=info msg="{message}" go.version=go1.19.8 http.request.host="127.0.0.1:40543" '
        f'http.request.id=26c0 http.request.method={method} http.request.remoteaddr="127.0.0.1:45066" '
        f'http.request.uri="{uri}" http.request.useragent="my \\"agent\\\\ x" http.response.duration="911.892µs" '
        f"http.response.status={status} http.response.written=501{more}"
    )


def log_document(uri: str = "/v2/team/app/manifests/1.0", /, **changes: Any) -> dict[str, Any]:
    """A line of the registry's log as JSON."""
    return {
        "go.version": "go1.19.8",
        "http.request.method": "GET",
        "http.request.uri": uri,
        "http.response.status": 200,
        "level": "info",
        "msg": "response completed",
        "time": "2026-03-01T12:00:00Z",
        **changes,
    }


def event(
    tag: str | None = "1.0",
    *,
    action: str = "pull",
    kind: str = "manifests",
    time: str = "2026-03-01T12:00:00Z",
    repository: str = "team/app",
) -> dict[str, object]:
    """One notification event."""
    media_type = "application/octet-stream" if kind == "blobs" else "application/vnd.oci.image.manifest.v1+json"
    target = {
        "mediaType": media_type,
        "digest": DIGEST,
        "size": 501,
        "repository": repository,
        "url": f"http://127.0.0.1:40543/v2/{repository}/{kind}/{DIGEST}",
        **({"tag": tag} if tag else {}),
    }
    return {"id": "157c", "timestamp": time, "action": action, "target": target, "request": {"method": "GET"}}


def envelope(*events: dict[str, object], indent: int | None = None) -> str:
    """An envelope as registries post it: indented by three."""
    return json.dumps({"events": list(events)}, indent=indent)


def log_file(directory: Path, *lines: str | bytes, name: str = "log", compressed: bool = False) -> Path:
    """A log with these lines."""
    path = directory / name
    content = b"".join((line if isinstance(line, bytes) else line.encode()) + b"\n" for line in lines)
    path.write_bytes(gzip.compress(content) if compressed else content)
    return path


def read(
    directory: Path, *lines: str | bytes, horizon: float = NEVER_FUTURE, compressed: bool = False
) -> tuple[Reading, dict[str, int]]:
    """What a log with these lines says, and the pulls that it shows."""
    pulls: dict[str, int] = {}
    return logs.read(str(log_file(directory, *lines, compressed=compressed)), pulls, horizon), pulls
