"""regsweep: a garbage collector for container-registry storage.

::

    import regsweep

    store = regsweep.open("/etc/docker/registry/config.yml")  # or the storage's root directory
    marks = store.scan().mark(delete_untagged=True)
    removed = regsweep.remove_eligible(marks)

Planning, applying and what follows have modules of their own: ``regsweep.plan``, ``regsweep.apply``,
``regsweep.quarantine``, ``regsweep.policy``, ``regsweep.pulls`` (``docs/cycle.md``).

All names are imported when they are first used, so that a command that needs few of them starts quickly.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from regsweep._core import (
        Aside,
        AsideExplanation,
        Chain,
        ChainStep,
        DigestExplanation,
        Keeper,
        QuarantineUsage,
        RepositoryExplanation,
        RepositoryUsage,
        TagExplanation,
        TagPart,
        TagUsage,
        Usage,
        __version__,
    )
    from regsweep.config import RegistryConfig
    from regsweep.empty import EmptyDirectories, remove_empty
    from regsweep.errors import (
        BucketOptionError,
        CacheError,
        ConfigurationError,
        DriverError,
        GuardRefused,
        InvalidNameError,
        JournalError,
        KeepListError,
        LockedError,
        OutputError,
        PlanError,
        PolicyError,
        PolicyImportError,
        PullsError,
        Refusal,
        RegsweepError,
        RepositoryPatternError,
        RunError,
        StateError,
        StorageError,
        UnitError,
        UnknownNameError,
        UploadAgeError,
    )
    from regsweep.keep_list import read as read_keep_list
    from regsweep.library import (
        BrokenImage,
        Catalog,
        Damage,
        Marks,
        Note,
        Progress,
        RemovalFailure,
        Removed,
        Store,
        remove_eligible,
    )
    from regsweep.library import open_store as open
    from regsweep.safety import GUARDS
    from regsweep.uploads import MultipartUpload, RemovedUploads, Upload, Uploads, remove_uploads
    from regsweep.verify import Finding, Verification, VerifyProgress

__all__ = [
    "GUARDS",
    "Aside",
    "AsideExplanation",
    "BrokenImage",
    "BucketOptionError",
    "CacheError",
    "Catalog",
    "Chain",
    "ChainStep",
    "ConfigurationError",
    "Damage",
    "DigestExplanation",
    "DriverError",
    "EmptyDirectories",
    "Finding",
    "GuardRefused",
    "InvalidNameError",
    "JournalError",
    "KeepListError",
    "Keeper",
    "LockedError",
    "Marks",
    "MultipartUpload",
    "Note",
    "OutputError",
    "PlanError",
    "PolicyError",
    "PolicyImportError",
    "Progress",
    "PullsError",
    "QuarantineUsage",
    "Refusal",
    "RegistryConfig",
    "RegsweepError",
    "RemovalFailure",
    "Removed",
    "RemovedUploads",
    "RepositoryExplanation",
    "RepositoryPatternError",
    "RepositoryUsage",
    "RunError",
    "StateError",
    "StorageError",
    "Store",
    "TagExplanation",
    "TagPart",
    "TagUsage",
    "UnitError",
    "UnknownNameError",
    "Upload",
    "UploadAgeError",
    "Uploads",
    "Usage",
    "Verification",
    "VerifyProgress",
    "__version__",
    "open",
    "read_keep_list",
    "remove_eligible",
    "remove_empty",
    "remove_uploads",
]

_ERRORS = [name for name in __all__ if name.endswith("Error") or name == "GuardRefused"]
_OF_UPLOADS = ("MultipartUpload", "RemovedUploads", "Upload", "Uploads", "remove_uploads")
_OF_LOOKING = (
    "Aside",
    "AsideExplanation",
    "Chain",
    "ChainStep",
    "DigestExplanation",
    "Keeper",
    "QuarantineUsage",
    "RepositoryExplanation",
    "RepositoryUsage",
    "TagExplanation",
    "TagPart",
    "TagUsage",
    "Usage",
)
_OF_VERIFICATION = ("Finding", "Verification", "VerifyProgress")
# Public name to the module that has it, and its name there.
_HOMES = {
    **{name: ("regsweep.errors", name) for name in _ERRORS},
    **{name: ("regsweep.uploads", name) for name in _OF_UPLOADS},
    **{name: ("regsweep._core", name) for name in _OF_LOOKING},
    "EmptyDirectories": ("regsweep.empty", "EmptyDirectories"),
    "remove_empty": ("regsweep.empty", "remove_empty"),
    **{name: ("regsweep.verify", name) for name in _OF_VERIFICATION},
    "__version__": ("regsweep._core", "__version__"),
    "GUARDS": ("regsweep.safety", "GUARDS"),
    "Refusal": ("regsweep.errors", "Refusal"),
    "RegistryConfig": ("regsweep.config", "RegistryConfig"),
    "read_keep_list": ("regsweep.keep_list", "read"),
    "open": ("regsweep.library", "open_store"),
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    module, attribute = _HOMES.get(name, ("regsweep.library", name))
    value = globals()[name] = getattr(import_module(module), attribute)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
