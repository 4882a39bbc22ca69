"""The registry's own configuration file, read as the registry reads it.

What counts for a collection: which storage, whether the registry is read-only, which descriptor cache it has, how
long uploads may take. Everything else is checked as far as the registry's collector would check it, and forgotten.
Error texts are those of the registry (``registry/root.go``, ``configuration/configuration.go``), so that what watches
for them keeps working.
"""

from __future__ import annotations

import os

from regsweep import config_environment
from regsweep.config_schema import CONFIGURATION, LOG_FORMATTERS, LOG_LEVELS
from regsweep.errors import ConfigurationError, DriverError, LoggingError, RegsweepError
from regsweep.go_yaml import StringMap, YamlError, compose, decode_node
from regsweep.units import parse_duration

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from regsweep.bucket.location import BucketLocation

# Keys of the storage section that are not drivers. 2.8 does not know "tag" and takes it for one.
_NOT_DRIVERS = frozenset({"maintenance", "cache", "delete", "redirect", "tag"})
# Driver to the module that reads its section; imported only for such a driver, since start-up time counts.
_BUCKET_DRIVERS = {
    "s3": "regsweep.bucket.s3_parameters",
    "s3aws": "regsweep.bucket.s3_parameters",
    "gcs": "regsweep.bucket.gcs_parameters",
    "azure": "regsweep.bucket.azure_parameters",
}
# The filesystem driver's own default (registry/storage/driver/filesystem/driver.go).
DEFAULT_ROOT = "/var/lib/registry"
# What the registry's upload purging assumes where it is not configured (registry/handlers/app.go).
DEFAULT_UPLOAD_AGE_SECONDS = 168 * 3600.0


class RegistryConfig:
    """What a registry's configuration says about its storage. Not to be changed once made.

    Attributes:
        path: the file.
        driver: the storage driver's name: ``filesystem``, ``s3``, …
        parameters: the driver's parameters.
        root: the filesystem driver's root directory as configured, maybe relative; ``None`` with another driver.
        bucket: where the bucket is that an object store's driver names; ``None`` with another driver.
        read_only: ``storage.maintenance.readonly.enabled``.
        delete_enabled: ``storage.delete.enabled``.
        cache: the blob descriptor cache: ``inmemory``, ``redis`` or ``None``.
        redis: the ``redis`` section, as it is written.
        upload_age_seconds: the age at which the registry purges unfinished uploads; ``None`` where it does not.
        warnings: what the registry would warn of while reading it.
    """

    __slots__ = (
        "bucket",
        "cache",
        "delete_enabled",
        "driver",
        "parameters",
        "path",
        "read_only",
        "redis",
        "root",
        "upload_age_seconds",
        "warnings",
    )

    def __init__(
        self,
        path: str,
        storage: Mapping[str, Any],
        warnings: tuple[str, ...],
        environment: Mapping[str, str],
        redis: Mapping[str, Any] | None = None,
    ) -> None:
        maintenance, cache = _section(storage, "maintenance"), _section(storage, "cache")
        self.path = path
        self.driver = driver_name(storage)
        self.parameters: Mapping[str, Any] = _section(storage, self.driver)
        self.root = filesystem_root(self.parameters) if self.driver == "filesystem" else None
        self.bucket = _bucket(self.driver, self.parameters, environment)
        self.read_only: bool = _section(maintenance, "readonly").get("enabled") is True
        self.delete_enabled: bool = _section(storage, "delete").get("enabled") is True
        self.cache: str | None = _descriptor_cache(cache)
        self.redis: Mapping[str, Any] = redis or {}
        self.upload_age_seconds = _upload_age_seconds(_section(maintenance, "uploadpurging"))
        self.warnings = warnings if self.bucket is None else (*warnings, *self.bucket.warnings)


def resolve_path(argument: str | None, environment: Mapping[str, str]) -> str:
    """The configuration file: the argument, else ``REGISTRY_CONFIGURATION_PATH``.

    Raises:
        ConfigurationError: neither is given.
    """
    path = environment.get(config_environment.CONFIGURATION_PATH, "") if argument is None else argument
    if not path:
        raise ConfigurationError(
            "configuration path unspecified",
            next_step=f"name the registry's configuration file, or set {config_environment.CONFIGURATION_PATH}",
        )
    return path


def load(path: str | os.PathLike[str], environment: Mapping[str, str] | None = None) -> RegistryConfig:
    """Reads a configuration file and the environment (``os.environ`` where none is given).

    Raises:
        ConfigurationError: the file cannot be read, or the registry would not accept it.
        DriverError: the storage driver's parameters are wrong.
    """
    name = os.fspath(path)
    try:
        with open(name, "rb") as file:  # noqa: PTH123 - pathlib costs start-up time
            text = file.read()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        # Go opens a directory without complaint and fails at the first read.
        directory = isinstance(error, IsADirectoryError)
        message = f"error parsing {name}: read {name}: {reason}" if directory else f"open {name}: {reason}"
        raise ConfigurationError(message, key=name) from error
    try:
        return _parse(name, text, os.environ if environment is None else environment)
    except YamlError as error:
        raise ConfigurationError(f"error parsing {name}: {error}", key=name) from error


def _parse(path: str, text: bytes, environment: Mapping[str, str]) -> RegistryConfig:
    node = compose(text)
    configuration: dict[str, Any] = {} if node is None else decode_node(node, {"version": "string"})
    _check_version(configuration.get("version", ""))
    assert node is not None  # a version was found in it
    configuration = decode_node(node, CONFIGURATION)
    storage = configuration.get("storage") or StringMap()
    drivers = [key for key in storage if key not in _NOT_DRIVERS]
    if len(drivers) > 1:
        raise YamlError(f"must provide exactly one storage type. Provided: [{' '.join(drivers)}]")
    if len(methods := configuration.get("auth") or {}) > 1:
        raise YamlError(f"must provide exactly one type. Provided: [{' '.join(methods)}]")
    warnings = config_environment.apply(configuration, environment)
    _check_log_levels(configuration)
    if configuration.get("tags", {}).get("maxtags", 0) < 0:
        raise YamlError("maxtags limit must be a non-negative integer value")
    storage = configuration.get("storage") or StringMap()
    driver_name(storage)
    formatter = configuration.get("log", {}).get("formatter") or "text"
    if formatter not in LOG_FORMATTERS:
        raise LoggingError(f'unsupported logging formatter: "{formatter}"', key=path)
    return RegistryConfig(path, storage, tuple(warnings), environment, configuration.get("redis"))


def _check_version(version: str) -> None:
    if version == "0.1":
        return
    if version:
        major, _, minor = version.partition(".")
        for part in (major, minor):
            if not (part.isascii() and part.isdigit()):
                raise YamlError(f'strconv.ParseUint: parsing "{part}": invalid syntax')
    raise YamlError(f'unsupported version: "{version}"')


def _check_log_levels(configuration: Mapping[str, Any]) -> None:
    for level in (configuration.get("log", {}).get("level"), configuration.get("loglevel")):
        if level and level.lower() not in LOG_LEVELS:
            raise YamlError(f"invalid loglevel {level.lower()} Must be one of [{', '.join(LOG_LEVELS)}]")


def driver_name(storage: Mapping[str, Any]) -> str:
    """The one driver of a storage section.

    Raises:
        YamlError: there is none, or more than one (with the environment's help; the registry panics there).
    """
    drivers = [key for key in storage if key not in _NOT_DRIVERS]
    if len(drivers) > 1:
        names = ", ".join(drivers)
        raise YamlError(f"multiple storage drivers specified in configuration or environment: {names}")
    if not drivers or not drivers[0]:
        raise YamlError("no storage configuration provided")
    return drivers[0]


def filesystem_root(parameters: Mapping[str, Any]) -> str:
    """The root directory of the filesystem driver (``filesystem/driver.go``: ``fromParametersImpl``).

    Raises:
        DriverError: a parameter has no value or one that is none for it.
    """
    check_limit(parameters.get("maxthreads"), "maxthreads", "filesystem")
    root = parameters.get("rootdirectory", DEFAULT_ROOT)
    if isinstance(root, str):
        # The registry joins the root with an absolute path, so that empty means the root of the file system.
        return root or "/"
    if isinstance(root, bool):
        return "true" if root else "false"
    if isinstance(root, int):
        return str(root)
    if root is None:
        # In Go the missing value is printed: the registry uses a directory of the name "<nil>" below where it runs.
        raise DriverError(
            "rootdirectory has no value, which the registry takes for a directory named <nil>",
            driver="filesystem",
            next_step="write the directory after storage.filesystem.rootdirectory, or leave the key out for "
            f"{DEFAULT_ROOT}",
        )
    raise DriverError(
        f"rootdirectory must be the path of a directory, and is {root!r}",
        driver="filesystem",
        next_step="put the path in quotes",
    )


def _bucket(driver: str, parameters: Mapping[str, Any], environment: Mapping[str, str]) -> BucketLocation | None:
    module = _BUCKET_DRIVERS.get(driver)
    if module is None:
        return None
    from importlib import import_module

    location: BucketLocation = import_module(module).locate(driver, parameters, environment)
    return location


def check_limit(value: Any, name: str, driver: str) -> None:
    """Makes sure that a driver's limit of concurrency is a number (``base/regulator.go: GetLimitFromParameter``).

    How much regsweep does at once is its own matter (``--jobs``).

    Raises:
        DriverError: it is none.
    """
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return
    if isinstance(value, str):
        try:
            number = int(value, 0)
        except ValueError:
            number = -1
        if number < 0:
            reason = f"parameter must be an integer, '{value}' invalid"
            raise DriverError(f"{name} config error: {reason}", driver=driver)
        return
    shown = {True: "true", False: "false"}.get(value, value) if isinstance(value, bool) else value
    raise DriverError(f"{name} config error: invalid value '{shown}'", driver=driver)


def _section(parent: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = parent.get(key)
    return value if isinstance(value, dict) else {}


def _descriptor_cache(cache: Mapping[str, Any]) -> str | None:
    # "layerinfo" is the older name of the same key (registry/handlers/app.go).
    name = cache.get("blobdescriptor", cache.get("layerinfo"))
    return name if name in ("inmemory", "redis") else None


def _upload_age_seconds(purging: Mapping[str, Any]) -> float | None:
    if purging.get("enabled") is False:
        return None
    try:
        return parse_duration(str(purging.get("age", ""))) if "age" in purging else DEFAULT_UPLOAD_AGE_SECONDS
    except RegsweepError:
        return DEFAULT_UPLOAD_AGE_SECONDS
