"""Each documented deviation on a store made for it: what the reference loses or where it ends, and what we do.

A test that finds the reference doing better one day says that ``docs/compatibility.md`` is out of date.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from support import compatibility, documents
from support.compatibility import shows
from support.documents import absent
from support.reference import Run, run_reference, run_regsweep
from support.store_builder import Store, blob_path, snapshot

UNTAGGED = "--delete-untagged"


@pytest.fixture
def store() -> Store:
    return Store()


class Both:
    """Runs both collectors, dry, on the same store."""

    def __init__(self, store: Store, directory: Path, major: int, *flags: str) -> None:
        self.root = store.write(directory / "storage")
        self.theirs = run_reference(major, self.root, "--dry-run", *flags)
        self.ours = run_regsweep(self.root, "--dry-run", f"--compat={major}", *flags)

    def they_lose(self, *digests: str) -> Run:
        """The reference, in good spirits, would remove blobs that we keep."""
        assert self.theirs.exit_code == 0, self.theirs.stderr
        assert set(digests) <= self.theirs.blobs
        assert not set(digests) & self.ours.blobs
        assert self.ours.exit_code in (0, 3), self.ours.stderr
        return self.ours

    def they_fail(self, message: str) -> Run:
        """The reference ends with an error; we do not."""
        assert self.theirs.exit_code != 0
        assert message in self.theirs.stderr
        assert self.ours.exit_code in (0, 3), self.ours.stderr
        return self.ours


def test_every_deviation_is_documented_and_shown() -> None:
    assert compatibility.shown() | compatibility.asked() == compatibility.documented()


@shows("index-children")
def test_children_of_a_tagged_index_are_live(store: Store, tmp_path: Path) -> None:
    repository = store.repository("app")
    layer = repository.layer("layer")
    child = repository.image(layer, config="config")
    repository.index(child, tag="latest")
    both = Both(store, tmp_path, 2, UNTAGGED)
    both.they_lose(layer.digest)
    assert both.theirs.revisions()[child.digest] == 1
    assert not both.ours.manifests


@shows("index-children")
@pytest.mark.parametrize("major", [2, 3])
def test_a_manifest_named_as_a_layer_is_live_with_all_that_it_reaches(store: Store, tmp_path: Path, major: int) -> None:
    repository = store.repository("app")
    layer = repository.layer("layer")
    inner = repository.image(layer)
    repository.image(inner.typed(documents.LAYER), tag="latest")
    both = Both(store, tmp_path, major, UNTAGGED)
    assert not both.ours.blobs
    assert not both.ours.manifests
    assert both.theirs.blobs >= ({layer.digest} if major == 2 else set())  # 3.x follows any digest that is linked here


@shows("children-elsewhere")
def test_children_are_followed_in_whatever_repository_they_are_linked(store: Store, tmp_path: Path) -> None:
    owner = store.repository("b")
    layer = owner.layer("layer")
    child = owner.image(layer)
    store.repository("a").index(child, tag="sparse")
    owner.index(child, tag="whole")
    Both(store, tmp_path, 3, UNTAGGED).they_lose(layer.digest)


@shows("children-elsewhere")
@pytest.mark.parametrize("major", [2, 3])
def test_a_child_deleted_through_the_api_stays_with_its_index(store: Store, tmp_path: Path, major: int) -> None:
    repository = store.repository("app")
    layer = repository.layer("layer")
    child = repository.image(layer)
    repository.index(child, tag="latest")
    repository.delete_manifest(child)
    Both(store, tmp_path, major).they_lose(layer.digest)


@shows("tags-are-roots")
@pytest.mark.parametrize("major", [2, 3])
def test_a_tag_protects_a_manifest_whose_link_is_missing(store: Store, tmp_path: Path, major: int) -> None:
    repository = store.repository("app")
    manifest = repository.image("layer", tag="latest")
    store.remove(repository.revision_path(manifest.digest))
    Both(store, tmp_path, major).they_lose(manifest.digest)


@shows("tag-without-link")
@pytest.mark.parametrize("major", [2, 3])
def test_a_tag_that_lost_its_link_keeps_its_history(store: Store, tmp_path: Path, major: int) -> None:
    repository = store.repository("app")
    manifest = repository.image("layer", tag="latest")
    repository.image("other", tag="other")
    store.remove(repository.tag_path("latest"))
    Both(store, tmp_path, major, UNTAGGED).they_lose(manifest.digest)


@shows("referrers")
@pytest.mark.parametrize("major", [2, 3])
def test_a_referrer_lives_with_its_subject(store: Store, tmp_path: Path, major: int) -> None:
    repository = store.repository("app")
    image = repository.image("layer", tag="latest")
    signature = repository.image("signature", subject=image)
    Both(store, tmp_path, major, UNTAGGED).they_lose(signature.digest)


@shows("referrers")
@pytest.mark.parametrize("major", [2, 3])
def test_a_subject_lives_with_its_referrer(store: Store, tmp_path: Path, major: int) -> None:
    repository = store.repository("app")
    image = repository.image("layer")
    repository.image("signature", subject=image, tag="signature")
    Both(store, tmp_path, major, UNTAGGED).they_lose(image.digest)


@shows("no-tags-directory")
def test_a_repository_without_tags_directory_keeps_its_manifests(store: Store, tmp_path: Path) -> None:
    repository = store.repository("app")
    manifest = repository.image("layer")
    store.remove(repository.path("_manifests/tags"))
    both = Both(store, tmp_path, 3, UNTAGGED)
    both.they_lose(manifest.digest)
    assert "manifest tags path of repository app does not exist" in both.ours.stdout


@shows("no-tags-directory")
def test_a_repository_without_tags_directory_ends_2_8(store: Store, tmp_path: Path) -> None:
    repository = store.repository("app")
    repository.image("layer")
    store.remove(repository.path("_manifests/tags"))
    assert not Both(store, tmp_path, 2, UNTAGGED).they_fail("failed to retrieve tags").blobs


@shows("liveness-is-global")
def test_an_untagged_manifest_that_another_repository_tags_keeps_its_link(store: Store, tmp_path: Path) -> None:
    repository, other = store.repository("a"), store.repository("z")
    manifest = repository.image("layer", config="config")
    other.image("layer", config="config", tag="latest")
    both = Both(store, tmp_path, 2, UNTAGGED)
    assert both.theirs.revisions()[manifest.digest] == 1
    assert not both.ours.manifests


def test_a_manifest_is_marked_in_the_repository_that_tags_it_only(store: Store, tmp_path: Path) -> None:
    """No deviation: 3.x keeps the untagged link for the tag elsewhere, and has no line for it."""
    store.repository("a").image("layer", config="config")
    store.repository("z").image("layer", config="config", tag="latest")
    both = Both(store, tmp_path, 3, UNTAGGED)
    assert both.ours.marking == both.theirs.marking
    assert not both.ours.manifests


@shows("layer-links-last")
def test_a_layer_link_stays_where_a_later_repository_needs_the_layer(store: Store, tmp_path: Path) -> None:
    unused = store.repository("a").layer("layer")
    store.repository("b").image("layer", tag="latest")
    both = Both(store, tmp_path, 3)
    assert ("a", unused.digest) in both.theirs.layer_links
    assert not both.ours.layer_links


@shows("sha512-layers")
@pytest.mark.parametrize("major", [2, 3])
def test_a_layer_pushed_by_its_sha512_is_live(store: Store, tmp_path: Path, major: int) -> None:
    repository = store.repository("app")
    repository.image(repository.layer_by_sha512("layer"), tag="latest")
    Both(store, tmp_path, major).they_lose(documents.digest_of(b"layer"))


@shows("damage-keeps")
@pytest.mark.parametrize("major", [2, 3])
def test_a_tag_whose_manifest_is_gone_keeps_what_its_repository_links(store: Store, tmp_path: Path, major: int) -> None:
    repository = store.repository("app")
    manifest = repository.image("layer", tag="latest")
    store.remove_blob(manifest.digest)
    ours = Both(store, tmp_path, major).they_lose(documents.digest_of(b"layer"))
    assert ours.exit_code == 3
    assert "app" in ours.stderr


@shows("damage-keeps")
@pytest.mark.parametrize("major", [2, 3])
def test_an_untagged_manifest_that_is_cut_off_keeps_what_its_repository_links(
    store: Store, tmp_path: Path, major: int
) -> None:
    repository = store.repository("app")
    repository.image("other", tag="other")
    manifest = repository.image("layer")
    store.files[blob_path(manifest.digest)] = store.files[blob_path(manifest.digest)][:-40]
    ours = Both(store, tmp_path, major, UNTAGGED).they_lose(documents.digest_of(b"layer"))
    assert ours.exit_code == 3
    assert not ours.manifests


@shows("damage-keeps")
@pytest.mark.parametrize("major", [2, 3])
def test_an_empty_tag_link_does_not_end_the_run(store: Store, tmp_path: Path, major: int) -> None:
    repository = store.repository("app")
    repository.image("layer", tag="latest")
    store.put(repository.tag_path("latest"), b"")
    ours = Both(store, tmp_path, major, UNTAGGED).they_fail("invalid checksum digest format")
    assert ours.exit_code == 3
    assert not ours.blobs


@shows("unreadable-manifest-links")
@pytest.mark.parametrize("major", [2, 3])
@pytest.mark.parametrize("content", [b"", b"nonsense", b"sha256:" + b"0" * 64 + b"\n"])
def test_the_path_of_a_manifest_link_counts(store: Store, tmp_path: Path, major: int, content: bytes) -> None:
    repository = store.repository("app")
    manifest = repository.image("layer")
    store.put(repository.revision_path(manifest.digest), content)
    ours = Both(store, tmp_path, major).they_fail("")
    assert ours.exit_code == 0
    assert not ours.blobs


@shows("unknown-documents")
@pytest.mark.parametrize("major", [2, 3])
def test_a_media_type_that_nobody_knows_keeps_all_digests_in_it(store: Store, tmp_path: Path, major: int) -> None:
    repository = store.repository("app")
    repository.manifest(documents.artifact([repository.layer("sbom")]), tag="sbom")
    ours = Both(store, tmp_path, major).they_fail("failed to garbage collect")
    assert ours.exit_code == 0
    assert not ours.blobs


@shows("unknown-documents")
@pytest.mark.parametrize("major", [2, 3])
def test_a_key_that_nobody_knows_makes_a_document_unknown(store: Store, tmp_path: Path, major: int) -> None:
    repository = store.repository("app")
    extension = repository.layer("extension")
    document = documents.image(repository.layer("config"), [])
    repository.manifest(document | {"extensions": [extension.document()]}, tag="latest")
    Both(store, tmp_path, major).they_lose(extension.digest)


@shows("schema1")
def test_schema1_is_read(store: Store, tmp_path: Path) -> None:
    store.repository("app").schema1("one", "two", tag="latest")
    ours = Both(store, tmp_path, 3).they_fail("unrecognized manifest schema version 1")
    assert ours.exit_code == 0
    assert not ours.blobs


@shows("empty-registry")
@pytest.mark.parametrize("major", [2, 3])
def test_a_new_registry_has_nothing_to_collect(tmp_path: Path, major: int) -> None:
    both = Both(Store(directories=set()), tmp_path, major)
    (tmp_path / "storage").mkdir(exist_ok=True)
    ours = run_regsweep(both.root, "--dry-run")
    assert both.theirs.exit_code == 1
    assert (ours.exit_code, ours.summary) == (0, "0 blobs marked, 0 blobs and 0 manifests eligible for deletion")


@shows("missing-directories")
def test_2_8_loses_a_repository_without_layers_directory(store: Store, tmp_path: Path) -> None:
    repository = store.repository("app")
    manifest = repository.image("layer", tag="latest")
    store.remove(repository.path("_layers"))
    Both(store, tmp_path, 2).they_lose(manifest.digest)


@shows("missing-directories")
def test_3_x_ends_at_a_repository_without_layers_directory(store: Store, tmp_path: Path) -> None:
    repository = store.repository("app")
    repository.image("layer", tag="latest")
    store.remove(repository.path("_layers"))
    assert not Both(store, tmp_path, 3).they_fail("_layers").blobs


@shows("stray-files")
@pytest.mark.parametrize("major", [2, 3])
@pytest.mark.parametrize("path", ["blobs/md5/ab/abc/data", "blobs/sha256/a/b/data", "blobs/sha256/ab/short/data"])
def test_stray_blobs_are_reported_and_left(store: Store, tmp_path: Path, major: int, path: str) -> None:
    store.repository("app").image("layer", tag="latest")
    store.put(path, b"stray")
    ours = Both(store, tmp_path, major).they_fail("")
    assert ours.exit_code == 0
    assert "note:" in ours.stderr


@shows("dangling-layer-links")
@pytest.mark.parametrize("major", [2, 3])
def test_a_layer_link_whose_blob_is_gone_is_swept(store: Store, tmp_path: Path, major: int) -> None:
    repository = store.repository("app")
    repository.image("layer", tag="latest")
    gone = absent("gone")
    repository.link_layer(gone)
    both = Both(store, tmp_path, major)
    assert both.theirs.layer_links == set()
    assert both.ours.layer_links == ({("app", gone.digest)} if major == 3 else set())
    assert run_regsweep(both.root).exit_code == 0
    assert repository.layer_path(gone.digest) not in below(both.root)


@shows("dangling-manifest-links")
@pytest.mark.parametrize("major", [2, 3])
def test_a_manifest_link_whose_manifest_is_gone_is_swept_with_the_untagged(
    store: Store, tmp_path: Path, major: int
) -> None:
    repository = store.repository("app")
    repository.image("layer", tag="latest")
    gone = absent("gone", documents.OCI_MANIFEST)
    repository.link(gone)
    both = Both(store, tmp_path, major, UNTAGGED)
    assert both.theirs.exit_code == 0
    assert not both.theirs.manifests
    assert both.ours.revisions() == {gone.digest: 1}
    assert not run_regsweep(both.root, "--dry-run").manifests


@shows("compat-2-layer-links", "no-log-lines")
def test_with_the_lines_of_2_8_layer_links_go_without_a_line(store: Store, tmp_path: Path) -> None:
    repository = store.repository("app")
    repository.image("layer", tag="latest")
    unused = repository.layer("unused")
    root = store.write(tmp_path / "storage")
    ours = run_regsweep(root, "--compat=2")
    assert (ours.exit_code, ours.blobs, ours.layer_links) == (0, {unused.digest}, set())
    assert repository.layer_path(unused.digest) not in below(root)
    assert "Deleting" not in ours.stderr


@shows("emptied-directories")
def test_the_directory_of_a_removed_layer_link_stays_and_those_of_manifests_and_blobs_go(
    store: Store, tmp_path: Path
) -> None:
    repository = store.repository("app")
    repository.image("layer", tag="latest")
    layer = repository.layer("old layer")
    old = repository.image(layer, tag="latest")
    repository.image("layer", tag="latest")
    root = store.write(tmp_path / "storage")
    assert run_regsweep(root, UNTAGGED).exit_code == 0
    left = below(root)
    assert repository.layer_path(layer.digest).removesuffix("/link") in left
    for gone in (
        repository.revision_path(old.digest).removesuffix("/link"),
        repository.history_path("latest", old.digest).removesuffix("/link"),
        blob_path(old.digest).removesuffix("/data"),
    ):
        assert gone not in left
    assert blob_path(old.digest).rsplit("/", 2)[0] in left


@shows("written-meanwhile")
def test_what_is_written_after_the_run_began_is_left_alone(store: Store, tmp_path: Path) -> None:
    store.repository("app").image("layer", tag="latest")
    pushed = store.blob("pushed when everything was marked")
    store.age(-3600, blob_path(pushed.digest))
    Both(store, tmp_path, 3).they_lose(pushed.digest)


@shows("order-of-lines")
def test_two_runs_print_the_same(store: Store, tmp_path: Path) -> None:
    for number in range(30):
        store.blob(f"orphan {number}")
        store.repository(f"r{number % 3}").layer(f"unused {number}")
    root = store.write(tmp_path / "storage")
    first, second = (run_regsweep(root, "-d", "--override=nothing-marked").stdout for _ in range(2))
    lines = first.splitlines()
    assert first == second
    assert [line for line in lines if line.startswith("blob ")] == sorted(
        run for run in lines if run.startswith("blob ")
    )


@shows("unknown-flags")
def test_an_unknown_flag_is_an_error(store: Store, tmp_path: Path) -> None:
    both = Both(store, tmp_path, 3, "--no-such-flag")
    assert both.theirs.exit_code == 0
    assert both.ours.exit_code == 2


@shows("guards")
def test_a_store_in_which_nothing_is_marked_is_not_wiped(store: Store, tmp_path: Path) -> None:
    orphan = store.blob("the repositories are on another volume")
    root = store.write(tmp_path / "storage")
    before = snapshot(root)
    assert run_reference(3, root, "--dry-run").blobs == {orphan.digest}
    assert run_regsweep(root).exit_code == 4
    assert snapshot(root) == before


def below(root: Path) -> set[str]:
    return {path.removeprefix("docker/registry/v2/") for path in snapshot(root)}
