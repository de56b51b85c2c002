//! Links between the files of the repository.

use std::path::Path;

use crate::markdown::Page;
use crate::tree::{files, read, top};

/// The path of the target of a link, from the root, and its anchor. `None` if the link leaves the
/// repository.
fn target(file: &str, link: &str) -> Option<(String, Option<String>)> {
    if link.contains("://") || link.starts_with("mailto:") {
        return None;
    }
    let (path, anchor) = link.split_once('#').map_or((link, None), |(path, anchor)| (path, Some(anchor)));
    let mut parts: Vec<_> = Path::new(file).parent().unwrap().iter().collect();
    if path.is_empty() {
        parts.extend(Path::new(file).file_name());
    }
    for part in Path::new(path) {
        if part == ".." {
            assert!(parts.pop().is_some(), "{file}: {link} leads out of the repository");
        } else {
            parts.push(part);
        }
    }
    let path = parts.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("/");
    Some((path, anchor.map(str::to_owned)))
}

#[test]
fn every_link_has_a_file_and_every_anchor_a_heading() {
    let mut broken = Vec::new();
    for file in files("md") {
        for link in Page::read(&read(&file)).links {
            let Some((path, anchor)) = target(&file, &link) else { continue };
            if !top().join(&path).exists() {
                broken.push(format!("{file}: {link}: there is no {path}"));
            } else if let Some(anchor) = anchor
                && !Page::read(&read(&path)).anchors().contains(&anchor)
            {
                broken.push(format!("{file}: {link}: {path} has no such heading"));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

/// Paths in inline code must exist, too.
#[test]
fn every_path_that_is_named_exists() {
    const FOLDERS: [&str; 6] = ["docs/", "crates/", "bins/", "packaging/", "clients/", "migrations/"];
    let mut missing = Vec::new();
    for file in files("md") {
        for code in Page::read(&read(&file)).code {
            let is_path = FOLDERS.iter().any(|folder| code.starts_with(folder))
                && !code.contains([' ', '*', '{', '…', '<']);
            if is_path && !top().join(&code).exists() {
                missing.push(format!("{file}: there is no {code}"));
            }
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

/// The page about faults names the tests that show what it says.
#[test]
fn every_test_that_is_named_exists() {
    let code: String = files("rs").iter().chain(&files("js")).map(|file| read(file)).collect();
    let is_name = |name: &str| {
        name.matches('_').count() > 1 && name.chars().all(|c| c == '_' || c.is_ascii_alphanumeric())
    };
    let names = Page::read(&read("docs/reliability.md")).code;
    let missing: Vec<_> = names.iter().filter(|name| is_name(name) && !code.contains(&***name)).collect();
    assert!(missing.is_empty(), "docs/reliability.md: {missing:?}");
}

#[test]
fn the_index_lists_every_page() {
    let index = Page::read(&read("docs/README.md"));
    for file in files("md").iter().filter(|file| file.starts_with("docs/") && *file != "docs/README.md") {
        let link = file.strip_prefix("docs/").unwrap();
        assert!(index.links.iter().any(|one| one == link), "docs/README.md does not list {file}");
    }
}

#[test]
fn links_are_resolved_from_their_file() {
    let resolved = |link| target("docs/monitoring/README.md", link);
    assert_eq!(resolved("../protocol.md#errors"), Some(("docs/protocol.md".into(), Some("errors".into()))));
    assert_eq!(resolved("#logs"), Some(("docs/monitoring/README.md".into(), Some("logs".into()))));
    assert_eq!(resolved("https://example.org/#a"), None);
}
