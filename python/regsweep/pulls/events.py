"""Notification events: what the registry posts to ``notifications.endpoints``, kept by whoever received it.

The one source that tells the digest behind a tag. Envelopes (``{"events": […]}``) and single events are read. A HEAD is
an event with the action "pull", too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from regsweep.pulls import requests
from regsweep.pulls.reading import Reading
from regsweep.pulls.times import parse_rfc3339


def read(document: Mapping[str, Any], reading: Reading) -> bool:
    """Takes from a JSON document what it says; whether it is an envelope or an event.

    Raises:
        ValueError: the time of a pull is none.
    """
    events = document.get("events", [document])
    if not isinstance(events, list) or not all(map(_is_event, events)):
        return False
    for event in events:
        if event["action"] == "pull":
            _pulled(event, reading)
    return True


def _is_event(event: object) -> bool:
    return isinstance(event, dict) and isinstance(event.get("action"), str) and isinstance(event.get("target"), dict)


def _pulled(event: Mapping[str, Any], reading: Reading) -> None:
    time = parse_rfc3339(str(event.get("timestamp")))
    # Of blobs, too: an endpoint may be configured to get no pulls at all, but then it gets none of these.
    reading.stretches.add(time)
    target = event["target"]
    repository, tag, digest = (str(target.get(name) or "") for name in ("repository", "tag", "digest"))
    if str(target.get("url")).endswith(f"/blobs/{digest}"):
        return
    items = (requests.item(repository, reference) for reference in (tag, digest) if reference)
    reading.pull(time, [item for item in items if item is not None])
