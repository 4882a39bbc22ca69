"""What a manifest refers to, by a naive second reading: nothing is shared with the program under test.

The rule: a document in which there is one meaning only is believed. Any other JSON object refers to every digest in
it. Bytes that are no JSON object, or not what their digest says, are damaged, and refer to every digest in them.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any

MAX_SIZE = 4 * 2**20
MAX_DEPTH = 64
HUGE = 2**63

DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128}")
DIGEST_ANYWHERE = re.compile(f"(?=({DIGEST.pattern}))")
# An escape of an ASCII character; two backslashes are one escape, whose second half begins none.
ESCAPE = re.compile(rb"\\\\|\\u00[0-7][0-9a-fA-F]")

IMAGES = {"application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json"}
INDEXES = {"application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json"}
SCHEMA1 = {
    "application/vnd.docker.distribution.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v1+prettyjws",
}
FOREIGN = ("application/vnd.docker.image.rootfs.foreign.", "application/vnd.oci.image.layer.nondistributable.")
COMMON_KEYS = {"schemaVersion", "mediaType", "artifactType", "annotations", "subject"}
DESCRIPTOR_KEYS = {"mediaType", "digest", "size", "urls", "annotations", "data", "platform", "artifactType"}


@dataclass(frozen=True)
class Reading:
    """What a document is (``image``, ``index``, ``schema1``, ``unknown``, ``damaged``) and what it refers to.

    Roles: ``config``, ``layer``, ``foreign``, ``child``, ``child or blob``, ``subject``, ``any``.
    """

    shape: str
    references: tuple[tuple[str, str], ...]


class Members(list[tuple[str, Any]]):
    """A JSON object with all its members, those with equal keys too."""


class Doubt(Exception):
    """There is more than one way to read the document."""


def is_digest(text: object) -> bool:
    return isinstance(text, str) and DIGEST.fullmatch(text) is not None


def digests_in(text: str) -> list[str]:
    return [match.group(1) for match in DIGEST_ANYWHERE.finditer(text)]


def read(raw: bytes, digest: str) -> Reading:
    """Reads a manifest that is stored under a digest."""
    authentic = hashlib.new(digest.partition(":")[0], raw).hexdigest() == digest.partition(":")[2]
    document = None if len(raw) > MAX_SIZE else parse(raw)
    if document is None:
        return damaged(raw)
    try:
        reading = read_strictly(document)
    except Doubt:
        subjects = [value for key, value in document if go_folds(key) == "subject"]
        found = [("any", one) for text in texts(document) for one in digests_in(text)]
        found += [("subject", one) for value in subjects for text in texts(value) for one in digests_in(text)]
        reading = Reading("unknown", tuple(found))
    return reading if authentic or reading.shape == "schema1" else damaged(raw)


def damaged(raw: bytes) -> Reading:
    plain = ESCAPE.sub(lambda match: match[0] if match[0] == rb"\\" else bytes([int(match[0][4:], 16)]), raw)
    return Reading("damaged", tuple(("any", one) for one in digests_in(plain.decode("latin-1"))))


def parse(raw: bytes) -> Members | None:
    """A JSON object that every reader would read alike, or nothing."""

    def number(text: str) -> float:
        value = float(text)
        if not abs(value) < HUGE:
            raise ValueError(text)
        return int(text) if text.lstrip("-").isdigit() else value

    def constant(text: str) -> None:
        raise ValueError(text)

    try:
        document = json.loads(
            raw.decode(), object_pairs_hook=Members, parse_int=number, parse_float=number, parse_constant=constant
        )
        for text in texts(document):
            text.encode()  # raises for lone surrogates
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, Members) and depth(document) <= MAX_DEPTH else None


def depth(value: object) -> int:
    if isinstance(value, Members):
        return 1 + max((depth(member) for _, member in value), default=0)
    return 1 + max((depth(element) for element in value), default=0) if isinstance(value, list) else 0


def texts(value: object) -> list[str]:
    """Every string and every key."""
    if isinstance(value, Members):
        return [text for key, member in value for text in (key, *texts(member))]
    if isinstance(value, list):
        return [text for element in value for text in texts(element)]
    return [value] if isinstance(value, str) else []


def go_folds(key: str) -> str:
    """How Go's ``encoding/json`` compares keys."""
    return key.replace("\u017f", "s").replace("\u212a", "k").lower() if key.isprintable() else key


def once(members: object, known: set[str]) -> dict[str, Any]:
    """An object whose keys are all known and all there once; null counts as not there."""
    keys = [key for key, _ in members] if isinstance(members, Members) else []
    if not isinstance(members, Members) or len(set(keys)) < len(keys) or not known.issuperset(keys):
        raise Doubt
    return {key: value for key, value in members if value is not None}


def expect(value: object, kind: type | tuple[type, ...]) -> Any:
    if not isinstance(value, kind) or isinstance(value, bool):
        raise Doubt
    return value


def strings(value: object) -> None:
    """Annotations: what they say refers to nothing, as long as it is text."""
    if not isinstance(value, Members) or not all(isinstance(text, str | None) for _, text in value):
        raise Doubt


def array(value: object) -> list[Any]:
    if isinstance(value, Members) or not isinstance(value, list):
        raise Doubt
    return value


def read_strictly(document: Members) -> Reading:
    top = once(document, {key for key, _ in document})
    version = expect(top.get("schemaVersion"), int)
    media_type = expect(top.get("mediaType", ""), str)
    if version == 1 and media_type in {"", *SCHEMA1}:
        return read_schema1(document)
    if version != 2:
        raise Doubt
    expect(top.get("artifactType", ""), str)
    strings(top.get("annotations", Members()))
    is_index = "manifests" in top if media_type == "" else media_type in INDEXES
    if is_index:
        once(document, COMMON_KEYS | {"manifests"})
        references = [child(entry) for entry in array(top.get("manifests", []))]
    elif media_type in {"", *IMAGES}:
        once(document, COMMON_KEYS | {"config", "layers"})
        references = [("config", descriptor(top.get("config"))["digest"])]
        references += [layer(entry) for entry in array(top.get("layers", []))]
    else:
        raise Doubt
    if "subject" in top:
        references.append(("subject", descriptor(top["subject"])["digest"]))
    return Reading("index" if is_index else "image", tuple(references))


def read_schema1(document: Members) -> Reading:
    known = {"schemaVersion", "mediaType", "name", "tag", "architecture", "fsLayers", "history", "signatures"}
    top = once(document, known)
    for key in ("name", "tag", "architecture"):
        expect(top.get(key, ""), str)
    for key in ("history", "signatures"):
        if any(is_digest(text) for text in texts(array(top.get(key, [])))):
            raise Doubt
    if "fsLayers" not in [key for key, _ in document]:
        raise Doubt
    layers = [once(entry, {"blobSum"}).get("blobSum") for entry in array(top.get("fsLayers", []))]
    # An entry without a sum, or with one that is no digest, says nothing that can be relied on.
    if not all(is_digest(digest) for digest in layers):
        raise Doubt
    return Reading("schema1", tuple(("layer", str(digest)) for digest in layers))


def descriptor(value: object) -> dict[str, Any]:
    if not isinstance(value, Members):
        raise Doubt
    known = Members()
    for key, member in value:
        if key in DESCRIPTOR_KEYS:
            known.append((key, member))
        elif go_folds(key) in {one.lower() for one in DESCRIPTOR_KEYS} or any(
            is_digest(text) for text in (key, *texts(member))
        ):
            raise Doubt
    found = once(known, DESCRIPTOR_KEYS)
    if not is_digest(found.get("digest")):
        raise Doubt
    if expect(found.get("size", 0), int) < 0:
        raise Doubt
    for key in ("mediaType", "data", "artifactType"):
        expect(found.get(key, ""), str)
    for url in array(found.get("urls", [])):
        expect(url, str)
    strings(found.get("annotations", Members()))
    platform = found.get("platform", Members())
    if not isinstance(platform, Members) or any(is_digest(text) for text in texts(platform)):
        raise Doubt
    return found


def layer(value: object) -> tuple[str, str]:
    found = descriptor(value)
    is_foreign = bool(found.get("urls")) or found.get("mediaType", "").startswith(FOREIGN)
    return "foreign" if is_foreign else "layer", found["digest"]


def child(value: object) -> tuple[str, str]:
    found = descriptor(value)
    is_manifest = found.get("mediaType", "") in IMAGES | INDEXES
    return "child" if is_manifest else "child or blob", found["digest"]
