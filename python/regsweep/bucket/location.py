"""Where a bucket is and what opens it, with the secrets kept out of sight."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, TypeAlias

from regsweep.errors import DriverError

Provider: TypeAlias = Literal["s3", "gcs", "azure"]
Option: TypeAlias = str | bool | int

_SCHEMES: dict[Provider, str] = {"s3": "s3", "gcs": "gs", "azure": "az"}
# Of the settings below, those that are never shown. Of a service's account its name may be seen, its key may not.
SECRET_SETTINGS = frozenset(
    {
        "access_key",
        "access_key_id",
        "client_secret",
        "sas_token",
        "secret_access_key",
        "service_account_key",
        "session_token",
    }
)


@dataclass(frozen=True, slots=True, repr=False)
class BucketLocation:
    """A root in a bucket, and how to get there.

    Attributes:
        provider: whose protocol is spoken: ``s3``, ``gcs`` or ``azure``.
        bucket: the bucket, or Azure's container.
        root: what comes before ``docker/registry/v2`` in keys, without slashes around it; may be empty.
        settings: what else the core needs to open it (``docs/buckets.md``). Holds secrets.
        warnings: what is odd about what was written, for the operator.
    """

    provider: Provider
    bucket: str
    root: str
    settings: Mapping[str, Option] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "settings", MappingProxyType(dict(self.settings)))

    @property
    def url(self) -> str:
        """``s3://bucket/root``: names the place, and holds neither secrets nor settings."""
        return f"{_SCHEMES[self.provider]}://{self.bucket}{'/' if self.root else ''}{self.root}"

    @property
    def options(self) -> dict[str, Option]:
        """What the core opens the bucket with. Holds secrets: not for showing."""
        return {"provider": self.provider, "bucket": self.bucket, "root": self.root, **self.settings}

    def __repr__(self) -> str:
        settings = {name: "***" if name in SECRET_SETTINGS else value for name, value in self.settings.items()}
        return f"BucketLocation({self.url!r}, {settings!r})"


def present(settings: Mapping[str, Option | None]) -> dict[str, Option]:
    """The settings that are set: neither ``None`` nor an empty text."""
    return {name: value for name, value in settings.items() if value is not None and value != ""}


def normal_root(text: str, driver: str) -> str:
    """The root of keys, as all three drivers make it of ``rootdirectory``: without slashes at its ends.

    (``s3-aws/s3.go: s3Path``, ``gcs/gcs.go: New``, ``azure/azure.go: blobName``.)

    Raises:
        DriverError: a component is empty, ``.`` or ``..``, which on the way to a service may silently become another
            root; or there is a control character in it.
    """
    root = text.strip("/")
    if root and any(component in ("", ".", "..") for component in root.split("/")):
        reason = "has a component that is empty, '.' or '..'"
    elif _has_control_characters(root):
        reason = "has a control character"
    else:
        return root
    raise DriverError(
        f"the root directory {text!r} {reason}", driver=driver, next_step="write it as it is in the bucket: a/b"
    )


def check_bucket_name(name: str, driver: str) -> None:
    """Makes sure that a bucket's or container's name cannot be taken for anything else in a URL.

    Raises:
        DriverError: there is something in it that no service allows.
    """
    if name in (".", "..") or not all(letter.isascii() and (letter.isalnum() or letter in "._-$") for letter in name):
        raise DriverError(
            f"{name!r} cannot be the name of a bucket",
            driver=driver,
            next_step="a bucket's name has letters, digits, '.', '-' and '_'; a directory in it is the root directory",
        )


def _has_control_characters(text: Iterable[str]) -> bool:
    return any(letter < " " or letter == "\x7f" for letter in text)
