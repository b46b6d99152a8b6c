# Two commands for newcomers: `make demo` and `make test`. Each installs what it needs into .venv first.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
ROOMS := kernel schemas replica sync extract integrations control usage api runtime
CODE := $(ROOMS) tests benchmarks

.DEFAULT_GOAL := help
.PHONY: help install install-dev demo down smoke test search check fix docs bench lock clean

help:  ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || \
	  { echo "Knudepunkt needs Python 3.11 (found: $$($(PYTHON) --version)). Set PYTHON=/path/to/python3.11."; exit 1; }
	$(PYTHON) -m venv .venv

.venv/run.stamp: requirements/run.lock pyproject.toml | .venv/bin/python
	$(PIP) install --quiet --require-hashes -r requirements/run.lock
	$(PIP) install --quiet --no-deps --no-build-isolation -e .
	@touch $@

.venv/dev.stamp: requirements/dev.lock .venv/run.stamp
	$(PIP) install --quiet --require-hashes -r requirements/dev.lock
	@touch $@

install: .venv/run.stamp  ## Install the platform into .venv, from the hashed lock file

.venv/bench.stamp: requirements/bench.lock .venv/dev.stamp
	$(PIP) install --quiet --require-hashes -r requirements/bench.lock
	@touch $@

install-dev: .venv/dev.stamp  ## ... and the tools for testing and checking

demo: install  ## Run the platform with fictitious data and say what to try next
	$(BIN)/knudepunkt demo

down:  ## Stop what `make demo` started
	$(BIN)/knudepunkt down

smoke: install  ## The demo in a temporary folder: its own commands run over the wire, each checked
	$(BIN)/knudepunkt demo --check

test: install-dev  ## All tests
	@./tests/system-packages
	$(BIN)/python -m pytest -n auto --dist loadfile

search: install-dev  ## The properties again, with examples that no run has tried yet
	@./tests/system-packages
	$(BIN)/python -m pytest -n auto --dist loadfile -m hypothesis --hypothesis-profile=search

check: install-dev  ## Style, types and the floor plan
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/mypy
	$(BIN)/lint-imports

fix: install-dev  ## Format and mend what can be mended by tool
	$(BIN)/ruff check --fix $(CODE)
	$(BIN)/ruff format $(CODE)

docs: install  ## Write the reference pages that follow from the code
	$(BIN)/python -m runtime.reference

bench: .venv/bench.stamp  ## The benchmarks of docs/BENCHMARKS.md, at full size, with the peers they are held against
	$(BIN)/knudepunkt bench lookup --rows 9000000
	$(BIN)/knudepunkt bench sync --rows 9000000
	$(BIN)/knudepunkt bench mixed --rows 9000000
	$(BIN)/knudepunkt bench rest
	$(BIN)/knudepunkt bench policy --agreements 10000
	$(BIN)/knudepunkt bench extract --rows 9000000
	$(BIN)/knudepunkt bench formats
	$(BIN)/knudepunkt bench slow-readers --rows 9000000
	$(BIN)/knudepunkt bench sftp --megabytes 256
	$(BIN)/knudepunkt bench push --megabytes 256
	$(BIN)/knudepunkt bench soap
	$(BIN)/knudepunkt bench pass-through
	$(BIN)/knudepunkt bench orchestration

lock: install-dev  ## Pin the newest versions that pyproject.toml allows, with hashes
	$(PIP) install --quiet uv
	$(BIN)/uv pip compile --quiet --upgrade --generate-hashes --no-header --no-annotate --python-version 3.11 \
	  --extra build -o requirements/run.lock pyproject.toml
	$(BIN)/uv pip compile --quiet --upgrade --generate-hashes --no-header --no-annotate --python-version 3.11 \
	  --extra build --extra dev -c requirements/run.lock -o requirements/dev.lock pyproject.toml
	$(BIN)/uv pip compile --quiet --upgrade --generate-hashes --no-header --no-annotate --python-version 3.11 \
	  --extra build --extra bench -c requirements/run.lock -o requirements/bench.lock pyproject.toml

clean:  ## Remove the demo instance and caches (not .venv)
	rm -rf instance .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build *.egg-info
