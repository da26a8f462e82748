# make demo   set up, then the main job on the demo world
# make ui     everything a person looks at, until Ctrl-C
# make test   set up, then all tests          make soak   the long ones
# make lint   style and types                 make bench  benchmarks
# make docs   reference pages from the code    make lock   resolve the requirements.lock anew
# make label_studio   the annotation tool, in an environment of its own

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.PHONY: demo ui test soak lint bench docs lock label_studio setup

PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
# one more than CI has cores: some tests wait, for a browser, a daemon, a minute of load
TEST_PROCESSES ?= 3
UV := $(BIN)/uv
READY := .venv/.ready
LABEL_STUDIO := .label_studio/.ready

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

label_studio: $(LABEL_STUDIO)

$(LABEL_STUDIO): infra/label_studio/requirements.lock | $(READY)
	@rm -rf .label_studio
	echo "installing Label Studio into .label_studio"
	$(BIN)/python -m venv --without-pip .label_studio
	$(UV) pip install --quiet --python .label_studio/bin/python --require-hashes -r $<
	touch $@

demo: export PYTHONWARNINGS = ignore:Function `asset_materialize_command`
demo: $(READY)
	@began=$$SECONDS
	$(BIN)/cvp init
	$(BIN)/cvp sample fruit
	$(BIN)/dagster asset materialize -m cv_pipeline.definitions --select 'key:"fruit/*"'
	$(BIN)/cvp summary fruit
	echo "make demo: $$((SECONDS - began)) s after installation"

ui: $(READY) $(LABEL_STUDIO)
	@$(BIN)/cvp init
	exec $(BIN)/cvp ui

test: $(READY) $(LABEL_STUDIO)
	@tests/install_browser.sh
	$(BIN)/python -m pytest -m "not soak" -n $(TEST_PROCESSES) --dist loadfile --no-loadscope-reorder

soak: $(READY) $(LABEL_STUDIO)
	@tests/install_browser.sh
	$(BIN)/python -m pytest -m soak -s --timeout 3600

lint: $(READY)
	@$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(READY) $(LABEL_STUDIO)
	@for script in benchmarks/*.py; do $(BIN)/python $$script; done

docs: $(READY)
	@$(BIN)/cvp init >/dev/null
	$(BIN)/python scripts/generate_docs.py
	$(BIN)/python -W ignore scripts/generate_client.py

lock: $(READY)
	@$(UV) pip compile pyproject.toml requirements.in --quiet --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-emit-find-links -o requirements.lock
	$(UV) pip compile infra/label_studio/requirements.in --quiet --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-emit-find-links \
	  -o infra/label_studio/requirements.lock
