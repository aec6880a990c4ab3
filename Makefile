# Two commands do everything on a fresh machine: `make demo` and `make test`. `make help` lists the rest.
SHELL := /bin/sh
PY := .venv/bin/python
.DEFAULT_GOAL := help
# How many processes run tests that share nothing, a file each at a time: one more than there are cores, as some wait.
# What takes longest stands first, so that nobody waits for it at the end.
PROCESSES ?= $(shell expr $$(nproc) + 1)
PYTEST_IN_PARALLEL := .venv/bin/pytest --numprocesses=$(PROCESSES) --dist=loadfile --no-loadscope-reorder
unexport PYTHONDONTWRITEBYTECODE  # dozens of processes import the same packages, each of which would compile them
export URL  # for `demo`, which takes it from the environment: a URL is full of what a shell would read as its own
# An environment that does not work any more, as after the checkout was moved, is made again.
$(shell $(PY) -c 'import reelhaul, infra' 2>/dev/null || rm -f .venv/.ready)
$(shell .venv-engine/bin/python -c 'import ministack' 2>/dev/null || rm -f .venv-engine/.ready)
.PHONY: help setup demo serve test lint types unit relay e2e e2e-browser pictures e2e-image e2e-deploy faults hostile soak bench scale fuzz model examples diagram lock audit sbom newest bootstrap deploy diff destroy clean

help:            ## list the targets
	@sed -n 's/^\([a-z0-9-]*\):.*##/\1\t/p' Makefile | expand -t 12

setup: .venv/.ready .venv-engine/.ready   ## create .venv, the engine's environment and the template for this machine
	@$(PY) -m infra.local.assembly

.venv/.ready: tests/requirements.txt pyproject.toml infra/setup.sh
	sh infra/setup.sh .venv tests/requirements.txt
	.venv/bin/uv pip install --quiet --python $(PY) --no-deps --no-build-isolation --editable .
	touch $@

.venv-engine/.ready: infra/local/requirements.txt infra/setup.sh
	sh infra/setup.sh .venv-engine infra/local/requirements.txt
	touch $@

demo: setup      ## fetch three real media through the whole service, or one: make demo URL=https://...
	@$(PY) -m infra.local.demo $${URL:+"$$URL"}

serve: setup     ## the service on the embedded engine, until Ctrl-C
	.venv/bin/reelhaul serve

test: lint types unit relay e2e   ## everything that needs no root

lint: setup      ## ruff: rules and format
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .

types: setup     ## mypy and the TypeScript compiler, both strict
	.venv/bin/mypy
	$(PY) -m infra.page types

RUNNING := tests/faults/system
unit: setup      ## unit, integration and template tests, what one call may meet with, and the model
	$(PYTEST_IN_PARALLEL) tests/model tests/infra tests/unit tests/integration tests/faults --ignore=$(RUNNING)

relay: setup     ## downloads that several workers after one another carry out, from sources of each kind
	.venv/bin/pytest --numprocesses=$(PROCESSES) --dist=worksteal tests/relay

e2e: setup       ## the deployed template over HTTP, also by clients that exist; npm fetches one of them at its first run
	$(PYTEST_IN_PARALLEL) tests/e2e/clients tests/e2e $(addprefix --ignore=,$(BROWSER))

CONTAINER_TOOLS := sh tests/debian.sh "the tests in containers" buildah podman runc debootstrap
e2e-deploy: setup    ## deployed for real: CDK, image, containers, rights enforced; podman and buildah come by apt where they may
	$(CONTAINER_TOOLS)
	.venv/bin/pytest tests/deploy

BROWSER := tests/e2e/page tests/e2e/clients/browser
e2e-browser: setup   ## the same by a page in headless Chromium, which apt installs here where it may
	sh tests/debian.sh "the tests in a browser" chromium wget
	.venv/bin/pytest --numprocesses=2 --dist=loadfile --no-loadscope-reorder $(BROWSER)

pictures: setup  ## take the README's pictures anew, of a real service with a browser, which apt installs where it may, and a terminal
	sh tests/debian.sh "pictures of the page" chromium
	$(PY) -m tests.pictures.page
	$(PY) -m tests.pictures.terminal

IMAGE := tests/containers
e2e-image: setup   ## the container image, built and run as on Lambda; apt installs what builds and runs it where it may
	$(CONTAINER_TOOLS)
	.venv/bin/pytest $(IMAGE)

# Workers let nobody look into them but root; of a user namespace will do.
AS_ROOT := $(shell [ "$$(id -u)" = 0 ] || echo unshare --map-root-user)
faults: setup    ## the running service while workers are killed, AWS fails and users change their minds; some minutes
	$(AS_ROOT) .venv/bin/pytest $(RUNNING)

hostile: setup   ## the real worker among hostile sources, in networks with no way out; some minutes, where namespaces may be made
	sh tests/debian.sh "hostile sources" ip=iproute2 unshare=util-linux mount
	$(PY) -m tests.hostile -q --numprocesses=$(PROCESSES)

soak: setup      ## hundreds of jobs while all of that happens at random: make soak JOBS=500 SEED=1 MINUTES=60
	@JOBS="$(JOBS)" SEED="$(SEED)" MINUTES="$(MINUTES)" $(AS_ROOT) $(PY) -m tests.faults.soak

RUNS := 5
SIZE_MB := 400
bench: setup     ## how fast it is, in ratios, some of it with: make bench ROWS="transfer small" RUNS=1 SIZE_MB=20
	@sh tests/debian.sh "benchmarks" nginx=nginx-light
	$(PY) -m tests.benchmarks $(ROWS) --runs $(RUNS) --size-mb $(SIZE_MB)
	$(PY) -m tests.benchmarks.starting

scale: setup     ## write the README's part about load anew: quotas, and a simulation of submissions against them
	$(PY) -m tests.benchmarks.scale

SECONDS := 60
fuzz: setup      ## what strangers send, made up by atheris for a while and a parser: make fuzz SECONDS=60 TARGETS="source headers"
	@.venv/bin/uv pip install --quiet --python $(PY) --only-binary :all: --require-hashes -r tests/fuzz/requirements.txt \
		|| { echo "atheris has no wheel for this machine; make unit has hypothesis do the same, briefly" >&2; exit 1; }
	@$(PY) -m tests.fuzz $(SECONDS) $(TARGETS)

examples: setup  ## copy the OpenAPI document's examples anew from what the handlers answer
	WRITE_EXAMPLES=1 .venv/bin/pytest -q tests/integration/test_examples.py

EXAMPLES := 2000
model: setup     ## the model of all faults at length, which `make unit` runs briefly: make model EXAMPLES=5000
	EXAMPLES=$(EXAMPLES) .venv/bin/pytest tests/model/test_machine.py --timeout 0

diagram: setup   ## write the README's diagram of a job's life anew, from the table of its steps
	WRITE_DIAGRAM=1 .venv/bin/pytest -q tests/unit/test_diagram.py

# The dependency groups of pyproject.toml, compiled for every Python from 3.11 on. `tests` first: the others follow its versions.
COMPILE := .venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-emit-find-links --no-annotate --custom-compile-command "make lock" $(if $(UPGRADE),--upgrade)
lock: setup      ## compile the requirements files; UPGRADE=1 moves every pin that may move
	$(COMPILE) --group pyproject.toml:tests --output-file tests/requirements.txt
	$(COMPILE) --group pyproject.toml:layer --constraints tests/requirements.txt --output-file layers/dependencies/requirements.txt
	$(COMPILE) --group pyproject.toml:signing --constraints tests/requirements.txt --output-file layers/signing/requirements.txt
	$(COMPILE) --group pyproject.toml:downloader --constraints tests/requirements.txt --output-file functions/downloader/requirements.txt
	$(COMPILE) --group pyproject.toml:infra --constraints tests/requirements.txt --output-file infra/requirements.txt
	$(COMPILE) --group pyproject.toml:engine --output-file infra/local/requirements.txt
	$(COMPILE) --group pyproject.toml:fuzz --output-file tests/fuzz/requirements.txt

audit: setup     ## what is known against anything that is locked; what is not looked at fails it, too
	@$(PY) -m infra.audit

sbom: setup      ## bills of materials (CycloneDX) of the image, each layer and the page, in .reelhaul/sbom
	@$(PY) -m infra.bills

newest: setup    ## move yt-dlp and its deno to their newest, and lock; BASE_DIGEST=sha256:... pins the base image too
	$(PY) -m infra.newest $(if $(BASE_DIGEST),--base-digest $(BASE_DIGEST))
	$(MAKE) lock

# What reaches an AWS account, the one of the credentials in the environment. The image is built with Docker.
CONTEXT :=
bootstrap: .venv/.ready   ## what the CDK needs in an account and region, once
deploy: .venv/.ready      ## the stack into that account: make deploy CONTEXT="stage=dev alarm_email=..."
diff: .venv/.ready        ## what a deploy would change
destroy: .venv/.ready     ## the stack away again
bootstrap deploy diff destroy:
	@$(PY) -m infra.cloud $@ $(foreach setting,$(CONTEXT),--context $(setting)) $(ARGS)

clean:           ## remove what the other targets made
	rm -rf .venv .venv-engine .reelhaul cdk.out .mypy_cache .pytest_cache .ruff_cache .hypothesis
