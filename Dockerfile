# The service in an image: `docker build -t clientele .`, CPU by default; `--build-arg VARIANT=cuda` for NVIDIA GPUs.
# CPU images run on any x86-64 or aarch64 host; the CUDA image runs without a GPU too, on the CPU.

ARG VARIANT=cpu

FROM node:22-bookworm-slim AS web
WORKDIR /src/web
COPY web/package.json web/package-lock.json web/.npmrc ./
RUN npm ci --no-audit --no-fund
COPY web ./
RUN npm run build

FROM rust:1.95-bookworm AS base-cpu
ENV FEATURES=""

FROM nvidia/cuda:13.0.2-devel-ubuntu24.04 AS base-cuda
RUN apt-get update && apt-get install -y --no-install-recommends build-essential ca-certificates curl pkg-config \
    && rm -rf /var/lib/apt/lists/*
COPY --from=rust:1.95-bookworm /usr/local/cargo /usr/local/cargo
COPY --from=rust:1.95-bookworm /usr/local/rustup /usr/local/rustup
# Only this static library is to be found by the linker: the image's own stubs would be linked, and be missing where it runs.
RUN mkdir /opt/link && ln -s /usr/local/cuda/lib64/libcudart_static.a /opt/link/libcudart.a
COPY tools/rustc-late tools/nvcc-dense /opt/tools/
# As `make cuda` has them.
ENV PATH=/usr/local/cargo/bin:$PATH CARGO_HOME=/usr/local/cargo RUSTUP_HOME=/usr/local/rustup \
    FEATURES="--features cuda" CUDA_COMPUTE_CAP=80 CUDARC_CUDA_VERSION=13000 CUDA_HOME=/usr/local/cuda \
    NVCC=/opt/tools/nvcc-dense RUSTC_WRAPPER=/opt/tools/rustc-late LIBRARY_PATH=/opt/link

FROM base-${VARIANT} AS build
WORKDIR /src
# The dependencies alone first: a layer that changes only with the lock file.
COPY Cargo.toml Cargo.lock build.rs ./
RUN mkdir -p src tests/it && echo 'fn main() {}' > src/main.rs && touch src/lib.rs && echo 'fn main() {}' > tests/it/main.rs \
    && cargo build --release --locked $FEATURES && rm -rf src tests
COPY src src
COPY models/catalogue.toml models/catalogue.toml
COPY --from=web /src/web/dist web/dist
RUN touch src/lib.rs src/main.rs build.rs && cargo build --release --locked $FEATURES

FROM debian:bookworm-slim AS run-cpu
FROM nvidia/cuda:13.0.2-runtime-ubuntu24.04 AS run-cuda
FROM run-${VARIANT}
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates curl \
    && rm -rf /var/lib/apt/lists/* && useradd --system --uid 10001 --create-home clientele \
    && install -d -o clientele -g clientele /data /models
COPY --from=build /src/target/release/clientele /usr/local/bin/clientele
USER clientele
ENV CLIENTELE_DATA_DIR=/data CLIENTELE_MODELS_DIR=/models CLIENTELE_LISTEN=0.0.0.0:7700 CLIENTELE_LOG_FORMAT=json
VOLUME ["/data", "/models"]
EXPOSE 7700
HEALTHCHECK --interval=15s --timeout=3s --start-period=20s CMD curl -fsS http://127.0.0.1:7700/health/ready || exit 1
# A service on 0.0.0.0 needs a key first: docker run --rm -v data:/data clientele keys create --scopes admin,manage,read,write
ENTRYPOINT ["clientele"]
CMD ["serve"]
