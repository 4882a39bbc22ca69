"""The real registries agree with ``configurations.py``: which files and environments they take, and what root results.

Each case is one dry run of a registry's own collector over two roots that hold one repository each; the first line of
its output is the repository's name, and so tells the root.
"""

import subprocess
from pathlib import Path

import pytest
from configurations import ENVIRONMENT, FILES, Case
from support.programs import find_registry

ROOTS = ("AA", "BB", "493", "true")
MAJORS = {"2.8.2": 2, "3.1.2": 3}


CASES = [
    pytest.param(version, case, id=f"{version}-{name}")
    for version in MAJORS
    for name, case in [*FILES.items(), *((f"env-{name}", case) for name, case in ENVIRONMENT.items())]
    if version != "2.8.2" or not case.only_3
]


@pytest.fixture(scope="module")
def roots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("roots")
    for root in ROOTS:
        storage = directory / root / "docker/registry/v2"
        for part in ("_layers", "_manifests/revisions", "_manifests/tags"):
            (storage / "repositories" / root.lower() / part).mkdir(parents=True)
        (storage / "blobs").mkdir()
    return directory


@pytest.mark.parametrize(("version", "case"), CASES)
def test_the_registry_sees_the_configuration_as_the_table_says(
    version: str, case: Case, roots: Path, tmp_path: Path
) -> None:
    program = find_registry(MAJORS[version])
    file = tmp_path / "config.yml"
    file.write_text(case.text, newline="")
    run = subprocess.run(
        [program, "garbage-collect", "-d", str(file)],
        cwd=roots,  # the roots of the table are relative
        env={"PATH": "/usr/bin", "OTEL_TRACES_EXPORTER": "none", **case.environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    if case.expected is None:
        assert run.returncode != 0
    else:
        assert (run.returncode, run.stdout.split("\n")[0]) == (0, case.expected.lower()), run.stderr
