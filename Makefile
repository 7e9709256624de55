# The project's commands. Everything they write is inside this folder: the environment in .venv, data in var (or AINOVAL_DATA_DIR).

PYTHON ?= python3
BIN := .venv/bin

# pip's cache would be the one thing outside. A cache of your own choice is used: PIP_NO_CACHE_DIR=0, or PIP_CACHE_DIR.
ifndef PIP_CACHE_DIR
export PIP_NO_CACHE_DIR ?= 1
endif
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# The tests start Python a hundred times; without its cache of compiled modules (inside this folder, too) each start would compile the project anew.
unexport PYTHONDONTWRITEBYTECODE
PIP := $(BIN)/python -m pip install --quiet

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run test check lint browser screenshots mutants fuzz bench bench-peers bench-growth torture torture-quick torture-control partition demo clean

help: ## List the targets
	@echo "make TARGET, where TARGET is one of"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "PYTHON=… chooses the interpreter (3.11 or newer), ARGS=… goes to the command, as in: make demo ARGS='--file novel.txt'"

run: .venv/run.stamp ## Start everything in one terminal: MongoDB, server, workers, a demonstration; Ctrl-C stops it
	@$(BIN)/python manage.py dev $(ARGS)

demo: .venv/run.stamp ## The main job, end to end: import a novel, summarise every scene, check the counts
	@$(BIN)/python manage.py demo $(ARGS)

test: .venv/test.stamp ## Run the tests
	@$(BIN)/python -m tests.run $(ARGS)

lint: .venv/test.stamp ## Lint, check the format, the types, and the direction of the imports
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy ainoval tasks_app
	$(BIN)/lint-imports

browser: .venv/test.stamp ## Drive the console with a real browser (Chromium; skipped where there is none)
	@$(BIN)/python -m pytest tests/browser $(ARGS)

screenshots: .venv/test.stamp ## Take the pictures of the console in docs/images, from a seeded database (needs Chromium)
	@$(BIN)/python -m tests.browser.screenshots $(ARGS)

mutants: .venv/test.stamp ## Break the code once for each item of the original design, and see its test go red
	@$(BIN)/python -m tests.mutants

fuzz: .venv/fuzz.stamp ## Malformed and generated requests at a running server: not one 5xx, and answers as described
	@$(BIN)/python -m tests.fuzz $(ARGS)

bench: .venv/run.stamp ## Measure: throughput, waiting tasks, dispatch, submission, idleness; two minutes (with ARGS=--large: reading a million, too)
	@$(BIN)/python -m benchmarks.bench $(ARGS)

bench-peers: .venv/run.stamp .venv-peers/made.stamp ## Measure beside Celery, dramatiq, taskiq, arq, huey, … in turn, and write docs/benchmarks.md; 40 minutes
	@$(BIN)/python -m benchmarks.peers.compare $(ARGS)

bench-growth: .venv/run.stamp ## Measure with ten thousand and a million ended tasks and 1, 2 and 4 workers, and plot it into benchmarks/plots
	@$(BIN)/python -m benchmarks.growth $(ARGS)

torture: .venv/test.stamp ## The reliability scorecard: nine scenarios that kill, stop, cut and contradict; ten minutes
	@$(BIN)/python -m benchmarks.torture $(ARGS)

torture-quick: .venv/test.stamp ## The same in small, in under four minutes
	@$(BIN)/python -m benchmarks.torture --size quick $(ARGS)

torture-control: .venv/test.stamp ## The same scenarios, each with a safeguard broken: all must be red
	@$(BIN)/python -m benchmarks.torture --size quick --control $(ARGS)

partition: .venv/test.stamp ## A network that breaks: three MongoDB members and two clusters in namespaces; root only, else skipped
	@$(BIN)/python -m benchmarks.torture.partition $(ARGS)

check: lint test ## What CI runs: lint, then test

clean: ## Remove the environments and all caches; data in var stays
	rm -rf .venv .venv-peers .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist *.egg-info
	find . -name __pycache__ -type d -not -path './var/*' -prune -exec rm -rf {} +

# The stamps are younger than the requirements they were made from, so that an environment that fits costs nothing.
.venv/made.stamp:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=/path/to/python3")'
	@echo "Making the virtual environment .venv"
	@$(PYTHON) -m venv --clear .venv || { rm -rf .venv; exit 1; }
	@touch $@

.venv/run.stamp: requirements.txt .venv/made.stamp
	@echo "Installing requirements.txt (a minute or two, the first time)"
	@$(PIP) -r requirements.txt
	@touch $@

.venv/test.stamp: requirements-dev.txt .venv/run.stamp
	@echo "Installing requirements-dev.txt"
	@$(PIP) -r requirements-dev.txt
	@touch $@

# The peers' own environments, for nothing but benchmarks; arq's packages contradict the others'.
.venv-peers/made.stamp: benchmarks/peers/requirements.txt benchmarks/peers/requirements-arq.txt
	@echo "Installing the peers into .venv-peers"
	@$(PYTHON) -m venv --clear .venv-peers/main && $(PYTHON) -m venv --clear .venv-peers/arq
	@.venv-peers/main/bin/python -m pip install --quiet -r benchmarks/peers/requirements.txt
	@.venv-peers/arq/bin/python -m pip install --quiet -r benchmarks/peers/requirements-arq.txt
	@touch $@

.venv/fuzz.stamp: requirements-fuzz.txt .venv/test.stamp
	@echo "Installing requirements-fuzz.txt"
	@$(PIP) -r requirements-fuzz.txt
	@touch $@
