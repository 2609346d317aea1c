# Every command of this repository; `make` alone lists them. Each makes what it needs, from nothing but Python.
# Another interpreter in an environment of its own: make test PYTHON=python3.13 VENV=.venv-3.13

# The first of these that is 3.11 or newer makes the virtual environment.
PYTHON ?= python3 python3.14 python3.13 python3.12 python3.11
VENV ?= .venv
PINS ?= requirements/test.txt
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
# A data file per environment, so that several interpreters may run the suite at once.
export COVERAGE_FILE := $(VENV)/.coverage

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo quick test lint types bench instructions docs fuzz chaos mutants release audit format pins clean

help:  ## list these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' Makefile

demo: $(VENV)/.test  ## a real issuer, a protected API, and a story between them (ONCE=1: stop after the table)
	@$(BIN)/bearerguard demo $(if $(filter-out 0 no false,$(ONCE)),--once)

# The parts of the suite. Core covers every branch of _jose, _core and _flows by itself, so that the others need no
# tracing; world starts servers, threads and processes, and mostly waits for them.
WORLD := $(addprefix tests/,cli keys examples faults io peers testing)
# Real providers, proxies, stores and browsers; `.ci/run` leaves them out on all interpreters but one (tests/left_out.py).
ifeq ($(findstring real,$(BEARERGUARD_LEFT_OUT)),)
WORLD += $(addprefix tests/,browser integration migrating stores)
endif
ifeq ($(findstring seeds,$(BEARERGUARD_LEFT_OUT)),)
WORLD += tests/seeds
endif
HOSTILE := $(addprefix tests/,hostile advisories vectors)
CORE := $(addprefix tests/,jose core flows)
SUITE := world conformance hostile core doors

test: $(VENV)/.test  ## the suite on one interpreter, and the coverage gate on _jose, _core and _flows
	@echo "The whole suite, in $(words $(SUITE)) parts, three at once: two to three minutes on two cores that are free."
	@echo "What each part prints is kept in $(VENV)/tests, and shown here if it fails. make quick takes a minute."
	@$(MAKE) --no-print-directory --keep-going -j3 $(addprefix test-,$(SUITE))
	@echo "All of it passed."

# $(call part,NAME,COMMAND): says that it begins, how far it is, and how it ended. What was skipped is told in any case.
define part
@mkdir -p $(VENV)/tests
@echo "  $(1): begun"; \
began=$$(date +%s); log=$(VENV)/tests/$(1).txt; \
{ while sleep 30 >/dev/null 2>&1; do echo "  $(1): $$(echo '0%]' | cat - $$log | grep -oE '[0-9]+%\]' | tail -n 1 | tr -d ])"; done; } & \
if { $(2); } >$$log 2>&1; \
then end=passed; grep -E '^(SKIPPED|XFAIL|XPASS|HUNG)' $$log; true; \
else end=FAILED; cat $$log; \
fi; \
kill $$!; \
echo "  $(1): $$end after $$(($$(date +%s) - began)) s: $$(grep -E '(passed|failed|error).* in ' $$log | tail -n 1)"; \
test $$end = passed
endef

.PHONY: $(addprefix test-,$(SUITE))
test-core:
	$(call part,core,$(BIN)/coverage run -m pytest -q $(CORE) && $(BIN)/coverage report)

test-hostile:
	$(call part,hostile,$(BIN)/python -m pytest -q $(HOSTILE))

test-world:
	$(call part,world,$(BIN)/python -m pytest -q $(WORLD))

test-conformance:
	$(call part,conformance,$(BIN)/python -m pytest -q tests/conformance)

test-doors:
	$(call part,doors,$(BIN)/python -m pytest -q tests $(addprefix --ignore=,$(CORE) $(HOSTILE) $(WORLD) tests/conformance))

# What differs from the branch that changes go into; everything, where git is not there to say.
BASE ?= main
CHANGED = $(shell since=$$(git merge-base HEAD $(BASE) 2>/dev/null || echo HEAD); \
  { git diff --name-only --diff-filter=d $$since -- '*.py'; git ls-files -o --exclude-standard -- '*.py'; } 2>/dev/null || echo .)
DOOR ?= asgi

quick: $(VENV)/.dev  ## a minute's answer: lint of what you changed, the tests without a network, one door (DOOR=flask)
	@echo "Lint of $(words $(CHANGED)) changed files, the house, tests/{jose,core,flows,rules}, and the door $(DOOR): under a minute."
	@$(if $(CHANGED),$(BIN)/ruff check --quiet $(CHANGED) && $(BIN)/ruff format --quiet --check $(CHANGED))
	@$(BIN)/python -m pytest -q tests/test_house.py $(CORE) tests/rules
	@$(BIN)/python -m pytest -q tests/conformance -k "$(DOOR)"
	@echo "As far as this goes, it passes. make test is the whole, make lint and make types the rest."

lint: $(VENV)/.dev  ## style, security rules, formatting, the layers of the house, the pins
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports --no-logo
	bash -n .ci/run
	$(PIP) check

types: $(VENV)/.dev  ## mypy on everything, pyright on the source and on the public names
	$(BIN)/mypy
	PATH="$(abspath $(BIN)):$$PATH" pyright
	PATH="$(abspath $(BIN)):$$PATH" pyright --ignoreexternal --verifytypes bearerguard

bench: $(VENV)/pyvenv.cfg  ## what verifying costs, against the bare signature (PARTS="verify memory" ROUNDS=15 QUICK=1 DOCS=1)
	@$(BIN)/python -m bench $(PARTS) $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(QUICK),--quick) $(if $(DOCS),--docs)

instructions: $(VENV)/pyvenv.cfg  ## what verifying costs in instructions, under valgrind; fails where a target is missed by far
	@$(BIN)/python -m bench.instructions

docs: $(VENV)-docs/.docs  ## the documentation, as a site in build/site
	$(VENV)-docs/bin/zensical build --strict --clean

fuzz: $(VENV)-fuzz/.fuzz  ## random input for the parser, tokens, proofs, keys and headers (SECONDS=60 each, TARGETS="verify key_set")
	@$(VENV)-fuzz/bin/python fuzz/fuzz.py $(if $(SECONDS),--seconds $(SECONDS)) $(TARGETS)

chaos: $(VENV)/.test  ## load on real servers while their provider, and then their store, misbehaves (SECONDS=120)
	@SECONDS=$(SECONDS) $(BIN)/python -m chaos.run
	@$(BIN)/python -m chaos.fleet

mutants: $(VENV)-mutants/.mutants  ## change _core and _flows in every small way, and see whether a test notices (JOBS=2)
	$(VENV)-mutants/bin/mutmut run --max-children $(or $(JOBS),2)
	$(VENV)-mutants/bin/mutmut results

release: $(VENV)-release/.release  ## what is published, in build/release: built twice, checked, with its bill of materials (TAG=v1.2.3)
	@$(VENV)-release/bin/python .ci/release.py $(TAG)

audit: $(VENV)-audit/.audit  ## look the pinned packages up in a database of vulnerabilities; fails where it does not answer
	@$(VENV)-audit/bin/python .ci/audit.py

format: $(VENV)/.dev  ## let ruff repair and format what it can
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

pins: $(VENV)-pins/.pins  ## resolve requirements/*.in anew and write the pinned *.txt, with the hash of every file
	for name in test dev docs fuzz mutants audit pins release bench bench-seeds instructions instructions-trio; do \
	  $(COMPILE) --output-file requirements/$$name.txt requirements/$$name.in || exit 1; \
	done
	$(COMPILE) --constraint requirements/test.txt --output-file requirements/runtime.txt pyproject.toml
	$(VENV)-pins/bin/python .ci/oldest.py requirements/test.txt | $(COMPILE) --output-file requirements/oldest.txt -
	$(VENV)-pins/bin/python .ci/oldest.py requirements/test.txt mcp | $(COMPILE) --output-file requirements/oldest-mcp.txt -

# One file for all interpreters and systems: what only some need is marked so. No line names the registry.
COMPILE := $(VENV)-pins/bin/uv pip compile --quiet --no-cache --upgrade --universal --python-version 3.11 \
  --generate-hashes --no-annotate --no-emit-index-url --no-emit-find-links --custom-compile-command "make pins"

clean:  ## remove everything that these commands made
	rm -rf .venv .venv-* .coverage* .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis build dist

# ---- what the commands stand on

$(VENV)/pyvenv.cfg:
	@for python in $(PYTHON); do \
	  if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	    echo "$(VENV): $$($$python --version)"; \
	    $$python -m venv $(VENV) || { rm -rf $(VENV); exit 1; }; \
	    exit 0; \
	  fi; \
	done; \
	echo "bearerguard needs Python 3.11 or newer, and none of these is: $(PYTHON)" >&2; \
	echo "Install one, or say where it is: make PYTHON=/path/to/python3.12 $(MAKECMDGOALS)" >&2; \
	exit 1

$(VENV)/.test: $(PINS) pyproject.toml | $(VENV)/pyvenv.cfg
	@echo "$(VENV): installing $(PINS)"
	@$(PIP) install -qq --require-hashes --no-deps -r $(PINS)
	@$(PIP) install -qq --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.test
	@echo "$(VENV): installing requirements/dev.txt"
	@$(PIP) install -qq --require-hashes --no-deps -r requirements/dev.txt
	@touch $@

# Environments of their own: what these bring would be in the suite's way.
define environment
$(VENV)-$(1)/.$(1): requirements/$(1).txt
	@$$(MAKE) --no-print-directory $(VENV)-$(1)/pyvenv.cfg VENV=$(VENV)-$(1)
	@echo "$(VENV)-$(1): installing $$<"
	@$(VENV)-$(1)/bin/python -m pip --disable-pip-version-check install -qq --require-hashes --no-deps -r $$<
	@touch $$@
endef
$(foreach name,docs fuzz mutants audit pins release,$(eval $(call environment,$(name))))
