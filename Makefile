# Every command of this project. `make help` lists them; CI calls nothing else.

SHELL := /bin/bash
.DEFAULT_GOAL := help
export CGO_ENABLED := 0
# A clone that another user owns, or a tarball, has no history that git would read out.
export GOFLAGS := -buildvcs=false $(GOFLAGS)

BIN := bin
DEMO := out/demo
GUEST ?=
RUN_TIMEOUT ?= 190s
RUN_UNTIL_MARKER ?= 0
DEBUG ?= 0
# Ends a package that hangs; a slow machine is none of its business.
TIMEOUT := -timeout 30m
# Packages wait for processes and clocks more than they compute.
WIDE := -p $(shell echo $$((2 * $$(nproc))))
# `make lint test` has go vet look at everything, and with more checks than go test would at each build.
VETTED := -vet=off

# The version is that of the last tag, as git tells it; a tarball made by git has it in a file. Neither: a build without a version.
VERSION ?= $(shell if [[ -e .git ]]; then git describe --tags --match 'v[0-9]*' --dirty 2>/dev/null; \
	else sed -n 's/^version: v/v/p' packaging/VERSION; fi)
LDFLAGS = -s -w$(if $(VERSION), -X nexus/packaging/release.version=$(VERSION)) \
	$(if $(SOURCE_DATE_EPOCH),-X nexus/packaging/release.built=$(SOURCE_DATE_EPOCH))
SOURCE_DATE_EPOCH ?= $(shell if [[ -e .git ]]; then git log -1 --format=%ct 2>/dev/null; \
	else sed -n 's/^time: \([0-9]\)/\1/p' packaging/VERSION; fi)

GUESTS := riscv64 amd64
# The guests a command is for: what GUEST says, else both.
FOR := $(or $(filter $(GUESTS),$(GUEST)),$(GUESTS))
ifneq ($(filter-out host $(GUESTS),$(GUEST)),)
$(error GUEST=$(GUEST) is none of: host $(GUESTS))
endif

.PHONY: help build pkcs11 run demo test test-host test-os test-all race fmt-check lint dep-gate gen gen-check diag-os bench bench-recovery bench-downtime bench-rpc bench-delta fuzz schema-check schema-lock api mutants model chaos crash-matrix soak damage powercut ci man deb deb-check clean FORCE \
	run-host after-run-host guest guest-deps guest-image guest-up bench-guest $(GUESTS:%=run-%) $(GUESTS:%=image-%)

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## build nexus (all daemons), nx, nxs-pack and nxb-pack into bin/
	go build -trimpath -ldflags='$(LDFLAGS)' -o $(BIN)/nexus ./daemons/nexus
	go build -trimpath -ldflags='$(LDFLAGS)' -o $(BIN)/nx ./nx
	go build -trimpath -ldflags='$(LDFLAGS)' -o $(BIN)/nxs-pack ./nxspack/nxs-pack
	go build -trimpath -ldflags='$(LDFLAGS)' -o $(BIN)/nxb-pack ./nxspack/nxb-pack

pkcs11: ## build nxs-sign-pkcs11, which signs with keys in PKCS#11 tokens, into bin/ (needs a C compiler)
	CGO_ENABLED=1 go build -trimpath -o $(BIN)/nxs-sign-pkcs11 ./nxspack/nxs-sign-pkcs11

demo: build ## pack the demo sets v1.0.0, v1.1.0 and v1.2.0 from programs built on the spot
	go run ./selftest/mkdemo -bin $(BIN) -output $(DEMO)

run: guest ## boot the system and show the whole update flow (GUEST=host|riscv64|amd64; by default what this machine is ready for)
	@if [[ -n "$(GUEST)" ]]; then guest=$(GUEST); \
	elif $(BIN)/guest ready riscv64 >/dev/null 2>&1; then guest=riscv64; else guest=host; fi; \
	$(MAKE) --no-print-directory run-$$guest && \
	if [[ -z "$(GUEST)" && $$guest == host ]]; then $(MAKE) --no-print-directory after-run-host; fi

after-run-host:
	@$(BIN)/guest page
	@echo "run: shown was an update, a rollback and three refusals, the same of an app, by processes of this host, and a server that went on"
	@echo "run: next: \`make guest-deps run\` shows the same in a riscv64 machine; README.md, \"Use it\", starts a system that stays"

run-host: demo guest
	@echo "run: on this host"
	@dir=$$(mktemp -d) && trap 'rm -rf "$$dir"' EXIT && \
	$(BIN)/guest host --timeout $(RUN_TIMEOUT) $(if $(filter 1,$(RUN_UNTIL_MARKER)),--until-marker) -- \
		$(BIN)/nx up --dir "$$dir" --trust $(DEMO)/keys/demo.pub --trust apps=$(DEMO)/keys/apps.pub --factory $(DEMO)/system-v1.0.0.nxs --selftest $(DEMO)

$(GUESTS:%=run-%): run-%: image-%
	@echo "run: in a $* guest under QEMU"
	@$(BIN)/guest run $* $(if $(filter 1,$(DEBUG)),--debug) --timeout $(RUN_TIMEOUT) $(if $(filter 1,$(RUN_UNTIL_MARKER)),--until-marker)

guest: # the command behind `run` and those for guests
	@go build -o $(BIN)/guest ./selftest/guest

guest-deps: guest ## install QEMU and fetch kernels for guests (GUEST=riscv64|amd64; both by default)
	@$(BIN)/guest deps $(FOR)

guest-image: $(FOR:%=image-%) ## build the image a guest starts from: the same sets give the same bytes

$(GUESTS:%=image-%): image-%: build guest
	@GOARCH=$* go build -trimpath -ldflags='$(LDFLAGS)' -o out/guest/$*/nexus ./daemons/nexus
	@go run ./selftest/mkdemo -bin $(BIN) -arch $* -output out/guest/$*/demo >out/guest/$*/demo.log
	@$(BIN)/guest image $*

UP := $(or $(filter $(GUESTS),$(GUEST)),riscv64)
FRESH ?=
guest-up: image-$(UP) ## keep a guest running for `nx --dir out/guest/system`; its disk stays (FRESH=1: a new one; DEBUG=1: wait for gdb on port 1234)
	$(if $(filter 1,$(FRESH)),@rm -f out/guest/$(UP)/state.img)
	@$(BIN)/guest up $(UP) $(if $(filter 1,$(DEBUG)),--debug) --dir out/guest/system --disk out/guest/$(UP)/state.img

bench-guest: $(FOR:%=image-%) ## how long a guest takes to start and to stage a set, and what its daemons need
	@$(BIN)/guest bench $(FOR)
	@go build -o $(BIN)/bench ./selftest/bench
	@for guest in $(FOR); do $(BIN)/bench guest $$guest || exit 1; done

test: test-host ## everything that needs only Go: formats, domain, daemons, real processes

# Ends with what was skipped, and why.
test-host: fmt-check dep-gate
	go vet ./...
	go tool gotestsum --format pkgname-and-test-fails --format-hide-empty-pkg -- $(VETTED) $(TIMEOUT) $(WIDE) ./...

test-os: guest-deps $(FOR:%=image-%) ## the system as the first process of QEMU guests, riscv64 and amd64; installs what it needs
	NEXUS_GUESTS="$(FOR)" go test -timeout 60m -p 1 -count=1 -v ./selftest/guest ./selftest/powercut

test-all: test race run-host test-os ## test, again with the race detector where the daemons are, and the flow on the host and in guests

race: ## the packages with concurrency under the race detector, their sweeps shortened (needs a C compiler)
	CGO_ENABLED=1 go test -race -short $(VETTED) $(TIMEOUT) $(WIDE) ./daemons/... ./libupdates/... ./nx/...

fmt-check: ## fail when a file is not gofmt'ed
	@files=$$(find . -path ./out -prune -o -path './.*' -prune -o -name '*.go' -print); test -n "$$files" || { echo "no Go files here"; exit 1; }; \
	out=$$(gofmt -l $$files) && test -z "$$out" || { echo "not gofmt'ed:"; echo "$$out"; exit 1; }

lint: fmt-check ## gofmt, vet, staticcheck and the house rules
	go vet ./...
	go tool staticcheck ./...
	go test $(TIMEOUT) .

dep-gate: ## fail when a package imports what the house forbids
	go test $(TIMEOUT) -run 'TestImports' .

gen: ## generate capnpgen/ from schema/ (needs the package capnproto)
	go run ./schema/gen

gen-check: gen ## fail when the generated code is not what is committed
	@git diff --exit-code --stat -- capnpgen && test -z "$$(git status --porcelain -- capnpgen)" || { echo "capnpgen/ differs from what make gen makes"; exit 1; }

SCHEMA = --no-standard-import -I "$$(go list -m -f '{{.Dir}}' capnproto.org/go/capnp/v3)/std" schema
SCHEMA_BASE ?=
SCHEMA_CHECK := $(BIN)/schema-check
COMPAT := $(SCHEMA_CHECK) compat --waivers schema/WAIVERS

$(SCHEMA_CHECK): FORCE
	@go build -o $@ ./schema/check

# On the main branch the merge base is the last commit, so the schemas are held against the locks before it as well: the last ones that this
# branch has had, and that of every version.
schema-check: $(SCHEMA_CHECK) ## lint the schemas, refuse a breaking change, a stale lock or reference (needs capnproto; SCHEMA_BASE=REV)
	$(SCHEMA_CHECK) lint --waivers schema/WAIVERS $(SCHEMA)
	$(COMPAT) $(if $(SCHEMA_BASE),--base $(SCHEMA_BASE)) $(SCHEMA)
	@for rev in $$(git log --format=%h -n 20 -- schema/API.lock); do echo "against $$rev:"; $(COMPAT) --base $$rev $(SCHEMA) || exit 1; done
	@for lock in libupdates/golden/testdata/*/API.lock; do echo "against $$lock:"; $(COMPAT) --lock $$lock $(SCHEMA) || exit 1; done
	$(SCHEMA_CHECK) lock --check schema/API.lock $(SCHEMA)
	$(SCHEMA_CHECK) api --holders schema/HOLDERS --command 'make api' --check docs/api.md $(SCHEMA)

schema-lock: $(SCHEMA_CHECK) ## write schema/API.lock, the surface as text, again
	$(SCHEMA_CHECK) lock -o schema/API.lock $(SCHEMA)

api: $(SCHEMA_CHECK) ## write docs/api.md again
	go test ./schema/check -run TestHolders -update
	$(SCHEMA_CHECK) api --holders schema/HOLDERS --command 'make api' -o docs/api.md $(SCHEMA)

ID ?=
mutants: ## seed faults into our own code, one at a time; the tests must catch every one (ID=REGEXP: those of that name)
	go test ./selftest/mutants -run 'TestMutants$(if $(ID),/all/($(ID)))' -v -timeout 0 -args -whole

SOAK_CYCLES ?= 1000
SEED ?= 1
MORE ?= 0
soak: ## kill -9 and stop the real system through SOAK_CYCLES update cycles; SEED decides all (MORE=N: N more kills a cycle, initd lives on)
	go test ./selftest/soak -run TestSoak/keeps -v -timeout 0 -args -cycles $(SOAK_CYCLES) -first 0 -seed $(SEED) -more $(MORE)

CELL ?=
damage: ## damage every file and folder of the real system in every way, at every time (CELL=NAME: cells that begin so)
	go test ./selftest/damage -run TestCells -v -timeout 0 -args $(if $(CELL),-cell $(CELL),-whole)

CUTS ?= 200
powercut: guest-deps image-$(UP) ## record the disk of a guest and look at it after every barrier; then cut its power CUTS times; SEED decides all
	NEXUS_GUESTS=$(UP) go test ./selftest/powercut -run 'TestReplay|TestKill' -v -timeout 0 -args -seed $(SEED) -losses 3 -boots 6 -cycles $(CUTS)

crash-matrix: ## each daemon killed, stopped and panicking at each stand of an update; minutes
	go test ./testscripts -run TestCrashMatrix -timeout 60m -args -whole

chaos: ## every flow cut at every operation of the disk and killed at every message; hours
	go test ./selftest/chaos -run 'TestDevices|TestWorlds' -v -timeout 0 -args -whole

model: ## the model checks: of the boot record, whole, of roots, and of what a switch restarts
	go test $(TIMEOUT) ./libupdates/bootctl -run 'TestModel$$' -v -args -whole-model
	go test $(TIMEOUT) ./libupdates/switchover -run 'TestModel$$' -v -args -whole-model
	go test $(TIMEOUT) ./libupdates/roots -run 'TestModel' -v

diag-os: ## what this machine has for running the system
	@go version; uname -srm; for tool in capnp qemu-system-riscv64 qemu-system-x86_64; do \
		printf '%s: ' $$tool; command -v $$tool || echo 'not installed (not needed on the host)'; done

BENCH ?=
bench: build ## benchmarks, as ratios within one run; docs/benchmarks.md gets the tables (BENCH=quick: a short run that writes nothing)
	go build -o $(BIN)/bench ./selftest/bench
	$(BIN)/bench $(if $(filter quick,$(BENCH)),-quick,-o docs/benchmarks.md)
	$(if $(filter quick,$(BENCH)),,go test -run '^$$' -bench . ./...)

bench-recovery: ## how long each daemon takes to come back after kill -9, and after it was stopped
	go test -run '^$$' -bench Recovery -benchtime 3x ./testscripts

bench-downtime: ## how long services are away at a switch, at an update of the core, and at a reboot; what a server's clients notice; round trips of nx --to
	go test -run '^$$' -bench Downtime -benchtime 5x ./testscripts
	go test -run '^$$' -bench 'Serving|Throughput|RoundTrips' -benchtime 1x ./testscripts

bench-rpc: ## our call beside gRPC, D-Bus and a bare socket (D-Bus needs the package dbus)
	cd selftest/rpcbench && go test -bench . -benchtime 9x

PAIRS ?=
bench-delta: ## patches between real programs, beside bsdiff, xdelta3, zstd and rdiff (PAIRS=REGEXP; needs those and, for packages, Debian)
	go build -o $(BIN)/ ./selftest/bench ./selftest/bench/patch
	$(BIN)/bench -patches -rounds 3 -only '$(PAIRS)'

FUZZTIME ?= 20s
fuzz: ## every fuzz target for FUZZTIME each
	@set -e; for pkg in $$(go list ./...); do \
		for target in $$(go test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
			echo "fuzz: $$pkg $$target"; go test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) $$pkg; \
		done; done

ci: gen-check schema-check lint test race run-host test-os ## what CI runs

man: ## write man pages and shell completion of all commands into out/pages
	go run ./packaging/pages out/pages

DEB := out/deb
deb: build man ## build the Debian packages nexus and nexus-tools into out/deb, for this machine's architecture
	@test -n '$(SOURCE_DATE_EPOCH)' || { echo 'deb: no history says when this was made: set SOURCE_DATE_EPOCH'; exit 1; }
	cd packaging/nfpm && go build -o ../../$(BIN)/nfpm github.com/goreleaser/nfpm/v2/cmd/nfpm
	@rm -rf $(DEB)
	@go run ./packaging/deb -version '$(VERSION)' -time $(SOURCE_DATE_EPOCH) -nfpm $(BIN)/nfpm

deb-check: ## build the Debian packages twice, compare them, and try them (needs lintian)
	packaging/debian/check

clean: ## remove what make made
	rm -rf $(BIN) out
