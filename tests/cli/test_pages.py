"""The examples in Python on the pages about commands run as they stand."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.store_builder import Store, write_config

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("page", ["uploads", "verify"])
def test_the_example_of_a_page_runs(page: str, tmp_path: Path) -> None:
    store = Store()
    store.repository("team/app").image("layer", tag="1.0")
    root = store.write(tmp_path / "storage")
    (example,) = re.findall(r"```python\n(.*?)```", (DOCS / f"{page}.md").read_text(), re.DOTALL)
    example = example.replace("/etc/docker/registry/config.yml", str(write_config(tmp_path, root)))
    example = example.replace("/var/lib/registry", str(root))
    done = subprocess.run([sys.executable, "-c", example], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
