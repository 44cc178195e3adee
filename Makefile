# medhome: `make demo`, then open the page that it names. Needs make and a Python of 3.11 or later with venv and pip.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
JOBS   ?= 2
TESTS  ?=
REPORT := reports/demo/2010-03
KEPT   := reports/released/demo

# Everything that a number of the demonstration depends on.
CODE      := $(shell find analysis/medhome -type f -not -path '*/__pycache__/*' -not -path '*/.*')
SIMULATOR := $(shell find analysis/medhome/simulate analysis/medhome/study analysis/medhome/definitions \
               -type f -not -path '*/__pycache__/*' -not -path '*/.*' 2>/dev/null)
NOTEBOOKS := $(wildcard notebooks/*.ipynb)

.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help env demo released test lint screenshots lock clean

help:  ## list the verbs
	@echo "make VERB, where VERB is one of"
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  \1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r verb words; do \
	  printf '  %-12s %s\n' $$verb "$$words"; done
	@echo "Another Python: make env PYTHON=python3.12"

env: $(VENV)/.made  ## make the environment in .venv from requirements.lock, with medhome on its path
	@echo "Environment: $(VENV) (activate with: . $(BIN)/activate)"

$(VENV)/.made: $(VENV)/.locked pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.locked: requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "medhome needs Python 3.11 or later, and '$(PYTHON)' is $$($(PYTHON) -V 2>/dev/null || echo not one)." >&2; \
	  echo "Name another one: make env PYTHON=python3.12" >&2; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "'$(PYTHON)' lacks venv or pip. On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 2; }
	@echo "Making $(VENV) with $$($(PYTHON) -V); a first time takes some minutes."
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@touch $@

demo: reports/.demo  ## simulate the demonstration study, run it, say where the report is
	@echo "Report: $(CURDIR)/$(REPORT)/index.html"

# A folder that was removed by hand is made again, whatever its stamp says.
ifeq ($(wildcard data/demo/truth.json),)
.PHONY: data/.demo
endif
ifeq ($(wildcard $(REPORT)/manifest.json),)
.PHONY: reports/.demo
endif

data/.demo: $(VENV)/.made $(SIMULATOR)
	@rm -rf data/demo
	$(BIN)/medhome simulate data/demo --world demo
	@touch $@

reports/.demo: $(VENV)/.made data/.demo $(CODE) $(NOTEBOOKS) analysis/studies/demo.toml
	$(BIN)/medhome run analysis/studies/demo.toml --data data/demo --out reports
	@touch $@

# What a visitor sees before installing anything: the pages and the results, with what they are held against.
released: demo  ## keep the demonstration's pages and results in reports/released/demo
	rm -rf build/released
	$(BIN)/medhome release $(REPORT) --out build/released
	rm -rf $(KEPT) && mkdir -p $(KEPT)
	for file in '*.html' results.json manifest.json disclosure.json study.toml; do \
	  cp build/released/demo/2010-03/$$file $(KEPT)/ || exit 1; done
	$(BIN)/medhome verify $(KEPT) --manifest-only

# worksteal: long stretches stay in one process, so that what a module's tests share is made once.
test: env  ## the tests, the linter, the type checker and the layers
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal $(TESTS)
	$(MAKE) --no-print-directory lint

lint: env  ## the linter, the type checker and the layers
	$(BIN)/ruff check analysis tests benchmarks
	$(BIN)/mypy
	$(BIN)/lint-imports

build/axe: tests/axe/package-lock.json tests/axe/package.json  # axe-core, for the tests of pages; npm brings it
	@rm -rf $@ && mkdir -p $@ && cp $^ $@
	npm ci --prefix $@ --silent --no-audit --no-fund
	@touch $@

screenshots: demo  ## photograph each page of the demonstration: three widths, light and dark; fail on faults
	$(BIN)/python -m tests.screenshots $(REPORT) screenshots

# Versions that the oldest supported Python can have, then one file for all of them with these versions.
# Newer versions: make lock UPGRADE=--upgrade
COMPILE = build/lock/bin/uv pip compile --quiet pyproject.toml --extra test --python-version 3.11 $(UPGRADE) \
  --no-header --no-annotate --no-emit-index-url --no-emit-find-links
lock:  ## resolve pyproject.toml anew into requirements.lock and constraints.txt
	$(PYTHON) -m venv build/lock
	build/lock/bin/python -m pip install --quiet uv
	sed -e '/^ *--hash/d' -e 's/ [;\\].*//' requirements.lock > build/lock/oldest.txt
	$(COMPILE) -o build/lock/oldest.txt > /dev/null
	$(COMPILE) --universal --generate-hashes -c build/lock/oldest.txt -o requirements.lock > /dev/null
	sed -e '/^ *--hash/d' -e 's/ *\\$$//' requirements.lock > constraints.txt

clean:  ## remove what make made, reports/released apart
	rm -rf $(VENV) build dist data screenshots reports/demo reports/.demo
	rm -rf .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
