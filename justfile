# What there is to do: `just --list`.

set shell := ["bash", "-euo", "pipefail", "-c"]

# list the recipes
default:
    @just --list

# run the server
run *OPTIONS:
    cargo run --release -p chatd -- {{OPTIONS}}

# pass the tests of the whole workspace, the documentation's examples included
test *FILTER:
    #!/usr/bin/env bash
    set -euo pipefail
    if cargo nextest --version >/dev/null 2>&1; then
        cargo nextest run --workspace {{FILTER}}
    else
        cargo test --workspace --lib --bins --tests {{FILTER}}
    fi
    cargo test --workspace --doc

# what CI asks of the code beside the tests
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings
    cargo clippy -p chat-rooms --no-default-features -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

# licences, sources and duplicates of what we depend on
deny:
    cargo deny check bans licenses sources

# time the engine
bench *FILTER:
    cargo bench -p chat-rooms --bench fan_out -- {{FILTER}}

# bring a database up to date, or take its newest migration back: `just migrate up`, `just migrate down chatd.sqlite3`
migrate DIRECTION DATABASE="chatd.sqlite3":
    cargo run -q -p chat-db --example migrate -- {{DIRECTION}} {{DATABASE}}
