"""The registry's own log, in its formats ``text``, ``json`` and ``logstash`` (``log.formatter``).

    time="2026-11-23T06:58:18.5Z" level=info msg="response completed" … http.request.method=GET
        http.request.uri=/v2/team/app/manifests/1.0 http.response.status=200 … vars.name=team/app vars.reference=1.0

2.8 leaves ``vars`` out where a request succeeds, and 3.x writes ``json`` where ``logstash`` is asked for. What fails is
"response completed with error", and is all that a log of level ``error`` has.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from regsweep.pulls import requests
from regsweep.pulls.reading import Reading
from regsweep.pulls.times import parse_rfc3339

_COMPLETED = "response completed"
_TEXT = re.compile(rb'time="([^"\\]+)" level=[a-z]+ msg=("[^"\\]*(?:\\.[^"\\]*)*"|[^ "]+)')
# All fields one after the other, so that what a client has put into a quoted value is not taken for one.
_FIELD = re.compile(r'([^ ="]+)=("[^"\\]*(?:\\.[^"\\]*)*"|[^ ]*)')
_UP_TO_THE_MINUTE = len("2026-11-23T06:58:")


def read_text(line: bytes, reading: Reading) -> bool:
    """Takes from a line what it says; whether it is one of the registry's log as text.

    Raises:
        ValueError: its time is none.
    """
    found = _TEXT.search(line)
    if found is None:
        return False
    time = found[1].decode()
    seconds = parse_rfc3339(time)
    if found[2] == b'"response completed"':
        fields = _FIELD.findall(line.decode(errors="replace"))
        minute = f'time="{time[:_UP_TO_THE_MINUTE]}'.encode()
        _completed(seconds, {name: value.strip('"') for name, value in fields}, reading, minute)
    return True


def read_json(document: Mapping[str, Any], reading: Reading) -> bool:
    """Takes from a JSON document what it says; whether it is a line of the registry's log.

    Raises:
        ValueError: its time is none.
    """
    key = "time" if "time" in document else "@timestamp"
    time = document.get(key)
    message = document.get("msg", document.get("message"))
    if not isinstance(time, str) or not isinstance(message, str) or "level" not in document:
        return False
    seconds = parse_rfc3339(time)
    if message == _COMPLETED:
        _completed(seconds, document, reading, f'"{key}":"{time[:_UP_TO_THE_MINUTE]}'.encode())
    return True


def _completed(time: int, fields: Mapping[str, Any], reading: Reading, minute: bytes) -> None:
    if not requests.is_success(str(fields.get("http.response.status")).encode()):
        return
    # What the registry's own router made of the path is better than what can be made of it here.
    repository, reference = fields.get("vars.name"), fields.get("vars.reference")
    items = None
    if repository and reference:
        item = requests.item(str(repository), str(reference))
        items = () if item is None else (item,)
    method, uri = str(fields.get("http.request.method")), str(fields.get("http.request.uri"))
    reading.request(time, method.encode(), uri.encode(errors="replace"), minute, items)
