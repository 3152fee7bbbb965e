# `make demo` and `make test` do all the set-up they need; both work in a fresh clone.
PYTHON ?= python3
BIN := .venv/bin
# llama-cpp-python is compiled here, without its multimodal part
export CMAKE_ARGS ?= -DLLAVA_BUILD=OFF

FAST := not slow and not gpu and not ollama
PYTEST := $(BIN)/python -m pytest -n logical --maxprocesses 4 --dist loadfile --durations 10

.PHONY: setup demo test test-fast test-slow lint lock docs clean

setup: .venv/.installed

# what no package brings along; compiled to bytecode, torch and its kin start three times as fast
.venv/.installed: requirements/bootstrap.txt requirements/lock.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
		{ echo "Junior needs Python 3.11 or newer: make PYTHON=python3.11 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "$(PYTHON) cannot make a virtual environment: install python3-venv"; exit 1; }
	@for tool in $${CC:-cc} $${CXX:-c++}; do command -v $$tool >/dev/null || \
		{ echo "no C and C++ compiler ($$tool): install build-essential, or set CC and CXX"; exit 1; }; done
	test -x $(BIN)/pip || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements/bootstrap.txt
	$(BIN)/uv pip install --compile-bytecode --python $(BIN)/python \
		--require-hashes -r requirements/lock.txt
	$(BIN)/uv pip install --python $(BIN)/python --no-deps -e .
	touch $@

demo: setup
	bash demo/run

# every test, the fast ones first; real Ollama servers are asked where JUNIOR_TEST_OLLAMA names them
test: test-fast test-slow

test-fast: setup
	$(PYTEST) -m "$(FAST)"

# those for a GPU are among them, and skipped where there is none
test-slow: setup
	$(PYTEST) -m "not ($(FAST))"

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

# the README's table of keys and its tree, from the code
docs: setup
	$(BIN)/python -m docs.fill_readme

# the lock files hold hashes and no index lines
lock:
	$(BIN)/uv pip compile pyproject.toml --extra test --universal --python-version 3.11 \
		--generate-hashes --no-header --no-annotate -o requirements/lock.txt
	echo 'uv==0.13.9' | $(BIN)/uv pip compile - --universal --python-version 3.11 \
		--generate-hashes --no-header -o requirements/bootstrap.txt

clean:
	rm -rf .venv demo/home dist .pytest_cache .ruff_cache .hypothesis
