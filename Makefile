# Everything a person or CI does here. `make demo` and `make test` need nothing but Python, a Rust toolchain and,
# for all of the tests, root on a Debian with apt, Go, and npm.

VENV := .venv
PYTHON := $(VENV)/bin/python
TOOLS := $(CURDIR)/.tools/bin
export PATH := $(CURDIR)/$(VENV)/bin:$(TOOLS):$(PATH)
export OTEL_TRACES_EXPORTER := none

.PHONY: help setup build servers demo test lint test-rust test-python bench fuzz wheel sdist clean

help: ## what can be made
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 14

$(VENV)/.ready: pyproject.toml tools/setup.sh
	tools/setup.sh $(VENV)
	@touch $@

setup: $(VENV)/.ready ## a virtual environment with all that development needs

build: setup ## the extension, optimised, installed into the virtual environment
	@PIP_QUIET=1 maturin develop --release --quiet

servers: ## the registries, object stores and clients that the tests run against
	@tools/install-servers.sh $(TOOLS)

demo: build ## set up, build, and collect a sample store
	@tools/demo.sh

test: build servers lint test-rust test-python ## everything
	@tools/left-out.sh

lint: build ## formatters, linters, type checks, stub check
	cargo fmt --all --check
	cargo clippy --quiet --workspace --all-targets -- -D warnings
	ruff check --quiet .
	ruff format --quiet --check .
	mypy
	python -m mypy.stubtest --mypy-config-file pyproject.toml regsweep._core

test-rust: ## the core's tests
	cargo test --quiet --workspace

test-python: build servers ## all other tests
	python -m pytest

bench: build servers ## trends on small stores; for comparisons see docs/benchmarks.md
	python -m pytest benches --benchmark-only

fuzz: ## a minute of fuzzing each target (needs a nightly toolchain and cargo-fuzz)
	for target in manifest link; do cargo +nightly fuzz run --fuzz-dir rust/fuzz $$target -- -max_total_time=60; done

wheel: setup ## dist/*.whl
	maturin build --release --out dist

sdist: setup ## dist/*.tar.gz
	maturin sdist --out dist

clean: ## everything made here but the virtual environment and the tools
	rm -rf target dist demo .pytest_cache .mypy_cache .ruff_cache
