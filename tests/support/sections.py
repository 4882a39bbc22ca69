"""What stands below ``storage:`` in a registry's configuration: a directory, or a bucket of a server that runs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Section:
    """A storage driver with its parameters.

    Attributes:
        text: lines of YAML, indented by two; other sections of ``storage:`` may follow them.
        environment: what a registry must have in its environment to find the storage.
    """

    text: str
    environment: dict[str, str] = field(default_factory=dict)


def filesystem(root: Path) -> Section:
    """A storage root on disk."""
    return Section(f"  filesystem:\n    rootdirectory: {root}\n")


def of(storage: Path | Section) -> Section:
    """The section of a storage that may be named by its directory."""
    return storage if isinstance(storage, Section) else filesystem(storage)


def write_section(directory: Path, section: Section, lines: Iterable[str] = ()) -> Path:
    """A configuration for a collector, as old and new ones take it; further lines come below ``storage:``."""
    path = directory / "config.yml"
    path.write_text("\n".join(["version: 0.1", "log: {level: error}", "storage:", section.text + "\n".join(lines)]))
    return path
