"""Placeholder until the command is in."""


def main() -> None:
    """Replaced in the next commit."""
    raise SystemExit(2)
