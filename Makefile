# `make demo` and `make test` do all the set-up they need; both work in a fresh clone.
PYTHON ?= python3
BIN := .venv/bin
# llama-cpp-python is compiled here, without its multimodal part
export CMAKE_ARGS ?= -DLLAVA_BUILD=OFF

.PHONY: setup demo test lint lock docs clean

setup: .venv/.installed

.venv/.installed: requirements/bootstrap.txt requirements/lock.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Junior needs Python 3.11 or newer: make PYTHON=python3.11 $(MAKECMDGOALS)"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements/bootstrap.txt
	$(BIN)/uv pip install --python $(BIN)/python --require-hashes -r requirements/lock.txt
	$(BIN)/uv pip install --python $(BIN)/python --no-deps -e .
	touch $@

demo: setup
	bash demo/run

test: setup
	$(BIN)/python -m pytest

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
