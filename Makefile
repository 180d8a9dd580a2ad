# `make app` and `make test` do everything on a fresh machine with Python 3.11 to 3.13.
FITS := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do $$p -c '$(FITS)' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin

.PHONY: app test demo lint bench fuzz tiny catalogue lock clean

app: .venv/app  ## make the environment and start the dashboard
	$(BIN)/streamlit run streamlit_app.py

test: .venv/dev  ## the whole suite, on two processes
	$(BIN)/python -m pytest -n 2 --dist loadfile

demo: .venv/app  ## phantoms, CXRTiny and Grad-CAM on the command line
	$(BIN)/python -m cxrcore demo

lint: .venv/dev  ## format, style and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: .venv/dev  ## our way against the tutorials' way; needs ../shared
	$(BIN)/python -m benchmarks

fuzz: .venv/dev  ## damaged files of every format through the readers
	CXR_FUZZ=5500 $(BIN)/python -m pytest tests/data/test_fuzz.py

tiny: .venv/dev  ## train CXRTiny anew
	$(BIN)/python scripts/train_cxrtiny.py

catalogue: .venv/dev  ## bring the catalogue of each language up to date with the texts in the code
	$(BIN)/pybabel -q extract -F babel.cfg -k t -k nt:1,2 -k said -k UserError -k ImageError --no-location --sort-output --width 120 --project cxrcore -o build/messages.pot .
	$(BIN)/pybabel -q update -i build/messages.pot -o cxrcore/locale/pt_BR.po -l pt_BR --no-fuzzy-matching --ignore-obsolete --width 120

lock: .venv/dev  ## write the exact versions from pyproject.toml's ranges
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --no-header pyproject.toml -o requirements.txt
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --no-header pyproject.toml --group dev -c requirements.txt -o requirements-dev.txt

.venv/app: requirements.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11, 3.12 or 3.13 is needed. Name yours: make app PYTHON=/path/to/python3.12"; exit 2; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	touch $@

.venv/dev: .venv/app requirements-dev.txt .venv/server/ready
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	touch $@

# A whole MLflow needs older pandas than ours, so the server that the tests start has an environment of its own.
.venv/server/ready: .venv/app
	$(PYTHON) -m venv .venv/server
	.venv/server/bin/python -m pip install --quiet --disable-pip-version-check "mlflow>=3,<4"
	touch $@

clean:  ## remove the environment; the workspace stays
	rm -rf .venv
