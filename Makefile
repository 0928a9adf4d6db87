# Two commands matter: `make demo` shows the product, `make test` proves it. What is built and the engines are kept
# outside the checkout (CARGO_TARGET_DIR and ZAMA_TOOLS_DIR say where), so that a fresh clone starts warm.

SHELL := /bin/bash
.DEFAULT_GOAL := help

ifeq ($(shell id -u),0)
ZAMA_CACHE ?= /var/lib/zama-jobs
else
ZAMA_CACHE ?= $(HOME)/.cache/zama-jobs
endif
CARGO_TARGET_DIR ?= $(ZAMA_CACHE)/target
export CARGO_TARGET_DIR

CARGO ?= cargo
ZAMA_JOBS := $(CARGO_TARGET_DIR)/debug/zama-jobs
# Arguments for `make dev` and `make demo`, for example ARGS='--port-base 7700'.
ARGS ?=

.PHONY: help own-checkout setup setup-tests build demo dev test test-rooms test-fhe test-jobs test-encrypted test-failures test-dev test-billing test-keycloak test-aws-kms flips fhe-oracle lago-clients compose compose-run verifiers schemathesis merkle-differential \
	billing-at-length chain-at-length contracts contracts-at-length gas-table bench-starts bench-cancels bench-overhead bench-fhe bench-fhe-prices bench-fhe-keys lint fmt check clean-data

help: ## Show this list.
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 26

own-checkout:
	@tools/own-checkout.sh

setup: own-checkout ## Check what must be installed, and bring the pinned engines.
	@tools/setup.sh

setup-tests: own-checkout
	@tools/setup.sh --for-tests

build: own-checkout ## Compile everything.
	$(CARGO) build --workspace

demo: setup build ## Run a plain and an encrypted job end to end on a stack of its own, then stop it.
	$(ZAMA_JOBS) demo $(ARGS)

dev: setup build ## Start the whole stack and leave it running.
	$(ZAMA_JOBS) dev $(ARGS)

contracts: setup
	contracts/check.sh

contracts-at-length: setup ## Fuzz tests and invariants with a seed of chance (FUZZ_SEED; minutes: contracts/fuzz.sh).
	contracts/fuzz.sh

gas-table: setup ## Measure confirmation beside its alternatives and write the README's table.
	contracts/gas-table.sh

# Whether a change is sound must not depend on chance: what tests draw is the same in each run of `make test`. What runs at
# length draws something else each time, and prints the seed. ZAMA_TEST_SEED names one for both.
SAME_SEED := ZAMA_TEST_SEED=$${ZAMA_TEST_SEED:-2026}
DRAWN_SEED := ZAMA_TEST_SEED=$${ZAMA_TEST_SEED:-$$((RANDOM * 32768 + RANDOM))}

# Cargo in one of several lots would look for make's job server, which it is not given.
ALONE := MAKEFLAGS=

# Most tests wait more than they compute, so that three lots run at once, the longest first. More would only be slower:
# each has stacks, which take their part of the machine while they wait. What a lot printed is shown when it ends; one
# that fails stops no other.
test: setup-tests ## Run every test, against real engines.
	$(CARGO) test --workspace --no-run
	TMPDIR=$$(tools/test-folder.sh) ZAMA_TEST_PATIENCE_SECONDS=360 $(SAME_SEED) \
		$(MAKE) --jobs 3 --keep-going --output-sync=target CASES=10000 TIME=40 \
		test-failures test-encrypted test-rooms test-jobs test-fhe test-keycloak test-dev test-billing schemathesis contracts verifiers compose-run lago-clients compose merkle-differential

test-rooms:
	$(ALONE) tools/with-postgres.sh $(CARGO) test --workspace --exclude fhe --no-fail-fast -- --skip billing_system:: --skip stack_failures:: --skip stack_encrypted:: --skip stack_jobs:: --skip stack_dev:: --skip keycloak::

# Every room but the named one. The root package stays: with it, a room is built with the features of the whole workspace.
ROOMS := $(shell sed -n '/^members/,/^]/s/^ *"\(.*\)",/\1/p' Cargo.toml)
all_but = $(patsubst %,--exclude %,$(filter-out $(1),$(ROOMS)))

test-fhe:
	$(ALONE) $(CARGO) test --workspace $(call all_but,fhe) --lib --test pbs

test-aws-kms: setup ## Test keys in AWS KMS, which only a build with the feature aws-kms knows (.ci/run does, too).
	$(CARGO) test --workspace $(call all_but,chain) --features aws-kms --lib -- aws_key

test-encrypted:
	$(ALONE) tools/with-postgres.sh $(CARGO) test --workspace --test encrypted -- --test-threads 3

test-failures:
	$(ALONE) tools/with-postgres.sh $(CARGO) test --workspace --test failures -- --test-threads 4

test-jobs:
	$(ALONE) tools/with-postgres.sh $(CARGO) test --workspace --test e2e -- --test-threads 3

test-billing:
	$(ALONE) tools/with-postgres.sh $(CARGO) test --workspace --test billing

test-dev:
	$(ALONE) $(CARGO) test --workspace --test dev -- --test-threads 3

# Ignored by name where Java or Maven is missing. Keycloak compiles itself when it starts, beside all other lots.
test-keycloak:
	$(ALONE) ZAMA_TEST_PATIENCE_SECONDS=600 $(CARGO) test --workspace --test keycloak

flips: ## Flip 300 bits of every kind of outside bytes as it is (minutes; `make test` takes cheaper ones).
	$(DRAWN_SEED) $(CARGO) test --workspace --lib -- --ignored --nocapture three_hundred too_many_values

lago-clients: ## Hold the Lago stand-in to Lago's official clients.
	ZAMA_BIN=$(ZAMA_JOBS) billing/tests/official/run.sh

compose: setup ## Hold docker-compose.yml and the Dockerfile to schema, linters and the programs (no Docker needed).
	ZAMA_BIN=$(ZAMA_JOBS) tests/compose/check.sh

# WHICH is plain, encrypted or all.
WHICH ?= plain
compose-run: setup ## Start docker-compose.yml's own services directly, in its order, and run a job (WHICH=all: an encrypted one, too).
	ZAMA_KMS_SEED=$(CARGO_TARGET_DIR)/tmp/kms-seed-1 ZAMA_BIN=$(ZAMA_JOBS) tests/compose/run.sh $(WHICH)

bench-starts: setup ## Measure workflow starts from a backlog against bare starts, in one run.
	$(CARGO) test --workspace --bench starts

bench-cancels: setup ## Measure how long a computation goes on after it was cancelled.
	$(CARGO) test --workspace --bench cancels

bench-overhead: setup ## Measure what a job costs beside its computation, on an idle stack.
	$(CARGO) test --workspace --bench overhead

# TIME says for how many seconds.
TIME ?= 600
schemathesis: ## Hold the API to its own document, at length (`make test` takes 40 seconds).
	$(DRAWN_SEED) ZAMA_BIN=$(ZAMA_JOBS) tests/schemathesis/run.sh $(TIME)

verifiers: ## Hold `zama-jobs verify` to the independent verifier in TypeScript.
	ZAMA_BIN=$(ZAMA_JOBS) contracts/examples/verify-receipt/check.sh --dev

billing-at-length: setup-tests ## 100,000 jobs' usage over a network that loses things (`make test` takes 10,000).
	$(DRAWN_SEED) ZAMA_TEST_USAGE_JOBS=100000 tools/with-postgres.sh $(CARGO) test --workspace --test billing -- \
		--nocapture faults::

# Some minutes: 500 jobs under 20 reorganisations of every depth, 50 times kill -9 at random, gas of batches of 1,000.
chain-at-length: setup ## Reorganisations and deaths of the sender, at length (`make test` takes a sample).
	$(DRAWN_SEED) ZAMA_REORG_ROUNDS=5 ZAMA_REORG_JOBS=25 ZAMA_DEATHS=50 ZAMA_TEST_PATIENCE_SECONDS=900 \
		$(CARGO) test --workspace --test failures -- --include-ignored --nocapture reorganisations \
		sender_dies::at_random gas_a_job

CASES ?= 1000000
merkle-differential: setup ## Hold the Merkle code in Rust to the registry's, on CASES cases.
	$(ALONE) contracts/merkle-differential.sh $(CASES)

bench-fhe: ## Encrypted jobs' compute time against bare tfhe-rs (limit 1.05; bench/README.md).
	$(CARGO) build --workspace --bin zama-jobs
	$(CARGO) test --workspace --bench compute_overhead -- $(ZAMA_JOBS) $(ROUNDS)

bench-fhe-prices: ## Bootstrappings and time of each encrypted operation and algorithm against the price table.
	$(CARGO) build --workspace --example prices
	$(CARGO_TARGET_DIR)/debug/examples/prices

bench-fhe-keys: ## Time and size of key generation and of reading keys, as the documentation states them.
	$(CARGO) test --workspace --lib -- --ignored --nocapture --exact keys::tests::how_long_keys_take

# Some minutes: ZAMA_ORACLE_SECONDS says how many seconds (600).
fhe-oracle: ## Encrypted algorithms against clear oracles under real parameters of both modes, at length.
	$(DRAWN_SEED) $(CARGO) test --workspace --lib -- --ignored --nocapture real_parameters_agree_with_the_oracle_at_length

lint: own-checkout ## Clippy, warnings are errors.
	RUSTC_WORKSPACE_WRAPPER=$(CURDIR)/tools/lint.sh CLIPPY_ARGS="-Dwarnings__CLIPPY_HACKERY__" $(CARGO) build --workspace --all-targets

fmt: ## Format all code.
	$(CARGO) fmt --all

check: ## What CI asks besides the tests: format and lints.
	$(CARGO) fmt --all --check
	$(MAKE) lint

clean-data: ## Forget the development stack's state (jobs, chain, workflows).
	@if [ -x $(ZAMA_JOBS) ]; then $(ZAMA_JOBS) dev stop 2>/dev/null || true; fi
	@rm -rf .zama $(if $(filter 0,$(shell id -u)),/var/lib/zama-jobs/dev)
