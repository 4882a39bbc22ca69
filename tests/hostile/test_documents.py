"""Manifests as nobody should write them: whatever a reader could find in one is kept, and nothing crashes or hangs."""

from __future__ import annotations

import json
import resource
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from support import documents, oracle
from support.documents import OCI_INDEX, OCI_MANIFEST, Descriptor, encode
from support.reference import run_regsweep
from support.store_builder import Store, blob_path

import regsweep

Make = Callable[[Descriptor, Descriptor], bytes]


def plain(config: Descriptor, layer: Descriptor) -> str:
    return encode(documents.image(config, [layer])).decode()


def edited(old: str, new: str) -> Make:
    return lambda config, layer: plain(config, layer).replace(old, new).encode(errors="surrogatepass")


def added(text: str) -> Make:
    return lambda config, layer: plain(config, layer).rstrip("}").rstrip().encode() + f", {text}}}".encode()


def instead(template: str) -> Make:
    """A document of its own, in which LAYER stands for the layer's digest and CONFIG for the config's descriptor."""
    return lambda config, layer: (
        template.replace("LAYER", layer.digest).replace("CONFIG", json.dumps(config.document())).encode()
    )


# JSON in which some reader could find more, or something else, than another one.
UNKNOWN: dict[str, Make] = {
    "another case": edited('"layers"', '"Layers"'),
    "long s": edited('"layers"', '"layer\u017f"'),
    "kelvin sign": added('"bloc\u212as": []'),
    "duplicate layers, last empty": added('"layers": []'),
    "duplicate layers, first empty": instead(
        '{"schemaVersion": 2, "config": CONFIG, "layers": [], "layers": [{"digest": "LAYER", "size": 1}]}'
    ),
    "layers no array": instead('{"schemaVersion": 2, "config": CONFIG, "layers": "LAYER"}'),
    "layers an object": instead('{"schemaVersion": 2, "config": CONFIG, "layers": {"0": {"digest": "LAYER"}}}'),
    "manifests no array": instead(f'{{"schemaVersion": 2, "mediaType": "{OCI_INDEX}", "manifests": "LAYER"}}'),
    "digest an array": instead('{"schemaVersion": 2, "config": CONFIG, "layers": [{"digest": ["LAYER"]}]}'),
    "digest with a space": instead('{"schemaVersion": 2, "config": CONFIG, "layers": [{"digest": " LAYER "}]}'),
    "digest in a key": instead('{"schemaVersion": 2, "config": CONFIG, "layers": [{"LAYER": {}}]}'),
    "both shapes": added('"manifests": []'),
    "no config": instead('{"schemaVersion": 2, "layers": [{"digest": "LAYER", "size": 1}]}'),
    "null config": instead('{"schemaVersion": 2, "config": null, "layers": [{"digest": "LAYER", "size": 1}]}'),
    "schema version 3": edited('"schemaVersion": 2', '"schemaVersion": 3'),
    "schema version as text": edited('"schemaVersion": 2', '"schemaVersion": "2"'),
    "no schema version": edited('"schemaVersion": 2,', ""),
    "media type of another kind": edited(OCI_MANIFEST, OCI_INDEX),
    "unknown media type": edited(OCI_MANIFEST, "application/vnd.example+json"),
    "unknown key": added('"extension": {"more": ["LAYER"]}'),
    "negative size": edited('"size": 5', '"size": -5'),
    "escaped digest": lambda _, layer: ('{"layers": ["' + layer.digest.replace("s", "\\u0073") + '"]}').encode(),
}

# What is no JSON to one reader or another, or not what its digest says.
DAMAGED: dict[str, Make] = {
    "cut off": lambda config, layer: plain(config, layer).encode()[:-3],
    "trailing text": lambda config, layer: plain(config, layer).encode() + b" x",
    "two documents": lambda config, layer: plain(config, layer).encode() * 2,
    "not UTF-8": lambda config, layer: plain(config, layer).encode().replace(b'"size"', b'"\xff\xfe"'),
    "UTF-16": lambda config, layer: plain(config, layer).encode("utf-16"),
    "byte order mark": lambda config, layer: b"\xef\xbb\xbf" + plain(config, layer).encode(),
    "lone surrogate": added('"annotations": {"a": "\\ud800"}'),
    "raw surrogate": lambda config, layer: added('"a": "X"')(config, layer).replace(b"X", b"\xed\xa0\x80"),
    "control character": lambda config, layer: added('"a": "X"')(config, layer).replace(b"X", b"\x01"),
    "nul": lambda config, layer: plain(config, layer).encode() + b"\0",
    "number without end": added(f'"a": {"9" * 5000}'),
    "number beyond floats": added('"a": 1e999999'),
    "number beyond 64 bits": added(f'"a": {2**64}'),
    "not a number": added('"a": NaN'),
    "leading zero": added('"a": 01'),
    "trailing comma": lambda config, layer: plain(config, layer).replace("]", ",]").encode(),
    "comment": lambda config, layer: b"// " + plain(config, layer).encode(),
    "single quotes": lambda config, layer: plain(config, layer).replace('"', "'").encode(),
    "an array": lambda config, layer: f"[{plain(config, layer)}]".encode(),
    "a string": lambda config, layer: json.dumps(layer.digest).encode(),
    "deep arrays": added(f'"a": {"[" * 100_000}{"]" * 100_000}'),
    "deep objects": added('"a": ' + '{"a":' * 100_000 + "1" + "}" * 100_000),
    "open brackets": added(f'"a": {"[" * 1_000_000}'),
    "too large": added(f'"annotations": {{"a": "{"x" * 2**22}"}}'),
}


def store_with(make: Make, *, tag: str | None) -> tuple[Store, Descriptor, Descriptor, Descriptor]:
    store = Store()
    app = store.repository("app")
    config, layer, unused = app.layer("config", media_type=documents.CONFIG), app.layer("layer"), app.layer("unused")
    other = store.repository("other")
    other.image("something", tag="latest")
    store.blob("garbage")
    app.manifest(make(config, layer), tag=tag)
    return store, config, layer, unused


@pytest.mark.parametrize("name", UNKNOWN)
def test_what_can_be_read_in_two_ways_keeps_every_digest_in_it(tmp_path: Path, name: str) -> None:
    store, _, layer, unused = store_with(UNKNOWN[name], tag="latest")
    root = store.write(tmp_path)
    marks = regsweep.open(root).scan().mark(delete_untagged=True)
    assert marks.is_live(layer.digest)
    assert {digest for digest, _ in marks.eligible_blobs()} == oracle.judge(root, delete_untagged=True).blobs
    assert unused.digest in {digest for digest, _ in marks.eligible_blobs()}
    assert not marks.damaged


@pytest.mark.parametrize("tag", ["latest", None])
@pytest.mark.parametrize("name", DAMAGED)
def test_what_is_damaged_keeps_all_that_its_repository_links(tmp_path: Path, name: str, tag: str | None) -> None:
    store, config, layer, unused = store_with(DAMAGED[name], tag=tag)
    root = store.write(tmp_path)
    marks = regsweep.open(root).scan().mark(delete_untagged=True)
    assert all(marks.is_live(one.digest) for one in (config, layer, unused))
    assert {damage.repository for damage in marks.damaged} == {"app"}
    assert {digest for digest, _ in marks.eligible_blobs()} == {documents.digest_of(b"garbage")}
    assert {digest for digest, _ in marks.eligible_blobs()} == oracle.judge(root, delete_untagged=True).blobs


def test_100_megabytes_of_manifest_are_damage_and_not_read_whole(tmp_path: Path) -> None:
    store, config, layer, unused = store_with(lambda config, layer: plain(config, layer).encode(), tag="latest")
    app = store.repository("app")
    huge = app.manifest(b'{"annotations": {"a": "' + b"x" * 100_000_000 + b'"}}', tag="huge")
    root = store.write(tmp_path / "storage")
    started = time.monotonic()
    run = run_regsweep(root, "--delete-untagged")
    assert time.monotonic() - started < 20
    assert run.exit_code == 3
    assert huge.digest in run.stderr
    assert run.blobs == {documents.digest_of(b"garbage")}
    assert all((root / "docker/registry/v2" / blob_path(one.digest)).exists() for one in (config, layer, unused, huge))


def test_a_blob_that_an_index_lists_may_be_of_any_size(tmp_path: Path) -> None:
    """As the cache of a build: layers are listed as if they were manifests, and must not be read into memory."""
    store = Store()
    app = store.repository("app")
    layers = [app.layer(b"{" + bytes(80_000_000)), app.layer(bytes(1000))]
    app.index(*(layer.typed("") for layer in layers), tag="cache")
    root = store.write(tmp_path / "storage")
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    run = run_regsweep(root)
    assert (run.exit_code, run.blobs) == (0, set())
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss <= max(children, 64 * 1024)


def test_indexes_that_name_each_other_in_great_depth_end(tmp_path: Path) -> None:
    store = Store()
    app = store.repository("app")
    inner = app.image("layer", linked=False)
    for _ in range(3000):
        inner = app.index(inner, linked=False)
    app.tag("deep", inner)
    garbage = store.blob("garbage")
    root = store.write(tmp_path / "storage")
    run = run_regsweep(root, "--delete-untagged")
    assert (run.exit_code, run.blobs) == (0, {garbage.digest})


def test_an_index_of_a_great_many_times_the_same_ends(tmp_path: Path) -> None:
    """Each level names the one below a hundred times: a hundred to the tenth, if every way were walked."""
    store = Store()
    app = store.repository("app")
    inner = app.image("layer", linked=False)
    for _ in range(10):
        inner = app.index(*[inner] * 100, linked=False)
    app.tag("wide", inner)
    root = store.write(tmp_path / "storage")
    for compat in ("2", "3"):
        run = run_regsweep(root, "--dry-run", "--delete-untagged", f"--compat={compat}")
        assert (run.exit_code, run.blobs) == (0, set())
