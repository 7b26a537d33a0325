# `make demo`, `make test`, `make bench`: all set up .venv first, from nothing.
# TensorFlow has wheels for these.
PYTHONS := python3.13 python3.12 python3.11 python3.10 python3 python
PYTHON ?= $(shell for name in $(PYTHONS); do $$name -c 'import sys, venv, ensurepip; sys.exit(not (3, 10) <= sys.version_info < (3, 14))' 2>/dev/null && { echo $$name; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
READY_FOR_DEMO := $(VENV)/.ready_for_demo
ADDONS_PYTHON ?= python3.11
ADDONS := .venv-addons
ADDONS_FILES := build/addons
HAS_ADDONS_PYTHON = $(shell $(ADDONS_PYTHON) -c 'import sys; print("yes" * (sys.version_info[:2] == (3, 11)))' 2>/dev/null)
# pip would compile all that it installs; a part of that is ever imported, and compiled then, and
# kept: where images of containers forbid that, each start compiles TensorFlow anew (8 s, not 3).
PIP_OPTIONS := --quiet --no-compile
export PYTHONDONTWRITEBYTECODE :=

# Three on two cores took as long: each worker makes its own graphs.
WORKERS := -n 2 --dist worksteal

.PHONY: environments docs demo test test-addons addons-era bench check format clean help

help:
	@echo "make demo    set up, train the built-in demo, export it, show where everything is"
	@echo "make test    set up, run all tests"
	@echo "make test-addons   set up the TensorFlow of tensorflow-addons' time as well, hold ours against its files"
	@echo "make bench   set up with PyTorch, measure against it (about an hour, nothing else running)"
	@echo "make docs    set up, build the documentation as a site: build/site/index.html"
	@echo "make check   ruff format, ruff, mypy, import contract, fast tests"
	@echo "make clean   remove what the others made, runs/ excepted"

# What a demo needs; the tests' environment has it, too.
$(READY_FOR_DEMO): pyproject.toml setup.py
	@if [ -z "$(PYTHON)" ]; then echo "error: cyclegan_tf needs Python 3.10 to 3.13, and none is here: get Python 3.13 (python.org, or your system's packages), or name one: make PYTHON=/path/to/python3.13 ..." >&2; exit 2; fi
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip  # the one in Python 3.10 takes minutes to choose versions
	$(BIN)/python -m pip install $(PIP_OPTIONS) --editable ".[serve]"
	touch $(READY_FOR_DEMO)

$(READY): $(READY_FOR_DEMO)
	$(BIN)/python -m pip install $(PIP_OPTIONS) --editable ".[dev]"
	touch $(READY)

# What tests need, for `make -j2`: each installation keeps one core busy.
environments: $(READY) $(if $(HAS_ADDONS_PYTHON),$(ADDONS)/.ready)

demo: $(READY_FOR_DEMO)
	$(BIN)/python -m cyclegan_tf.train --run_dir runs/demo --config demo
	$(BIN)/python -m benchmarks.quality.demo_score runs/demo --image runs/demo/translated.png
	$(BIN)/python -m cyclegan_tf.evaluate runs/demo --overwrite
	$(BIN)/python -m cyclegan_tf.export runs/demo runs/demo_export --overwrite
	$(BIN)/python -m cyclegan_tf.export runs/demo runs/demo_export --overwrite --quiet --format web || true
	$(BIN)/python -m cyclegan_tf.distill runs/demo runs/demo_small --direction xy --max_minutes 1.5 || true
	@echo
	@echo "test scenes, translated in both directions, beside the truth: runs/demo/translated.png"
	@echo "how good it is, with the worst, the median and the best images: runs/demo/evaluation.html"
	@echo "how training went: runs/demo/index.html"
	@echo "as images: $$(ls runs/demo/samples/*.png | tail -n 2 | tr '\n' ' ')"
	@echo "curves: $(BIN)/tensorboard --logdir runs/demo/logs"
	@echo "exported, each with its proof: runs/demo_export"
	@test -f runs/demo_small/xy/parity.png && echo "a student at 1/23 of the multiply-accumulates, beside its teacher: runs/demo_small/xy/parity.png" || true
	@test -d runs/demo_export/web && echo "a page that translates in the browser: $(BIN)/python -m http.server --bind 127.0.0.1 --directory runs/demo_export/web 8000, then open http://localhost:8000" || true
	@echo "the same page with a server behind it: $(BIN)/python -m cyclegan_tf.serve runs/demo_export, then open http://localhost:8501"
	@echo
	@echo "next: \`. $(BIN)/activate\`, then \`cyclegan-tf check images\` and \`cyclegan-tf train --data.source images --run_dir runs/mine\` (images: a folder of yours that holds trainA and trainB)"

test: $(READY)
	$(BIN)/python -m pytest $(WORKERS)

test-addons:
	@if [ -n "$(HAS_ADDONS_PYTHON)" ]; \
	then $(MAKE) --no-print-directory addons-era; \
	else echo "SKIPPED: make test-addons needs Python 3.11 as $(ADDONS_PYTHON), the last that tensorflow-addons runs on; none is here"; fi

addons-era: $(READY) $(ADDONS)/.ready
	rm -rf $(ADDONS_FILES)
	$(ADDONS)/bin/python tests/addons/write_files.py $(ADDONS_FILES)
	CYCLEGAN_TF_ADDONS_FILES=$(abspath $(ADDONS_FILES)) $(BIN)/python -m pytest tests/convert/test_addons_era.py

$(ADDONS)/.ready: tests/addons/requirements.txt
	$(ADDONS_PYTHON) -m venv $(ADDONS)
	$(ADDONS)/bin/python -m pip install $(PIP_OPTIONS) --requirement tests/addons/requirements.txt
	touch $(ADDONS)/.ready

bench: $(READY)
	$(BIN)/python -m pip install --quiet --editable ".[bench]"
	$(BIN)/python -m benchmarks.speed.bench --out runs/bench
	$(BIN)/python -m benchmarks.deploy.phone --out runs/bench

docs: $(READY)
	$(BIN)/python -m mkdocs build --quiet
	@echo "the documentation: build/site/index.html"

check: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest $(WORKERS) -m "not slow"

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) $(ADDONS) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
