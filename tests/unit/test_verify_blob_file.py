"""Reading blobs: their digests, and nothing through a symbolic link."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from support import documents
from support.documents import Descriptor, digest_of
from support.store_builder import TOP, Store, blob_path

from regsweep.verify import schema1
from regsweep.verify.blob_file import CHUNK, BlobFiles


def ignore(_: int) -> None:
    pass


@pytest.mark.parametrize("algorithm", ["sha256", "sha384", "sha512"])
@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 5])
def test_the_digest_of_content_of_any_length(tmp_path: Path, algorithm: str, size: int) -> None:
    store, content = Store(), os.urandom(size)
    digest = store.blob(content, algorithm=algorithm).digest
    root = store.write(tmp_path)
    told: list[int] = []
    with BlobFiles(str(root)) as files:
        assert files.hash(digest, told.append) == (digest, size)
        assert sum(told) == size
        assert files.read(digest, size) == content
        assert files.read(digest, size - 1) is None or size == 0


def test_one_after_the_other_in_any_order(tmp_path: Path) -> None:
    store = Store()
    digests = [store.blob(str(number)).digest for number in range(50)]
    root = store.write(tmp_path)
    before = len(list(Path("/proc/self/fd").iterdir()))
    with BlobFiles(str(root)) as files:
        for digest in [*digests, *reversed(digests)]:
            assert files.hash(digest, ignore)[0] == digest
    assert len(list(Path("/proc/self/fd").iterdir())) == before, "no handle is left open"


def test_what_is_not_there_is_not_found(tmp_path: Path) -> None:
    store = Store()
    there = store.blob("there").digest
    store.directories.add(blob_path(digest_of(b"empty")).removesuffix("/data"))
    root = store.write(tmp_path)
    with BlobFiles(str(root)) as files:
        for content in (b"empty", b"nothing"):
            with pytest.raises(FileNotFoundError):
                files.hash(digest_of(content), ignore)
        assert files.hash(there, ignore)[0] == there


@pytest.mark.parametrize("place", ["data", "blob", "prefix", "algorithm", "blobs"])
def test_no_symbolic_link_is_followed(tmp_path: Path, place: str) -> None:
    store = Store()
    digest = store.blob("content").digest
    root, outside = store.write(tmp_path / "storage"), store.write(tmp_path / "outside")
    steps = {"data": 0, "blob": 1, "prefix": 2, "algorithm": 3, "blobs": 4}[place]
    data = Path(TOP) / blob_path(digest)
    linked = [data, *data.parents][steps]
    (root / linked).rename(root / "moved")
    (root / linked).symlink_to(outside / linked)
    with BlobFiles(str(root)) as files, pytest.raises(OSError, match=r"link|directory"):
        files.hash(digest, ignore)


def test_the_root_may_be_one(tmp_path: Path) -> None:
    store = Store()
    digest = store.blob("content").digest
    (tmp_path / "link").symlink_to(store.write(tmp_path / "storage"))
    with BlobFiles(str(tmp_path / "link")) as files:
        assert files.hash(digest, ignore)[0] == digest


def test_what_is_no_file_is_an_error_and_does_not_hang(tmp_path: Path) -> None:
    store = Store()
    digest, other = store.blob("content").digest, store.blob("other").digest
    store.fifo(blob_path(digest))
    store.remove(blob_path(other))
    store.directories.add(blob_path(other))
    root = store.write(tmp_path)
    with BlobFiles(str(root)) as files:
        for one in (digest, other):
            with pytest.raises(OSError, match="regular file"):
                files.hash(one, ignore)


def test_a_refusal_of_whoever_is_told_ends_the_reading(tmp_path: Path) -> None:
    store = Store()
    digest = store.blob(bytes(5 * CHUNK)).digest
    root = store.write(tmp_path)
    told: list[int] = []

    def refuse(count: int) -> None:
        told.append(count)
        raise InterruptedError

    with BlobFiles(str(root)) as files, pytest.raises(InterruptedError):
        files.hash(digest, refuse)
    assert told == [CHUNK]


def test_a_signed_manifest_matches_the_digest_of_what_was_signed() -> None:
    raw, digest = documents.schema1("app", "1", [Descriptor(digest_of(b"layer"))])
    assert digest_of(raw) != digest
    assert schema1.matches(raw, digest)
    assert not schema1.matches(raw.replace(b'"app"', b'"apq"'), digest)
    assert not schema1.matches(raw, digest_of(raw))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b'{"signatures": []}',
        b'{"signatures": [{}]}',
        b'{"signatures": [{"protected": 5}]}',
        b'{"signatures": [{"protected": "!!!!!"}]}',
        b'{"signatures": [{"protected": "bm8"}]}',
        b'{"signatures": [{"protected": "e30"}]}',
        b'{"signatures": [{"protected": "eyJmb3JtYXRMZW5ndGgiOiA5OTk5LCAiZm9ybWF0VGFpbCI6ICJlMzAifQ"}]}',
        b'{"signatures": [{"protected": "eyJmb3JtYXRMZW5ndGgiOiAtMSwgImZvcm1hdFRhaWwiOiAiZTMwIn0"}]}',
        b"[" * 100_000,
    ],
)
def test_what_is_no_signed_manifest_matches_nothing(content: bytes) -> None:
    assert not schema1.matches(content, digest_of(content))
