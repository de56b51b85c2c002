//! Words that confuse readers (words.toml) must not occur in any text that users read.

use regex::{Regex, RegexBuilder};
use serde_json::Value;

use crate::markdown::Page;
use crate::tree::{files, read};
use crate::{literals, program};

struct Word {
    pattern: Regex,
    allow: Vec<Regex>,
    instead: String,
}

/// A pattern that matches whole ASCII words in any case. An identifier with underscores is one
/// word.
fn expression(pattern: &str) -> Regex {
    RegexBuilder::new(&format!(r"(?i-u:\b(?:{pattern})\b)")).build().unwrap()
}

struct Words(Vec<Word>);

impl Words {
    fn read() -> Self {
        let list: toml::Table = include_str!("words.toml").parse().unwrap();
        let word = |entry: &toml::Value| {
            let text = |key: &str| entry[key].as_str().filter(|text| !text.is_empty()).unwrap().to_owned();
            let allow = entry.get("allow").and_then(toml::Value::as_array).into_iter().flatten();
            let allow = allow.map(|pattern| expression(pattern.as_str().unwrap())).collect();
            assert!(!text("why").is_empty());
            Word { pattern: expression(&text("pattern")), allow, instead: text("instead") }
        };
        Self(list["word"].as_array().unwrap().iter().map(word).collect())
    }

    /// The confusing words of a text.
    fn faults(&self, text: &str) -> Vec<String> {
        let mut faults = Vec::new();
        for word in &self.0 {
            for found in word.pattern.find_iter(text) {
                let is_allowed = word.allow.iter().any(|allow| {
                    allow.find_iter(text).any(|one| one.start() < found.end() && one.end() > found.start())
                });
                if !is_allowed {
                    let before: String = text[..found.start()].chars().rev().take(40).collect();
                    let before: String = before.chars().rev().collect();
                    let after: String = text[found.end()..].chars().take(40).collect();
                    let found = found.as_str();
                    let around = format!("{before}{found}{after}").replace('\n', " ");
                    faults.push(format!("\"{found}\" (write: {}) in: {around}", word.instead));
                }
            }
        }
        faults
    }

    /// Fails if one of these texts has a word of the list. Each text has its location.
    fn check(&self, texts: impl IntoIterator<Item = (String, String)>) {
        let faults: Vec<_> = texts
            .into_iter()
            .flat_map(|(place, text)| {
                self.faults(&text)
                    .into_iter()
                    .map(move |fault| format!("{place}: {fault}"))
                    .collect::<Vec<_>>()
            })
            .collect();
        let count = faults.len();
        assert!(faults.is_empty(), "{count} places to rewrite (see words.toml):\n{}", faults.join("\n"));
    }
}

/// The locations and texts of one source file.
fn located(file: &str, found: Vec<literals::Found>) -> Vec<(String, String)> {
    found.into_iter().map(|(line, text)| (format!("{file}:{line}"), text)).collect()
}

#[test]
fn markdown_files() {
    Words::read().check(files("md").into_iter().flat_map(|file| {
        let page = Page::read(&read(&file));
        page.prose.into_iter().map(move |text| (file.clone(), text)).collect::<Vec<_>>()
    }));
}

#[test]
fn help_of_every_command() {
    Words::read().check(program::all_help());
}

#[test]
fn defaults_and_manual_page() {
    let printed = |arguments: &[&str]| (arguments.join(" "), program::printed(arguments));
    Words::read().check([printed(&["config", "defaults"]), printed(&["man"])]);
}

/// The texts of a JSON document that people read.
fn descriptions(place: &str, value: &Value, found: &mut Vec<(String, String)>) {
    const FOR_PEOPLE: [&str; 6] = ["description", "summary", "title", "legendFormat", "example", "default"];
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let place = format!("{place}/{name}");
                match value {
                    Value::String(text) if FOR_PEOPLE.contains(&&**name) => found.push((place, text.clone())),
                    value => descriptions(&place, value, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| descriptions(place, item, found)),
        _ => {}
    }
}

#[test]
fn descriptions_for_machines_and_the_dashboard() {
    let mut found = Vec::new();
    for file in ["docs/asyncapi.json", "docs/admin.openapi.json", "docs/monitoring/grafana.json"] {
        descriptions(file, &serde_json::from_str(&read(file)).unwrap(), &mut found);
    }
    assert!(found.len() > 100, "{found:?}");
    Words::read().check(found);
}

#[test]
fn descriptions_of_packages() {
    let manifests = files("toml").into_iter().filter(|file| file.ends_with("Cargo.toml"));
    let manifests = manifests.map(|file| (read(&file), file));
    Words::read().check(manifests.filter_map(|(manifest, file)| {
        let manifest: toml::Table = manifest.parse().unwrap();
        Some((file, manifest.get("package")?.get("description")?.as_str()?.to_owned()))
    }));
}

#[test]
fn configuration_files() {
    let mut kept: Vec<_> = files("yml");
    for extension in ["conf", "service", "socket", "timer"] {
        kept.extend(files(extension));
    }
    kept.extend(["packaging/caddy/Caddyfile".into(), "justfile".into()]);
    Words::read().check(kept.into_iter().map(|file| (file.clone(), read(&file))));
}

#[test]
fn the_page_and_the_javascript_client() {
    let is_shown =
        |file: &String| file.starts_with("crates/chat-page/page/") || file == "clients/js/client.js";
    let scripts = files("js").into_iter().filter(is_shown);
    let scripts = scripts.flat_map(|file| located(&file, literals::in_javascript(&read(&file))));
    let pages = files("html").into_iter().filter(is_shown);
    let pages = pages.flat_map(|file| located(&file, literals::in_html(&read(&file))));
    Words::read().check(scripts.chain(pages));
}

/// Log lines, errors, `--help`, descriptions of metrics: the string literals of programs and
/// libraries.
#[test]
fn string_literals_of_rust() {
    let is_shown = |file: &String| {
        let is_source = file.contains("/src/") || file.contains("/examples/");
        let is_for_tests = ["tests.rs", "/tests/", "crates/chat-testkit/", "crates/chat-fuzz/"];
        is_source && !is_for_tests.iter().any(|part| file.contains(part))
    };
    let sources: Vec<_> = files("rs").into_iter().filter(is_shown).collect();
    assert!(sources.len() > 100, "{sources:?}");
    Words::read().check(sources.iter().flat_map(|file| located(file, literals::in_rust(&read(file)))));
}

#[test]
fn words_are_found_and_allowed() {
    let words = Words::read();
    for wrong in [
        "The client is told why.",
        "puts it out of the room",
        "what is no JSON",
        "the key is no key",
        "Whoever comes",
        "for so long a server",
        "a hole in the numbers",
        "read one's own messages",
        "to be paced",
    ] {
        assert_eq!(words.faults(wrong).len().min(1), 1, "{wrong}");
    }
    for right in [
        "There is no database.",
        "The session is no longer in the room.",
        "the column `paced_at`",
        "whole, holey, untold",
        "so many that it fails",
        "The output is no longer than that.",
    ] {
        assert_eq!(words.faults(right), [""; 0], "{right}");
    }
}
