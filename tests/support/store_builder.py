"""Stores in the distribution layout, described in Python and then written to disk.

A ``Store`` is a plain map from paths (below ``docker/registry/v2``) to contents, so whatever a registry, a crash or an
attacker could leave on a disk can be said in one line: ``store.put(path, b"")``, ``store.remove(path)``,
``store.symlink(path, target)``. ``Repository`` has the words of the trade: images, indexes, tags, links, deletions.

    store = Store()
    app = store.repository("library/app")
    amd64 = app.image("base", "app-amd64")             # config, layers, their links, the manifest and its link
    app.index(amd64, tag="latest")
    app.tag("old", app.image("base", "app-old"))
    app.delete_tag("old")
    root = store.write(tmp_path / "storage")           # what a configuration calls `rootdirectory`

Nothing here knows regsweep; the layout is that of distribution's ``registry/storage/paths.go``.
"""

from __future__ import annotations

import copy
import os
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from support import documents
from support.documents import Descriptor, Document, digest_of

if TYPE_CHECKING:
    from collections.abc import Iterable

TOP = "docker/registry/v2"


def split(digest: str) -> tuple[str, str]:
    """Algorithm and hex of a digest."""
    algorithm, _, hexadecimal = digest.partition(":")
    return algorithm, hexadecimal


def blob_path(digest: str) -> str:
    """Where the content of a digest lies."""
    algorithm, hexadecimal = split(digest)
    return f"blobs/{algorithm}/{hexadecimal[:2]}/{hexadecimal}/data"


@dataclass
class Store:
    """A store that is not written yet. Paths are relative to ``docker/registry/v2``."""

    files: dict[str, bytes] = field(default_factory=dict)
    directories: set[str] = field(default_factory=lambda: {"repositories", "blobs"})
    symlinks: dict[str, str] = field(default_factory=dict)
    fifos: set[str] = field(default_factory=set)
    ages: dict[str, float] = field(default_factory=dict)
    """Seconds before the moment of writing at which a file was last modified; 0 where nothing is said."""

    def repository(self, name: str) -> Repository:
        """A repository as the registry makes it on the first push; the same one when asked for again."""
        repository = Repository(self, name)
        self.directories |= {repository.path(below) for below in ("_uploads", "_layers", "_manifests/revisions")}
        self.directories.add(repository.path("_manifests/tags"))
        return repository

    def blob(self, content: bytes | str, *, algorithm: str = "sha256") -> Descriptor:
        """A stored content that no link points to yet."""
        content = content.encode() if isinstance(content, str) else content
        descriptor = Descriptor(digest_of(content, algorithm), len(content))
        self.put(blob_path(descriptor.digest), content)
        return descriptor

    def put(self, path: str, content: bytes) -> None:
        """Writes a file, new or over an old one."""
        self.files[path] = content

    def remove(self, path: str) -> None:
        """Removes a file, or a directory with all that is in it."""
        inside = path + "/"
        for collection in (self.files, self.symlinks, self.ages):
            for found in [one for one in collection if one == path or one.startswith(inside)]:
                del collection[found]
        self.directories -= {one for one in self.directories if one == path or one.startswith(inside)}
        self.fifos -= {one for one in self.fifos if one == path or one.startswith(inside)}

    def remove_blob(self, digest: str) -> None:
        """Loses a content with its directory."""
        self.remove(blob_path(digest).removesuffix("/data"))

    def symlink(self, path: str, target: str) -> None:
        """Replaces whatever is there by a symbolic link."""
        self.remove(path)
        self.symlinks[path] = target

    def fifo(self, path: str) -> None:
        """Replaces whatever is there by a named pipe."""
        self.remove(path)
        self.fifos.add(path)

    def age(self, seconds: float, *paths: str) -> None:
        """Makes files (all of them, if none is named) look as if written that long ago."""
        self.ages.update(dict.fromkeys(paths or self.files, seconds))

    def copy(self) -> Store:
        """A store of its own with the same content."""
        return copy.deepcopy(self)

    def write(self, root: Path, *, now: float | None = None) -> Path:
        """Writes everything below a directory that must not hold a store yet; gives the directory back."""
        top = root / TOP
        for directory in sorted(self.directories):
            (top / directory).mkdir(parents=True, exist_ok=True)
        for path, content in self.files.items():
            _parent_of(top / path).write_bytes(content)
        for path, target in self.symlinks.items():
            _parent_of(top / path).symlink_to(target)
        for path in self.fifos:
            os.mkfifo(_parent_of(top / path))
        written = time.time() if now is None else now
        for path, seconds in self.ages.items():
            if path in self.files:
                os.utime(top / path, (written - seconds, written - seconds))
        return root


def _parent_of(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


@dataclass(frozen=True)
class Repository:
    """One repository of a store."""

    store: Store
    name: str

    def path(self, below: str) -> str:
        """A path of this repository."""
        return f"repositories/{self.name}/{below}"

    def revision_path(self, digest: str) -> str:
        """The link of a manifest."""
        return self.path("_manifests/revisions/{}/{}/link".format(*split(digest)))

    def layer_path(self, digest: str) -> str:
        """The link of a layer or config."""
        return self.path("_layers/{}/{}/link".format(*split(digest)))

    def tag_path(self, tag: str) -> str:
        """The link that says what a tag points to."""
        return self.path(f"_manifests/tags/{tag}/current/link")

    def history_path(self, tag: str, digest: str) -> str:
        """The link that says that a tag has pointed to a manifest."""
        return self.path("_manifests/tags/{}/index/{}/{}/link".format(tag, *split(digest)))

    def layer(self, content: bytes | str, *, media_type: str = documents.LAYER) -> Descriptor:
        """A pushed layer or config: stored, and linked here."""
        descriptor = self.store.blob(content).typed(media_type)
        self.link_layer(descriptor)
        return descriptor

    def layer_by_sha512(self, content: bytes | str) -> Descriptor:
        """A layer pushed by its sha512: stored under its sha256, which its link here contains."""
        stored = self.layer(content)
        raw = content.encode() if isinstance(content, str) else content
        alias = Descriptor(digest_of(raw, "sha512"), stored.size, documents.LAYER)
        self.store.put(self.layer_path(alias.digest), stored.digest.encode())
        return alias

    def link_layer(self, layer: Descriptor) -> None:
        """The link of a layer, stored or not."""
        self.store.put(self.layer_path(layer.digest), layer.digest.encode())

    def link(self, manifest: Descriptor) -> None:
        """The link of a manifest, stored or not."""
        self.store.put(self.revision_path(manifest.digest), manifest.digest.encode())

    def tag(self, tag: str, manifest: Descriptor) -> None:
        """Points a tag to a manifest; its history grows."""
        self.store.put(self.tag_path(tag), manifest.digest.encode())
        self.store.put(self.history_path(tag, manifest.digest), manifest.digest.encode())

    def manifest(
        self, document: Document | bytes, *, tag: str | None = None, algorithm: str = "sha256", linked: bool = True
    ) -> Descriptor:
        """A pushed manifest of any kind, even none at all: bytes are stored as they are."""
        raw = document if isinstance(document, bytes) else documents.encode(document)
        media_type = "" if isinstance(document, bytes) else str(document.get("mediaType") or "")
        descriptor = self.store.blob(raw, algorithm=algorithm).typed(media_type)
        if linked:
            self.link(descriptor)
        if tag is not None:
            self.tag(tag, descriptor)
        return descriptor

    def image(
        self,
        *layers: bytes | str | Descriptor,
        tag: str | None = None,
        config: bytes | str | None = None,
        subject: Descriptor | None = None,
        media_type: str = documents.OCI_MANIFEST,
        linked: bool = True,
    ) -> Descriptor:
        """A pushed image. Layers may be contents, or descriptors of what is pushed (or left out) elsewhere."""
        described = [layer if isinstance(layer, Descriptor) else self.layer(layer) for layer in layers]
        text = config if config is not None else "config of " + " ".join(layer.digest for layer in described)
        pushed = self.layer(text, media_type=documents.CONFIG)
        document = documents.image(pushed, described, subject=subject, media_type=media_type)
        return self.manifest(document, tag=tag, linked=linked)

    def index(
        self,
        *children: Descriptor,
        tag: str | None = None,
        subject: Descriptor | None = None,
        media_type: str = documents.OCI_INDEX,
        linked: bool = True,
    ) -> Descriptor:
        """A pushed index or manifest list; its children may be anything, and anywhere."""
        document = documents.index(children, subject=subject, media_type=media_type)
        return self.manifest(document, tag=tag, linked=linked)

    def schema1(self, *layers: bytes | str, tag: str | None = None) -> Descriptor:
        """A signed schema 1 manifest: its digest is that of its payload, not of its bytes."""
        pushed = [self.layer(layer) for layer in layers]
        raw, digest = documents.schema1(self.name, tag or "", pushed)
        descriptor = Descriptor(digest, len(raw), documents.SCHEMA1)
        self.store.put(blob_path(digest), raw)
        self.link(descriptor)
        if tag is not None:
            self.tag(tag, descriptor)
        return descriptor

    def delete_tag(self, tag: str) -> None:
        """What the API does on DELETE of a tag."""
        self.store.remove(self.path(f"_manifests/tags/{tag}"))

    def delete_manifest(self, manifest: Descriptor) -> None:
        """What the API does on DELETE of a manifest: its link goes (not its directory), and tags that point to it."""
        link = self.revision_path(manifest.digest)
        self.store.remove(link)
        self.store.directories.add(link.removesuffix("/link"))
        suffix = "/current/link"
        tags = self.path("_manifests/tags/")
        for path, content in list(self.store.files.items()):
            if path.startswith(tags) and path.endswith(suffix) and content == manifest.digest.encode():
                self.store.remove(path.removesuffix(suffix))


def snapshot(root: Path) -> dict[str, str | bytes | None]:
    """All that is below a directory: contents of files, targets of links, None for directories and the rest."""
    found: dict[str, str | bytes | None] = {}
    for directory, names, files in os.walk(root):
        for name in [*names, *files]:
            path = Path(directory) / name
            key = str(path.relative_to(root))
            if path.is_symlink():
                found[key] = f"-> {path.readlink()}"
            else:
                found[key] = path.read_bytes() if path.is_file() else None
    return found


def removed_files(before: dict[str, str | bytes | None], after: dict[str, str | bytes | None]) -> set[str]:
    """The files (not the directories) that are gone."""
    return {path for path, content in before.items() if content is not None and path not in after}


def duplicate(root: Path, target: Path) -> Path:
    """A copy of a written store, times and all."""
    shutil.copytree(root, target, symlinks=True)
    return target


def write_config(directory: Path, root: Path, lines: Iterable[str] = ()) -> Path:
    """A registry configuration for a filesystem store, as old and new registries take it."""
    text = ["version: 0.1", "log: {level: error}", "storage:", "  filesystem:", f"    rootdirectory: {root}", *lines]
    path = directory / "config.yml"
    path.write_text("\n".join(text) + "\n")
    return path
