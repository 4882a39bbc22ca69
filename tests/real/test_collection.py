"""Both registries, filled by skopeo, umoci and oras, collected by regsweep: what has to stay can be pulled again."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.reference import run_reference
from support.registry import NotThere
from support.scenario import REFERRERS, UNTAGGED, layer_links_among, stored_blobs
from support.store_builder import snapshot

from real.conftest import Collected, Pushed


def test_the_clients_left_what_the_scenario_says(pushed: Pushed) -> None:
    scenario = pushed.scenario
    everything = scenario.living(delete_untagged=False).union(*(image.digests for image in scenario.deleted.values()))
    assert stored_blobs(pushed.root) == everything
    for delete_untagged in (False, True):
        assert everything - scenario.living(delete_untagged=delete_untagged)
    assert None not in [content for image in scenario.kept.values() for content in image.contents.values()]


def test_collection_is_done_without_complaint(collected: Collected) -> None:
    run = collected.run
    assert run.exit_code == 0, run.stderr
    assert "freed" in run.stderr
    assert "warning" not in run.stderr


def test_running_registry_goes_on_giving_every_tag(collected: Collected) -> None:
    assert collected.pulled_meanwhile == collected.pushed.scenario.pulled


def test_every_remaining_tag_is_pulled_as_before(collected: Collected) -> None:
    pushed = collected.pushed
    with pushed.server(collected.root) as server:
        assert server.registry.pull_everything() == pushed.scenario.pulled


def test_skopeo_pulls_what_remains(collected: Collected) -> None:
    pushed = collected.pushed
    with pushed.server(collected.root) as server:
        for name in ("one", "two", "new", "multi", "mounted", "signed"):
            image = pushed.scenario.kept[name]
            pulled = pushed.clients.pull(server.registry.address, f"{image.repository}@{image.digest}")
            # Converted to an image layout, manifests of Docker's own types become others; layers stay what they are.
            layers = {digest: content for digest, content in image.contents.items() if content is not None}
            if name != "two":
                assert layers.items() <= pulled.items()
            assert len(pulled) >= len(layers)


def test_what_has_no_tag_resolves_by_digest(collected: Collected) -> None:
    """Children of indexes, artifacts of tagged subjects; in plain mode whatever was not deleted."""
    scenario = collected.pushed.scenario
    with collected.pushed.server(collected.root) as server:
        for name, image in scenario.images(delete_untagged=collected.delete_untagged).items():
            assert server.registry.pull(image.repository, image.digest) == image.contents, name
        for child in scenario.children["multi"]:
            assert server.registry.pull("team/multi", child).items() <= scenario.kept["multi"].contents.items()


def test_exactly_the_garbage_is_gone_from_the_disk(collected: Collected) -> None:
    living = collected.pushed.scenario.living(delete_untagged=collected.delete_untagged)
    assert stored_blobs(collected.root) == living
    assert collected.run.blobs == stored_blobs(collected.pushed.root) - living


def test_registry_no_longer_knows_deleted_images(collected: Collected) -> None:
    scenario = collected.pushed.scenario
    living = scenario.living(delete_untagged=collected.delete_untagged)
    gone = scenario.collected(delete_untagged=collected.delete_untagged)
    assert {"gone", "recalled"} <= set(gone)
    with collected.pushed.server(collected.root) as server:
        for image in gone.values():
            with pytest.raises(NotThere):
                server.registry.manifest(image.repository, image.digest)
            for digest in image.digests - living:
                assert not server.registry.has_blob(image.repository, digest)


def test_layer_links_of_deleted_images_are_gone(collected: Collected) -> None:
    """The registry stats links, not blobs, before it answers a mount: a link that stays is a lie."""
    scenario = collected.pushed.scenario
    living = scenario.living(delete_untagged=collected.delete_untagged)
    links = {
        scenario.stored_as.get(digest, digest)
        for digest in layer_links_among(str(path) for path in collected.root.rglob("link"))
    }
    assert links
    assert links <= living


def test_second_run_finds_nothing(collected: Collected) -> None:
    before = snapshot(collected.root)
    again = collected.pushed.collect(collected.config, *collected.flags)
    assert again.exit_code == 0, again.stderr
    assert again.summary.endswith(", 0 blobs and 0 manifests eligible for deletion")
    assert not again.blobs
    assert not again.layer_links
    assert snapshot(collected.root) == before


def test_reference_afterwards_finds_only_what_it_gets_wrong(collected: Collected) -> None:
    """Nothing more, but for documented deviations: sha512-layers, referrers, index-children (2.8), layer-links-last."""
    major, scenario = collected.pushed.major, collected.pushed.scenario
    flags = ["--dry-run", *collected.flags]
    theirs = run_reference(major, collected.root, *flags)
    assert theirs.exit_code == 0, theirs.stderr
    assert theirs.blobs == scenario.lost_by_reference(major, delete_untagged=collected.delete_untagged)
    untagged = {scenario.kept[name].digest for name in REFERRERS} if collected.delete_untagged else set()
    if major == 2 and collected.delete_untagged:
        untagged = untagged.union(*scenario.children.values())
    assert set(theirs.revisions()) == untagged
    for repository, digest in theirs.layer_links:
        # Judged before the walk comes to a later repository, which is what keeps it.
        early = any(digest in image.digests for image in scenario.kept.values() if image.repository > repository)
        assert early or digest in theirs.blobs or digest in scenario.stored_as


@pytest.mark.parametrize("delete_untagged", [False, True])
def test_dry_run_says_the_same_and_changes_nothing(pushed: Pushed, tmp_path: Path, delete_untagged: bool) -> None:
    root = pushed.copy(tmp_path)
    flags = ["--delete-untagged"] * delete_untagged
    before = snapshot(root)
    with pushed.server(root, read_only=True) as server:
        dry = pushed.collect(server.config, "--dry-run", *flags)
        assert dry.exit_code == 0, dry.stderr
        assert "would free" in dry.stderr
        assert snapshot(root) == before
        assert pushed.collect(server.config, *flags).stdout == dry.stdout


def test_deleted_images_can_be_pushed_again(pushed: Pushed, tmp_path: Path) -> None:
    """A client asks what is there before it uploads: what was collected must not seem to be."""
    root = pushed.copy(tmp_path)
    with pushed.server(root, read_only=True) as server:
        run = pushed.collect(server.config, "--delete-untagged")
        assert run.exit_code == 0, run.stderr
    scenario = pushed.scenario
    with pushed.server(root) as server:
        for name, layout_name in [("gone", "gone"), ("overwritten", "old"), ("recalled", "recalled")]:
            image = (scenario.deleted | scenario.kept)[name]
            pushed.clients.push(layout_name, server.registry.address, f"{image.repository}:again-{layout_name}")
            assert server.registry.pull(image.repository, f"again-{layout_name}") == image.contents
        assert {name: pulled for name, pulled in server.registry.pull_everything().items() if "again" not in name} == (
            scenario.pulled
        )


def test_overwritten_tag_is_kept_by_its_link_alone(pushed: Pushed) -> None:
    """What `UNTAGGED` promises: no tag leads there."""
    tagged = {digest for contents in pushed.scenario.pulled.values() for digest in contents}
    for name in {*UNTAGGED, *REFERRERS} & pushed.scenario.kept.keys():
        assert pushed.scenario.kept[name].digest not in tagged
