# The tasks of this project: `just --list`.

set shell := ["bash", "-euo", "pipefail", "-c"]

# list the recipes
default:
    @just --list

# run the server: `just run --listen 127.0.0.1:8080`
run *OPTIONS:
    cargo run --release -p chatd -- {{OPTIONS}}

# run all tests; what this machine lacks for some of them is listed at the end
test *FILTER:
    #!/usr/bin/env bash
    set -euo pipefail
    built="$({{just_executable()}} target-folder)/debug"
    # built with the tests: a test of another program need not build it again, with other features
    export CHATD="$built/chatd"
    # starts PostgreSQL for the tests, if this machine has it; with their features, so that nothing is built twice
    cargo build --workspace --all-features --example postgres
    postgres="$built/examples/postgres"
    export SKIPPED_TESTS="$(mktemp)"
    trap 'rm -f "$SKIPPED_TESTS"' EXIT
    failed=()
    # runs one part of the tests, and goes on with the next one if it fails
    part() { "$@" || failed+=("$*"); }
    if cargo nextest --version >/dev/null 2>&1; then
        part "$postgres" cargo nextest run --workspace --all-features ${CI:+--no-fail-fast} {{FILTER}}
    else
        part "$postgres" cargo test --workspace --all-features ${CI:+--no-fail-fast} --lib --bins --tests {{FILTER}}
    fi
    part cargo test --workspace --all-features ${CI:+--no-fail-fast} --doc
    if [ -z "{{FILTER}}" ]; then
        part {{just_executable()}} schedules
        part {{just_executable()}} test-js
    fi
    if [ -s "$SKIPPED_TESTS" ]; then
        printf '\nSome tests were skipped:\n'
        sort -u "$SKIPPED_TESTS"
    fi
    if [ "${#failed[@]}" -gt 0 ]; then
        printf '\nfailed: %s\n' "${failed[@]}" >&2
        exit 1
    fi

# run the tests that need PostgreSQL: their names contain "postgres"; without it they are skipped, and in CI that is a failure
test-postgres: (test "postgres")

# test the engine and the outbox under COUNT schedules of their tasks: `just schedules 100000 $RANDOM`
schedules COUNT="2000" FROM="1":
    RUSTFLAGS="--cfg shuttle" SCHEDULES={{COUNT}} SCHEDULES_FROM={{FROM}} \
        cargo test -p chat-rooms -p chat-outbox --no-default-features --test schedules

# simulate SEEDS worlds with partitions, delays, a failing disk and restarts: `just simulate 10000 $RANDOM`; repeat one: `just simulate 1 4711`
simulate SEEDS="1000" SEED="1":
    SEEDS={{SEEDS}} SEED={{SEED}} cargo test -p chat-server --test simulation the_guarantees_hold -- --nocapture

# run the tests of the JavaScript client and of the page; without Node.js they are skipped, and in CI that is a failure
test-js:
    #!/usr/bin/env bash
    set -euo pipefail
    # says why tests are skipped, and ends; in CI it fails
    skip() {
        echo "skipped the tests of the JavaScript client and of the page: $1" | tee -a "${SKIPPED_TESTS:-/dev/null}"
        [ -z "${CI:-}" ]
        exit
    }
    for program in node npm; do
        command -v "$program" >/dev/null || skip "this machine lacks the program \"$program\""
    done
    version="$(node --version | tr -d v | cut -d. -f1)"
    [ "$version" -ge 20 ] || skip "they need Node.js 20 or later, and this is $version"
    if [ -z "${CHATD:-}" ]; then
        cargo build -p chatd
        export CHATD="$({{just_executable()}} target-folder)/debug/chatd"
    fi
    for folder in clients/js crates/chat-page/browser; do
        (cd "$folder" && npm ci --no-audit --no-fund --loglevel=error && npm test)
    done

# print where cargo puts what it builds
[private]
target-folder:
    @cargo metadata --no-deps --format-version 1 | sed 's/.*"target_directory":"\([^"]*\)".*/\1/'

# check formatting, lints and documentation
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --all-features -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --all-features --no-deps

# check licences, sources and duplicates of the dependencies
deny:
    cargo deny check bans licenses sources

# build the files of a release into target/dist: archive, Debian package, SBOM, checksums (needs cargo-deb and cargo-cyclonedx)
dist *TARGET:
    packaging/dist/build.sh {{TARGET}}

# try the files of `just dist`: checksums, the archive and the package in an empty system, lintian
try-dist:
    packaging/dist/try.sh

# run the README's commands for the tests on a bare Debian, in namespaces (needs root and debootstrap)
try-bare:
    packaging/bare/try.sh

# benchmark the engine in memory
bench-engine *FILTER:
    cargo bench -p chat-rooms --bench fan_out -- {{FILTER}}

# compare chatd with what this machine can do, or with an older build: `just bench`, `just bench --rounds 1 idle`, `just bench --against OLD_BINARY`
bench *OPTIONS:
    cargo build --release -p chatd -p chat-lab
    $({{just_executable()}} target-folder)/release/chat-lab bench {{OPTIONS}}

# load-test a running server: throughput, latency, CPU cost and lost messages: `just load 127.0.0.1:8000 --members 1000`
load *OPTIONS:
    cargo run --release -p chat-load -- run {{OPTIONS}}

# run a server for half an hour under traffic, broken connections, restarts and kill -9: `just soak`, `just soak --duration 2m`
soak *OPTIONS:
    cargo build --release -p chatd -p chat-lab
    $({{just_executable()}} target-folder)/release/chat-lab soak {{OPTIONS}}

# fuzz each target for SECONDS: `just fuzz`, `just fuzz engine 600` (needs cargo-fuzz and a C++ compiler)
fuzz TARGET="all" SECONDS="60" *OPTIONS:
    #!/usr/bin/env bash
    set -euo pipefail
    folder="$({{just_executable()}} target-folder)/fuzz"
    cd crates/chat-fuzz
    targets="{{TARGET}}"
    [ "$targets" != all ] || targets=$(cargo fuzz list)
    for target in $targets; do
        mkdir -p "$folder/corpus/$target"
        # without a sanitizer no nightly toolchain is needed
        cargo fuzz run --sanitizer none --target-dir "$folder" "$target" "$folder/corpus/$target" "fuzz/corpus/$target" \
            -- -max_total_time={{SECONDS}} {{OPTIONS}}
    done

# generate docs/asyncapi.json from the types; a test fails when it is out of date
contract:
    cargo run -q -p chat-protocol --features schema --example asyncapi > docs/asyncapi.json

# generate docs/configuration.md, docs/admin.openapi.json and docs/api.openapi.json from the program; tests fail when they are out of date
configuration:
    cargo run -q -p chatd -- config docs > docs/configuration.md
    cargo run -q -p chatd -- admin openapi > docs/admin.openapi.json
    cargo run -q -p chat-server --example openapi > docs/api.openapi.json

# package the crates for embedding, and build the packages on their own, without the rest of the repository
package *OPTIONS:
    #!/usr/bin/env bash
    set -euo pipefail
    crates=(chat-access chat-backplane chat-client chat-db chat-history chat-log chat-presence chat-protocol chat-rooms)
    target="$({{just_executable()}} target-folder)"
    version="$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -1)"
    # cargo verifies no package that depends on another with `publish = false`, so that is done below
    cargo package --no-verify --exclude-lockfile "${crates[@]/#/--package=}" {{OPTIONS}}
    folder="$(mktemp -d)"
    trap 'rm -r "$folder"' EXIT
    for crate in "${crates[@]}"; do
        # all files in a package are of the year 2006: without --touch, cargo would take what it compiled before
        tar --touch -xzf "$target/package/$crate-$version.crate" -C "$folder"
    done
    cp Cargo.lock "$folder"
    {
        printf '[workspace]\nresolver = "3"\nmembers = [\n'
        printf "  \"%s-$version\",\n" "${crates[@]}"
        printf ']\n[patch.crates-io]\n'
        for crate in "${crates[@]}"; do echo "$crate = { path = \"$crate-$version\" }"; done
    } > "$folder/Cargo.toml"
    cargo check --manifest-path "$folder/Cargo.toml" --workspace --all-features --target-dir "$target/packages"

# list the public API of CRATES in docs/public-api; with MODE "check", fail if a list is out of date
public-api MODE="write" CRATES="chat-backplane chat-client chat-history chat-presence chat-protocol chat-rooms":
    #!/usr/bin/env bash
    set -euo pipefail
    target="$({{just_executable()}} target-folder)"
    cargo build --quiet -p chat-testkit --example public_api
    # rustdoc writes JSON on a stable toolchain only if it is allowed unstable options. Only rustdoc is: for rustc, the
    # variable would rebuild all dependencies.
    rustdoc="$(mktemp)"
    trap 'rm -f "$rustdoc"' EXIT
    printf '#!/bin/sh\nRUSTC_BOOTSTRAP=1 exec rustdoc "$@"\n' > "$rustdoc"
    chmod +x "$rustdoc"
    # with the features of "just lint", which has checked the dependencies
    RUSTDOC="$rustdoc" RUSTDOCFLAGS="-Z unstable-options --output-format json" \
        cargo doc --quiet --workspace --all-features --no-deps --lib
    outdated=()
    for crate in {{CRATES}}; do
        list="docs/public-api/$crate.txt"
        new="$("$target/debug/examples/public_api" "$target/doc/${crate//-/_}.json")"
        case {{MODE}} in
            write) mkdir -p docs/public-api && echo "$new" > "$list" ;;
            check) diff -u "$list" <(echo "$new") || outdated+=("$list") ;;
            *) echo 'the mode is "write" or "check"' >&2; exit 1 ;;
        esac
    done
    if [ "${#outdated[@]}" -gt 0 ]; then
        echo "out of date: ${outdated[*]}; run \"just public-api\" and review the changes" >&2
        exit 1
    fi

# measure how fast a server stores and acks messages, SECONDS for each case: `just storing 5`; in PostgreSQL: `just storing 5 postgres://…`
storing SECONDS="5" DATABASE="":
    #!/usr/bin/env bash
    set -euo pipefail
    cargo build --release -p chatd -p chat-lab --bins --examples
    folder=$(mktemp -d)
    built="$({{just_executable()}} target-folder)/release"
    database="{{DATABASE}}"
    CHATD_DATABASE="${database:-$folder/chatd.sqlite3}" \
        "$built/chatd" --listen 127.0.0.1:8090 --admin-listen off --message-rate 0 --log warn &
    server=$!
    trap 'kill $server; wait $server || true; rm -r "$folder"' EXIT
    until (exec 3<>/dev/tcp/127.0.0.1/8090) 2>/dev/null; do sleep 0.1; done
    "$built/examples/storing" 127.0.0.1:8090 {{SECONDS}}

# run the migrations of a database, or revert the newest one: `just migrate up`, `just migrate down chatd.sqlite3`
migrate DIRECTION DATABASE="chatd.sqlite3":
    cargo run -q -p chat-db --example migrate -- {{DIRECTION}} {{DATABASE}}
