# What people and CI type. `make help` lists it.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help up test test-long sim sim-mutants sim-long bench figures verify fix packages swift

# Flags for `stormo up`, as in: make up ARGS="--http 9000 --apps fleet"
ARGS ?=
# `make up` replays the shipped files, a minute in a second; empty for random orders and synthetic meters.
SPEED ?= 60
ORDERS ?= deploy/sample-data/orders.csv
METER ?= deploy/sample-data/meter.csv
THRESHOLDS ?= deploy/sample-data/thresholds.json
# Random histories that `make sim` looks at.
SEEDS ?= 1000
# How often `make figures` kills each thing that it kills.
REPETITIONS ?= 20
# With how many keys `make figures` adds a node.
FIGURES_KEYS ?= 1000000
RELEASE := .build/release/stormo

SWIFT_MIN := 6.2
PACKAGES := liblz4-dev libsqlite3-dev libjs-leaflet libjs-chart.js

help:
	@echo "make up      build and run a cluster with its applications on this machine (Ctrl-C stops it)"
	@echo "make test    build and run all tests"
	@echo "make test-long  the same with many more rounds of faults"
	@echo "make sim     run the core through SEEDS random histories of faults, checked for linearizability and lost records"
	@echo "make sim-mutants  break one rule of the core after the other: each must be noticed"
	@echo "make sim-long  many more histories, and every broken rule until it is noticed"
	@echo "make bench   measure the cluster that runs by 'make up'"
	@echo "make figures how long clients wait when nodes are killed (REPETITIONS times each) or added to FIGURES_KEYS keys"
	@echo "make verify  check format and rules; writes nothing"
	@echo "make fix     format the sources, renew the configuration reference"

up: packages
	swift build -c release --product stormo
	@STORMO_FLEET_REPLAY=$(ORDERS) STORMO_ENERGY_REPLAY=$(METER) STORMO_ENERGY_THRESHOLDS=$(THRESHOLDS) \
	  exec $(RELEASE) up --speed $(SPEED) $(ARGS)

test: packages
	swift build --build-tests
	swift test --skip-build --no-parallel

test-long: packages
	swift build --build-tests
	STORMO_LONG=1 swift test --skip-build --no-parallel

sim: packages
	swift build -c release --product stormo-sim
	.build/release/stormo-sim run --seeds $(SEEDS) $(ARGS)
	.build/release/stormo-sim run --logs --seeds $(SEEDS) $(ARGS)
	.build/release/stormo-sim run --groups --seeds $(SEEDS) $(ARGS)

sim-mutants: packages
	swift build -c release --scratch-path .build/mutants -Xswiftc -DMUTANTS --product stormo-sim
	.build/mutants/release/stormo-sim mutants $(ARGS)

sim-long: packages
	$(MAKE) sim SEEDS=100000
	$(MAKE) sim-mutants ARGS="--seconds 3600"

bench: packages
	swift build -c release --product stormo
	@for what in "kv put" "kv get" "kv cas" "topic publish" "topic consume"; do $(RELEASE) bench $$what $(ARGS) || exit 1; echo; done

figures: packages
	swift build -c release --product stormo
	swift build --build-tests
	STORMO_FIGURES=$(REPETITIONS) STORMO_FIGURES_KEYS=$(FIGURES_KEYS) STORMO_BINARY=$(CURDIR)/$(RELEASE) swift test --skip-build --no-parallel --filter FiguresTests

verify: packages
	swift format lint --strict --parallel --recursive Package.swift Sources Tests
	swift build --build-tests
	swift test --skip-build --filter TidyTests

fix: packages
	swift format --in-place --parallel --recursive Package.swift Sources Tests
	swift build --product stormo
	mkdir -p docs
	.build/debug/stormo reference > docs/configuration.md

# Says clearly what is missing before the compiler says it unclearly.
swift:
	@command -v swift > /dev/null || { \
	  echo "Swift $(SWIFT_MIN) or newer is needed and not found: see https://www.swift.org/install/linux/" >&2; exit 1; }
	@version=$$(swift --version 2> /dev/null | sed -n 's/.*Swift version \([0-9][0-9.]*\).*/\1/p' | head -n 1); \
	  lowest=$$(printf '%s\n' "$(SWIFT_MIN)" "$$version" | sort -V | head -n 1); \
	  if [ "$$lowest" != "$(SWIFT_MIN)" ]; then \
	    echo "Swift $(SWIFT_MIN) or newer is needed, this is $${version:-unknown}: see https://www.swift.org/install/linux/" >&2; exit 1; fi

packages: swift
	@command -v dpkg-query > /dev/null || exit 0; \
	missing=; for name in $(PACKAGES); do \
	  dpkg-query -W -f '$${Status}' $$name 2> /dev/null | grep -q 'ok installed' || missing="$$missing $$name"; done; \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ]; then \
	  echo "Installing$$missing"; \
	  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing; } \
	    || { sleep 5; apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing; }; \
	else \
	  echo "These packages are missing. Install them and try again:" >&2; \
	  echo "    sudo apt-get install$$missing" >&2; exit 1; \
	fi
