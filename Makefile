# make demo   set up, then the main job on the demo world
# make ui     everything a person looks at, until Ctrl-C
# make test   set up, then all tests          make soak   the long ones
# make lint   style and types                 make bench  benchmarks
# make docs   reference pages from the code    make lock   resolve requirements.lock anew

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.PHONY: demo ui test soak lint bench docs lock setup

PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
TEST_PROCESSES ?= 2
UV := $(BIN)/uv
READY := .venv/.ready

export CV_HOME ?= $(CURDIR)/.cv_pipeline
export DAGSTER_HOME ?= $(CV_HOME)/dagster
# the real sample data, where they lie beside the repository
export CV_REAL_DATA ?= $(wildcard $(CURDIR)/../shared/data)

setup: $(READY)

$(READY): requirements.lock pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	echo "installing the locked dependencies into .venv (about 7 GB, a minute or so)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	touch $@

demo: export PYTHONWARNINGS = ignore:Function `asset_materialize_command`
demo: $(READY)
	@began=$$SECONDS
	$(BIN)/cvp init
	$(BIN)/cvp sample fruit
	$(BIN)/dagster asset materialize -m cv_pipeline.definitions --select 'key:"fruit/*"'
	$(BIN)/cvp summary fruit
	echo "make demo: $$((SECONDS - began)) s after installation"

ui: $(READY)
	@$(BIN)/cvp init
	exec $(BIN)/cvp ui

test: $(READY)
	@tests/install_browser.sh
	$(BIN)/python -m pytest -m "not soak" -n $(TEST_PROCESSES) --dist loadfile

soak: $(READY)
	@tests/install_browser.sh
	$(BIN)/python -m pytest -m soak -s --timeout 3600

lint: $(READY)
	@$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(READY)
	@for script in benchmarks/*.py; do $(BIN)/python $$script; done

docs: $(READY)
	@$(BIN)/cvp init >/dev/null
	$(BIN)/python scripts/generate_docs.py
	$(BIN)/python -W ignore scripts/generate_client.py

lock: $(READY)
	@$(UV) pip compile pyproject.toml requirements.in --quiet --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-emit-find-links -o requirements.lock
