# The only entry points a newcomer needs. `make` alone lists them.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV_VERSION := $(shell sed -n 's/^uv==\([^ ;]*\).*/\1/p' requirements.txt)
# Same bytes on every run: no telemetry, no colour codes from a missing terminal, one cache for uv; file names and text
# are UTF-8 whatever the locale says.
export DVC_NO_ANALYTICS := 1
export PYTHONUNBUFFERED := 1
export PYTHONUTF8 := 1
export UV_LINK_MODE ?= copy
export PATH := $(CURDIR)/$(BIN):$(PATH)
# A user without an entry in the machine's table of users, as in many containers, has neither, and dvc needs both; for
# commands typed by hand `.venv/bin/activate` sets them.
export HOME ?= $(CURDIR)
export USER ?= user

.PHONY: help study human human-quick published protocol test test-long bench lint explore open docs lock clean env

help:            ## this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 20

study: env       ## regenerate every result: environment, then `dvc repro`
	@dvc repro

human: env rated-set  ## the study on human scores: make human DATA=FOLDER (see human/README.md)
	@cd human && $(if $(PRESET),python -m study.preset params.yaml $(PRESET).yaml &&) dvc repro

human-quick: env rated-set  ## three splits of it again, against what is committed
	@cd human && dvc repro -q features && python -m study.running.notebook ../notebooks/03_finetune.ipynb \
		artifacts/quick/50.ipynb --sections compute,image,prompts,finetune,qgr --set target=artifacts/target \
		--set variants=[full_probe] --set labels=50 --set repeats=3 --set runs=artifacts/quick/50 \
		&& python -m study.compare runs artifacts/quick/50/full_probe/results.csv ../reports/livec/runs.csv

published: env   ## the published recipe and protocol: make published TID=FOLDER KADID=FOLDER DATA=FOLDER (docs/published.md)
	@for folder in "$(TID)" "$(KADID)" "$(DATA)"; do test -d "$$folder" || { \
		echo "$$folder: no such folder; make published TID=FOLDER KADID=FOLDER DATA=FOLDER"; exit 1; }; done
	@set -- "$$(realpath "$(TID)")" "$$(realpath "$(KADID)")" "$$(realpath "$(DATA)")" && cd human && \
		python -m study.stages.published "$$@" $(foreach change,$(SET),--set '$(change)')

protocol: env    ## the published protocol on the prompts of `make study`: make protocol DATA=FOLDER (docs/published.md)
	@test -d "$(DATA)" || { echo "$(DATA): no such folder; make protocol DATA=FOLDER"; exit 1; }
	@python -m study.stages.protocol "$(DATA)" $(foreach change,$(SET),--set '$(change)')

.PHONY: rated-set
rated-set:
	@if [ -n "$(DATA)" ]; then \
		test -d "$(DATA)" || { echo "$(DATA): no such folder"; exit 1; }; \
		ln -sfnT "$$(realpath "$(DATA)")" human/data; \
	else \
		test -d human/data || { echo "where is the rated set? make human DATA=FOLDER"; exit 1; }; \
	fi

test: env        ## environment, then the tests
	@$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

test-long: env   ## the tests that take long: kills, faults of the machine, hostile files, growth (about an hour)
	@$(BIN)/python -m pytest -m long

bench: env       ## how fast, against a plain program: every table of benchmarks/README.md
	@$(BIN)/python -m benchmarks

lint: env        ## ruff, types, and no outputs in source notebooks
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/nbstripout --verify --keep-id notebooks/*.ipynb

explore: env     ## JupyterLab on the playground notebook
	@$(BIN)/jupyter lab $(if $(filter 0,$(shell id -u)),--allow-root) notebooks/90_explore.ipynb

open:            ## every report in the browser, from one page
	@$(PYTHON) -m webbrowser reports/index.html

docs: env        ## the pages of docs/ that are generated
	@$(BIN)/python -m study.docs.pages

lock:            ## requirements.txt anew from pyproject.toml (versions with hashes, no index address)
	@UV_CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/uv pip compile pyproject.toml --extra dev --universal \
		--python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate -q -o requirements.txt

clean:           ## remove the environment and everything generated (reports/ stays)
	rm -rf $(VENV) artifacts data .dvc/cache .dvc/tmp human/artifacts human/.dvc/cache human/.dvc/tmp

# What was installed, and for which folder: clocks may be wrong, and a checkout may be copied or renamed. Unpacked from
# an archive, without git, both of DVC's projects must be told that there is none.
WANTED := cat requirements.txt pyproject.toml && echo "$(CURDIR)"
env:             ## the environment alone
	@($(WANTED)) | cmp -s - $(VENV)/.ready || $(MAKE) -s --no-print-directory install
	@test -e .git || for project in . human; do \
		test -e $$project/.dvc/config.local || $(BIN)/dvc --cd $$project config --local core.no_scm true; done

.PHONY: install
install:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "grmp needs python 3.11 or later: make PYTHON=python3.11 study"; exit 1; }
	@echo "environment: $(VENV) (torch, open_clip, dvc, jupyterlab, ...; about 6 GB)"
	@test "$$(tail -n 1 $(VENV)/.ready 2>/dev/null)" = "$(CURDIR)" || rm -rf $(VENV)
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@test -x $(BIN)/uv || $(BIN)/python -m pip install -q "uv==$(UV_VERSION)" \
		|| { echo "environment: PyPI cannot be reached; make needs it once, to install requirements.txt"; exit 1; }
	@$(BIN)/uv pip sync -q --require-hashes --python $(BIN)/python requirements.txt \
		|| { echo "environment: not all of requirements.txt could be installed; the lines above name what is missing"; exit 1; }
	@$(BIN)/uv pip install -q --no-deps --no-build-isolation --python $(BIN)/python -e .
	@grep -q '^export HOME=' $(BIN)/activate \
		|| echo 'export HOME="$${HOME:-$${VIRTUAL_ENV%/*}}" USER="$${USER:-user}"' >> $(BIN)/activate
	@($(WANTED)) > $(VENV)/.ready
