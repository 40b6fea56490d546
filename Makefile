# One obvious command for each job. `make demo` and `make test` set everything up first.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.setup-done
PEERS  := .venv-bench
LOCKS  := requirements/uv.txt requirements/lock.txt
export OMP_NUM_THREADS ?= 1
# Hundreds of short processes start here: none of them compiles again what another has compiled.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup demo test coverage search prove lint format lock bench services clean

help: ## show these lines
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

setup: $(STAMP) ## make .venv with the hash-locked dependencies

$(STAMP): $(LOCKS) pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "vibro needs Python 3.11 or newer: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)" >&2; exit 2; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements/lock.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $@

demo: setup ## a plant of machines through edge, log, cloud and page
	$(BIN)/vibro demo $(ARGS)

test: setup ## all quick tests
	$(BIN)/pytest -q -n 2 --dist loadfile -m "not prove" $(ARGS)

coverage: setup ## coverage of vibro with numba's JIT off (the pure-Python fallback)
	NUMBA_DISABLE_JIT=1 $(BIN)/pytest -q -n 2 --dist loadfile -m "not prove and not slow_nojit" tests/vibro \
	  --cov --cov-report=term --cov-fail-under=90 $(ARGS)

prove: setup ## long proofs: soak, fuzz, scale
	$(BIN)/pytest -q -m prove $(ARGS)

search: setup ## the properties of the quick tests, on examples that no run has seen
	$(BIN)/pytest -q -n 2 --dist loadfile -m "hypothesis and not prove" --hypothesis-profile=search $(ARGS)

lint: setup ## linter, formatter, type checker, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup ## let ruff rewrite what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(PEERS)/.setup-done ## measure against named peers: make bench NAME=fft
	$(PEERS)/bin/vibro bench $(NAME) $(ARGS)

# The peers have an environment of their own: one of them changes what numba compiles.
$(PEERS)/.setup-done: $(STAMP) requirements/bench.txt
	test -x $(PEERS)/bin/python || $(PYTHON) -m venv $(PEERS)
	$(BIN)/uv pip install --quiet --python $(PEERS)/bin/python --require-hashes -r requirements/bench.txt
	$(BIN)/uv pip install --quiet --python $(PEERS)/bin/python --no-deps --no-build-isolation -e .
	@touch $@

services: setup ## fetch, build and install the real services of the tests, which else do it themselves
	$(BIN)/python -m tests.services

lock: setup ## renew the locked requirements from pyproject.toml
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	  requirements/uv.in -o requirements/uv.txt
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	  $(addprefix --extra ,edge mqtt opcua modbus cloud postgres dashboards dev) pyproject.toml -o requirements/lock.txt
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	  $(addprefix --extra ,edge mqtt opcua modbus cloud postgres dashboards dev bench) -c requirements/lock.txt pyproject.toml -o requirements/bench.txt
	sh deploy/lock.sh

clean: ## remove everything that setup, tests and demo made here
	rm -rf $(VENV) $(PEERS) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache build dist .coverage htmlcov
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
