# Two commands on a fresh machine: `make demo` and `make test`. Each installs what it needs inside this folder.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
CARGO ?= cargo
PYTHON ?= python3
NPM ?= npm
# The default model, where the tests and the demo look for it.
export CLIENTELE_MODELS_DIR ?= $(CURDIR)/models
WEB_SOURCES := $(shell find web -path web/node_modules -prune -o -path web/dist -prune -o -type f -print 2>/dev/null)

.PHONY: help demo test build cuda web models check fmt lint cuda-types doc deny unit clients soak soak-minute bench-store evaluate bench-embedding bench-embed bench-cluster bench-lookup bench-redaction compare-lifetimes clean

help: ## Show this list
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 18

demo: build ## Make a sample shop, fit it, serve it (DEMO_EXIT=1: make the look-ups and stop)
	target/release/clientele demo $(DEMO_ARGS)

build: web ## Build the program with its console: target/release/clientele
	$(CARGO) build --release --locked

# The settings of every build with the feature `cuda`. The kernels are PTX for compute capability 8.0, which the driver compiles for
# the GPU it finds, 8.0 or newer; CUDA's libraries are opened when they are first used (tools/rustc-late).
CUDA_SETTINGS = CUDA_COMPUTE_CAP=80 CUDARC_CUDA_VERSION=13000 RUSTC_WRAPPER=$(CURDIR)/tools/rustc-late

# The compiler comes as wheels; no GPU and no driver is needed to build. In a folder of its own: cargo does not see a changed wrapper.
cuda: web .venv-cuda/.installed ## Build the program for NVIDIA GPUs; it starts without one too: target/cuda/release/clientele
	cuda_home=$$(.venv-cuda/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/nvidia/cu13; \
	mkdir -p target/cuda/link; ln -sf $$cuda_home/lib/libcudart_static.a target/cuda/link/libcudart.a; \
	export CUDA_HOME=$$cuda_home NVCC=$(CURDIR)/tools/nvcc-dense LIBRARY_PATH=$(CURDIR)/target/cuda/link; \
	$(CUDA_SETTINGS) CARGO_TARGET_DIR=target/cuda $(CARGO) build --release --locked --features cuda

web: web/dist/index.html ## Build the web console

web/dist/index.html: $(WEB_SOURCES) web/node_modules/.installed
	cd web && $(NPM) run build
	touch $@

web/node_modules/.installed: web/package-lock.json
	cd web && $(NPM) ci --no-audit --no-fund
	touch $@

test: web check models unit clients soak-minute doc ## Everything CI checks: format, lints, console, all tests, docs
	@echo "make test: all checks passed"

check: fmt lint cuda-types deny ## Format, lints, the types of the GPU code, the console's own checks, licences
	cd web && $(NPM) run check && $(NPM) test

fmt:
	$(CARGO) fmt --check

lint: web
	$(CARGO) clippy --all-targets --locked -- -D warnings

# Types of the GPU code, with a compiler for its kernels that writes empty files. It shares the other checks' folder, and with it all
# dependencies but three.
cuda-types: web
	NVCC=$(CURDIR)/tools/nvcc-stub $(CUDA_SETTINGS) $(CARGO) check --lib --locked --features cuda

# cargo-deny takes minutes to build and its advisories need a host of their own, so it is run where it is installed.
deny:
	@if command -v cargo-deny >/dev/null; then cargo-deny --offline check licenses bans sources; \
	else $(PYTHON) tools/licences.py; fi

# The default model through whatever source answers; the tests that need it are skipped by name where none does.
models: web
	$(CARGO) build --locked
	target/debug/clientele models pull all-MiniLM-L6-v2 || echo "models: the default model is not to be had; its tests are skipped"

# With a throw-away PostgreSQL beside it. Where none can be had, its tests are skipped by name; in CI that is a failure.
unit: web
	@if command -v cargo-nextest >/dev/null; then tests="nextest run"; else tests=test; fi; \
	run="$(CARGO) $$tests --locked --no-fail-fast"; \
	if tools/postgres run true; then tools/postgres run $$run; \
	elif [ "$${CI:-}" = true ]; then exit 1; \
	else echo "unit: there is no PostgreSQL; its tests are skipped"; $$run; fi
	$(CARGO) test --locked --doc

# The real OpenAI, huggingface_hub, Segment and RudderStack clients against the program; what is not to be had is skipped by name.
clients: models .venv-clients/.installed tracking-clients ## The routes made for existing clients, with those clients
	.venv-clients/bin/python tests/clients/test_clients.py
	.venv-clients/bin/python tests/clients/tracking.py

.venv-clients/.installed: tests/clients/requirements.txt
	$(PYTHON) -m venv .venv-clients
	.venv-clients/bin/pip install --quiet --requirement tests/clients/requirements.txt
	touch $@

# Those that cannot be installed are tried again the next time; the tests say which are missing, and fail for it where CI=true.
.PHONY: tracking-clients
tracking-clients: .venv-clients/.installed
	@$(MAKE) --no-print-directory .venv-clients/.tracking || echo "clients: segment-analytics-python could not be installed"
	@$(MAKE) --no-print-directory tests/clients/node/node_modules/.installed \
		|| echo "clients: @segment/analytics-node and @rudderstack/rudder-sdk-node could not be installed"

.venv-clients/.tracking: tests/clients/requirements-tracking.txt
	.venv-clients/bin/pip install --quiet --requirement tests/clients/requirements-tracking.txt
	touch $@

tests/clients/node/node_modules/.installed: tests/clients/node/package-lock.json
	cd tests/clients/node && $(NPM) ci --ignore-scripts --no-audit --no-fund
	touch $@

# The service killed again and again while clients write and jobs run; what it acknowledged has to be there, once. SOAK_ARGS: --seconds
# 600, --seed 7, --store sqlite; --help lists them.
soak: web ## An hour of kills while everybody writes: nothing lost, nothing twice (SOAK_ARGS)
	$(CARGO) build --locked
	$(PYTHON) tests/soak/soak.py $(SOAK_ARGS)

# The same for less than a minute, and what it stands on: that its checks can fail; a full disk, a clock that jumps, answers that get lost.
soak-minute: models
	$(PYTHON) tests/soak/test_checker.py
	$(PYTHON) tests/soak/test_faults.py
	$(PYTHON) tests/soak/soak.py --seconds 45

doc: web
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --no-deps --locked --document-private-items

# EVALUATE_ARGS: --only texts --set en_amazon_snippets --seeds 2 for a quick look; --help lists them. Vectors and stores are kept in
# target/bench/evaluate; remove it to begin anew.
evaluate: build models .venv-bench-evaluate/.installed ## How good segments are, beside BERTopic, scikit-learn and RFM (EVALUATE_ARGS)
	$(CARGO) build --release --locked --example head_worker
	.venv-bench-evaluate/bin/python benches/evaluate/bench.py $(EVALUATE_ARGS)

# BERTopic's own packages for models are left out: vectors are given to it.
.venv-bench-evaluate/.installed: $(wildcard benches/evaluate/requirements*.txt)
	$(PYTHON) -m venv .venv-bench-evaluate
	.venv-bench-evaluate/bin/pip install --quiet --requirement benches/evaluate/requirements.txt
	.venv-bench-evaluate/bin/pip install --quiet --no-deps --requirement benches/evaluate/requirements-bertopic.txt
	touch $@

bench-embedding: web .venv-bench/.installed ## Vectors and speed beside sentence-transformers on real reviews
	$(CARGO) build --release --locked --example embed_texts
	.venv-bench/bin/python tests/reference/compare_real.py target/release/examples/embed_texts \
		$(CLIENTELE_MODELS_DIR)/all-MiniLM-L6-v2 ../shared/models/multilingual-e5-small-zh-en ../shared/data

# BENCH_ARGS: --rounds 7, --only ours,openvino:int8, --ours PROGRAM, --every 4 for a quick look; --help lists them.
bench-embed: web .venv-bench-embed/.installed ## Embedding speed and agreement beside candle, OpenVINO, ONNX Runtime, PyTorch
	test -f $(CLIENTELE_MODELS_DIR)/all-MiniLM-L6-v2/model.safetensors || $(MAKE) models
	$(CARGO) build --release --locked --example embed_worker --example stock_candle --example peak
	.venv-bench-embed/bin/python benches/embed/bench.py --model $(CLIENTELE_MODELS_DIR)/all-MiniLM-L6-v2 \
		--data ../shared/data $(BENCH_ARGS)

# BENCH_ARGS: --points 200000 --k 8,64 --only scikit-learn-intelex --no-sweep for a quick look; --help lists them.
bench-cluster: web .venv-bench-cluster/.installed ## k-means beside scikit-learn-intelex, scikit-learn, faiss and fastkmeans
	$(CARGO) build --release --locked --example cluster_worker --example peak
	.venv-bench-cluster/bin/python benches/cluster/bench.py $(BENCH_ARGS)

# BENCH_ARGS: --store sqlite, --events 100000, --customers 10000 --open-events 100000 for a quick look.
bench-store: build ## Durable events/s of both stores beside raw syncs and plain INSERTs; memory; seconds to open 10 million events
	$(PYTHON) benches/store.py $(BENCH_ARGS)

bench-lookup: build ## Look-up latency at 200 requests/s with a fit running
	$(PYTHON) benches/lookup.py

bench-redaction: web .venv-bench-redaction/.installed ## Finding personal data beside Microsoft Presidio on the labelled set
	$(CARGO) build --release --locked --example redact_texts
	.venv-bench-redaction/bin/python benches/redaction/bench.py target/release/examples/redact_texts

.venv-bench-redaction/.installed: benches/redaction/requirements.txt
	$(PYTHON) -m venv .venv-bench-redaction
	.venv-bench-redaction/bin/pip install --quiet --requirement benches/redaction/requirements.txt
	touch $@

compare-lifetimes: web .venv-lifetimes/.installed ## BG/NBD and Gamma-Gamma beside the Python package `lifetimes`, on CDNOW
	.venv-lifetimes/bin/python tests/reference/bgnbd.py ../shared/data/tx_cdnow/transactions.csv
	$(CARGO) test --locked --lib features::lifetime

.venv-lifetimes/.installed: tests/reference/requirements-lifetimes.txt
	$(PYTHON) -m venv .venv-lifetimes
	.venv-lifetimes/bin/pip install --quiet --requirement tests/reference/requirements-lifetimes.txt
	touch $@

.venv-cuda/.installed: tools/cuda-requirements.txt
	$(PYTHON) -m venv .venv-cuda
	.venv-cuda/bin/pip install --quiet --requirement tools/cuda-requirements.txt
	touch $@

.venv-bench/.installed: benches/requirements.txt
	$(PYTHON) -m venv .venv-bench
	.venv-bench/bin/pip install --quiet --requirement benches/requirements.txt
	touch $@

# A rival that cannot be installed is missing from the table by name, and tried again the next time.
.venv-bench-cluster/.installed: $(wildcard benches/cluster/requirements*.txt)
	$(PYTHON) -m venv .venv-bench-cluster
	.venv-bench-cluster/bin/pip install --quiet --requirement benches/cluster/requirements.txt
	missing=0; for rival in intelex faiss fastkmeans; do \
		.venv-bench-cluster/bin/pip install --quiet --requirement benches/cluster/requirements-$$rival.txt \
			|| { echo "bench-cluster: $$rival could not be installed"; missing=1; }; \
	done; test $$missing = 1 || touch $@

.venv-bench-embed/.installed: $(wildcard benches/embed/requirements*.txt)
	$(PYTHON) -m venv .venv-bench-embed
	.venv-bench-embed/bin/pip install --requirement benches/embed/requirements.txt
	missing=0; for rival in pytorch onnxruntime openvino; do \
		.venv-bench-embed/bin/pip install --requirement benches/embed/requirements-$$rival.txt \
			|| { echo "bench-embed: $$rival could not be installed"; missing=1; }; \
	done; test $$missing = 1 || touch $@

clean: ## Remove what was built; models and the demo's folder stay
	$(CARGO) clean
	rm -rf web/dist web/node_modules tests/clients/node/node_modules .venv-bench .venv-bench-embed .venv-bench-cluster .venv-bench-evaluate .venv-clients .venv-cuda .venv-bench-redaction
