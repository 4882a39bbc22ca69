"""Environment variables that override the registry's configuration, by the registry's rules.

``REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY=/data`` sets ``storage.filesystem.rootdirectory``. The rules, odd ones
included, are those of 3.1.1 (``configuration/parser.go``: ``Parse``, ``overwriteFields``, ``overwriteStruct``,
``overwriteMap``); what made 2.8 panic is an error here, as in 3.1:

- variables are applied in the order of their names, so a shorter path comes first and replaces the whole subtree;
- a name's parts must be upper-case and are compared with the upper-cased key; a new key is stored lower-cased;
- the value is YAML;
- a map inside of a driver's parameters that came from the file cannot be reached into (its keys are not strings in
  Go): such a variable has no effect, and that is said.
"""

from __future__ import annotations

from regsweep.config_schema import CONFIGURATION, FIELD_NAMES
from regsweep.go_yaml import StringMap, YamlError, decode, empty_value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from regsweep.go_yaml import Type

PREFIX = "REGISTRY_"
# Chooses the file itself; the registry warns that it does not know it.
CONFIGURATION_PATH = "REGISTRY_CONFIGURATION_PATH"


def apply(configuration: dict[str, Any], environment: Mapping[str, str]) -> list[str]:
    """Overrides parts of a decoded configuration in place; gives back the warnings.

    Raises:
        YamlError: a value cannot be decoded as what it is to replace, or a list index is none.
    """
    warnings: list[str] = []
    for name in sorted(environment, key=lambda name: name.encode(errors="surrogateescape")):
        if name.startswith(PREFIX) and name != CONFIGURATION_PATH:
            override = _Override(name, environment[name], warnings)
            try:
                override.section(configuration, CONFIGURATION, name.split("_")[1:], ())
            except YamlError as error:
                raise YamlError(f"parsing environment variable {name}: {error}") from error
    return warnings


class _Override:
    """One variable on its way down. Each method changes a container in place and may not be given an empty path."""

    def __init__(self, name: str, payload: str, warnings: list[str]) -> None:
        self._name = name
        self._payload = payload
        self._warnings = warnings

    def section(self, section: dict[str, Any], type_: dict[str, Any], path: list[str], place: tuple[str, ...]) -> None:
        key = next((key for key in type_ if FIELD_NAMES.get((*place, key), key).upper() == path[0]), None)
        if key is None:
            self._warnings.append(f"Ignoring unrecognized environment variable {self._name}")
            return
        field_type = type_[key]
        if len(path) == 1:
            section[key] = decode(self._payload, field_type)
            return
        if section.get(key) is None:
            section[key] = _new_container(field_type)
        self._inside(section[key], field_type, path[1:], (*place, key))

    def _inside(self, value: Any, type_: Type, path: list[str], place: tuple[str, ...]) -> None:
        if not path:
            raise YamlError("it names an element of a list, not a value in it")
        if isinstance(type_, dict):
            self.section(value, type_, path, place)
        elif type_ == "any":
            self._inside_any(value, path, place)
        elif type_[0] == "list":
            self._list(value, type_[1], path, place)
        elif isinstance(type_, tuple):
            # Named parameters are a map like any other to a variable.
            self._map(value, type_[1], path, place)
        # Into a text or a number there is no way: the registry does nothing, and says nothing.

    def _inside_any(self, value: Any, path: list[str], place: tuple[str, ...]) -> None:
        if isinstance(value, StringMap):
            self._map(value, "any", path, place)
        elif isinstance(value, dict):
            self._warnings.append(f"Ignoring environment variable {self._name} involving map with non-string keys")
        elif isinstance(value, list):
            self._list(value, "any", path, place)

    def _list(self, value: list[Any], type_: Type, path: list[str], place: tuple[str, ...]) -> None:
        if not path[0].removeprefix("+").isdecimal():
            raise YamlError(f"non-numeric index: {path[0]}")
        index = int(path[0])
        if index > len(value):
            raise YamlError(f"undefined index: {path[0]}")
        if index == len(value):
            value.append(_new_container(type_))
        if value[index] is None:
            value[index] = _new_container(type_)
        if len(path) > 1 or not isinstance(type_, str):
            self._inside(value[index], type_, path[1:], place)

    def _map(self, value: dict[str, Any], type_: Type, path: list[str], place: tuple[str, ...]) -> None:
        if len(path) == 1:
            value[path[0].lower()] = decode(self._payload, type_)
            return
        for key, existing in value.items():
            if key.upper() == path[0] and existing is not None:
                self._inside(existing, type_, path[1:], place)
                return
        created = value[path[0].lower()] = _new_container(type_)
        self._inside(created, type_, path[1:], place)


def _new_container(type_: Type) -> Any:
    """What a variable's path creates on its way: an empty section, map or list."""
    if type_ == "any" or (isinstance(type_, tuple) and type_[0] != "list"):
        return StringMap()
    return [] if isinstance(type_, tuple) else empty_value(type_)
