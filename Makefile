# The commands of the README. Each sets up the virtual environment it needs, once, and again when the packaging changes.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
BIN := $(VENV)/bin
SOURCES := agent hal provisioning tests benchmarks hatch_build.py

.DEFAULT_GOAL := help
.PHONY: help demo test check bench clean

help:
	@echo "make demo    one charging session on mock hardware, with its own CSMS"
	@echo "make test    the test suite; ARGS='tests/ocpp -k timestamps' chooses among them"
	@echo "make check   ruff and mypy"
	@echo "make bench   start-up, memory, CPU and wake-ups against the baselines"
	@echo "make clean   removes all that these commands have made"

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# One stamp per extra: the demo needs neither linters nor test tools.
$(VENV)/installed-%: pyproject.toml hatch_build.py | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable '.[$*]'
	@touch $@

# Without .pyc files start-up takes three times as long, and PYTHONDONTWRITEBYTECODE may be set.
COMPILE = $(BIN)/python -m compileall -q agent hal provisioning

demo: $(VENV)/installed-bench
	@$(COMPILE)
	$(BIN)/evse-agent demo

test: $(VENV)/installed-dev
	@$(COMPILE)
	$(BIN)/python -m pytest -n 2 --dist worksteal $(ARGS)

check: $(VENV)/installed-dev
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/mypy $(SOURCES)

bench: $(VENV)/installed-bench
	@$(COMPILE)
	$(BIN)/python benchmarks/run.py $(ARGS)

clean:
	rm -rf $(VENV) build dist agent/ocpp/validators/v*/ .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find agent hal provisioning tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
