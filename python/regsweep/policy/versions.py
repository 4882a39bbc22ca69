"""Tags that are semantic versions: ``1.2.3``, ``v1.2``, ``2``, ``1.2.3-rc.1``, and ``1.2.3_b5`` for ``1.2.3+b5``."""

from __future__ import annotations

from semver import Version


def parse(tag: str) -> Version | None:
    """The version that a tag names; ``None`` where it names none."""
    text = tag.removeprefix("v").replace("_", "+", 1)
    try:
        return Version.parse(text, optional_minor_and_patch=True)
    except ValueError:
        return None


def series(version: Version, per: str | None) -> tuple[int, ...]:
    """What versions are counted together: all of them, or those of one ``major`` or ``minor`` version."""
    if per == "major":
        return (version.major,)
    return (version.major, version.minor) if per == "minor" else ()
