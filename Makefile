# Needs python3 (3.11 or newer), git and make; everything else is set up in .venv by the first target.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
WORKERS ?= 4  # more than this machine may have cores: many a test waits for a program or a deadline
STAMP := $(VENV)/.ready

# The extra `secrets`, in a folder of its own: where it can be imported, each review uses it.
EXTRAS := $(VENV)/extras/.ready

# Servers that others wrote, for the tests: each in a folder of its own, and installed anew where the version changes.
AIMOCK_VERSION := 1.43.0
AIMOCK := $(VENV)/aimock/.ready-$(AIMOCK_VERSION)
LITELLM_VERSION := 1.106.2
LITELLM := $(VENV)/litellm/.ready-$(LITELLM_VERSION)

.PHONY: demo test test-all lint defences bench cases clean

$(STAMP): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[demo]' --group dev
	touch $@

$(EXTRAS): pyproject.toml | $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade --target $(VENV)/extras \
	  $$($(BIN)/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]["secrets"])')
	touch $@

$(AIMOCK): | $(STAMP)  # without npm, or where it fails, its tests are skipped, and say so
	@if command -v npm >/dev/null; then \
	  npm install --prefix $(VENV)/aimock --silent --engine-strict --ignore-scripts --no-audit --no-fund --fetch-retries 0 \
	    @copilotkit/aimock@$(AIMOCK_VERSION) && touch $@ || echo 'aimock could not be installed' >&2; \
	fi

$(LITELLM): | $(STAMP)  # in an environment of its own: it needs an older openai package
	$(PYTHON) -m venv --clear $(VENV)/litellm
	$(VENV)/litellm/bin/python -m pip install --quiet --disable-pip-version-check 'litellm[proxy]==$(LITELLM_VERSION)'
	touch $@

demo: $(STAMP)  ## the whole gate on a throwaway repository, offline
	$(BIN)/twoagent-hook demo

test: $(STAMP) $(AIMOCK) $(EXTRAS)  ## every test but those of tests/real, with real git, frameworks and servers on loopback
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(ARGS)

test-all: $(STAMP) $(AIMOCK) $(EXTRAS) $(LITELLM)  ## those too; installs 700 MB the first time
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal --real $(ARGS)

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

defences: $(STAMP)  ## switches off one defence after the other, and shows that tests fail for each
	$(BIN)/python tests/security/defences.py $(ARGS)

bench: $(STAMP)  ## ratios against the floor; writes docs/benchmarks.md
	$(BIN)/python bench/run.py

cases: $(STAMP)  ## plays the stories of docs/cases anew, and writes their pages
	PYTHONPATH=tests:docs/cases $(BIN)/python -m stories $(ARGS)

clean:
	rm -rf $(VENV) build dist
