"""`pip install .` from a clean checkout, and from the source distribution."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What git has, and nothing that lies about in the working tree."""
    path = tmp_path_factory.mktemp("packaging") / "checkout"
    path.mkdir()
    # The files of the working tree that git tracks: what is being tested, committed or not.
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True).stdout
    present = b"\0".join(name for name in names.split(b"\0") if name and (ROOT / os.fsdecode(name)).exists())
    archive = subprocess.run(
        ["tar", "--null", "-T", "-", "-c"], cwd=ROOT, input=present, check=True, capture_output=True
    ).stdout
    subprocess.run(["tar", "-x"], cwd=path, input=archive, check=True)
    return path


def install_and_run(source: Path, directory: Path) -> str:
    """Installs into a fresh virtual environment; gives back what the command says of its version."""
    environment = {
        **os.environ,
        # Compiled crates may be shared with the working tree: the sources are not.
        "CARGO_TARGET_DIR": os.environ.get("CARGO_TARGET_DIR", str(ROOT / "target")),
    }
    subprocess.run([sys.executable, "-m", "venv", directory], check=True)
    python = directory / "bin" / "python"
    subprocess.run(
        [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", str(source)],
        check=True,
        env=environment,
    )
    script = subprocess.run([directory / "bin" / "regsweep", "--version"], check=True, capture_output=True, text=True)
    module = subprocess.run([python, "-m", "regsweep", "--version"], check=True, capture_output=True, text=True)
    assert script.stdout == module.stdout
    return script.stdout


def test_pip_installs_a_clean_checkout(checkout: Path, tmp_path: Path) -> None:
    assert install_and_run(checkout, tmp_path / "venv").startswith("regsweep, version ")


def test_pip_installs_the_source_distribution(checkout: Path, tmp_path: Path) -> None:
    subprocess.run([SCRIPTS / "maturin", "sdist", "--out", tmp_path / "dist"], cwd=checkout, check=True)
    (sdist,) = (tmp_path / "dist").glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"LICENSE", "Cargo.lock", "PKG-INFO", "rust/core/Cargo.toml"} <= names
    assert install_and_run(sdist, tmp_path / "venv").startswith("regsweep, version ")


SCRIPTS = Path(sys.executable).parent
