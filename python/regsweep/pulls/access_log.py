"""Access logs in Apache's common and combined formats: the registry's own, and those of a proxy in front of it.

    10.0.0.1 - - [23/Nov/2026:06:58:18 +0000] "GET /v2/team/app/manifests/1.0 HTTP/1.1" 200 501 "" "skopeo/1.9.3"

The line is taken up at its time, so what stands before it (a virtual host, what a container runtime or the journal puts
in front) does not matter, nor what follows the status. Quotes in the request are escaped, whoever writes it.
"""

from __future__ import annotations

import re

from regsweep.pulls.reading import Reading
from regsweep.pulls.requests import is_success
from regsweep.pulls.times import parse_apache

_LINE = re.compile(
    rb"\[(\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d):(\d\d) ([+-]\d{4})\] "
    rb'"([^"\\]*(?:\\.[^"\\]*)*)" (\d{3})(?!\d)'
)


def read(line: bytes, reading: Reading) -> bool:
    """Takes from a line what it says; whether it is one of an access log.

    Raises:
        ValueError: its time does not exist.
    """
    found = _LINE.search(line)
    if found is None:
        return False
    minute, second, zone, request, status = found.groups()
    if b"/v2/" in request and is_success(status):
        method, _, rest = request.partition(b" ")
        time = parse_apache(minute, second, zone)
        reading.request(time, method, rest.partition(b" ")[0], b"[" + minute + b":")
    return True
