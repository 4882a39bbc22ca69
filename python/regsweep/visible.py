"""Text from a storage, made safe to show: names there can be any bytes."""

from __future__ import annotations

# What would command a terminal is shown instead.
_VISIBLE = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))}


def visible(text: str) -> str:
    """Text with nothing in it that a terminal would obey."""
    return text.translate(_VISIBLE)
