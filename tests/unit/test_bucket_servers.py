"""The real registries agree with ``bucket_configurations.py``: which storage sections of buckets they take.

Each case is one dry run of a registry's own collector against a server that refuses every request: what the driver
does not take ends before the first one.
"""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from bucket_configurations import ALL, Case
from bucket_files import fill_in
from support.programs import find_registry

MAJORS = {"2.8.2": 2, "3.1.2": 3}
CASES = [
    pytest.param(MAJORS[version], case, taken, id=f"{version}-{name}")
    for name, case in ALL.items()
    for version, taken in (("2.8.2", case.two), ("3.1.2", case.three))
    if taken is not None
]


class Refusing(BaseHTTPRequestHandler):
    """Answers "forbidden" to everything, tunnels included, so that nobody tries again."""

    def _refuse(self) -> None:
        self.send_response(403)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = do_CONNECT = _refuse

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(("major", "case", "taken"), CASES)
def test_the_registry_takes_the_section_as_the_table_says(
    major: int, case: Case, taken: bool, endpoint: str, tmp_path: Path
) -> None:
    program = find_registry(major)
    text, environment = fill_in(case, tmp_path, endpoint)
    file = tmp_path / "config.yml"
    file.write_text(text)
    run = subprocess.run(
        [program, "garbage-collect", "-d", str(file)],
        env={
            "PATH": "/usr/bin",
            "OTEL_TRACES_EXPORTER": "none",
            # Nothing leaves the machine: what is not for it goes to the refusing server.
            "HTTPS_PROXY": endpoint,
            "HTTP_PROXY": endpoint,
            "STORAGE_EMULATOR_HOST": endpoint,
            "AWS_EC2_METADATA_DISABLED": "true",
            **environment,
        },
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert run.returncode == 1, run.stderr
    assert ("failed to construct" not in run.stderr) == taken, run.stderr
    if taken:
        assert "failed to garbage collect" in run.stderr
