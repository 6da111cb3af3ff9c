# make demo          draw faces, learn their landmarks, evaluate them; replaces an earlier demo
# make test          run the tests
# make test-onnx     predict from an ONNX file in an environment without torch
# make test-ray      predict on a Ray cluster of two nodes on this machine, in an environment of its own
# make test-page     go through the page of `swapmark mark` in Chromium, which must be installed
# make lint          linter, formatter, type checker, order of imports
# make test-formats  read our point files with other programs, in an environment of its own
# make test-gpu-run  try the prepared GPU run on this machine, on drawn faces, in two minutes
# make campaign      try to lose or harm something for MINUTES=5: kills, damaged files, full disks
# make clean         remove the virtual environments
#
# Each target makes what it needs in .venv, through the exact versions of constraints.txt, and
# installs again only when pyproject.toml or constraints.txt changed.
#   make demo PYTHON=python3.12 DEMO_FLAGS="--help"      make test PYTEST_FLAGS="-k coordinates"

PYTHON ?= python3
VENV ?= .venv
DEMO_FLAGS ?=
MINUTES ?= 5
PYTEST_FLAGS ?= --numprocesses=auto --maxprocesses=4 --dist=loadgroup

WITHOUT_TORCH := .venv-onnx
ON_RAY := .venv-ray
IN_VENV := $(VENV)/bin/python
INSTALL := $(IN_VENV) -m pip install --quiet --disable-pip-version-check \
	--constraint constraints.txt

# Other programs pull in what swapmark does not need, and swapmark's torch is not needed for files.
OUTSIDE := .venv-formats
IN_OUTSIDE := $(OUTSIDE)/bin/python
INSTALL_OUTSIDE := $(IN_OUTSIDE) -m pip install --quiet --disable-pip-version-check \
	--constraint tests_outside/constraints.txt

CHROMIUM ?= $(shell command -v chromium || command -v chromium-browser || command -v google-chrome)

.PHONY: help demo test test-formats test-onnx test-ray test-page test-gpu-run campaign lint clean
.DELETE_ON_ERROR:

help:
	@sed -n 's/^# \{0,1\}//p;/^$$/q' Makefile

demo: $(VENV)/installed
	$(IN_VENV) -m swapmark demo --overwrite $(DEMO_FLAGS)

test: $(VENV)/installed-test
	$(IN_VENV) -m pytest $(PYTEST_FLAGS)

test-formats: $(OUTSIDE)/installed
	$(IN_OUTSIDE) -m pytest -W default tests_outside

test-onnx: $(VENV)/installed-test $(WITHOUT_TORCH)/installed
	$(IN_VENV) tests/without_torch/make_model.py $(WITHOUT_TORCH)/made
	SWAPMARK_ONNX_FOLDER=$(WITHOUT_TORCH)/made $(WITHOUT_TORCH)/bin/python -m pytest --noconftest \
	tests/without_torch/check_prediction.py

test-ray: $(VENV)/installed-test $(ON_RAY)/installed
	$(IN_VENV) tests/without_torch/make_model.py $(ON_RAY)/made
	SWAPMARK_ONNX_FOLDER=$(CURDIR)/$(ON_RAY)/made $(ON_RAY)/bin/python -m pytest --noconftest \
	tests/on_ray/check_cluster.py

test-page: $(VENV)/installed-page
	@test -n "$(CHROMIUM)" || { echo "No Chromium here. Install one, or: make test-page CHROMIUM=PATH"; \
	exit 1; }
	CHROMIUM="$(CHROMIUM)" $(IN_VENV) -m pytest tests/page/check_in_browser.py

test-gpu-run: $(VENV)/installed
	folder=$$(mktemp -d) && $(IN_VENV) benchmarks/gpu.py --out $$folder --minutes 2; \
	code=$$?; rm -rf $$folder; exit $$code

campaign: $(VENV)/installed-test
	$(IN_VENV) benchmarks/campaign.py --minutes $(MINUTES)

lint: $(VENV)/installed-lint
	$(IN_VENV) -m ruff check
	$(IN_VENV) -m ruff format --check
	$(IN_VENV) -m pyright --pythonpath $(IN_VENV)
	$(VENV)/bin/lint-imports

clean:
	rm -rf $(VENV) $(OUTSIDE) $(WITHOUT_TORCH) $(ON_RAY)

# pip of a new environment may be too old to know dependency groups: it is brought up to date first.
$(VENV)/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info; v >= (3, 11) or sys.exit( \
	"swapmark needs Python 3.11 or newer; $(PYTHON) is %d.%d. Try: make PYTHON=python3.11" % v[:2])'
	@echo "Installing swapmark and what it needs into $(VENV); this takes a few minutes once."
	@$(PYTHON) -m venv $(VENV) || { echo "$(PYTHON) cannot make a virtual environment." \
	"On Debian and Ubuntu: apt install python3-venv"; exit 1; }
	$(INSTALL) --upgrade pip
	$(INSTALL) --build-constraint constraints.txt --editable .
	@touch $@

$(VENV)/installed-%: $(VENV)/installed
	$(INSTALL) --group $*
	@touch $@

$(OUTSIDE)/installed: pyproject.toml tests_outside/requirements.txt tests_outside/constraints.txt
	@echo "Installing the readers of other programs into $(OUTSIDE); this takes minutes once."
	@$(PYTHON) -m venv $(OUTSIDE)
	$(INSTALL_OUTSIDE) --upgrade pip
	$(INSTALL_OUTSIDE) --requirement tests_outside/requirements.txt
	$(INSTALL_OUTSIDE) --build-constraint constraints.txt --no-deps --editable .
	@touch $@

$(WITHOUT_TORCH)/installed: GROUP := without-torch
$(ON_RAY)/installed: GROUP := on-ray
$(WITHOUT_TORCH)/installed $(ON_RAY)/installed: pyproject.toml constraints.txt
	@$(PYTHON) -m venv --clear $(@D)
	$(subst $(VENV),$(@D),$(INSTALL)) --upgrade pip
	$(subst $(VENV),$(@D),$(INSTALL)) --group $(GROUP)
	$(subst $(VENV),$(@D),$(INSTALL)) --build-constraint constraints.txt --no-deps --editable .
	@touch $@
