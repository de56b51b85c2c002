//! Imports inside a crate run in one direction: from higher folders to lower ones.

use std::collections::BTreeSet;

use regex::Regex;

use crate::tree::{files, read};

/// The folders of each crate that has an order, from the highest to the lowest.
const ORDERS: [(&str, &[&str]); 1] = [("bins/chatd/src/", &["commands", "runtime", "cli", "config"])];

/// The modules at the top of the crate that a source file names, as in `crate::cli::Options`.
fn imported(source: &str) -> BTreeSet<String> {
    let path = Regex::new(r"(?-u:\b)crate::([a-z_]+)").unwrap();
    let code = source.lines().map(|line| line.split_once("//").map_or(line, |(code, _)| code));
    let names = code.flat_map(|code| path.captures_iter(code).map(|found| found[1].to_owned()));
    names.collect()
}

#[test]
fn imports_run_from_higher_folders_to_lower_ones() {
    for (crate_folder, order) in ORDERS {
        let sources: Vec<_> = files("rs").into_iter().filter(|file| file.starts_with(crate_folder)).collect();
        assert!(sources.len() > order.len(), "{crate_folder}: {sources:?}");
        let mut wrong = Vec::new();
        for file in sources {
            let Some((folder, _)) = file[crate_folder.len()..].split_once('/') else { continue };
            let position = order.iter().position(|name| *name == folder);
            let position = position.unwrap_or_else(|| panic!("{file}: add the folder {folder} to ORDERS"));
            let allowed = &order[position..];
            let imports = imported(&read(&file)).into_iter().filter(|name| !allowed.contains(&&**name));
            wrong.extend(imports.map(|name| format!("{file} imports crate::{name}")));
        }
        assert!(wrong.is_empty(), "imports to a higher folder:\n{}", wrong.join("\n"));
    }
}

#[test]
fn imports_are_found_in_code_and_not_in_comments() {
    let source = "use crate::cli::{A, B};\n// crate::no::one\nlet x = crate::config::read(y);\n";
    assert!(imported(source).into_iter().eq(["cli", "config"]));
}
