# Every command of this project. `make help` lists them; CI calls nothing else.

SHELL := /bin/bash
.DEFAULT_GOAL := help
export CGO_ENABLED := 0

BIN := bin
DEMO := out/demo
GUEST ?= host
RUN_TIMEOUT ?= 190s
RUN_UNTIL_MARKER ?= 0
TIMEOUT := -timeout 600s

.PHONY: help build run demo test test-host test-all race fmt-check lint dep-gate gen gen-check diag-os bench fuzz ci clean

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## build nexus (all daemons), nx, nxs-pack and nxb-pack into bin/
	go build -trimpath -ldflags='-s -w' -o $(BIN)/nexus ./daemons/nexus
	go build -trimpath -ldflags='-s -w' -o $(BIN)/nx ./nx
	go build -trimpath -ldflags='-s -w' -o $(BIN)/nxs-pack ./nxspack/nxs-pack
	go build -trimpath -ldflags='-s -w' -o $(BIN)/nxb-pack ./nxspack/nxb-pack

demo: build ## pack the demo sets v1.0.0, v1.1.0 and v1.2.0 from programs built on the spot
	go run ./selftest/mkdemo -bin $(BIN) -output $(DEMO)

run: demo ## boot the system and show the whole update flow (GUEST=host)
ifeq ($(GUEST),host)
	@echo "run: on this host"
	@dir=$$(mktemp -d) && trap 'rm -rf "$$dir"' EXIT && \
	go run ./selftest/run -timeout $(RUN_TIMEOUT) $(if $(filter 1,$(RUN_UNTIL_MARKER)),-until-marker) -- \
		$(BIN)/nx up --dir "$$dir" --trust $(DEMO)/keys/demo.pub --factory $(DEMO)/system-v1.0.0.nxs --selftest $(DEMO)
else
	@echo "run: cannot run in a guest: this tree runs on GUEST=host only" >&2; exit 1
endif

test: test-host ## everything that needs only Go: formats, domain, daemons, real processes

test-host: fmt-check dep-gate
	go vet ./...
	go test $(TIMEOUT) ./...

test-all: test race run ## test, again with the race detector where the daemons are, and the flow itself

race: ## the packages with concurrency under the race detector (needs a C compiler)
	CGO_ENABLED=1 go test -race $(TIMEOUT) ./daemons/... ./libupdates/... ./nx/...

fmt-check: ## fail when a file is not gofmt'ed
	@out=$$(gofmt -l $$(git ls-files -co --exclude-standard '*.go')); test -z "$$out" || { echo "not gofmt'ed:"; echo "$$out"; exit 1; }

lint: fmt-check ## gofmt, vet and the house rules
	go vet ./...
	go test $(TIMEOUT) .

dep-gate: ## fail when a package imports what the house forbids
	go test $(TIMEOUT) -run 'TestImports' .

gen: ## generate capnpgen/ from schema/ (needs the package capnproto)
	go run ./schema/gen

gen-check: gen ## fail when the generated code is not what is committed
	@git diff --exit-code --stat -- capnpgen && test -z "$$(git status --porcelain -- capnpgen)" || { echo "capnpgen/ differs from what make gen makes"; exit 1; }

diag-os: ## what this machine has for running the system
	@go version; uname -srm; for tool in capnp qemu-system-riscv64 qemu-system-x86_64; do \
		printf '%s: ' $$tool; command -v $$tool || echo 'not installed (not needed on the host)'; done

bench: ## benchmarks, as ratios within one run
	go test -run '^$$' -bench . ./...

FUZZTIME ?= 20s
fuzz: ## every fuzz target for FUZZTIME each
	@set -e; for pkg in $$(go list ./...); do \
		for target in $$(go test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
			echo "fuzz: $$pkg $$target"; go test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) $$pkg; \
		done; done

ci: gen-check lint test race run ## what CI runs

clean: ## remove what make made
	rm -rf $(BIN) out
