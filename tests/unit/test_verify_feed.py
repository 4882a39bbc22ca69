"""Handing out blobs: whatever happens and wherever a run ends, no blob counts as verified that is not."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from regsweep.verify.feed import Blob, Feed, Position

# A pass that began at second 1000: what was written then or later may have been replaced since.
BEGUN = 1000.0


class Shelf:
    """Blobs in batches, as the core gives them."""

    def __init__(self, batches: list[list[Blob]]) -> None:
        self._batches = batches

    @property
    def batch_count(self) -> int:
        return len(self._batches)

    def batch(self, number: int) -> list[tuple[str, int, int]]:
        return [(blob.digest, blob.size_bytes, blob.modified) for blob in self._batches[number]]


def shelf(count: int, *, modified: int = 10) -> Shelf:
    blobs = [Blob(f"sha256:{number:064x}", 100, modified) for number in range(count)]
    return Shelf([blobs[start : start + 3] for start in range(0, count, 3)])


def all_of(feed: Feed) -> list[Blob]:
    taken = []
    while (blob := feed.take()) is not None:
        taken.append(blob)
        feed.verified(blob)
    return taken


def test_blobs_come_once_each_in_the_order_of_their_digests() -> None:
    taken = all_of(Feed(shelf(10), Position(), BEGUN))
    assert [blob.digest for blob in taken] == [f"sha256:{number:064x}" for number in range(10)]


def test_what_a_thread_has_in_hand_is_not_verified() -> None:
    feed = Feed(shelf(5), Position(), BEGUN)
    in_hand = [blob for blob in (feed.take(), feed.take(), feed.take()) if blob is not None]
    feed.verified(in_hand[1])
    assert feed.position() == Position(in_hand[2].digest, frozenset({in_hand[0].digest, in_hand[2].digest}))
    resumed = Feed(shelf(5), feed.position(), BEGUN)
    assert [blob.digest[-1] for blob in all_of(resumed)] == ["0", "2", "3", "4"]
    assert (resumed.skipped_count, resumed.skipped_bytes) == (1, 100)


def test_what_was_found_wrong_is_checked_by_every_run() -> None:
    position = Position()
    for _ in range(3):
        feed = Feed(shelf(5), position, BEGUN)
        checked = []
        while (blob := feed.take()) is not None:
            checked.append(blob.digest[-1])
            if blob.digest[-1] != "2":
                feed.verified(blob)
        assert "2" in checked
        position = feed.position()
    assert checked == ["2"]


def test_what_was_written_since_the_pass_began_is_checked_again() -> None:
    position = Position(f"sha256:{9:064x}")
    assert all_of(Feed(shelf(5, modified=999), position, BEGUN)) == []
    assert len(all_of(Feed(shelf(5, modified=1000), position, BEGUN))) == 5


def test_algorithms_follow_each_other_by_name() -> None:
    digests = [f"sha256:{9:064x}", f"sha384:{5:096x}", f"sha512:{1:0128x}"]
    mixed = Shelf([[Blob(digest, 1, 10)] for digest in digests])
    feed = Feed(mixed, Position(digests[1]), BEGUN)
    assert [blob.digest for blob in all_of(feed)] == digests[2:]


@given(st.data())
def test_wherever_runs_end_everything_is_verified_in_the_end(data: st.DataObject) -> None:
    count = data.draw(st.integers(0, 12), label="blobs")
    verified: set[str] = set()
    position = Position()
    for _ in range(data.draw(st.integers(0, 4), label="interrupted runs")):
        feed = Feed(shelf(count), position, BEGUN)
        in_hand: list[Blob] = []
        saved, verified_then = feed.position(), set(verified)
        for step in data.draw(st.lists(st.sampled_from(["take", "verify", "wrong", "save"]), max_size=30)):
            if step == "take" and (blob := feed.take()) is not None:
                in_hand.append(blob)
            elif step == "verify" and in_hand:
                blob = in_hand.pop(data.draw(st.integers(0, len(in_hand) - 1)))
                feed.verified(blob)
                verified.add(blob.digest)
            elif step == "wrong" and in_hand:
                in_hand.pop()
            elif step == "save":
                saved, verified_then = feed.position(), set(verified)
        # Killed here: only what was saved is known, and only what had been verified by then counts.
        position, verified = saved, verified_then
    checked = {blob.digest for blob in all_of(Feed(shelf(count), position, BEGUN))}
    assert checked | verified == {f"sha256:{number:064x}" for number in range(count)}
