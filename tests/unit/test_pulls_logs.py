"""Logs of all formats: what is a pull, what covers time, and what is not understood."""

from __future__ import annotations

import gzip
import io
import json
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pull_logs import DIGEST, NOON, access, at, envelope, event, log_document, log_file, read, text

from regsweep.errors import PullsError
from regsweep.pulls import json_text, logs

TAG = "team/app:1.0"
BY_DIGEST = f"team/app@{DIGEST}"

PULLS = {
    "combined": access(),
    "combined, of 2.8 and 3.x: an empty referer": access().replace('""', '"-"'),
    "common": access().partition(' ""')[0],
    "combined, with more after it": access() + ' rt=0.003 "10.0.0.9"',
    "combined, of a virtual host": "registry.example:443 " + access(),
    "combined, of a user with blanks": access(user="user name"),
    "combined, of an address in brackets": access().replace("127.0.0.1", "[::1]"),
    "combined, with a zone": access(time="01/Mar/2026:17:30:00 +0530"),
    "combined, HTTP/2": access().replace("HTTP/1.1", "HTTP/2.0"),
    "combined, CRLF": access() + "\r",
    "text of 2.8": text(),
    "text of 3.x": text(more=" odd key=1 vars.name=team/app vars.reference=1.0 version=v3.1.2+unknown"),
    "text, no quotes": text().replace('"/v2/team/app/manifests/1.0"', "/v2/team/app/manifests/1.0"),
    "text, with a zone": text(time="2026-03-01T07:00:00-05:00"),
    "JSON": json.dumps(log_document()),
    "JSON, compact": json.dumps(log_document(), separators=(",", ":")),
    "JSON of 3.x": json.dumps(log_document(**{"vars.name": "team/app", "vars.reference": "1.0"})),
    "logstash": json.dumps(
        {"@timestamp": "2026-03-01T12:00:00Z", "@version": "1"}
        | {name.replace("msg", "message"): value for name, value in log_document().items() if name != "time"}
    ),
    "syslog": "Mar  1 13:00:00 host docker-registry[123]: " + text(),
    "after half a quotation": 'note="a http.request.method=PUT ' + text(),
    "syslog, JSON": "Mar  1 13:00:00 host docker-registry[123]: " + json.dumps(log_document()),
    "compose": "registry-1  | " + access(),
    "Kubernetes": "2026-03-01T12:00:09.123456789Z stdout F " + access(),
    "Docker's json-file": json.dumps({"log": access() + "\n", "stream": "stdout", "time": "2026-03-01T12:00:09Z"}),
    "Docker's json-file, JSON": json.dumps(
        {"log": json.dumps(log_document()) + "\n", "stream": "stdout", "time": "2026-03-01T12:00:09Z"}
    ),
}


@pytest.mark.parametrize("line", PULLS.values(), ids=PULLS.keys())
def test_a_pull_is_recognised_in_every_format(line: str, tmp_path: Path) -> None:
    reading, pulls = read(tmp_path, line)
    assert pulls == {TAG: NOON}
    assert (reading.line_count, reading.pull_count, reading.unknown_count) == (1, 1, 0)
    assert reading.stretches.all() == [(NOON, NOON)]


@pytest.mark.parametrize(
    "document",
    [
        envelope(event()),
        envelope(event(), indent=3),
        json.dumps(event()),
        json.dumps([json.loads(envelope(event()))], indent=2),
        json.dumps([event()]),
        "2026-03-01 received " + envelope(event()),
    ],
    ids=["line", "indented", "single", "indented array", "array", "after something else"],
)
def test_an_event_is_a_pull_of_tag_and_digest(document: str, tmp_path: Path) -> None:
    reading, pulls = read(tmp_path, *document.splitlines())
    assert pulls == {TAG: NOON, BY_DIGEST: NOON}
    assert (reading.pull_count, reading.unknown_count) == (1, 0)
    assert reading.stretches.all() == [(NOON, NOON)]


def test_each_event_of_an_envelope_counts(tmp_path: Path) -> None:
    reading, pulls = read(tmp_path, envelope(event(), event("2.0"), event(None, repository="other")))
    assert set(pulls) == {TAG, BY_DIGEST, "team/app:2.0", f"other@{DIGEST}"}
    assert reading.pull_count == 3


def test_bodies_put_one_behind_the_other_are_all_read(tmp_path: Path) -> None:
    """Registries end them without a line break."""
    bodies = [envelope(event(f"{number}"), indent=3) for number in range(3)]
    reading, pulls = read(tmp_path, "".join(bodies) + access(), envelope(event("3")) + envelope(event("4")))
    assert set(pulls) == {BY_DIGEST, TAG, *(f"team/app:{number}" for number in range(5))}
    assert (reading.pull_count, reading.unknown_count) == (6, 0)


def test_formats_may_be_mixed_and_compressed(tmp_path: Path) -> None:
    lines = [line for line in PULLS.values() for _ in range(2)] + envelope(event(), indent=3).splitlines()
    reading, pulls = read(tmp_path, *lines, compressed=True)
    assert pulls == {TAG: NOON, BY_DIGEST: NOON}
    assert (reading.line_count, reading.pull_count, reading.unknown_count) == (len(lines), 2 * len(PULLS) + 1, 0)


@pytest.mark.parametrize("compressed", [False, True])
def test_standard_input_is_read(compressed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    content = gzip.compress(access().encode()) if compressed else access().encode()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(content))))
    pulls: dict[str, int] = {}
    assert logs.read("-", pulls, NOON).pull_count == 1
    assert pulls == {TAG: NOON}


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("status", [200, 304])
def test_asking_for_a_manifest_is_a_pull(method: str, status: int, tmp_path: Path) -> None:
    document = log_document(**{"http.request.method": method, "http.response.status": status})
    lines = [access(method=method, status=status), text(method=method, status=status), json.dumps(document)]
    reading, pulls = read(tmp_path, *lines)
    assert (reading.pull_count, pulls) == (3, {TAG: NOON})


@pytest.mark.parametrize(
    "line",
    [
        access(status=404),
        access(status=301),
        access(method="PUT", status=201),
        access(method="DELETE", status=202),
        access(f"/v2/team/app/blobs/{DIGEST}"),
        access("/v2/team/app/tags/list"),
        access("/v2/Team/app/manifests/1.0"),
        access('/v2/team/app/manifests/1.0\\" 200'),
        text(status=404, message="response completed with error"),
        text(status=301),
        text(method="PUT", status=201),
        text(f"/v2/team/app/blobs/{DIGEST}"),
        text("/v2/Team/app/manifests/1.0", more=" vars.name=Team/app vars.reference=1.0"),
        text(message="/v2/team/app/manifests/1.0"),
        json.dumps(log_document(**{"http.response.status": 404, "msg": "response completed with error"})),
        json.dumps(log_document(**{"http.request.method": "PUT"})),
        envelope(event(action="push")),
        envelope(event(None, kind="blobs")),
        envelope(event(repository="Team/app"), event("-", repository="Team")),
        envelope(),
    ],
)
def test_what_is_no_pull_is_understood(line: str, tmp_path: Path) -> None:
    reading, pulls = read(tmp_path, line)
    assert pulls == {}
    assert (reading.pull_count, reading.unknown_count) == (0, 0)


def test_the_registry_itself_says_best_what_was_asked_for(tmp_path: Path) -> None:
    uri = "/v2/mirror/v2/app/manifests/1"
    line = text(uri, more=" vars.name=app vars.reference=1")
    assert read(tmp_path, line)[1] == {"app:1": NOON}
    document = log_document(uri, **{"vars.name": "mirror/v2/app", "vars.reference": "1"})
    assert read(tmp_path, json.dumps(document))[1] == {"mirror/v2/app:1": NOON}


def test_what_a_client_puts_into_a_field_is_no_field(tmp_path: Path) -> None:
    forged = text().replace(
        "http.request.id=26c0", 'http.request.contenttype="x http.request.uri=/v2/a/manifests/b vars.name=a"'
    )
    assert read(tmp_path, forged)[1] == {TAG: NOON}


def test_the_latest_pull_counts_whatever_the_order(tmp_path: Path) -> None:
    lines = [at(seconds, "/v2/team/app/manifests/1.0") for seconds in (60, 7200, 0)]
    assert read(tmp_path, *lines)[1] == {TAG: NOON + 7200}


def test_quick_lines_do_not_hide_pulls_of_the_same_minute(tmp_path: Path) -> None:
    blob = f"/v2/team/app/blobs/{DIGEST}"
    lines = [
        *[at(second, blob) for second in range(5)],
        at(6, "/v2/team/app/manifests/1.0"),
        *[text(blob), text(blob), text()],
        *[json.dumps(log_document(blob), separators=(",", ":"))] * 2,
        *[at(second, blob) for second in (61, 62, 3600)],
    ]
    reading, pulls = read(tmp_path, *lines)
    assert pulls == {TAG: NOON + 6}
    assert (reading.pull_count, reading.unknown_count) == (2, 0)
    assert reading.stretches.all() == [(NOON, NOON + 3600)]


@pytest.mark.parametrize(
    "line",
    [
        access(status=404),
        access("/index.html"),
        access("/"),
        access(method="PUT", status=201),
        access(status=301),
        text(status=404, message="response completed with error"),
        text(message="listening on 127.0.0.1:5000"),
        text("/"),
        json.dumps(log_document("/")),
        text(method="PUT", status=201),
        json.dumps(log_document(msg="listening")),
        envelope(event(action="push")),
    ],
)
def test_only_reads_that_succeed_show_that_a_log_would_have_pulls(line: str, tmp_path: Path) -> None:
    """A log of errors, of writes, of another service, of redirections: none of them would."""
    assert read(tmp_path, line)[0].stretches.all() == []


@pytest.mark.parametrize(
    "line",
    [
        access("/v2/"),
        access(f"/v2/a/blobs/{DIGEST}"),
        text("/v2/"),
        json.dumps(log_document("/v2/")),
        envelope(event(None, kind="blobs")),
    ],
)
def test_reads_that_are_no_pulls_cover_time(line: str, tmp_path: Path) -> None:
    reading, pulls = read(tmp_path, line)
    assert (reading.stretches.all(), pulls) == ([(NOON, NOON)], {})


def test_pulls_in_the_future_count_but_cover_nothing(tmp_path: Path) -> None:
    reading, pulls = read(tmp_path, access(), horizon=NOON - 1)
    assert (reading.stretches.all(), pulls) == ([], {TAG: NOON})


UNKNOWN = [
    "something else",
    "Mar  1 12:00:00 host app: GET /v2/team/app/manifests/1.0 200",
    access(time="01/Mar 12:00:00"),
    access(time="01/Mar/2026:12:00:00"),
    access(time="31/Feb/2026:12:00:00 +0000"),
    text(time="2026-03-01T12:00:00"),
    text(time="03-01T12:00:00Z"),
    "INFO[0000] response completed http.request.method=GET http.request.uri=/v2/team/app/manifests/1.0",
    json.dumps(log_document(time="12:00")),
    json.dumps(log_document(time=5)),
    json.dumps({"level": "info"}),
    json.dumps(log_document())[:-9],
    json.dumps({"events": 5}),
    json.dumps({"events": [5]}),
    envelope(event(time="yesterday")),
    json.dumps({"log": "something else", "stream": "stdout"}),
    json.dumps({"log": "\ud800", "stream": "stdout"}),
    '{"a":' * 100_000,
    '{"a":1}x' * 100_000,
    "[" * 100_000 + "1",
    "{",
    b"\xff\xfe\x00 binary \x00",
    b"\x16\x03\x01",
]


@pytest.mark.parametrize("line", UNKNOWN, ids=range(len(UNKNOWN)))
def test_what_is_not_understood_is_counted_and_stops_nothing(line: str | bytes, tmp_path: Path) -> None:
    reading, pulls = read(tmp_path, "", line, access())
    assert pulls == {TAG: NOON}
    assert (reading.line_count, reading.unknown_count) == (3, 1)
    assert reading.first_unknown is not None
    assert reading.first_unknown.number == 2


def test_a_document_that_was_cut_off_does_not_swallow_what_follows(tmp_path: Path) -> None:
    cut = envelope(event("2.0"), indent=3).splitlines()[:5]
    half = json.dumps(log_document("/v2/", x=1))
    half = half[: half.index("x") - 2]
    reading, pulls = read(tmp_path, *cut, access(), half, *[json.dumps(log_document())] * 2, *cut)
    assert pulls == {TAG: NOON}
    assert (reading.pull_count, reading.unknown_count) == (3, 11)
    assert reading.first_unknown is not None
    assert reading.first_unknown.number == 1


def test_a_line_that_is_not_understood_is_shown_shortened(tmp_path: Path) -> None:
    reading, _ = read(tmp_path, "x" * 10_000)
    assert reading.first_unknown is not None
    assert reading.first_unknown.excerpt == "x" * 120


def test_lines_are_whole_wherever_the_file_is_cut_into_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [at(second, f"/v2/app/manifests/{second}") for second in range(50)]
    monkeypatch.setattr(logs, "_CHUNK_BYTES", 7)
    reading, pulls = read(tmp_path, *lines)
    assert pulls == {f"app:{second}": NOON + second for second in range(50)}
    assert (reading.line_count, reading.unknown_count) == (50, 0)


def test_a_file_without_lines_does_not_fill_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "_CHUNK_BYTES", 10)
    monkeypatch.setattr(logs, "_MAX_LINE_BYTES", 100)
    reading, _ = read(tmp_path, "beginning" + "x" * 1000, access())
    assert (reading.line_count, reading.unknown_count, reading.pull_count) == (2, 1, 1)
    assert reading.first_unknown is not None
    assert set(reading.first_unknown.excerpt) == {"x"}


def test_a_document_without_end_does_not_fill_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_text, "_MAX_BYTES", 100)
    reading, pulls = read(tmp_path, "{", *['  "a": 1,'] * 20, " " + access())
    assert pulls == {TAG: NOON}
    assert (reading.pull_count, reading.unknown_count) == (1, 21)


def test_an_empty_log_says_nothing(tmp_path: Path) -> None:
    reading, pulls = read(tmp_path)
    assert (reading.line_count, reading.stretches.all(), pulls) == (0, [], {})


def test_a_log_that_cannot_be_read_to_its_end_is_an_error(tmp_path: Path) -> None:
    whole = log_file(tmp_path, *[at(second) for second in range(5000)], compressed=True).read_bytes()
    (tmp_path / "cut").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "damaged").write_bytes(whole[:100] + bytes(50) + whole[150:])
    for name in ("cut", "damaged", "absent", "."):
        path = str(tmp_path / name)
        with pytest.raises(PullsError, match=f"^read {path}: .") as caught:
            logs.read(path, {}, NOON)
        assert caught.value.key == path
        assert caught.value.next_step


_LINES = [access(), text(), json.dumps(log_document()), envelope(event(), indent=3), envelope(event())]
_BITS = ['{"log":"', "time=", "[01/Mar/2026:12:00:00 +0000]", "/v2/a/manifests/b", *'{}[],"\\ \n\0']
_PIECES = st.sampled_from([*_LINES, *_BITS])


@settings(deadline=None)
@given(st.lists(_PIECES | st.text(max_size=10), max_size=30).map("".join))
def test_whatever_a_log_holds_it_is_read_to_its_end(tmp_path_factory: pytest.TempPathFactory, content: str) -> None:
    path = tmp_path_factory.mktemp("log") / "log"
    path.write_bytes(content.encode(errors="surrogatepass"))
    reading = logs.read(str(path), {}, NOON)
    lines = content.count("\n") + (not content.endswith("\n") and bool(content))
    assert reading.line_count == lines
    assert 0 <= reading.unknown_count <= lines


@settings(deadline=None)
@given(st.data())
def test_a_pull_is_found_whatever_stands_around_it(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    noise = st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\n"), max_size=50), max_size=5)
    around = data.draw(st.tuples(noise, noise))
    pull = data.draw(st.sampled_from([access(), text(), json.dumps(log_document())]))
    path = tmp_path_factory.mktemp("log") / "log"
    path.write_bytes("\n".join([*around[0], pull, *around[1]]).encode())
    pulls: dict[str, int] = {}
    logs.read(str(path), pulls, NOON)
    assert pulls == {TAG: NOON}
