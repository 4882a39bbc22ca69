"""YAML as the registry reads it.

The registry is written in Go and uses yaml.v2, whose idea of YAML differs from Python's libraries': ``y`` and ``n`` are
booleans, ``22:22`` is text and not a base-60 number, dates are text, a merge overrides what stands before it, and only
the first document counts. So libyaml, of which yaml.v2 is a port too, only parses (``_core.compose_yaml``); what a
scalar means is decided by the rules of yaml.v2 2.4.0 (``resolve.go: resolve``, ``decode.go: scalar, mapping, merge``),
against the expected types of ``config_schema``.
"""

from __future__ import annotations

from regsweep import _core
from regsweep.units import parse_duration
from regsweep.yaml_tree import PLAIN, AliasLoopError, TooManyNodesError, Walk, pairs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeAlias

    from regsweep.yaml_tree import YamlNode

    Type: TypeAlias = "str | dict[str, Any] | tuple[str, Any]"

# Far above any configuration, far below what an alias bomb expands to.
_MAX_NODES = 400_000

_WORDS: dict[str, object] = {
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
}
_INTEGER_BASES = {"0x": 16, "0b": 2, "0o": 8}
_HEX_DIGITS = "0123456789abcdef"
_FLOAT_CHARACTERS = frozenset("+-.0123456789eE")


class YamlError(Exception):
    """Text that yaml.v2 would not accept, or not as the wanted type; worded as there."""


class StringMap(dict[str, "Any"]):
    """A Go map with string keys. Other maps are plain dicts, which environment variables cannot reach into."""


def compose(text: str | bytes) -> YamlNode | None:
    """The first document's tree; ``None`` where there is none.

    Raises:
        YamlError: it is not YAML.
    """
    try:
        return _core.compose_yaml(text.encode() if isinstance(text, str) else text)
    except (_core.YamlSyntaxError, UnicodeError) as error:
        raise YamlError(str(error)) from error


def decode(text: str | bytes, type_: Type) -> Any:
    """Decodes text as a type of ``config_schema``; where the text is empty, the type's empty value.

    Raises:
        YamlError: it is not YAML, or something in it has another type.
    """
    node = compose(text)
    if node is None:
        return empty_value(type_)
    return decode_node(node, type_)


def decode_node(node: YamlNode, type_: Type) -> Any:
    """As ``decode``, for a tree that ``compose`` has made."""
    decoder = _Decoder()
    try:
        value, _ = decoder.decode(node, type_)
    except TooManyNodesError as error:
        raise YamlError("yaml: document contains excessive aliasing") from error
    except AliasLoopError as error:
        raise YamlError("yaml: anchor value contains itself") from error
    except RecursionError as error:
        raise YamlError("yaml: nested too deeply") from error
    if decoder.problems:
        raise YamlError("yaml: unmarshal errors:\n  " + "\n  ".join(decoder.problems))
    return value


def empty_value(type_: Type) -> Any:
    """What Go leaves in a variable that nothing was decoded into."""
    return {} if isinstance(type_, dict) else "" if type_ == "string" else None


def resolve(text: str) -> object:
    """The value of a plain scalar (yaml.v2, ``resolve.go: resolve``): None, a bool, an int, a float or the text."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] in "+-.0123456789":
        plain = text.replace("_", "")
        number = _integer(plain)
        if number is not None and -(2**63) <= number < 2**64:
            return number
        if _FLOAT_CHARACTERS.issuperset(plain):
            try:
                return float(plain)
            except ValueError:
                pass
    return text


def _integer(text: str) -> int | None:
    sign, digits = (text[:1], text[1:]) if text[:1] in ("+", "-") else ("", text)
    base = _INTEGER_BASES.get(digits[:2].lower())
    if base is not None:
        digits = digits[2:]
    elif len(digits) > 1 and digits[0] == "0":
        base = 8
    else:
        base = 10
    valid = digits != "" and all(digit in _HEX_DIGITS[:base] for digit in digits.lower())
    return int(sign + digits, base) if valid else None


class _Decoder:
    """Collects type errors and goes on, as yaml.v2 does; stops at what yaml.v2 stops at."""

    def __init__(self) -> None:
        self.problems: list[str] = []
        self._walk = Walk(_MAX_NODES)

    def decode(self, node: YamlNode, type_: Type) -> tuple[Any, bool]:
        """The value, and whether it had the wanted type."""
        self._walk.enter(node)
        try:
            if node[0] == "scalar":
                return self._scalar(node, type_)
            return self._sequence(node, type_) if node[0] == "sequence" else self._mapping(node, type_)
        finally:
            self._walk.leave(node)

    def _problem(self, node: YamlNode, type_: Type, found: str) -> tuple[Any, bool]:
        self.problems.append(f"line {node[1] + 1}: cannot unmarshal {found} into {_type_name(type_)}")
        return empty_value(type_), False

    def _scalar(self, node: YamlNode, type_: Type) -> tuple[Any, bool]:
        _, _, tag, text = node
        value = resolve(text) if tag == PLAIN else _tagged(tag, text)
        if value is None:
            return empty_value(type_), True
        if type_ == "any":
            return value, True
        if type_ == "string":
            return text, True
        if type_ == "bool" and isinstance(value, bool):
            return value, True
        if type_ in ("int", "duration") and isinstance(value, int | float) and not isinstance(value, bool):
            return int(value) if abs(value) < 2**63 else 0, True
        if type_ == "duration" and isinstance(value, str) and is_go_duration(value):
            return value, True
        # A driver or an authentication may be given by its name alone.
        if isinstance(type_, tuple) and type_[0] == "named":
            return StringMap({text: StringMap()}), True
        shown = text if len(text) <= 10 else text[:7] + "..."
        return self._problem(node, type_, f"{_tag_name(value)} `{shown}`")

    def _sequence(self, node: YamlNode, type_: Type) -> tuple[Any, bool]:
        if type_ == "any":
            return [self.decode(child, "any")[0] for child in node[3]], True
        if isinstance(type_, tuple) and type_[0] == "list":
            decoded = [self.decode(child, type_[1]) for child in node[3]]
            return [value for value, good in decoded if good], True
        return self._problem(node, type_, "!!seq")

    def _mapping(self, node: YamlNode, type_: Type) -> tuple[Any, bool]:
        if type_ == "any":
            result: dict[Any, Any] = {}
            self._fill(node, result, "any", None)
            return result, True
        if isinstance(type_, dict):
            result = {}
            self._fill(node, result, "string", type_)
            return result, True
        if type_[0] == "map":
            result = StringMap()
            self._fill(node, result, "string", type_)
            return result, True
        if type_[0] == "named":
            return self._named(node, type_)
        return self._problem(node, type_, "!!map")

    def _named(self, node: YamlNode, type_: Type) -> tuple[Any, bool]:
        # The registry first tries a map of maps; where that fails, only the second try's complaint is heard.
        before = len(self.problems)
        result = StringMap()
        self._fill(node, result, "string", ("map", ("map", "any")))
        if len(self.problems) > before:
            del self.problems[before:]
            return self._problem(node, "string", "!!map")
        return result, True

    def _fill(self, node: YamlNode, result: dict[Any, Any], key_type: str, type_: Type | None) -> None:
        for key_node, value_node in pairs(node):
            if key_node[0] == "scalar" and key_node[2:] == (PLAIN, "<<"):
                self._merge(value_node, result, key_type, type_)
                continue
            key, good = self.decode(key_node, key_type)
            if not good:
                continue
            if isinstance(key, dict | list):
                raise YamlError("yaml: invalid map key")
            if isinstance(type_, dict):
                if key in type_:
                    result[key], _ = self.decode(value_node, type_[key])
                continue
            value, good = self.decode(value_node, type_[1] if isinstance(type_, tuple) else "any")
            if good:
                result[key] = value

    def _merge(self, node: YamlNode, result: dict[Any, Any], key_type: str, type_: Type | None) -> None:
        if node[0] == "mapping":
            merged = [node]
        elif node[0] == "sequence" and all(child[0] == "mapping" for child in node[3]):
            merged = node[3][::-1]  # earlier ones take precedence
        else:
            raise YamlError("yaml: map merge requires map or sequence of maps as the value")
        for mapping in merged:
            self._walk.enter(mapping)
            try:
                self._fill(mapping, result, key_type, type_)
            finally:
                self._walk.leave(mapping)


def _tagged(tag: str, text: str) -> object:
    short = tag.removeprefix("tag:yaml.org,2002:")
    if short == "null":
        return None
    if short in ("bool", "int", "float"):
        value = resolve(text)
        if short == "float" and isinstance(value, int) and not isinstance(value, bool):
            return float(value)
        if _tag_name(value) != f"!!{short}":
            raise YamlError(f"yaml: cannot decode {_tag_name(value)} `{text}` as a !!{short}")
        return value
    return text


def is_go_duration(text: str) -> bool:
    """Whether Go's ``time.ParseDuration`` takes a text."""
    try:
        parse_duration(text.lstrip("+-"))
    except ValueError:
        return False
    return not {"d", "w"} & set(text)  # days and weeks are ours, not Go's


def _tag_name(value: object) -> str:
    names = {bool: "!!bool", int: "!!int", float: "!!float", type(None): "!!null"}
    return names.get(type(value), "!!str")


def _type_name(type_: Type) -> str:
    if isinstance(type_, str):
        return {"duration": "time.Duration"}.get(type_, type_)
    if isinstance(type_, dict):
        return "a section"
    return "a list" if type_[0] == "list" else "a map"
