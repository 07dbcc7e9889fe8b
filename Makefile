# Every target stands on `setup`, which takes 10 ms when .venv is up to date.
SHELL := /bin/bash
.DEFAULT_GOAL := help
BIN := .venv/bin
SOURCES := libs services scripts tests
ARGS ?=
TO ?= var/bench/bench.md
# Without bytecode each of the many processes that a run or a test starts compiles numba's sources, redis's, its own.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup up test check lint format bench fuzz lock dashboards features alerts panels compose clean

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "%-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup:  ## Make .venv with everything in it
	@scripts/setup.sh

up: setup  ## Run the whole pipe: make up ARGS="--duration 20"
	@$(BIN)/crossbook up $(ARGS)

# Kernels are compiled first, once: no test waits for the compiler until it times out, and two workers never compile the same.
test: setup  ## Run every test: make test ARGS="-k book"
	@$(BIN)/crossbook warm
	$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

lint: setup  ## Check format, lint and types
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/mypy

format: setup  ## Format and mend what can be mended
	$(BIN)/ruff format $(SOURCES)
	$(BIN)/ruff check --fix $(SOURCES)

alerts:  ## Check Prometheus configuration and rules, where promtool is there
	@scripts/check_alerts.sh

check: lint alerts panels test  ## What CI runs

compose: setup  ## Bring the containers up, break and mend them: needs Docker
	$(BIN)/pytest -m compose tests/integration/test_compose.py $(ARGS)

panels: setup  ## Check dashboards: model, queries, coverage, and every panel against a live Prometheus
	@$(BIN)/crossbook warm
	$(BIN)/python -m scripts.check_dashboards $(ARGS)

bench: setup  ## Measure beside named references, write a table and plots, then the pipe under load: make bench TO=bench.md
	@scripts/setup.sh bench
	@mkdir -p $(dir $(TO))
	$(BIN)/crossbook bench all --to $(TO) --plots $(dir $(TO)) $(ARGS)
	$(BIN)/crossbook up --symbols 200 --rate 20000 --duration 30 --state-dir "$$(mktemp -d)"

fuzz: setup  ## Ten million mutated datagrams, then the property tests with many more examples
	@$(BIN)/crossbook warm
	$(BIN)/python -m tests.fuzz.datagrams --count 10000000 --jobs 2
	NUMBA_BOUNDSCHECK=1 $(BIN)/python -m tests.fuzz.datagrams --count 200000 --seed 100
	HYPOTHESIS_PROFILE=long $(BIN)/pytest -n 2 --dist loadfile --timeout 3600 $(ARGS)

dashboards: setup  ## Write grafana/dashboards, the links of alerts and prometheus/METRICS.md anew
	$(BIN)/python -m scripts.generate_dashboards
	$(BIN)/python -m scripts.generate_metrics

features: setup  ## Write libs/features/fillers.py and README.md anew from definitions.py
	$(BIN)/python -m scripts.generate_features

lock: setup  ## Pin requirements/*.in with hashes; UPGRADE=1 moves versions
	scripts/lock.sh

clean:  ## Remove .venv, caches and build output; state in ./var stays
	rm -rf .venv build dist *.egg-info .pytest_cache .hypothesis .mypy_cache .ruff_cache
	find libs services scripts tests -name __pycache__ -prune -exec rm -rf {} +
