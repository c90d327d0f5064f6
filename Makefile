# Everything below runs in .venv, which tools/set_up.py builds. All paths are relative, so the folder may be called anything.

# The first that can run tools/set_up.py (3.6 has f-strings); that in turn looks for one of 3.10 to 3.15.
NAMES   := python3 python3.15 python3.14 python3.13 python3.12 python3.11 python3.10 python
PYTHON  ?= $(shell for p in $(NAMES); do $$p -c 'f""' 2>/dev/null && echo $$p && break; done)
VENV_PY := .venv/bin/python

# Tests run in this many processes, each with one thread that does not spin while it waits.
WORKERS ?= 3
ALONE   := OMP_NUM_THREADS=1 OMP_WAIT_POLICY=passive

# Bytecode is kept, whatever the machine asks for: .venv is ours, and compiling torch at every start costs ten seconds.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help venv lab test matrix notebooks exercises site playground kaggle images load bench weights sweep lint lock
.DEFAULT_GOAL := help

help: ## list these targets
	@sed -n 's/^\([a-z]*\):[^#]*## /\1	/p' Makefile | expand -t 12

venv:
	@"$(or $(PYTHON),$(error This project needs Python 3.10 to 3.15, and found none: install one, or name it: make lab PYTHON=python3.12))" tools/set_up.py

lab: venv ## set up if needed, then open JupyterLab on the first chapter (more options: LAB_ARGS="--no-browser")
	@$(VENV_PY) tools/open_lab.py $(LAB_ARGS)

test: venv ## set up if needed, then run every test and re-execute every chapter (VAE_DATA=folder: on MNIST; WORKERS=3)
	@echo "Running the tests of the package and of the notebooks' form."
	@MPLBACKEND=agg $(ALONE) $(VENV_PY) -m pytest tests -n $(WORKERS) --dist loadfile
	@WORKERS=$(WORKERS) sh tests/run_nbval.sh $(VENV_PY) notebooks

matrix: venv ## run the tests on the oldest and newest dependencies of each Python here (one of them: ONLY=3.10-oldest)
	@$(VENV_PY) tools/matrix.py $(ONLY)

notebooks: venv ## execute the chapters on MNIST and store their outputs (one of them: ONLY=01)
	@$(VENV_PY) tools/execute_notebooks.py $(if $(ONLY),--only $(ONLY))

exercises: venv ## bring the exercises in the chapters in line with vae_helpers/exercises
	@$(VENV_PY) tools/fill_exercises.py

site: venv ## build the static site of all chapters from their stored outputs (elsewhere: TO=folder)
	@$(VENV_PY) tools/site/build.py $(if $(TO),--to $(TO))

playground: venv ## write the playground, one file that needs nothing else (elsewhere: TO=file)
	@$(VENV_PY) tools/make_playground.py $(if $(TO),--to $(TO))

kaggle: venv ## build the folder to upload to Kaggle (elsewhere: TO=folder; OWNER=your name there)
	@$(VENV_PY) tools/for_kaggle.py $(if $(TO),--to $(TO)) $(if $(OWNER),--owner $(OWNER))

images: venv ## make the pictures again
	@$(VENV_PY) tools/make_images.py

load: venv ## let a class run chapter 06 at once, and write teaching/learners.csv (Linux; more options: LOAD_ARGS=…)
	@$(VENV_PY) tools/load.py $(LOAD_ARGS)

bench: venv ## measure what the speed claims rest on (one section: ONLY=training)
	@$(VENV_PY) tools/bench.py $(ONLY)

weights: venv ## train the shipped models again
	@$(VENV_PY) tools/make_weights.py

sweep: venv ## compute the missing runs behind the tables (of one table: TABLE=runs; on a Dask cluster: SCHEDULER=tcp://…)
	@$(VENV_PY) tools/sweep.py $(if $(TABLE),--table $(TABLE)) $(if $(SCHEDULER),--scheduler $(SCHEDULER))

lint: venv ## check style and format of everything, chapters included
	@$(VENV_PY) -m ruff check
	@$(VENV_PY) -m ruff format --check

lock: venv ## renew requirements.lock from pyproject.toml (newest versions: LOCK_ARGS=--upgrade)
	@$(VENV_PY) -m uv pip compile --quiet --universal --python-version 3.10 --generate-hashes --no-emit-index-url \
		--extra dev --custom-compile-command "make lock" $(LOCK_ARGS) pyproject.toml -o requirements.lock
