//! Comments are at most 100 columns wide. rustfmt wraps code and leaves comments alone.

use std::path::Path;

use crate::tree::top;

const COLUMNS: usize = 100;

/// Folders with code of our own.
const FOLDERS: &[&str] = &["bins", "clients", "crates"];

/// What is generated, or kept as it was recorded.
const EXCEPT: &[&str] = &["target", "node_modules", "artifacts", "corpus", "reference", "snapshots"];

fn is_comment(line: &str, extension: &str) -> bool {
    let line = line.trim_start();
    match extension {
        "rs" => line.starts_with("//"),
        "js" | "mjs" | "ts" => ["//", "/*", "* "].iter().any(|mark| line.starts_with(mark)),
        "css" => ["/*", "* "].iter().any(|mark| line.starts_with(mark)),
        _ => false,
    }
}

fn check(folder: &Path, wide: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            if !EXCEPT.contains(&name.as_str()) && !path.is_symlink() {
                check(&path, wide);
            }
            continue;
        }
        let extension = path.extension().map(|extension| extension.to_string_lossy().into_owned());
        let Some(extension) =
            extension.filter(|extension| ["rs", "js", "mjs", "ts", "css"].contains(&extension.as_str()))
        else {
            continue;
        };
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        for (number, line) in text.lines().enumerate() {
            if is_comment(line, &extension) && line.chars().count() > COLUMNS {
                wide.push(format!("{}:{}", path.display(), number + 1));
            }
        }
    }
}

#[test]
fn comments_fit() {
    let mut wide = Vec::new();
    FOLDERS.iter().for_each(|folder| check(&top().join(folder), &mut wide));
    assert!(wide.is_empty(), "comments of more than {COLUMNS} columns:\n{}", wide.join("\n"));
}
