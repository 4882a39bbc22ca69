"""Stores to measure on: generated where asked for, or into a filesystem image that can be had anew for every run."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from regsweep import _core


def generate(root: Path, options: dict[str, object]) -> dict[str, int]:
    """Makes a store; gives back what it was made of."""
    made: dict[str, int] = json.loads(_core.generate_store(root, json.dumps(options)))
    return made


def describe(root: Path) -> dict[str, int]:
    """What a store that is there already is made of."""
    catalog = _core.Store(root).scan()
    marks = catalog.mark()
    return {
        "repositories": catalog.repository_count,
        "tags": catalog.tag_count,
        "revisions": catalog.revision_count,
        "manifests": catalog.manifest_count,
        "blobs": marks.blob_count,
        "eligible_plain": marks.eligible_blob_count,
    }


def write_config(root: Path, path: Path) -> Path:
    """A registry configuration for a storage root."""
    path.write_text(
        f"version: 0.1\nlog:\n  level: error\nstorage:\n  filesystem:\n    rootdirectory: {root}\n"
        "  maintenance:\n    readonly:\n      enabled: true\n"
    )
    return path


def write_candidates(root: Path, path: Path, *, delete_untagged: bool = False) -> Path:
    """The hex of the blobs that regsweep would remove, in order: what the minimal program is told beforehand."""
    eligible = _core.Store(root).scan().mark(delete_untagged=delete_untagged).eligible_blobs()
    with path.open("w") as file:
        file.writelines(f"{digest.partition(':')[2]}\n" for digest, _ in eligible)
    return path


class Image:
    """A filesystem image that holds a store. Needs root, mkfs.ext4 and loop devices.

    Args:
        path: the image file; a sparse one of ``size_gib``.
        blocks: bytes a block. Small ones make room: a store is millions of directories of a few bytes. Of 4096 bytes
            there is an inode for each, of smaller ones an inode for each 2048 bytes.
    """

    def __init__(self, path: Path, *, size_gib: int, blocks: int = 4096) -> None:
        self.path = path
        inodes = (size_gib << 30) // max(blocks, 2048)
        with path.open("wb") as file:
            file.truncate(size_gib << 30)
        command = ["mkfs.ext4", "-q", "-F", "-b", str(blocks), "-N", str(inodes), "-m", "0", str(path)]
        subprocess.run(command, check=True)

    def copy(self, path: Path) -> Path:
        """A copy of the image, holes and all."""
        subprocess.run(["cp", "--sparse=always", self.path, path], check=True)
        return path


@contextmanager
def mounted(image: Path, point: Path) -> Iterator[Path]:
    """Mounts an image; what was cached of it is gone afterwards."""
    point.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-o", "loop", image, point], check=True)
    try:
        # mkfs leaves lost+found, which is no part of a store.
        shutil.rmtree(point / "lost+found", ignore_errors=True)
        yield point
    finally:
        # A program that was killed a moment ago may still be on its way out.
        for tries_left in reversed(range(20)):
            if subprocess.run(["umount", point], capture_output=tries_left > 0, check=tries_left == 0).returncode == 0:
                break
            time.sleep(0.5)
