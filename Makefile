# The verbs of the project. `make` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
CODE := fastagi_server lab benchmarks tests docs agi-bin

.DEFAULT_GOAL := help
.PHONY: help demo run test check chaos lab bench docs pin clean

help: ## list the verbs
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(READY) ## place a real call through a real Asterisk and show what each side saw
	@$(BIN)/python -m lab.demo

run: $(READY) ## start the service in the foreground
	@$(BIN)/fastagi-server run

test: $(READY) ## run all tests, with the real Asterisk where this machine can have one
	@$(BIN)/python -m lab install || test -z "$$CI"
	@$(BIN)/python -m pytest

check: $(READY) ## format, lint, types, import contracts
	@$(BIN)/ruff format --check $(CODE) && $(BIN)/ruff check $(CODE)
	@$(BIN)/mypy && $(BIN)/basedpyright && $(BIN)/lint-imports

chaos: $(READY) ## kill the service thousands of times under load
	@$(BIN)/python -m tests.chaos --kills 2000

lab: $(READY) ## install and start the lab's Asterisk; it asks 127.0.0.1:4573
	@$(BIN)/python -m lab install && $(BIN)/python -m lab start

bench: $(READY) ## measure against the peers, and write benchmarks/report.md
	@$(BIN)/python -m benchmarks

docs: $(READY) ## write the reference pages anew
	@$(BIN)/python -m docs.reference.generate

pin: ## pin the newest dependencies, with hashes (needs uv)
	uv pip compile -q pyproject.toml --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url -o requirements/runtime.txt
	uv pip compile -q pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url -o requirements/dev.txt
	uv pip compile -q --group bench -c requirements/dev.txt --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url -o requirements/bench.txt

clean: ## remove what the verbs made in this folder
	rm -rf $(VENV) .venv-bench build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(READY): requirements/dev.txt pyproject.toml
	@$(PYTHON) -m venv $(VENV) || { apt-get install -y python3-venv && $(PYTHON) -m venv $(VENV); }
	@$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@$(BIN)/pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@
