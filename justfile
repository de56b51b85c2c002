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
    # built with the tests: a test of another program's need not build it anew, and with other features
    export CHATD="${CARGO_TARGET_DIR:-$PWD/target}/debug/chatd"
    if cargo nextest --version >/dev/null 2>&1; then
        # in CI all that fails is wanted, not the first
        cargo nextest run --workspace --all-features ${CI:+--no-fail-fast} {{FILTER}}
    else
        cargo test --workspace --all-features ${CI:+--no-fail-fast} --lib --bins --tests {{FILTER}}
    fi
    cargo test --workspace --all-features --doc
    [ -n "{{FILTER}}" ] || { just schedules && just test-js; }

# try so many orders of steps that tasks can take at once, in the engine and the outbox: `just schedules 100000 $RANDOM`
schedules COUNT="2000" FROM="1":
    RUSTFLAGS="--cfg shuttle" SCHEDULES={{COUNT}} SCHEDULES_FROM={{FROM}} \
        cargo test -p chat-rooms --no-default-features --test schedules

# live through so many simulated worlds, with partitions, delays, a failing disk and restarts: `just simulate 10000 $RANDOM`, or one again: `just simulate 1 4711`
simulate SEEDS="1000" SEED="1":
    SEEDS={{SEEDS}} SEED={{SEED}} cargo test -p chat-server --test simulation what_is_promised -- --nocapture

# pass the tests of the client for JavaScript and of the page; what is missing for them is skipped, and in CI a failure
test-js:
    #!/usr/bin/env bash
    set -euo pipefail
    if ! command -v npm >/dev/null; then
        echo "npm is not here: the tests of the client for JavaScript and of the page are skipped"
        [ -z "${CI:-}" ]
        exit
    fi
    cargo build -p chatd
    export CHATD="${CARGO_TARGET_DIR:-$PWD/target}/debug/chatd"
    for folder in clients/js crates/chat-page/browser; do
        (cd "$folder" && npm ci --no-audit --no-fund --loglevel=error && npm test)
    done

# what CI asks of the code beside the tests
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --all-features -- -D warnings
    cargo clippy -p chat-rooms --no-default-features -- -D warnings
    RUSTFLAGS="--cfg shuttle" cargo clippy -p chat-rooms --no-default-features --test schedules -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

# licences, sources and duplicates of what we depend on
deny:
    cargo deny check bans licenses sources

# time the engine in memory
bench-engine *FILTER:
    cargo bench -p chat-rooms --bench fan_out -- {{FILTER}}

# hold chatd against the floor, what this machine can do: `just bench`, `just bench --rounds 1 idle`
bench *OPTIONS:
    cargo build --release -p chatd -p chat-load
    target/release/chat-load bench {{OPTIONS}}

# put a running server under load: `just load 127.0.0.1:8000 --members 1000`
load *OPTIONS:
    cargo run --release -p chat-load -- run {{OPTIONS}}

# let a server live through half an hour of everything, restarts and kill -9 among it: `just soak`, `just soak --duration 2m`
soak *OPTIONS:
    cargo build --release -p chatd -p chat-load
    target/release/chat-load soak {{OPTIONS}}

# search for inputs that break what has to hold, so many seconds for each target: `just fuzz`, `just fuzz engine 600` (needs cargo-fuzz and a C++ compiler)
fuzz TARGET="all" SECONDS="60" *OPTIONS:
    #!/usr/bin/env bash
    set -euo pipefail
    folder="${CARGO_TARGET_DIR:-$PWD/target}/fuzz"
    cd crates/chat-fuzz
    targets="{{TARGET}}"
    [ "$targets" != all ] || targets=$(cargo fuzz list)
    for target in $targets; do
        mkdir -p "$folder/corpus/$target"
        # without a sanitizer no nightly toolchain is needed
        cargo fuzz run --sanitizer none --target-dir "$folder" "$target" "$folder/corpus/$target" "fuzz/corpus/$target" \
            -- -max_total_time={{SECONDS}} {{OPTIONS}}
    done

# write the machine-readable contract anew from the types; a test says when that is due
contract:
    cargo run -q -p chat-protocol --features schema --example asyncapi > docs/asyncapi.json

# write docs/configuration.md and docs/admin.openapi.json anew from the program; tests say when that is due
configuration:
    cargo run -q -p chatd -- config docs > docs/configuration.md
    cargo run -q -p chatd -- admin openapi > docs/admin.openapi.json

# time how fast messages are stored and acked by a server of its own: `just storing 5` seconds each
storing SECONDS="5":
    #!/usr/bin/env bash
    set -euo pipefail
    cargo build --release -p chatd -p chat-testkit --bins --examples
    folder=$(mktemp -d)
    target/release/chatd --listen 127.0.0.1:8090 --admin-listen off --database "$folder/chatd.sqlite3" --message-rate 0 --log warn &
    server=$!
    trap 'kill $server; wait $server || true; rm -r "$folder"' EXIT
    until (exec 3<>/dev/tcp/127.0.0.1/8090) 2>/dev/null; do sleep 0.1; done
    target/release/examples/storing 127.0.0.1:8090 {{SECONDS}}

# bring a database up to date, or take its newest migration back: `just migrate up`, `just migrate down chatd.sqlite3`
migrate DIRECTION DATABASE="chatd.sqlite3":
    cargo run -q -p chat-db --example migrate -- {{DIRECTION}} {{DATABASE}}
