"""The parameters of a storage driver, read as the drivers' Go code reads them.

A parameter is whatever YAML made of it. The drivers are lenient in their own ways: a number is a text wherever they
print it (``fmt.Sprint``), a text is a boolean if ``strconv.ParseBool`` says so. Where 2.8 and 3.x differ, what either
accepts is accepted. Secrets never get into an error's text.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from regsweep.errors import DriverError

# strconv.ParseBool
BOOLEANS = {
    **dict.fromkeys(("1", "t", "T", "TRUE", "true", "True"), True),
    **dict.fromkeys(("0", "f", "F", "FALSE", "false", "False"), False),
}
_BASES = {"0x": 16, "0b": 2, "0o": 8}
_LARGEST = 2**63 - 1


class Parameters:
    """One driver's parameters, with the errors that the driver would end with.

    Attributes:
        driver: its name, as in the configuration.
    """

    def __init__(self, driver: str, values: Mapping[str, Any]) -> None:
        self.driver = driver
        self._values = values

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def raw(self, name: str) -> Any:
        """The value as YAML made it; ``None`` where there is none."""
        return self._values.get(name)

    def error(self, message: str, *, next_step: str = "") -> DriverError:
        """An error of this driver."""
        return DriverError(message, driver=self.driver, next_step=next_step)

    def text(self, name: str) -> str:
        """A text (``fmt.Sprint``); empty where there is none.

        Raises:
            DriverError: it is a list, a map, or a number with a fraction, which Go would print in a way of its own.
        """
        value = self._values.get(name)
        if value is None:
            return ""
        text = go_text(value)
        if text is None:
            raise self.error(f"{name} must be a text, and is {_kind(value)}", next_step="put the value in quotes")
        return text

    def text_with_value(self, name: str) -> str:
        """As ``text``, of a driver that prints a missing value as ``<nil>`` and goes on with that.

        Raises:
            DriverError: as ``text``; the key is there without a value.
        """
        if name in self._values and self._values[name] is None:
            raise self.error(
                f"{name} has no value, which the registry takes for the text <nil>",
                next_step=f"write a value after storage.{self.driver}.{name}, or leave the key out",
            )
        return self.text(name)

    def boolean(self, name: str) -> bool | None:
        """A boolean, or the text of one; ``None`` where there is none (``getParameterAsBool``).

        Raises:
            DriverError: it is neither.
        """
        value = self._values.get(name)
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str) and value in BOOLEANS:
            return BOOLEANS[value]
        raise self.error(f"the {name} parameter should be a boolean", next_step="write true or false")

    def check_integer(self, name: str, smallest: int, largest: int) -> None:
        """Makes sure that a number is one, and between two others.

        2.8 reads a text with a base (``strconv.ParseInt(…, 0, 64)``), 3.x up to the first letter that is no digit
        (``fmt.Sscanf("%d")``).

        Raises:
            DriverError: neither version would take it.
        """
        value = self._values.get(name)
        if value is None:
            return
        text = go_text(value)
        numbers = [] if text is None or isinstance(value, bool) else [*_leading_integer(text), *parse_integer(text)]
        if not numbers:
            raise self.error(f"{name} parameter must be an integer, {_shown(value)} invalid")
        if not any(smallest <= number <= largest for number in numbers):
            between = f"between {smallest} and {largest} (inclusive)"
            raise self.error(f"the {name} {numbers[0]} parameter should be a number {between}")

    def unknown(self, known: Collection[str]) -> list[str]:
        """Warnings of parameters that no version of the driver reads: spelling mistakes, as a rule."""
        return [
            f"storage.{self.driver}.{name} is no parameter of this driver, and has no effect"
            for name in self._values
            if name not in known
        ]


def go_text(value: object) -> str | None:
    """What Go prints of a text, a boolean or an integer; ``None`` of anything else."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int) else None


def parse_integer(text: str) -> list[int]:
    """The number of a text as ``strconv.ParseInt`` with base 0 reads it, in a list; an empty list of what is none."""
    sign, digits = (text[:1], text[1:]) if text[:1] in ("+", "-") else ("", text)
    base = _BASES.get(digits[:2].lower())
    if base is not None:
        digits = digits[2:]
    else:
        base = 8 if len(digits) > 1 and digits[0] == "0" else 10
    # Python's int takes space around a number and digits of all scripts; Go takes neither.
    if not digits.isascii() or not digits.replace("_", "").isalnum():
        return []
    try:
        number = int(sign + digits, base)
    except ValueError:
        return []
    return [number] if abs(number) <= _LARGEST else []


def _leading_integer(text: str) -> list[int]:
    stripped = text.lstrip()
    length = 1 if stripped[:1] in ("+", "-") else 0
    while stripped[length : length + 1].isascii() and stripped[length : length + 1].isdigit():
        length += 1
    digits = stripped[:length]
    if not digits.lstrip("+-") or abs(int(digits)) > _LARGEST:
        return []
    return [int(digits)]


def _shown(value: object) -> str:
    return go_text(value) or _kind(value)


def _kind(value: object) -> str:
    if isinstance(value, float):
        return "a number with a fraction or an exponent"
    return "a list" if isinstance(value, list) else "a map"
