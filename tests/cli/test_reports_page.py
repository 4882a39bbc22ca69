"""``docs/reports.md`` names what there is, and its example runs."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib import resources
from pathlib import Path

from command import run
from prometheus_client.parser import text_string_to_metric_families
from tiny_store import TinyStore

from regsweep import _core, exit_codes

PAGE = (Path(__file__).parents[2] / "docs" / "reports.md").read_text()


def metrics_of_a_run_with_everything(directory: Path) -> set[str]:
    """Every metric that there is: those of runs and those of plans."""
    store = TinyStore(directory / "store")
    store.image("team/app", "v1", [b"tagged"])
    store.image("team/app", None, [b"untagged"])
    names: set[str] = set()
    for command in (("run", "--settle", "0", "--delete-untagged"), ("report",)):
        file = directory / "regsweep.prom"
        done = run(command[0], str(store.root), *command[1:], "--prometheus", str(file))
        assert done.returncode == 0, done.stderr
        families = list(text_string_to_metric_families(file.read_text()))
        names |= {family.name + ("_total" if family.type == "counter" else "") for family in families}
    return names


def named_on_the_page() -> set[str]:
    """``regsweep_plan_…`` beside ``regsweep_run_x`` is ``regsweep_plan_x``."""
    names: set[str] = set()
    for line in re.findall(r"^\| (`regsweep_.*?) \|", PAGE, re.MULTILINE):
        first, *others = re.findall(r"`(\w+…?)`", line)
        names |= {first, *(other.replace("_…", first.removeprefix("regsweep_run")) for other in others)}
    return names


def test_all_metrics_are_on_the_page_and_no_other(tmp_path: Path) -> None:
    assert named_on_the_page() == metrics_of_a_run_with_everything(tmp_path)


def test_alerts_are_about_metrics_that_there_are() -> None:
    (block,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    assert _core.compose_yaml(block.encode()) is not None, "it is YAML"
    expressions = re.findall(r"expr: (.*)", block)
    assert len(expressions) == block.count("- alert: ") > 0
    assert {name for one in expressions for name in re.findall(r"regsweep_\w+", one)} <= named_on_the_page()


def test_all_exit_codes_are_on_the_page() -> None:
    assert {int(code) for code in re.findall(r"^\| (\d+) \|", PAGE, re.MULTILINE)} == set(exit_codes.MEANINGS)


def test_all_members_of_the_json_are_on_the_page() -> None:
    schema = json.loads(resources.files("regsweep").joinpath("schema/report-1.schema.json").read_text())
    (table,) = re.findall(r"\| member \| what \|\n(.*?)\n\n", PAGE, re.DOTALL)
    members = {name for line in table.splitlines() for name in re.findall(r"`(\w+)`", line.split("|")[1])}
    assert members == set(schema["properties"])


def test_the_python_example_runs(tmp_path: Path) -> None:
    store = TinyStore(tmp_path / "store")
    store.image("team/app", "v1", [b"tagged"])
    store.blob(b"orphan")
    plan = tmp_path / "tonight.plan"
    assert run("plan", str(store.root), "--output", str(plan)).returncode == 0
    (example,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    example = example.replace("/var/lib/registry", str(store.root))
    done = subprocess.run(
        [sys.executable, "-c", example], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert "Would free 6 B" in done.stdout
    assert (tmp_path / "report.html").read_text().startswith("<!doctype html>")
