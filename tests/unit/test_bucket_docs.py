"""``docs/buckets.md`` shows the tables that the code goes by."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from regsweep.bucket import azure_parameters, azure_url, gcs_parameters, gcs_url, s3_parameters, s3_url

PAGE = (Path(__file__).parents[2] / "docs/buckets.md").read_text()


@pytest.mark.parametrize(
    ("heading", "module"),
    [("### `s3`, `s3aws`", s3_parameters), ("### `gcs`", gcs_parameters), ("### `azure`", azure_parameters)],
)
def test_the_page_says_what_is_done_with_every_parameter(heading: str, module: Any) -> None:
    section = PAGE.partition(f"{heading}\n")[2].partition("\n#")[0]
    rows = [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in section.splitlines() if "|" in line]
    assert rows[2:] == [(f"`{name}`", use, why) for name, (use, why) in module.PARAMETERS.items()]


def test_the_page_names_every_parameter_of_a_url() -> None:
    table = PAGE.partition("| parameter | for |")[2].partition("\n\n")[0]
    named = {line.split("`")[1] for line in table.splitlines() if line.startswith("| `")}
    assert named == s3_url.QUERY | gcs_url.QUERY | azure_url.QUERY
