# `make app` and `make test` do everything on a fresh machine with Python 3.11 to 3.13.
FITS := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do $$p -c '$(FITS)' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
PORT ?= 8501

.PHONY: app test nightly coverage demo lint bench fuzz mutants tiny catalogue readme docs screenshots accessibility lock clean

app: .venv/app  ## create the environment and start the dashboard; PORT=8502 chooses another port
	$(BIN)/cxr app --port $(PORT)

test: .venv/dev  ## the whole suite, on three processes
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder $(PYTEST)

nightly: .venv/dev  ## the tests that take long, and the steps of a shared folder's Dockerfile
	$(BIN)/python -m pytest -n 3 --dist loadfile -m nightly
	python3 scripts/check_install.py share

coverage:  ## the same, with the share of lines run of each module
	$(MAKE) test PYTEST="--cov --cov-report=term"

demo: .venv/app  ## phantoms, CXRTiny and Grad-CAM on the command line
	$(BIN)/cxr demo

lint: .venv/dev  ## format, style, types, and mistakes that an attacker could use
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/bandit --quiet --recursive --configfile pyproject.toml cxrcore pages streamlit_app.py

bench: .venv/dev  ## speed relative to the tutorials' code; needs ../shared
	$(BIN)/python -m benchmarks

fuzz: .venv/dev  ## damaged files of every format through the readers
	CXR_FUZZ=5500 $(BIN)/python -m pytest tests/data/test_fuzz.py

mutants: .venv/dev  ## mutation testing of splits, evaluation and explanations: hours; SAMPLE=10 mutants of each module: less
	$(BIN)/python scripts/mutation.py --sample $(or $(SAMPLE),0)

tiny: .venv/dev  ## train CXRTiny and write its weights
	$(BIN)/python scripts/train_cxrtiny.py

catalogue: .venv/dev  ## update the catalogue of each language with the texts in the code
	@mkdir -p build
	$(BIN)/pybabel -q extract -F babel.cfg -k t -k nt:1,2 -k msg -k UserError -k ImageError -k DamagedFileError -k NewerFileError -k UnavailableError --no-location --sort-output --width 120 --project cxrcore -o build/messages.pot .
	$(BIN)/pybabel -q update -i build/messages.pot -o cxrcore/locale/pt_BR.po -l pt_BR --no-fuzzy-matching --ignore-obsolete --width 120

readme: .venv/dev  ## write the table of training settings in the README, and the guide's pages of commands and settings
	$(BIN)/python -c "from pathlib import Path; from cxrcore.config.table import replace_in; \
	    path = Path('README.md'); path.write_text(replace_in(path.read_text()))"
	$(BIN)/python scripts/write_reference.py

docs: .venv/dev  ## the guide as a site into site/; `.venv/bin/mkdocs serve` shows it while you write
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

screenshots: .venv/dev  ## pictures of every page and tab into screenshots/; VIEWS="results data" for some
	$(BIN)/python scripts/screenshots.py $(VIEWS)

accessibility: .venv/dev  ## axe-core on every page and tab
	$(BIN)/python scripts/check_accessibility.py

lock: .venv/dev  ## write the exact versions from pyproject.toml's ranges
	$(BIN)/uv pip compile -q --universal --generate-hashes --no-strip-extras --python-version 3.11 --no-header pyproject.toml -o requirements.txt
	$(BIN)/uv pip compile -q --universal --generate-hashes --no-strip-extras --python-version 3.11 --no-header pyproject.toml --group dev -c requirements.txt -o requirements-dev.txt

.venv/app: requirements.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11, 3.12 or 3.13 is needed. Name yours: make app PYTHON=/path/to/python3.12"; exit 2; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	touch $@

.venv/dev: .venv/app requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	touch $@

clean:  ## remove the environment; the workspace stays
	rm -rf .venv
