# Works with GNU make 3.81, which is what macOS has. Recipes are one line or one program.

PYTHON ?= python3
PORT ?= 8080
RUN_DIR ?= .run
CUSTOMERS ?=
SEED ?=
BOOK ?=
ONCE ?=
ROLES ?=
BUS ?=
ARGS ?=
export PORT RUN_DIR CUSTOMERS SEED BOOK ONCE ROLES BUS

RUN := .venv/bin/python
GROUPS := bank identity ledger payments risk profiles advisor gateway provision training
RESOLVE := $(RUN) -m uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-annotate --no-header

# Takes the first Python that is new enough, and hands it the group to install.
setup = @for python in $(PYTHON) python3.14 python3.13 python3.12 python3.11; do \
	if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	exec $$python deploy/environment.py $(1); fi; done; \
	echo "Python 3.11 or newer is needed, and $(PYTHON) is not; say where: make PYTHON=/path/to/python3" >&2; \
	exit 1

.DEFAULT_GOAL := help
.PHONY: help demo sandbox reset bank kafka kafka-stop verify bench chaos models test check lab compare contracts lock clean bank-environment training-environment dev-environment

help: ## List every target
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: bank-environment ## Start the bank and play its main job [PORT= BOOK= SEED= CUSTOMERS= ONCE=1 ROLES=split BUS=kafka]
	@$(RUN) -m deploy.local

sandbox: bank-environment ## Start the bank for outside clients; writes .run/sandbox.json [REDIRECT_URIS= PUBLIC_URL= PORT= SIGNED_REQUESTS=1 DPOP_NONCE=required]
	@REDIRECT_URIS='$(REDIRECT_URIS)' PUBLIC_URL='$(PUBLIC_URL)' SIGNED_REQUESTS='$(SIGNED_REQUESTS)' DPOP_NONCE='$(DPOP_NONCE)' $(RUN) -m deploy.sandbox

reset: bank-environment ## Remove the bank of this folder with all its data; the next demo starts anew
	@$(RUN) -m deploy.local reset

bank: bank-environment ## Operator's commands for a running bank [ARGS="--help"]
	@$(RUN) -m deploy.bank $(if $(ARGS),$(ARGS),--help)

kafka: bank-environment ## Start an Apache Kafka of this machine in the background [KAFKA_PORT=9092]
	@$(RUN) -m deploy.kafka start

kafka-stop: bank-environment ## Stop the broker that `make kafka` started; its data stays
	@$(RUN) -m deploy.kafka stop

verify: bank-environment ## Check from outside that no money is lost, of a running or a stopped bank
	@$(RUN) -m deploy.verify

bench: dev-environment ## Measure the bank against references; writes docs/performance.md [ARGS="--only kafka"]
	@$(RUN) -m deploy.bench $(ARGS)

models: training-environment ## Fit and measure all models anew; writes docs/models.md [BOOK=folder of the PKDD'99 tables]
	@$(RUN) -m services.risk.training.report $(if $(BOOK),--book "$(BOOK)")

chaos: bank-environment ## Kill parts of a bank at random under payments, then read its books [SECONDS=600 BUS=kafka]
	@$(RUN) -m deploy.chaos --seconds $(if $(SECONDS),$(SECONDS),600) $(ARGS)

test: dev-environment ## Run all tests, in two processes; or some in one [ARGS="tests/ledger"]
	@env -u PORT -u RUN_DIR -u CUSTOMERS -u SEED -u BOOK -u ONCE -u ROLES -u BUS $(RUN) -m pytest $(if $(ARGS),$(ARGS),-n 2 --dist loadfile)

check: dev-environment ## Style, types and the structure of imports
	@$(RUN) -m ruff check . && $(RUN) -m ruff format --check . && $(RUN) -m mypy \
	&& .venv/bin/lint-imports --no-cache

lab: training-environment ## Try models on any labelled table [DATA=file.csv LABEL=column OUT=folder POSITIVE= GROUP= KEEP=]
	@$(RUN) -m services.risk.training.lab --data "$(DATA)" --label "$(LABEL)" --out "$(OUT)" \
	--positive "$(POSITIVE)" $(if $(GROUP),--group "$(GROUP)") $(if $(KEEP),--keep "$(KEEP)") $(ARGS)

compare: bank-environment ## Vendors' models beside ours on one replay; writes .run/compare.html [VENDORS=folder]
	@$(RUN) -m deploy.vendors --vendors "$(VENDORS)" $(ARGS)

contracts: dev-environment ## Write JSON Schemas, OpenAPI and AsyncAPI documents anew
	@$(RUN) -m deploy.contracts

lock: dev-environment ## Resolve the requirement files again [ARGS=--upgrade for the newest versions]
	@$(RESOLVE) $(ARGS) --group dev -o requirements/dev.txt pyproject.toml
	@set -e; for group in $(GROUPS); do \
	$(RESOLVE) -c requirements/dev.txt --group $$group -o requirements/$$group.txt pyproject.toml; done

clean: ## Remove caches; the bank's data and the environment stay
	@rm -rf .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +

bank-environment:
	$(call setup,bank)

training-environment:
	$(call setup,training)

dev-environment:
	$(call setup,dev)
