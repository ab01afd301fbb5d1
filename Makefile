# Targets a newcomer needs. `make` lists them.
export HEARTH_BUNDLE ?= $(shell scripts/lab bundle)
BIN := target/x86_64-unknown-linux-gnu/release/hearth

.PHONY: help build demo test test-quick test-ssh test-e2e test-hosts soak lint engine
help:      ## this list
	@grep -E '^[a-z0-9-]+:.*##' Makefile | sed 's/:.*## /\t/' | expand -t 12

build:     ## the release binary
	cargo build --release

engine:    ## a Docker engine and the images, where they are missing
	scripts/lab engine
	scripts/lab images

demo: engine build ## cluster up, a scenario under load, report and address; it stays up
	$(BIN) up -f profiles/quick.yaml --yes
	$(BIN) test scenarios/pod-kill-retry.yaml -f profiles/quick.yaml
	$(BIN) status

test: lint test-quick test-e2e test-hosts ## everything: the quick tier, then end to end on containers and on hosts

lint:      ## formatting and clippy
	cargo fmt --check
	cargo clippy --release --all-targets -- -D warnings

test-quick: ## no Docker, under two minutes once built
	cargo test --release --no-fail-fast --lib --test house --test cli --test workload_templates

test-ssh:   ## the SSH transport against OpenSSH's own server; HEARTH_SSHD names another than /usr/sbin/sshd
	cargo test --release --test ssh_transport -- --test-threads=2

test-e2e: engine ## the real binary on a real cluster
	scripts/lab registry
	PATH="$$PATH:$(CURDIR)/target/programs/usr/bin" cargo test --release --test e2e -- --test-threads=1 --nocapture

test-hosts: engine ## the real binary on three bare hosts over SSH
	scripts/lab hosts up
	HEARTH_HOSTS_KEY=$$(scripts/lab key) cargo test --release --test hosts -- --test-threads=1 --nocapture

soak: engine ## the long tail on real clusters and hosts: minutes each
	scripts/lab tools
	scripts/lab hosts up
	HEARTH_HOSTS_KEY=$$(scripts/lab key) cargo test --release --no-fail-fast --test e2e --test hosts -- --ignored --test-threads=1 --nocapture

PAGE := target/page/node
test-page: ## the report's page in headless Chromium, at every width, light and dark
	@command -v node npm pdftotext >/dev/null && { command -v chromium || command -v google-chrome; } >/dev/null || \
		{ apt-get update && apt-get install -y --no-install-recommends chromium nodejs npm poppler-utils fonts-dejavu-core fonts-liberation; }
	mkdir -p $(PAGE) && cp tests/page/package.json tests/page/package-lock.json $(PAGE)/
	cd $(PAGE) && npm ci --no-audit --no-fund --ignore-scripts --silent
	cargo test --release --test page -- --nocapture
