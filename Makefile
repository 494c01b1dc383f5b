# Two commands do everything, each with its own set-up: `make demo` and `make test`.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt

.PHONY: demo test test-slow coverage lint lock clean

demo: .venv/demo-ready
	$(BIN)/noble demo -o runs/demo

test: .venv/test-ready
	$(BIN)/pytest -m "not slow" -n 2 --dist worksteal

# The fast suite once more, and how much of each room it runs; fails below 85 %.
coverage: .venv/test-ready
	$(BIN)/pytest -m "not slow" -n 2 --dist worksteal --cov --cov-report=json:coverage.json
	$(BIN)/python .ci/rooms.py coverage.json

test-slow: .venv/test-ready
	$(BIN)/pytest -m slow

lint: .venv/test-ready
	$(BIN)/ruff check --no-cache  # a cached verdict does not know of modules that came later
	$(BIN)/ruff format --check
	$(BIN)/pyright

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/demo-ready: .venv/bin/python pyproject.toml constraints.txt
	$(PIP) --editable ".[simulate,train]"
	touch $@

.venv/test-ready: .venv/bin/python pyproject.toml constraints.txt
	$(PIP) --editable ".[simulate,evolve,train,neuron,test,lint]"
	touch $@

# Write down the versions that are installed now; run after changing pyproject.toml and installing by hand.
lock:
	{ head -1 constraints.txt; $(BIN)/python -m pip freeze --exclude-editable | sed 's/+cpu//'; } > constraints.txt.partial
	mv constraints.txt.partial constraints.txt

clean:
	rm -rf .venv build dist runs .pytest_cache .ruff_cache .coverage coverage.json
