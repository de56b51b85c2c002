#!/usr/bin/env bash
# Prints the licences of the libraries that are linked into chatd, with the texts from their packages. Which licences are
# allowed is in deny.toml.
#   licenses.sh TARGET
set -euo pipefail
target="$1"
cd "$(dirname "$0")/../.."
registry="${CARGO_HOME:-$HOME/.cargo}/registry/src"
line="$(printf '=%.0s' {1..100})"

cat <<'END'
The libraries that are linked into chatd, and their licences. Besides these:

- the standard library of Rust: MIT or Apache-2.0, Copyright (c) The Rust Project contributors
- SQLite, in libsqlite3-sys: public domain
- in the programs for musl, the musl C library: MIT, Copyright (c) 2005-2020 Rich Felker, et al.

A library whose package has no text of its licence has the text that LICENSE-MIT or LICENSE-APACHE has.
END
declare -A first
# "name v1.2.3|MIT", our own crates aside: these have a path behind the version
cargo tree --locked -p chatd --edges normal --target "$target" --prefix none --format '{p}|{l}' \
    | grep -v -e ' (/' -e '^$' | sed 's/ (proc-macro)//; s/ (\*)$//' | sort -u \
    | while IFS='|' read -r package license; do
        name="${package% v*}" version="${package##* v}"
        printf '\n%s\n%s %s: %s\n%s\n' "$line" "$name" "$version" "$license" "$line"
        for text in $(find "$registry"/*/"$name-$version" -maxdepth 4 -type f \
            -iregex '.*/\(licen[cs]e\|copying\|copyright\|notice\)[^/]*' ! -name '*.rs' | sort); do
            printf '\n--- %s\n' "${text##*/"$name-$version"/}"
            sum="$(sha256sum < "$text")"
            if [ -n "${first[$sum]:-}" ]; then
                echo "the same text as of ${first[$sum]}"
            else
                first[$sum]="$name $version"
                echo
                cat "$text"
            fi
        done
    done
