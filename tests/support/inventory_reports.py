"""Inventory reports as Amazon S3 makes them, of buckets on servers that make none.

In CSV: two data files, both out of order, and a manifest; in another bucket, or in a directory as after a download.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
from pathlib import Path
from urllib.parse import quote_plus

from support.buckets.s3 import S3Server

CREATED = "2026-11-23T07:35:32Z"
_CREATED_MILLISECONDS = "1795419332000"
_FOLDER = "reports/source/all"
_MANIFEST = f"{_FOLDER}/2026-11-23T07-35Z/manifest.json"


def report_of(server: S3Server, bucket: str, source: str | None = None) -> dict[str, bytes]:
    """A report of what a bucket holds now, as objects by their keys; ``source`` is of which it claims to be."""
    sizes = server.keys(bucket)
    rows = [(bucket, quote_plus(key, safe="/"), sizes[key], time) for key, time in server.times(bucket).items()]
    objects: dict[str, bytes] = {}
    files = []
    for number in range(2):
        text = io.StringIO()
        csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows[number::2][::-1])
        content = gzip.compress(text.getvalue().encode())
        key = f"{_FOLDER}/data/{number}.csv.gz"
        objects[key] = content
        files.append({"key": key, "size": len(content), "MD5checksum": hashlib.md5(content).hexdigest()})
    manifest = {
        "sourceBucket": source or bucket,
        "destinationBucket": "arn:aws:s3:::reports",
        "version": "2016-11-30",
        "creationTimestamp": _CREATED_MILLISECONDS,
        "fileFormat": "CSV",
        "fileSchema": "Bucket, Key, Size, LastModifiedDate",
        "files": files,
    }
    return {**objects, _MANIFEST: json.dumps(manifest).encode()}


def publish(server: S3Server, bucket: str, source: str | None = None) -> str:
    """Puts a report of what a bucket holds now into a bucket of its own; the manifest's URL."""
    reports = server.fresh_bucket()
    server.put_all(reports, report_of(server, bucket, source))
    return f"s3://{reports}/{_MANIFEST}"


def download(server: S3Server, bucket: str, directory: Path) -> Path:
    """Puts a report of what a bucket holds now into a directory; the manifest's path."""
    for key, content in report_of(server, bucket).items():
        (directory / key).parent.mkdir(parents=True, exist_ok=True)
        (directory / key).write_bytes(content)
    return directory / _MANIFEST
