# The images of Zama Jobs: one program, a target for each process, and `runtime` (the last) for any command.
#
#   docker build -t zama-jobs .                     any command: docker run zama-jobs --help
#   docker build -t zama-jobs-api --target api .    also worker, worker-fhe, kms; each with its own health check
#   docker build --target anvil .                   the development chain of docker-compose.yml
#
# The first build compiles several hundred crates (tfhe and the Temporal SDK take minutes each); cargo-chef keeps them in
# a layer of their own, which only Cargo.lock and the manifests change.

# As in rust-toolchain.toml.
ARG RUST_VERSION=1.95.0
# As in tools/package.json.
ARG FOUNDRY_VERSION=1.7.1

FROM rust:${RUST_VERSION}-bookworm AS chef
# Names the image's own toolchain: rust-toolchain.toml would have rustup fetch clippy and rustfmt, which nothing here needs.
ARG RUST_VERSION
ENV RUSTUP_TOOLCHAIN=${RUST_VERSION} \
    CARGO_PROFILE_RELEASE_STRIP=symbols \
    SQLX_OFFLINE=true
RUN cargo install --locked cargo-chef@0.1.78
WORKDIR /src

FROM chef AS plan
COPY . .
RUN cargo chef prepare --recipe-path recipe.json

FROM chef AS build
COPY --from=plan /src/recipe.json recipe.json
RUN cargo chef cook --release --locked --bin zama-jobs --recipe-path recipe.json
COPY . .
RUN cargo build --release --locked --bin zama-jobs

# anvil with a folder for its state that it may write to: a new volume takes the folder's owner.
FROM ghcr.io/foundry-rs/foundry:v${FOUNDRY_VERSION} AS anvil
USER 0:0
RUN mkdir -m 0700 /var/lib/anvil && chown 1000:1000 /var/lib/anvil
USER 1000:1000
WORKDIR /var/lib/anvil
ENTRYPOINT ["anvil"]
HEALTHCHECK --interval=5s --timeout=5s --start-period=10s --retries=12 \
    CMD ["cast", "chain-id", "--rpc-url", "http://127.0.0.1:8545"]

FROM debian:bookworm-20260918-slim AS base
# The libraries follow Debian's security updates; pinned versions would vanish from its mirrors.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates libssl3 \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 zama \
    && useradd --uid 10001 --gid zama --home-dir /home/zama --create-home --shell /usr/sbin/nologin zama \
    && install -d -o zama -g zama -m 0700 /var/lib/zama-jobs /var/lib/zama-jobs/access /var/lib/zama-jobs/blobs \
        /var/lib/zama-jobs/fhe-keys /var/lib/zama-jobs/handover /var/lib/zama-jobs/kms
COPY --from=build --chmod=0755 /src/target/release/zama-jobs /usr/local/bin/zama-jobs
USER 10001:10001
WORKDIR /home/zama
ENTRYPOINT ["zama-jobs"]

FROM base AS api
ENV ZAMA__API__LISTEN=0.0.0.0:8080
EXPOSE 8080
CMD ["api"]
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["zama-jobs", "health", "api"]

FROM base AS worker
CMD ["worker"]
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["zama-jobs", "health", "worker"]

FROM base AS worker-fhe
ENV ZAMA__FHE__KEY_FOLDER=/var/lib/zama-jobs/fhe-keys
CMD ["worker", "--queue", "fhe"]
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["zama-jobs", "health", "worker"]

FROM base AS kms
ENV ZAMA__KMS__LISTEN=0.0.0.0:8083 \
    ZAMA__KMS__DATA_DIR=/var/lib/zama-jobs/kms
EXPOSE 8083
CMD ["kms"]
HEALTHCHECK --interval=10s --timeout=5s --start-period=120s --retries=3 CMD ["zama-jobs", "health", "kms"]

FROM base AS runtime
