# Needs python3 (3.11 or newer), git and make; everything else is set up in .venv by the first target.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready

.PHONY: demo test lint bench clean

$(STAMP): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[demo]' --group dev
	touch $@

demo: $(STAMP)  ## the whole gate on a throwaway repository, offline
	$(BIN)/twoagent-hook demo

test: $(STAMP)  ## every test, with real git, frameworks and servers on loopback
	$(BIN)/python -m pytest -n auto --dist worksteal $(ARGS)

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(STAMP)  ## ratios against the floor; writes docs/benchmarks.md
	$(BIN)/python bench/run.py

clean:
	rm -rf $(VENV) build dist
