# The commands of this repository, for people and for .ci/run alike.
#
#   ARGS                    more arguments for `make run`, and --quick for `make bench`
#   LARDER_BIN              the larder that `make bench-resp` and `make bench-http` measure, instead
#                           of a new one
#   LARDER_TRACES           the folder with the traces that `make bench-hit-ratio` replays; without it
#                           synthetic ones are used
#   FUZZ_SECONDS            how long each fuzz target runs
#   SERVERS                 the tests that `make test` repeats with newer servers: core or all
#   BASE                    the branch that `make mutants-diff` compares with, instead of main
#   LARDER_REQUIRE_ALL=1    what cannot be checked here fails instead of being skipped

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:
MAKEFLAGS += --no-print-directory

ARGS ?=
FUZZ_SECONDS ?= 30
SERVERS ?= core
TARGET := $(or $(CARGO_TARGET_DIR),target)
# The Node.js that `make setup` installs where the machine has none that is new enough.
export PATH := $(abspath $(TARGET))/clients/bin:$(PATH)

# The schedule explorer replaces the locks of the engine, so no other test may be
# built with its feature.
EXPLORER := -p larder-core --features explorer

.PHONY: help
help: ## Lists these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-15s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

.PHONY: setup
setup: ## Installs what the tests need and this machine lacks
	@scripts/setup

.PHONY: run
run: ## Serves examples/larder.toml on http://127.0.0.1:8000 (more arguments: ARGS=)
	cargo run --release --bin larder -- serve --config examples/larder.toml $(ARGS)

.PHONY: start-redis
start-redis: redis ## Runs Redis on 127.0.0.1:6379, in memory alone, until Ctrl-C
	redis-server --bind 127.0.0.1 --port 6379 --save "" --appendonly no

.PHONY: test
test: tools-if-possible ## Unit, property, end-to-end and documentation tests, and the examples
	cargo test --workspace --all-targets
	cargo test --workspace --doc
	scripts/test-examples
	scripts/test-servers $(SERVERS)

.PHONY: verify
verify: SERVERS := all
verify: test explore mutants ## `make test` with every server, the schedules at length, and the mutations

.PHONY: explore
explore: ## The engine under many schedules of its threads
	cargo test --release $(EXPLORER) --test explorer

.PHONY: mutants
mutants: tools-if-possible ## Breaks the code as mutations/ says: a test must notice each time
	scripts/mutants

.PHONY: mutants-diff
mutants-diff: tools-if-possible ## Breaks what differs from main in all the usual ways (ARGS=--list)
	BASE=$(BASE) scripts/mutants-diff $(ARGS)

# `lint-circles` belongs here as soon as it passes.
LINTS := lint-rust lint-scripts lint-circles lint-mutations lint-dependencies

.PHONY: lint
lint: $(LINTS) ## Format, clippy, scripts, mutations, documentation, dependencies

.PHONY: lint-rust
lint-rust:
	@scripts/setup lint
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	cargo clippy $(EXPLORER) --lib --test explorer --locked -- -D warnings
	cargo fmt --manifest-path $(COMPARE_MANIFEST) --check
	cargo clippy --manifest-path $(COMPARE_MANIFEST) --target-dir $(TARGET) --all-targets --locked -- -D warnings
	RUSTDOCFLAGS=-Dwarnings cargo doc --no-deps --workspace --locked

.PHONY: lint-scripts
lint-scripts:
	@scripts/setup lint
	@for script in .ci/run scripts/* examples/*.sh; do \
		case "$$(head -n 1 "$$script")" in \
			*bash) bash -n "$$script" ;; \
			*python3) python3 -c 'import ast, sys; ast.parse(open(sys.argv[1]).read())' "$$script" ;; \
		esac; \
	done
	scripts/import-circles --self-test

.PHONY: lint-mutations
lint-mutations:
	@scripts/setup lint
	scripts/mutants --check

.PHONY: lint-circles
lint-circles: ## Circles of more than two source files that import each other
	@scripts/setup lint
	scripts/import-circles

.PHONY: lint-dependencies
lint-dependencies:
	scripts/deny

.PHONY: fuzz
fuzz: ## Runs each fuzz target for FUZZ_SECONDS
	FUZZ_SECONDS=$(FUZZ_SECONDS) scripts/fuzz

# The benchmarks that `make bench` runs, in this order.
BENCHES := resp http libraries hit-ratio
BENCH := $(TARGET)/dist/larder-bench
# A workspace of its own, so that nothing else builds the crates that Larder is compared with.
COMPARE_MANIFEST := crates/larder-bench-compare/Cargo.toml
COMPARE := $(TARGET)/dist/larder-bench-compare

.PHONY: bench
bench: $(BENCHES:%=bench-%) bench-report ## Runs all benchmarks and writes the report (less than three minutes: ARGS=--quick)

.PHONY: bench-resp
bench-resp: redis bench-program bench-peers ## Measures Larder beside Redis, memcached and proxies over RESP
	LARDER_BIN=$(or $(LARDER_BIN),$(TARGET)/dist/larder) \
		$(BENCH) resp --json $(TARGET)/bench/resp.json $(ARGS)

.PHONY: bench-http
bench-http: redis bench-program bench-peers ## Measures Larder beside nginx, webdis and Python services over HTTP
	LARDER_BIN=$(or $(LARDER_BIN),$(TARGET)/dist/larder) \
		$(BENCH) http --python $(TARGET)/bench/venv/bin/python --json $(TARGET)/bench/http.json $(ARGS)

.PHONY: bench-libraries
bench-libraries: bench-compare ## Measures the near cache beside quick_cache, moka, foyer-memory and lru
	$(COMPARE) libraries --json $(TARGET)/bench/libraries.json $(ARGS)

.PHONY: bench-hit-ratio
bench-hit-ratio: bench-compare ## Measures their hit ratios on the traces of LARDER_TRACES, or on synthetic ones
	$(COMPARE) hit-ratio --json $(TARGET)/bench/hit-ratio.json

.PHONY: count
count: redis bench-program ## Counts instructions per hit, compared with docs/counts.json (ARGS=--save, ARGS=--check)
	@scripts/setup count
ifndef LARDER_BIN
	cargo build --profile dist --locked --bin larder
endif
	LARDER_BIN=$(or $(LARDER_BIN),$(TARGET)/dist/larder) $(BENCH) count $(ARGS)

.PHONY: dist
dist: ## Builds the program that is shipped: target/dist/larder
	cargo build --profile dist --locked --bin larder

.PHONY: clean
clean: ## Removes everything that was built
	cargo clean
	rm -rf fuzz/target

.PHONY: bench-report
bench-report: bench-program ## Writes docs/benchmarks.md from the last figures of all benchmarks
	$(BENCH) report --from $(TARGET)/bench --to docs

.PHONY: bench-peers
bench-peers:
	@scripts/setup bench
ifndef LARDER_BIN
	cargo build --profile dist --locked --bin larder
endif

# Built with the profile of the shipped program, as `make count` counts the near cache in it.
.PHONY: bench-program
bench-program:
	cargo build --profile dist --locked --bin larder-bench

.PHONY: bench-compare
bench-compare:
	cargo build --profile dist --locked --manifest-path $(COMPARE_MANIFEST) --target-dir $(TARGET)

.PHONY: test-compare
test-compare: ## Tests larder-bench-compare, which `make test` leaves out with the crates it depends on
	cargo test --locked --manifest-path $(COMPARE_MANIFEST) --target-dir $(TARGET)

.PHONY: redis
redis:
	@scripts/setup redis

.PHONY: tools-if-possible
tools-if-possible:
	@scripts/setup tests || [[ "$${LARDER_REQUIRE_ALL:-}" != 1 ]]
