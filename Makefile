# One bare python3 (3.11 or newer) is enough: every target sets up what it needs first.
PY ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
CODE := omniforge activities workflows api worker dev

.DEFAULT_GOAL := help
.PHONY: help setup demo up test test-long coverage test-pg check format lint types layers unused docs-check bench kill-matrix chaos refresh-faults openapi lock migration wheel clean setup-system sandbox-suite

help: ## Show the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk 'BEGIN {FS = ":.*## "} {printf "  make %-11s %s\n", $$1, $$2}'

setup: $(STAMP) ## Create .venv and install everything from the hash-locked pins

# uv is quick; where it cannot be had or cannot reach an index, pip installs the same pins.
$(STAMP): requirements/bootstrap.lock requirements/dev.lock pyproject.toml
	@$(PY) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "OmniForge needs Python 3.11 or newer; this is %s. Try: make PY=python3.12" % sys.version.split()[0])'
	@test -x $(BIN)/python || $(PY) -m venv $(VENV)
	@echo "Installing the locked packages into $(VENV) (once; about 15 seconds)"
	@$(BIN)/python -m pip install --quiet --require-hashes -r requirements/bootstrap.lock \
	  && $(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements/dev.lock \
	  || { echo "uv did not work here; installing with pip instead (about a minute)"; \
	       $(BIN)/python -m pip install --quiet --require-hashes -r requirements/dev.lock; }
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $(STAMP)

setup-system: ## Install the optional Debian packages (needs root): bubblewrap, the better sandbox
	@apt-get update -q && apt-get install --yes --no-install-recommends bubblewrap

demo: $(STAMP) ## The main job end to end, with a worker killed on the way (FILE=tasks.csv for your own)
	@$(BIN)/python -m dev demo $(if $(FILE),--file "$(FILE)")

up: $(STAMP) ## Start Temporal, worker and API on this machine and keep them running
	@$(BIN)/python -m dev up

test: $(STAMP) ## Run the tests (under five minutes)
	@$(BIN)/python -m pytest -n 4 --dist loadfile -m "not long"

test-long: $(STAMP) ## Run the tests that `make test` leaves out for their time (two minutes)
	@$(BIN)/python -m pytest -n 4 --dist loadfile -m long

coverage: $(STAMP) ## Run all tests under coverage, with its floor (ten minutes)
	@$(BIN)/python -m pytest -n 4 --dist loadfile --cov --cov-report=term:skip-covered --cov-fail-under=90

sandbox-suite: $(STAMP) ## Every attempt to get out of the sandbox, in every kind of it (minutes)
	@SANDBOX_MATRIX=full $(BIN)/python -m pytest tests/sandbox

test-pg: $(STAMP) ## Run only the tests that use PostgreSQL
	@$(BIN)/python -m pytest -m postgres

check: lint types layers unused docs-check ## Everything CI runs except the tests

format: $(STAMP) ## Format the code
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

lint: $(STAMP) ## Format and style
	@$(BIN)/ruff format --check . && $(BIN)/ruff check .

types: $(STAMP) ## Strict types
	@$(BIN)/mypy

layers: $(STAMP) ## The import contract
	@$(BIN)/lint-imports --no-cache

unused: $(STAMP) ## Undeclared dependencies and dead code
	@$(BIN)/deptry . && $(BIN)/vulture

docs-check: $(STAMP) ## openapi.json is current
	@$(BIN)/python -m api.openapi --check

kill-matrix: $(STAMP) ## Interrupt 1,000 steps with kill -9 at every moment of a call (under 30 minutes; STEPS=200)
	@$(BIN)/python -m tests.kill --steps $(or $(STEPS),1000)

chaos: $(STAMP) ## Kill and lock under 500 runs of a mixed suite (under 20 minutes; RUNS=100 DATABASE=postgres)
	@$(BIN)/python -m tests.chaos --runs $(or $(RUNS),500) --database $(or $(DATABASE),sqlite)

refresh-faults: $(STAMP) ## Refresh tokens 2,000 times under faults and kill -9 (ten minutes; REFRESHES=500 KILLS=5)
	@$(BIN)/python -m tests.connections.faults --refreshes $(or $(REFRESHES),2000) --kills $(or $(KILLS),10)

openapi: $(STAMP) ## Write docs/openapi.json
	@$(BIN)/python -m api.openapi

fires: $(STAMP) ## 1,000 schedules due within four minutes, the worker killed meanwhile (SCHEDULES=200 JITTER=45)
	@$(BIN)/python -m benchmarks.fires --schedules $(or $(SCHEDULES),1000) --jitter $(or $(JITTER),0)

bench: $(STAMP) ## Measure against raw Temporal in the same run
	@$(BIN)/python -m benchmarks.run

migration: $(STAMP) ## Write a migration: make migration m="add x"
	@$(BIN)/python -m dev.migration "$(m)"

wheel: $(STAMP) ## Build the SDK's wheel into dist/
	@$(BIN)/python -m hatchling build -t wheel

lock: $(STAMP) ## Resolve the pins anew (on Python 3.11)
	@echo uv | $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --python-version 3.11 - -o requirements/bootstrap.lock
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --python-version 3.11 pyproject.toml -o requirements/runtime.lock
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --python-version 3.11 pyproject.toml --group dev -c requirements/runtime.lock -o requirements/dev.lock

clean: ## Remove caches (the state in .omniforge stays)
	@rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis dist htmlcov .coverage*
