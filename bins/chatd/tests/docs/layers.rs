//! Imports inside a crate point down: from the top of its layers, as docs/architecture.md lists
//! them, to the bottom.

use std::collections::BTreeMap;

use regex::Regex;

use crate::tree::{files, read};

/// The layers of each crate, from the top to the bottom.
fn layers() -> BTreeMap<String, Vec<String>> {
    let page = read("docs/architecture.md");
    let (_, section) = page.split_once("\n## Layers\n").expect("a section");
    let section = section.split("\n## ").next().unwrap_or_default();
    let rows =
        section.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |")?.split_once(" | "));
    let rows = rows.filter(|(name, _)| *name != "crate");
    rows.map(|(name, layers)| (name.to_owned(), layers.split(", ").map(str::to_owned).collect())).collect()
}

/// The source files of a crate or program, each with the path of its module inside the crate:
/// `room/state/mod.rs` is `[room, state]`.
fn modules(name: &str) -> Vec<(String, Vec<String>)> {
    let folders = ["crates", "bins"].map(|folder| format!("{folder}/{name}/src/"));
    let inside = |file: String| {
        let path = folders.iter().find_map(|folder| file.strip_prefix(folder))?.strip_suffix(".rs")?;
        let mut module: Vec<_> = path.split('/').map(str::to_owned).collect();
        if module.last().is_some_and(|last| ["mod", "lib", "main"].contains(&last.as_str())) {
            module.pop();
        }
        Some((file, module))
    };
    let found: Vec<_> = files("rs").into_iter().filter_map(inside).collect();
    assert!(!found.is_empty(), "there is no crate {name}");
    found
}

/// The top-level modules that a file names: after `crate::`, or after enough `super::`.
fn named(code: &str, module: &[String]) -> Vec<String> {
    let path = Regex::new("(crate|super(?:::super)*)::([a-z0-9_]+)").unwrap();
    let code =
        code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    let mut found = Vec::new();
    for captures in path.captures_iter(&code) {
        let up = if &captures[1] == "crate" { module.len() } else { captures[1].split("::").count() };
        // other paths stay inside the file's own top-level module
        if up == module.len() {
            found.push(captures[2].to_owned());
        }
    }
    found
}

#[test]
fn imports_point_down() {
    let layers = layers();
    for name in ["chat-rooms", "chat-server", "chat-client", "chatd"] {
        assert!(layers.contains_key(name), "docs/architecture.md has no layers of {name}");
    }
    let mut wrong = Vec::new();
    for (name, layers) in &layers {
        let layer = |module: &str| layers.iter().position(|layer| layer == module);
        for (file, module) in modules(name) {
            let Some(own) = module.first() else { continue };
            let Some(from) = layer(own) else {
                wrong.push(format!("{name}: {own} is not in the table of layers"));
                continue;
            };
            for other in named(&read(&file), &module) {
                if layer(&other).is_some_and(|to| to < from) {
                    wrong.push(format!("{file}: {own} imports {other}, which is above it"));
                }
            }
        }
    }
    wrong.sort();
    wrong.dedup();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn paths_are_resolved_from_the_module_that_names_them() {
    let module = |path: &[&str]| path.iter().map(|part| (*part).to_owned()).collect::<Vec<_>>();
    let code = "use crate::room::Core;\n// use crate::engine::Engine;\nuse super::delivery::Batch;\nuse super::super::member;\n";
    assert_eq!(named(code, &module(&["sync"])), ["room", "delivery"]);
    assert_eq!(named(code, &module(&["room", "core"])), ["room", "member"]);
}
