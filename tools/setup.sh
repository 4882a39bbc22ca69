#!/usr/bin/env bash
# Makes a virtual environment with what development needs: from pyproject.toml the dependencies, the "dev" group, and
# the "bench" extra, which draws plots and which type checks look into.
set -euo pipefail
venv=$1

python=
for candidate in python3 python3.14 python3.13 python3.12 python3.11; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        python=$candidate
        break
    fi
done
if [ -z "$python" ]; then
    echo "regsweep needs Python 3.11 or later" >&2
    exit 1
fi
if ! command -v cargo >/dev/null; then
    echo "regsweep needs a Rust toolchain (1.88 or later) to build" >&2
    exit 1
fi
# A minimal toolchain comes without what `make lint` calls.
if command -v rustup >/dev/null && ! { cargo clippy --version && cargo fmt --version; } >/dev/null 2>&1; then
    rustup --quiet component add clippy rustfmt
fi

if ! "$python" -m venv "$venv" 2>/dev/null; then
    # Debian keeps ensurepip in a package of its own.
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        echo "$python cannot make virtual environments (Debian: apt-get install python3-venv)" >&2
        exit 1
    fi
    apt-get -qq update
    DEBIAN_FRONTEND=noninteractive apt-get -qq install -y python3-venv >/dev/null
    "$python" -m venv --clear "$venv"
fi
"$venv/bin/python" -m pip install --quiet --upgrade 'pip>=25.1'
"$venv/bin/python" - >"$venv/requirements.txt" <<'PY'
import tomllib

with open("pyproject.toml", "rb") as file:
    project = tomllib.load(file)
extras = project["project"]["optional-dependencies"]
print("\n".join(project["project"]["dependencies"] + extras["bench"] + project["dependency-groups"]["dev"]))
PY
"$venv/bin/python" -m pip install --quiet --requirement "$venv/requirements.txt"
