# Everything a developer does: `make demo`, `make test`, `make lint`, `make bench`. Each sets up what it needs.

PYTHON ?= $(shell for name in python3 python3.14 python3.13 python3.12 python3.11; do \
	command -v $$name >/dev/null && $$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' && echo $$name && break; done)
BIN := .venv/bin
READY := .venv/ready

.PHONY: demo test lint servers bench lock clean

demo: $(READY)
	@$(BIN)/dateline demo

test: lint servers
	$(BIN)/python -m pytest

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# The real servers and clients that tests talk to; without root their tests are skipped and say so.
servers:
	@sh tests/servers.sh

bench: $(READY)
	@for program in benchmarks/*.py; do echo "== $$program"; $(BIN)/python $$program || exit 1; done

$(READY): requirements-dev.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "dateline needs Python 3.11 or newer; none was found"; exit 2; }
	@echo "Setting up .venv with $$($(PYTHON) --version) ..."
	@$(PYTHON) -m venv .venv || { \
		echo "python3 -m venv failed; on Debian its package python3-venv is missing"; \
		test "$$(id -u)" = 0 && apt-get update -q && apt-get install -qy python3-venv && $(PYTHON) -m venv .venv; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(READY)

# Renews the lock within the ranges of pyproject.toml. Needs uv.
lock:
	uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-header --upgrade --quiet --output-file requirements-dev.lock

clean:
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
