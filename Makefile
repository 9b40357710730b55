# Two commands for users (demo, test); the rest is for contributors. Each sets up what it needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo test lint types contract wheel docs check clean

demo: $(STAMP)  ## audit the pocket model's IOI circuit; writes runs/demo/report.html
	$(BIN)/circuitvar demo --out runs/demo

# One thread per worker: the tests' matrices are small, and spinning threads slow each other down.
test: $(STAMP)  ## run the test suite
	OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 HF_HUB_OFFLINE=1 $(BIN)/python -m pytest -q -n 2 --dist worksteal

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)
	rm -rf build/types && mkdir -p build/types && cp -RL .src/circuitvar build/types/
	$(BIN)/pyright

contract: $(STAMP)  ## floors and rooms import one way only
	$(BIN)/lint-imports

wheel: $(STAMP)  ## the built wheel, alone in a fresh environment, must run
	sh .ci/check_wheel $(PYTHON)

docs: $(STAMP)  ## the documentation site, in build/site
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --group docs
	$(BIN)/python docs/generate.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build

check: lint types contract test wheel

# The stamp is newer than the two files that define the environment, or the environment is rebuilt.
$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "pip>=25.1"
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable . --group dev
	touch $(STAMP)

clean:
	rm -rf $(VENV) dist build runs
