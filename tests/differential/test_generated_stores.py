"""The stores that benchmarks use: what their generator foretells, the oracle, both references and regsweep agree."""

from __future__ import annotations

import json
from pathlib import Path

import deviations
import pytest
from support import oracle
from support.reference import run_reference, run_regsweep

from regsweep import _core

# Without what the references get wrong, and with all of it.
PLAIN: dict[str, float] = {
    "repositories": 3,
    "images": 12,
    "layers": 4,
    "orphans": 10,
    "referrers": 0,
    "dangling": 0,
    "shared": 0.0,
}
RICH: dict[str, float] = {"repositories": 4, "images": 12, "layers": 5, "orphans": 10, "sha512": 2}


@pytest.mark.parametrize("options", [PLAIN, RICH], ids=["plain", "rich"])
@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("delete_untagged", [False, True])
def test_generator_oracle_and_collectors_agree(
    tmp_path: Path, options: dict[str, float], seed: int, delete_untagged: bool
) -> None:
    root = tmp_path / "storage"
    made = json.loads(_core.generate_store(str(root), json.dumps({**options, "seed": seed})))
    expected = oracle.judge(root, delete_untagged=delete_untagged)
    assert len(expected.stored) == made["blobs"]
    assert len(expected.blobs) == made["eligible_untagged" if delete_untagged else "eligible_plain"]
    assert len(expected.revisions) == (made["eligible_revisions"] if delete_untagged else 0)

    flags = ["--dry-run", *["--delete-untagged"] * delete_untagged]
    ours = run_regsweep(root, *flags)
    assert ours.exit_code == 0, ours.stderr
    assert (ours.blobs, ours.layer_links) == (expected.blobs, expected.layer_links)
    for major in (2, 3):
        theirs = run_reference(major, root, *flags)
        assert theirs.exit_code == 0, theirs.stderr
        assert ours.blobs <= theirs.blobs
        if not deviations.applying(root, major, delete_untagged=delete_untagged):
            assert run_regsweep(root, *flags, f"--compat={major}").normal() == theirs.normal()
