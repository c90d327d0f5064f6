# Everything below runs in .venv, built from requirements.lock. All paths are relative, so the folder may be called anything.

PYTHON  ?= $(firstword $(foreach p,python3 python3.13 python3.12 python3.11 python3.10 python,$(if $(shell $(p) -c $(CHECK) 2>/dev/null),$(p))))
CHECK   := "import sys; print('ok' * ((3, 10) <= sys.version_info[:2] < (3, 14)))"
VENV_PY := .venv/bin/python
PIP     := $(VENV_PY) -m pip --disable-pip-version-check --no-input --quiet --quiet
UV      ?= uv
STAMP   := .venv/installed
# In a container the only user is often root; the token stays on.
ROOT     = $(if $(filter 0,$(shell id -u)),--allow-root)

# The stamp holds the folder it was made in: a .venv that was moved, copied or lost its Python is set up again.
ifneq "$(shell $(VENV_PY) -c '' 2>/dev/null && cat $(STAMP) 2>/dev/null)" "$(CURDIR)"
REDO := redo
endif

.PHONY: help lab test notebooks images bench weights lint lock redo
.DEFAULT_GOAL := help

help: ## list these targets
	@sed -n 's/^\([a-z]*\):[^#]*## /\1	/p' Makefile | expand -t 12

lab: $(STAMP) ## set up if needed, then open JupyterLab on the first chapter (more options: LAB_ARGS="--no-browser")
	@echo "Opening JupyterLab on notebooks/00_start_here.ipynb; stop it with Ctrl-C."
	@JUPYTER_CONFIG_PATH=.jupyter$${JUPYTER_CONFIG_PATH:+:$$JUPYTER_CONFIG_PATH} \
		$(VENV_PY) -m jupyterlab --ServerApp.ip=127.0.0.1 $(ROOT) $(LAB_ARGS) notebooks/00_start_here.ipynb

test: $(STAMP) ## set up if needed, then run every test and re-execute every chapter (VAE_DATA=folder: on MNIST)
	@echo "Running the tests of the package and of the notebooks' form."
	@MPLBACKEND=agg $(VENV_PY) -m pytest tests
	@sh tests/run_nbval.sh $(VENV_PY) notebooks

notebooks: $(STAMP) ## execute the chapters on MNIST and store their outputs (one of them: ONLY=01)
	@$(VENV_PY) tools/execute_notebooks.py $(if $(ONLY),--only $(ONLY))

images: $(STAMP) ## make the pictures again
	@$(VENV_PY) tools/make_images.py

bench: $(STAMP) ## measure what the speed claims rest on (one section: ONLY=training)
	@$(VENV_PY) tools/bench.py $(ONLY)

weights: $(STAMP) ## train the shipped models again
	@$(VENV_PY) tools/make_weights.py

lint: $(STAMP) ## check style and format of package, tests and notebooks
	@$(VENV_PY) -m ruff check
	@$(VENV_PY) -m ruff format --check

lock: ## renew requirements.lock from pyproject.toml; needs uv (newest versions: LOCK_ARGS=--upgrade)
	@command -v "$(UV)" >/dev/null || { echo "make lock needs uv: install it with 'pip install uv'." >&2; exit 1; }
	@$(UV) pip compile --quiet --universal --python-version 3.10 --generate-hashes --no-emit-index-url --extra dev \
		--custom-compile-command "make lock" $(LOCK_ARGS) pyproject.toml -o requirements.lock

# pip keeps what it has already installed, so an interrupted set-up goes on where it stopped.
$(STAMP): requirements.lock pyproject.toml $(REDO)
	@test -n "$(PYTHON)" && test -n "$$("$(PYTHON)" -c $(CHECK) 2>/dev/null)" || { \
		echo "This project needs Python 3.10 to 3.13, and found none: install one, or name it: make lab PYTHON=python3.12" >&2; exit 1; }
	@"$(PYTHON)" -c "import venv, ensurepip" 2>/dev/null || { \
		echo "$(PYTHON) lacks its venv module: install it (Debian, Ubuntu: apt install python3-venv) and repeat." >&2; exit 1; }
	@$(VENV_PY) -m pip --version >/dev/null 2>&1 || { echo "Making .venv with $$("$(PYTHON)" --version)." && "$(PYTHON)" -m venv --clear .venv; }
	@echo "Installing the packages of requirements.lock: two to four minutes on a fast line."
	@echo "On Linux that is about 6 GB, since torch comes with its GPU libraries. If interrupted, run the same command again."
	@$(PIP) install --require-hashes -r requirements.lock
	@$(PIP) install --no-deps --no-build-isolation -e .
	@printf '%s' "$$(pwd -P)" > $(STAMP)
	@echo "The set-up is complete."
