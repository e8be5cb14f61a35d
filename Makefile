# Everything a contributor runs; `make` alone lists it. It needs Go, git and make. What else a target needs it builds into
# .bin, from the versions that tools/ pins, and `make setup` installs.

GO       ?= go
BIN      := $(CURDIR)/.bin
MODULES  := . jwt validate examples examples/adopt examples/template cmd/paddock cmd/paddock/kubernetes bench conformance conformance/openapi tools/mutate tools/observe
FUZZTIME ?= 1m
MUTANTS  ?= 60
SEED     ?= 1
ATTACK   ?= 3s

# grpcnotrace leaves golang.org/x/net/trace out of grpc-go. Its templates would make the linker keep every exported method, a
# sixth of a service's binary, and it hangs pages on http.DefaultServeMux: docs/decisions/0010-no-templates.md.
TAGS     := grpcnotrace

# As a service is built (docs/production.md). All that is built without the race detector is built so, tests and the binaries
# that they start included: another flag would have every dependency compiled once more.
PLAIN    := -trimpath -tags=$(TAGS)

# Packages whose tests are loads of real servers: two of them at once would measure each other.
LOADS    := ./chassis ./chassis/chassistest ./internal/inbound ./internal/outbound

export PATH := $(BIN):$(PATH)

.DEFAULT_GOAL := help
.PHONY: help setup tools run build test race lint vuln generate template bench soak conformance attack fuzz openapi mutate promql rules dashboards delivery clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: tools ## Install what is missing: a C compiler, curl, openssl, node, Chromium and prometheus (Debian), the tools into .bin
	@tools/setup.sh

run: $(BIN)/grpcurl ## Start hello, and frontdesk that calls it; their log prints curl and grpcurl lines to try
	@cd examples && $(GO) build -buildvcs=auto -tags '$(TAGS)' -o $(BIN)/ ./hello ./frontdesk
	@echo 'hello and frontdesk start. grpcurl is in .bin: in another shell, PATH="$(BIN):$$PATH"' >&2
	@exec tools/run.sh '$(BIN)'

build: ## Compile every module without cgo
	@for module in $(MODULES); do (cd $$module && CGO_ENABLED=0 $(GO) build -o /dev/null $(PLAIN) ./...) || exit 1; done

# Packages are tested beside each other, but for the loads, which are tested one after the other: several tests of one
# service wait for most of their time, so four at a time share the processors. make lint vets. A test binary is linked
# without what debuggers read, which is half of the time of linking some forty of them.
TESTED     := jwt validate tools/mutate examples examples/adopt bench conformance
TEST       := $(GO) test -vet=off -ldflags=-w $(PLAIN)

test: ## Run every test
	@export CGO_ENABLED=0; status=0; \
	loads=$$($(GO) list $(LOADS)) && others=$$($(GO) list ./... | grep -vxF "$$loads") || exit 1; \
	$(TEST) $$others || status=1; \
	$(TEST) -p 1 -parallel 4 $$loads || status=1; \
	for module in $(TESTED); do (cd $$module && $(TEST) -p 1 ./...) || status=1; done; \
	for module in examples/template cmd/paddock; do (cd $$module && $(TEST) -short .) || status=1; done; \
	exit $$status

promql: ## Parse every expression of rules and dashboards by Prometheus' own parser, and look its names up in the catalogue
	@cd tools/observe && CGO_ENABLED=0 $(TEST) ./...

# The race detector needs a C compiler, and costs calls several times as much. What it would spoil leaves itself out: counts
# of allocations, because it makes sync.Pool forget, and loads in virtual time, of one goroutine or of many machines.
RACED      := . jwt validate
RACE       := $(GO) test -race -vet=off -ldflags=-w

race: ## Run the tests with the race detector, which needs a C compiler; make test runs them without
	@status=0; \
	for module in $(RACED); do (cd $$module && $(GO) build -race ./...) || exit 1; done; \
	loads=$$($(GO) list $(LOADS)) && others=$$($(GO) list ./... | grep -vxF "$$loads") || exit 1; \
	$(RACE) $$others || status=1; \
	$(RACE) -p 1 -parallel 3 $$loads || status=1; \
	for module in $(filter-out .,$(RACED)); do (cd $$module && $(RACE) -p 1 ./...) || status=1; done; \
	exit $$status

lint: $(BIN)/golangci-lint $(BIN)/buf ## Check style and module files, and the protos against the latest release
	@for module in $(MODULES); do \
		(cd $$module && golangci-lint run --config $(CURDIR)/.golangci.yml ./... && $(GO) mod tidy -diff) || exit 1; \
	done
	@buf lint
	@tag=$$(git describe --tags --abbrev=0 2>/dev/null); [ -z "$$tag" ] || buf breaking --against ".git#tag=$$tag"

vuln: $(BIN)/govulncheck ## Look for published vulnerabilities; say so where their database cannot be reached
	@tools/vuln.sh . jwt validate examples

PLUGINS := $(addprefix $(BIN)/,protoc-gen-go protoc-gen-go-grpc protoc-gen-grpc-gateway)

generate: $(BIN)/buf $(PLUGINS) ## Write generated code and documentation anew
	@buf generate --template proto/buf.gen.yaml
	@buf generate
	@buf generate --template proto/buf.gen.yaml
	@buf generate --template bench/buf.gen.yaml
	@buf generate --template chassis/buf.gen.yaml
	@buf generate --template conformance/buf.gen.yaml
	@buf generate --template jwt/buf.gen.yaml
	@buf generate --template validate/buf.gen.yaml
	@cd examples/template && mkdir -p .bin && cp $(BIN)/buf $(PLUGINS) .bin/ && $(MAKE) --no-print-directory generate
	@cd cmd/paddock && PADDOCK_UPDATE=1 $(GO) test -count=1 -vet=off $(PLAIN) -run '^TestTemplateIsCurrent$$' .
	@$(GO) run ./internal/catalog/gen
	@$(GO) run ./chassis/internal/settingsdoc

bench: ## Measure what a call costs beside others, what admission does to honest calls, and what overload leaves
	@cd bench && $(GO) run . && $(GO) run ./overload -honest 4s -lasts 6s -calm 2s -peak 600ms

# make test does a part of it: it compiles a new service, and runs its quick tests.
template: $(BIN)/buf $(PLUGINS) ## Make a service in an empty folder: its tests, generated code and manifests must pass
	@cd cmd/paddock && PADDOCK_LONG=1 PADDOCK_BIN=$(BIN) CGO_ENABLED=0 $(GO) test -count=1 -vet=off -timeout 30m $(PLAIN) .
	@cd cmd/paddock/kubernetes && CGO_ENABLED=0 $(GO) test -count=1 -vet=off $(PLAIN) .

soak: ## Send all honest shapes to two replicas for 20 minutes, and restart them: none may be refused or lost
	@cd bench && $(GO) run ./overload -soak 20m

# make test runs a short form. The counts are printed at the end, whether or not a test fails. SEED is another seed.
conformance: ## Run the suites of others, and thousands of requests, beside the plain servers; print the counts
	@counts=$$(mktemp); status=0; \
	(cd conformance && CGO_ENABLED=0 GOFLAGS="$$GOFLAGS $(PLAIN)" CONFORMANCE=$$counts SEED=$(SEED) \
		$(GO) test -ldflags=-w -vet=off -p 1 -count 1 -timeout 30m ./...) || status=1; \
	cat $$counts; rm -f $$counts; exit $$status

# make test runs the same tests, with short floods.
attack: ## Try every attack of docs/attacks.md on loopback, with floods of ATTACK, 3s unless set
	@tests="^($$(grep -oE '`Test[A-Za-z0-9]+`' docs/attacks.md | tr -d '`' | sort -u | paste -sd '|'))$$"; status=0; \
	for module in . jwt examples; do \
		(cd $$module && ATTACK=$(ATTACK) CGO_ENABLED=0 $(GO) test -vet=off -p 1 -count 1 $(PLAIN) -run "$$tests" ./...) || status=1; \
	done; exit $$status

fuzz: ## Run each fuzz target for FUZZTIME, a minute unless set
	@for module in . jwt conformance; do ( \
		cd $$module && $(GO) test -list '^Fuzz' ./... | \
		awk '/^Fuzz/ { names[n++] = $$1 } /^ok/ { for (i = 0; i < n; i++) print $$2, names[i]; n = 0 }' | \
		while read -r package name; do \
			$(GO) test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x "$$package" </dev/null || exit 1; \
		done \
	) || exit 1; done

# npm takes the versions of package-lock.json, and runs nothing of theirs.
openapi: ## Check the OpenAPI documents by public validators, and a TypeScript client made of one against hello
	@cd conformance/openapi && npm ci --silent --no-audit --no-fund --ignore-scripts && $(GO) test -ldflags=-w -vet=off -count 1 ./...

# A minute and more for each dozen changes; MUTANTS=0 tries all, SEED=2 others.
mutate: ## Change the request path in MUTANTS places, 60 unless set, and report what no test notices
	@cd tools/mutate && $(GO) build -o $(BIN)/mutate .
	@CGO_ENABLED=0 GOFLAGS="$$GOFLAGS $(PLAIN)" mutate -n $(MUTANTS) -seed $(SEED) -equivalent tools/mutate/equivalent.txt \
		internal/inbound internal/outbound internal/admission internal/balance chassis/stop.go=./chassis chassis/drain.go=./chassis

# Seconds for each change; MUTANTS=0 tries all.
rules: ## Change the alert rules in MUTANTS places, 60 unless set, and report what no test of the rules notices
	@cd tools/observe && $(GO) run ./mutate -n $(MUTANTS) -seed $(SEED)

dashboards: ## Draw the dashboards without Grafana, over services with a failure in them: five minutes, into .bin
	@mkdir -p $(BIN) && cd tools/observe && $(GO) run ./render -out $(BIN)/dashboards.html

delivery: ## Deploy, fail and roll back real services, and compare what Prometheus records with what was planted: five minutes
	@cd tools/observe && $(GO) run ./render -check

tools: $(BIN)/buf $(BIN)/golangci-lint $(BIN)/govulncheck $(BIN)/grpcurl $(PLUGINS) ## Build the pinned tools into .bin

clean: ## Remove .bin
	@rm -rf $(BIN)

# Each tool is built when the versions in its module change. The paths are those of the tool lines in go.mod.
# buf comes compiled from npm where that is, and is built from the same version elsewhere, which takes minutes.
$(BIN)/buf: tools/buf/go.mod tools/buf/go.sum tools/buf/package-lock.json
	@mkdir -p $(BIN) && { tools/buf/compiled.sh $@ || { \
		echo 'building buf: a few minutes the first time' >&2; \
		cd tools/buf && $(GO) build -ldflags '-s -w' -o $@ github.com/bufbuild/buf/cmd/buf; }; }
	@touch $@

$(BIN)/golangci-lint: PACKAGE = github.com/golangci/golangci-lint/v2/cmd/golangci-lint
$(BIN)/govulncheck: PACKAGE = golang.org/x/vuln/cmd/govulncheck
$(BIN)/grpcurl: PACKAGE = github.com/fullstorydev/grpcurl/cmd/grpcurl
$(BIN)/protoc-gen-go: PACKAGE = google.golang.org/protobuf/cmd/protoc-gen-go
$(BIN)/protoc-gen-go-grpc: PACKAGE = google.golang.org/grpc/cmd/protoc-gen-go-grpc
$(BIN)/protoc-gen-grpc-gateway: PACKAGE = github.com/grpc-ecosystem/grpc-gateway/v2/protoc-gen-grpc-gateway
OTHERS := $(BIN)/golangci-lint $(BIN)/govulncheck $(BIN)/grpcurl $(PLUGINS)
$(OTHERS): MODULE = tools
$(OTHERS): tools/go.mod tools/go.sum

$(OTHERS):
	@echo 'building $(@F)$(if $(filter golangci-lint,$(@F)),: a few minutes the first time)' >&2
	@cd $(MODULE) && $(GO) build -ldflags '-s -w' -o $@ $(PACKAGE)
	@touch $@
