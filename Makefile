# `make` shows what there is. Everything is idempotent; long steps say what they do and how long it usually takes.
PYTHON ?= python3
PY ?= 3.13t
export PY
# A GIL switched by hand would hide the modules that switch it on: chapter 01.
unexport PYTHON_GIL
.DEFAULT_GOAL := help

RUN := $(PYTHON) tools

.PHONY: help
help:  ## this list
	@echo "Racing Without the GIL: make ..."
	@awk -F':.*## ' '/^[a-z -]+:.*## /{printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: book
book: env env-book  ## the executed site: _build/html/index.html
	@$(RUN)/book.py

.PHONY: preview
preview: env env-book  ## one page alone, executed anew: CH=06_lost_update (CORES=0 pins it to a core)
	@$(RUN)/preview.py $(CH) $(if $(CORES),--cores $(CORES))

.PHONY: test
test: book env-checks  ## all tests
	@$(RUN)/test.py

.PHONY: test-race
test-race: env env-checks env-nbgrader  ## the long racing tests
	@$(RUN)/test.py --race

.PHONY: test-network
test-network: env  ## the sessions and proofs that fetch packages from PyPI
	@RACELAB_NETWORK=1 .venv-ft/bin/python -m pytest -m network tests/test_sessions.py tests/test_errata.py

.PHONY: serve
serve: book  ## the built site, on http://localhost:8000 (PORT=... for another)
	@$(PYTHON) -m http.server --directory _build/html --bind 127.0.0.1 $(or $(PORT),8000)

.PHONY: lab
lab: env env-book  ## JupyterLab with the chapters as notebooks
	@$(RUN)/lab.py

.PHONY: check
check: env env-checks  ## ruff, mypy, links between pages, the C compiler's warnings
	@$(RUN)/check.py

.PHONY: env env-book env-checks env-nbgrader
env:  ## the free-threaded kernel environment (PY=3.14t for another version)
	@$(RUN)/envs.py kernel
env-book:
	@$(RUN)/envs.py book
env-checks:
	@$(RUN)/envs.py checks
env-nbgrader:  ## nbgrader, to hand out exercises and collect them
	@$(RUN)/envs.py nbgrader

.PHONY: record
record: env  ## run what the book shows as recorded, and keep it in notebooks/recorded/ (RECORD=--stale: what has drifted)
	@.venv-ft/bin/python benchmarks/record_welcome.py
	@.venv-ft/bin/racelab record $(RECORD)

.PHONY: bench
bench: env  ## how fast racelab finds what the usual recipes miss (about ten minutes; BENCH=--quick for one)
	@.venv-ft/bin/python benchmarks/run.py $(BENCH)

.PHONY: tsan asan debug
tsan asan debug:  ## interpreters for the sanitizers and debuggers (minutes each)
	@$(RUN)/interpreter.py --flavor $@ --py $(PY)

.PHONY: tools
tools:  ## gdb, lldb, clang and its symbolizer, for the chapters that run them (as root on Debian and Ubuntu)
	@$(RUN)/debugging.py

.PHONY: locks
locks:  ## resolve requirements/*.in anew (locks; UPGRADE=1 takes newer releases)
	@$(RUN)/locks.py $(if $(UPGRADE),--upgrade)

.PHONY: clean distclean
clean:  ## remove the built site
	@$(RUN)/clean.py
distclean:  ## remove everything that make made here, the interpreters in the cache too
	@$(RUN)/clean.py --all
