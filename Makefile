# `make` lists what there is. CI and people call the same targets.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export BENCH_VENV ?= $(CURDIR)/$(VENV)/bench
export PEERS_VENV ?= $(CURDIR)/$(VENV)/peers
BENCH ?= usual
# Without compiled files every start and every test run would compile anew.
export PYTHONDONTWRITEBYTECODE :=

help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | expand -t 14

$(BIN)/uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11 …")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements/tool.txt

$(VENV)/.run: requirements/run.txt pyproject.toml | $(BIN)/uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements/run.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.test: requirements/test.txt $(VENV)/.run
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements/test.txt
	@touch $@

setup: $(VENV)/.run ## Prepare .venv with what running needs

run: $(VENV)/.run ## Start the gateway on http://127.0.0.1:4000
	@exec $(BIN)/switchgear run

# Plain asserts: explaining them costs each process five seconds. `pytest tests/…` explains those that fail.
test: $(VENV)/.test ## Run the tests (under 90 s)
	$(BIN)/python -m pytest --assert=plain -n 3 --dist loadfile --no-loadscope-reorder -m "not slow and not proofs"

test-all: $(VENV)/.test ## Run the longer suites too
	HYPOTHESIS_PROFILE=thorough $(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder -m "not proofs"

proofs: $(VENV)/.test ## Measure what the README promises, and print it
	$(BIN)/python -m pytest -m proofs -s tests/proofs

# In an environment of its own: installed beside the tests, its plugin slows each collection down.
$(VENV)/fuzz/.done: requirements/fuzz.txt | $(BIN)/uv
	$(BIN)/uv venv --quiet --allow-existing --python $(BIN)/python $(VENV)/fuzz
	$(BIN)/uv pip install --quiet --python $(VENV)/fuzz/bin/python --require-hashes -r requirements/fuzz.txt
	@touch $@

fuzz: $(VENV)/.test $(VENV)/fuzz/.done ## Try the admin API with whatever fits its description, and what does not
	SCHEMATHESIS=$(CURDIR)/$(VENV)/fuzz/bin/schemathesis $(BIN)/python -m pytest -m slow tests/fuzz

# In an environment of its own: what the floor and the charts need is nothing that the gateway or its tests need.
$(BENCH_VENV)/.done: requirements/bench.txt requirements/run.txt | $(BIN)/uv
	$(BIN)/uv venv --quiet --allow-existing --python $(BIN)/python $(BENCH_VENV)
	$(BIN)/uv pip install --quiet --python $(BENCH_VENV)/bin/python --require-hashes -r requirements/run.txt -r requirements/bench.txt
	@touch $@

bench: $(VENV)/.test $(BENCH_VENV)/.done ## Measure speed, into dist/bench (BENCH=quick|usual|full ONLY=streams)
	$(BIN)/python -m tests.bench --pace "$(BENCH)" --only "$(ONLY)"

bench-peers: $(BIN)/uv ## Install LiteLLM and, with npm, Portkey, for `make bench` to measure beside us
	$(BIN)/uv venv --quiet --allow-existing --python $(BIN)/python $(PEERS_VENV)
	$(BIN)/uv pip install --quiet --python $(PEERS_VENV)/bin/python 'litellm[proxy]'
	@command -v npm >/dev/null && npm install --silent --prefix $(PEERS_VENV) --no-audit --no-fund --ignore-scripts @portkey-ai/gateway || echo "Portkey is not measured: npm is not there"

micro: $(BENCH_VENV)/.done ## Measure each stage of a call by itself
	PYTHONPATH=. $(BENCH_VENV)/bin/python -m pytest -q -c /dev/null --rootdir=. --noconftest -p no:cacheprovider --benchmark-columns=median,iqr,rounds --benchmark-sort=name tests/micro/stages.py

# The same way: they bring more with them than the gateway needs.
$(VENV)/vendors/.done: requirements/vendors.txt | $(BIN)/uv
	$(BIN)/uv venv --quiet --allow-existing --python $(BIN)/python $(VENV)/vendors
	$(BIN)/uv pip install --quiet --python $(VENV)/vendors/bin/python --require-hashes -r requirements/vendors.txt
	@touch $@

vendors: $(VENV)/.test $(VENV)/vendors/.done ## Have the vendors' own SDKs call the gateway, and judge what adapters send
	VENDORS=$(abspath $(VENV))/vendors/bin/python $(BIN)/python -m pytest -m slow tests/vendors

faults: $(VENV)/.test ## Measure what happens while providers fail, and print it
	$(BIN)/python -m pytest -m proofs -s tests/figures

fmt: $(VENV)/.test ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix --quiet . || true

format: $(VENV)/.test ## Check the format
	$(BIN)/ruff format --check --quiet .

lint: $(VENV)/.test ## Lint
	$(BIN)/ruff check --quiet .

types: $(VENV)/.test ## Check the types
	$(BIN)/mypy

imports: $(VENV)/.test ## Check that imports point down
	$(BIN)/lint-imports

check: format lint types imports test ## What CI runs

wheel: $(BIN)/uv ## Build the wheel into dist/
	rm -rf dist
	$(BIN)/uv build --quiet --wheel --no-build-isolation --python $(BIN)/python --out-dir dist

audit: $(VENV)/.test ## Look the locked versions up for known holes
	$(BIN)/pip-audit --disable-pip --require-hashes -r requirements/image.txt

lock: $(BIN)/uv ## Resolve the lock files anew
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header requirements/tool.in -o requirements/tool.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header pyproject.toml -o requirements/run.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header pyproject.toml --extra test -o requirements/test.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header pyproject.toml --extra postgres --extra redis --constraint requirements/test.txt -o requirements/image.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header requirements/fuzz.in -o requirements/fuzz.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header requirements/bench.in -c requirements/run.txt -o requirements/bench.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header requirements/vendors.in -o requirements/vendors.txt

clean: ## Remove what was built; .venv and data/ stay
	rm -rf dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

.PHONY: help setup run test test-all proofs fuzz vendors faults bench bench-peers micro fmt format lint types imports check wheel audit lock clean
