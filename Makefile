# make demo | test | bench | sanitize | lint | format | clean.  `make help` says what each does.
# Variables: PYTHON (python3), CXX (g++), JOBS (number of cores).

PYTHON ?= python3
JOBS ?= $(shell nproc)
ifeq ($(origin CXX),default)
CXX := g++
endif
export PYTHON CXX
# Both pip's build and our own read these.
export CMAKE_BUILD_PARALLEL_LEVEL = $(JOBS)
export CMAKE_GENERATOR = Ninja

VENV := .venv
BIN := $(VENV)/bin
# Absolute, because make looks a command up in its own PATH, not the exported one, when it runs it without a shell.
CMAKE := $(CURDIR)/$(BIN)/cmake
export PATH := $(CURDIR)/$(BIN):$(PATH)

# What only pip's build needs, and no build isolation: a rebuild then takes seconds.
BUILD_REQUIREMENTS := "scikit-build-core>=0.11,<2" "cffi>=2.1" "cmake>=3.25,<5" "ninja>=1.11"
NATIVE_SOURCES := $(shell find native -type f)
FRAME := pyproject.toml CMakeLists.txt
SANITIZERS := address thread
FORMATTED := $(filter %.cpp %.hpp %.h,$(NATIVE_SOURCES))

.PHONY: help setup demo test test-native test-python bench sanitize schema golden litmus-golden reports races format clean check-build check-native
.PHONY: lint lint-python lint-format lint-native lint-scripts
.DEFAULT_GOAL := help

help:
	@echo "make demo      set everything up in $(VENV), then reproduce the corruption: race compare freeobj-corruption"
	@echo "make test      native tests, then the Python tests"
	@echo "make arm64     cross-build race-native for AArch64 boards: one static file"
	@echo "make test-arm64   its tests, under qemu-aarch64"
	@echo "make digest    what the weak machine does in every scenario, in numbers that are the same on every machine"
	@echo "make bench     measure speed"
	@echo "make sanitize  native tests under AddressSanitizer and ThreadSanitizer"
	@echo "make lint      formatting, types, static analysis"
	@echo "make format    format the sources"
	@echo "make schema    write the JSON Schema of the result document"
	@echo "make golden    write anew what the weak machine gives, to the byte"
	@echo "make litmus-golden   write anew the final states of our own litmus tests"
	@echo "make reports   run the kept samples in reports/ again, and draw the picture in the README"
	@echo "make races     run the suite of known bugs, and write its table into docs/races.md"
	@echo "make clean     remove everything that was built, and $(VENV)"

check-build:
	@tools/check-system.sh build
check-native:
	@tools/check-system.sh native

# ---- the virtual environment and the package in it

$(VENV)/.created: | check-build
	@echo "creating $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -q --disable-pip-version-check $(BUILD_REQUIREMENTS)
	@touch $@

# Editable: the folder race/ would shadow an installed package whenever Python runs from here.
$(VENV)/.package: $(VENV)/.created $(FRAME) $(NATIVE_SOURCES) race/__init__.py
	@echo "building the package"
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-build-isolation -e '.[test]'
	@touch $@

$(VENV)/.dev: pyproject.toml | $(VENV)/.package
	@echo "installing the developers' tools"
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-build-isolation -e '.[test,dev]'
	@touch $@

setup: $(VENV)/.package

demo: setup
	@$(BIN)/race compare freeobj-corruption

# ---- tests

# One build folder each for the plain build and each sanitizer; CMake itself knows what is out of date.
.PRECIOUS: build/%/CMakeCache.txt
build/%/CMakeCache.txt: $(VENV)/.created $(FRAME) native/CMakeLists.txt | check-native
	@$(CMAKE) -S . -B build/$* --log-level=WARNING \
	  -DRACE_TESTS=ON -DRACE_BENCH=$(if $(filter native,$*),ON,OFF) \
	  -DRACE_TOOL=$(if $(filter $(SANITIZERS),$*),OFF,ON) \
	  $(if $(filter arm64,$*),-DCMAKE_TOOLCHAIN_FILE=cmake/aarch64.cmake) \
	  -DRACE_SANITIZE=$(filter $(SANITIZERS),$*) -DRACE_WERROR=$(if $(CI),ON,OFF)
	@touch $@

test: test-native test-python

test-native: build/native/CMakeCache.txt
	@$(CMAKE) --build build/native --target race-tests
	build/native/native/race-tests

test-python: setup build/native/CMakeCache.txt
	@$(CMAKE) --build build/native --target race-broken-rules race-retell race-native race-native-faulty race-probe race-probe-planted
	$(BIN)/python -m pytest

bench: build/native/CMakeCache.txt
	@$(CMAKE) --build build/native --target race-bench
	build/native/native/race-bench

# ThreadSanitizer's shadow memory does not fit every randomised address layout; where it is allowed, run without. The weak
# machine is left out there: it is one thread that changes its stack, which ThreadSanitizer cannot follow.
FIXED_LAYOUT = $(shell setarch -R true 2>/dev/null && echo setarch -R)

# ---- AArch64: one static program that runs on any board, cross-built, and tested under an emulator. What depends on the CPU's
# ordering cannot be tested so: an emulator on another host reorders as that host does.

.PHONY: native-tool arm64 test-arm64 check-arm64 digest

check-arm64:
	@tools/check-system.sh arm64

native-tool: build/native/CMakeCache.txt
	@$(CMAKE) --build build/native --target race-native
	@echo "build/native/native/race-native"

build/arm64/CMakeCache.txt: cmake/aarch64.cmake
# All that the weak machine does in every scenario, as numbers: the same on every machine.
DIGEST := $(BIN)/python -m tests.digest --jobs $(JOBS)
digest: setup native-tool
	$(DIGEST) --output build/digest.txt build/native/native/race-native

arm64: check-arm64 build/arm64/CMakeCache.txt
	@$(CMAKE) --build build/arm64 --target race-native
	@echo "build/arm64/native/race-native"

test-arm64: setup arm64 native-tool
	@$(CMAKE) --build build/arm64
	qemu-aarch64 build/arm64/native/race-tests
	$(DIGEST) --output build/digest.txt build/native/native/race-native
	$(DIGEST) --output build/digest-arm64.txt --same-as build/digest.txt qemu-aarch64 build/arm64/native/race-native
	$(BIN)/python -m pytest tests/arm64/check_*.py

sanitize: $(SANITIZERS:%=sanitize-%)

sanitize-%: build/%/CMakeCache.txt
	@$(CMAKE) --build build/$* --target race-tests
	$(if $(filter thread,$*),$(FIXED_LAYOUT)) build/$*/native/race-tests $(if $(filter thread,$*),--test-suite-exclude=weak)

# ---- quality

lint: lint-python lint-format lint-native lint-scripts

lint-python: $(VENV)/.dev
	ruff check .
	ruff format --check .
	mypy

lint-format: $(VENV)/.dev
	@echo "clang-format --dry-run -Werror (native)"
	@clang-format --dry-run -Werror $(FORMATTED)

lint-native: $(VENV)/.dev build/native/CMakeCache.txt
	$(BIN)/python tools/clang_tidy.py --jobs $(JOBS) build/native

lint-scripts: $(VENV)/.dev
	shellcheck tools/*.sh .ci/run .ci/hardware
	actionlint

# The published schema of the result document; a test fails while it is not current.
schema: setup
	@$(BIN)/python -m race.schema

# What the weak machine gives, to the byte; a test compares. Look at the difference before you commit it.
golden: setup
	@$(BIN)/python -c "from tests import golden; golden.main()"

# The table of known bugs in docs/races.md, and the smallest execution of each in reports/races.
races: setup
	@$(BIN)/race suite --reports reports/races --json build/races.json
	@$(BIN)/python tools/races_doc.py build/races.json

# The final states of tests/litmus under each model; the tests compare. Look at the difference before you commit it.
litmus-golden: setup
	@$(BIN)/python tools/litmus_golden.py

# The samples that are kept, and the README's picture (a test fails while that is not current).
reports: setup
	$(BIN)/race compare freeobj-corruption --executions 20000 --max-findings 3 \
	  --html reports/freeobj-corruption.html --markdown reports/freeobj-corruption.md >/dev/null
	$(BIN)/race ablate freeobj-corruption --page-size 256 --executions 10000 \
	  --html reports/freeobj-corruption-ablation.html --markdown reports/freeobj-corruption-ablation.md >/dev/null
	@$(BIN)/python tools/readme_picture.py

format: $(VENV)/.dev
	ruff check --fix-only .
	ruff format .
	@echo "clang-format -i (native)"
	@clang-format -i $(FORMATTED)

clean:
	rm -rf build dist $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find race tests native tools -name __pycache__ -prune -exec rm -rf {} +
