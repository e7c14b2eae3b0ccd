# Two commands on a fresh machine: `make demo` and `make test`. Each makes .venv and installs all it needs into it.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# More to install for the tests: EXTRAS=,peers,sinks brings 8-bit optimizers of others, TensorBoard and MLflow (half a GB).
EXTRAS ?=
CSRC := $(wildcard src/adamas/csrc/*) CMakeLists.txt

.DEFAULT_GOAL := help

.PHONY: help demo test gpu-test lint dist-test bench evidence pages docs build wheel sbom generate sanitize fuzz mutations soak check-arm clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

# An editable install: Python files are used where they are; a change of the C++ builds it again.
$(VENV)/.lab: pyproject.toml constraints.txt $(CSRC)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[lab]'
	touch $@

$(VENV)/.dev: $(VENV)/.lab
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[lab,cluster,docs,dev,release$(EXTRAS)]'
	touch $@

demo: $(VENV)/.lab ## train real models with six optimizers, write report.html (2 minutes)
	$(BIN)/adamas demo

test: $(VENV)/.dev ## run all tests and the examples in the docs, a process a core
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n logical --dist loadfile

gpu-test: ## run the tests of the Triton engine on a GPU, with the Python that is active (a torch with CUDA)
	TRITON_INTERPRET=0 $(PYTHON) -m pytest tests/triton

lint: $(VENV)/.dev ## style, types, generated code
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/python -m adamas.rules.cpp --check
	$(BIN)/python -m adamas.rules.triton --check
	$(BIN)/python -m adamas.rules.triton_scalars --check

dist-test: $(VENV)/.dev ## run the tests that start 2 and 4 gloo processes
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/distributed

bench: $(VENV)/.lab ## compare the speed with every peer installed
	$(BIN)/adamas bench

evidence: $(VENV)/.dev ## make the numbers in README and docs again: docs/numbers.md lists them (an hour and a half)
	for name in mnist5k movie fashion; do $(BIN)/adamas data get $$name || exit 1; done
	$(BIN)/python -m tools.remake

docs: $(VENV)/.dev ## build the documentation into build/site; a warning is an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	$(BIN)/python tools/check_site.py build/site

PAGES := optimizers ideas codes few-bit-updates few-bit-cnn few-bit-gpt

pages: $(VENV)/.lab ## make the pages of optimizers, the pictures, and the tables of docs/formats again (half an hour)
	rm -f $(PAGES:%=build/numbers/%.txt)
	$(BIN)/python -m tools.remake $(PAGES)

build: $(VENV)/.dev ## build sdist and wheel into dist/
	rm -rf dist build/wheel
	$(BIN)/python -m build --sdist --outdir dist .
	$(BIN)/python -m pip wheel --quiet --no-deps -w build/wheel dist/*.tar.gz
	PATH=$(BIN):$$PATH auditwheel repair --exclude libgomp.so.1 --wheel-dir dist build/wheel/*.whl

wheel: build ## build both, check them, try both where there is no compiler (4 minutes)
	$(BIN)/python -m tools.release.check dist
	$(BIN)/python -m tools.release.install dist

sbom: $(VENV)/.dev ## list what comes with the core and each extra that is installed, with licences, in build/sbom
	$(BIN)/python -m tools.release.sbom build/sbom

generate: $(VENV)/.dev ## print the rules as C++ and as Triton again
	$(BIN)/python -m adamas.rules.cpp
	$(BIN)/python -m adamas.rules.triton
	$(BIN)/python -m adamas.rules.triton_scalars

sanitize: $(VENV)/.dev ## run the kernel tests on a build with address and undefined-behaviour sanitizers
	PYTHON=$(BIN)/python tools/sanitize.sh

fuzz: $(VENV)/.dev ## look long for orders and arguments that break something (half an hour or more)
	PYTHON=$(BIN)/python tools/fuzz.sh 1000000 20000
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/fuzz --hypothesis-profile=fuzz

mutations: $(VENV)/.dev ## seed bugs into a copy, see that tests catch them all, write docs/mutations.md (10 minutes)
	$(BIN)/python -m tools.mutations

soak: $(VENV)/.dev ## live through thousands of trainings in one process: nothing may grow
	OMP_NUM_THREADS=2 OMP_WAIT_POLICY=passive $(BIN)/python tools/soak.py 3000

check-arm: $(VENV)/.dev ## cross-compile for 64-bit ARM, run its kernels under qemu, compare with the reference
	PYTHON=$(BIN)/python tools/check_arm.sh

clean: ## remove what the other targets made
	rm -rf $(VENV) build dist .pytest_cache .ruff_cache .hypothesis
