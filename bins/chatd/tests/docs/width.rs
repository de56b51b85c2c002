//! Comments are at most 100 columns wide. rustfmt wraps code and leaves comments alone.

use crate::tree::{files, read};

const COLUMNS: usize = 100;

/// The endings of files with code of our own.
const EXTENSIONS: [&str; 5] = ["rs", "js", "mjs", "ts", "css"];

fn is_comment(line: &str, extension: &str) -> bool {
    let line = line.trim_start();
    match extension {
        "rs" => line.starts_with("//"),
        "js" | "mjs" | "ts" => ["//", "/*", "* "].iter().any(|mark| line.starts_with(mark)),
        "css" => ["/*", "* "].iter().any(|mark| line.starts_with(mark)),
        _ => false,
    }
}

#[test]
fn comments_fit() {
    let mut wide = Vec::new();
    for extension in EXTENSIONS {
        for file in files(extension) {
            let lines = read(&file);
            let comments = lines.lines().enumerate().filter(|(_, line)| is_comment(line, extension));
            let too_wide = comments.filter(|(_, line)| line.chars().count() > COLUMNS);
            wide.extend(too_wide.map(|(number, _)| format!("{file}:{}", number + 1)));
        }
    }
    assert!(wide.is_empty(), "comments of more than {COLUMNS} columns:\n{}", wide.join("\n"));
}
