# Every target runs on the Node 24 that package-lock.json names, whatever the machine has.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
export PATH := $(CURDIR)/node_modules/.bin:$(PATH)

.PHONY: help setup demo test test-kube e2e test-postgres test-long cluster-down cluster test-cluster check fmt generate build bench bench-evidence bench-proxy bench-scale bench-sidecar bench-webhook chart images images-lock test-images add clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## install what is missing: npm packages, Debian packages (as root or with sudo)
	@tools/setup.sh

demo: setup build ## one launch on this machine, from sign-up to a verified answer (KEEP=1 stays up)
	@node tools/demo/main.ts $(if $(KEEP),--keep)

test: setup build ## every suite that needs no Kubernetes (SUITES='webhook verify': those whose names have a part; test-kube and e2e too)
	@node tools/run-tests.ts $(SUITES)

test-kube: setup build ## the API-server suites on a real kube-apiserver (needs Go)
	@tools/kubernetes/test.sh $(SUITES)

cluster: images ## a real cluster on this machine with the product on it: nodes, TPMs, chart (needs Go, root; NODES=2, VALUES=file)
	@tools/kubernetes/cluster.sh

test-cluster: images ## what make cluster leaves behind when it ends or is interrupted: nothing (needs what it needs)
	@tools/kubernetes/test-cluster.sh

cluster-down: setup ## end it; nothing of it stays
	@node tools/kubernetes/cluster/main.ts down

e2e: images ## the end-to-end suites on a real cluster with the chart installed (needs Go and root; KEEP=1 leaves it up, ALL=1 kills in every case)
	@tools/kubernetes/e2e.sh $(SUITES)

test-postgres: setup build ## the store and two fronts on PostgreSQL (installs Debian's)
	@tools/postgres/test.sh

test-long: setup build ## suites that take minutes: rotation under load
	@node tools/run-tests.ts --long

check: setup ## types, lint, format, protos and generated code
	@tools/check.sh

fmt: setup ## format and mend what can be mended
	@biome check --write --log-level=warn .

generate: setup ## TypeScript from proto/, AttestationPolicy from the policy's schema
	@tools/generate.sh

build: setup ## dist/: one bundle a component
	@node tools/build.ts

bench: setup build ## measure the budgets
	@node bench/main.ts

bench-evidence: setup build ## what evidence costs: verification, quotes, batches
	@node bench/main.ts evidence

bench-proxy: setup build ## the sidecar as a proxy beside HAProxy and stunnel (installs Debian's)
	@tools/debian.sh bench-proxy haproxy:haproxy stunnel4:stunnel4 taskset:util-linux
	@node bench/main.ts proxy

bench-scale: setup build ## 10 to 500 enclaves on ten simulated nodes and a real kube-apiserver (needs Go; about ten minutes)
	@bench/scale/run.sh

bench-sidecar: setup build ## what a sidecar costs a pod: idle memory, time until it is attested
	@node bench/main.ts sidecar

bench-webhook: setup build ## admission reviews beside a handler that does nothing (LONG=1: a million for the memory)
	@node bench/main.ts webhook $(if $(LONG),--long)

images: setup build ## OCI images of every component in dist/images (REGISTRY=, ARCH=amd64 or arm64)
	@node tools/images/main.ts

chart: images ## the chart with the images' digests, so that an install needs no value: dist/charts
	@node tools/make-chart.ts

test-images: images ## the images on containerd and runc, by buildah, built twice (needs Go, root)
	@tools/images/test.sh

images-lock: setup ## write the present versions of Debian's packages into tools/images/debian.lock
	@node tools/images/lock.ts

add: setup ## add a dependency with npm under Node 24: make add PKG=name@version [DEV=1]
	@tools/add.sh "$(PKG)" "$(DEV)"

clean: ## remove what was built and installed
	@rm -rf dist .setup .demo coverage node_modules
