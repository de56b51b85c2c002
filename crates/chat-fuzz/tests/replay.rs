//! Every input of the corpora in the tree, on any toolchain: what was found once is found again.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::collections::BTreeSet;
use std::fs;
use std::panic;
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};

use chat_fuzz::TARGETS;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(name)
}

/// Panics in tasks of the server and the engine, too: these go on without them.
static PANICS: AtomicUsize = AtomicUsize::new(0);

fn count_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let show = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            PANICS.fetch_add(1, Ordering::Relaxed);
            show(panic);
        }));
    });
}

fn replay(target: &str) {
    count_panics();
    let mut inputs: Vec<_> =
        fs::read_dir(folder("corpus").join(target)).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(!inputs.is_empty(), "no corpus");
    inputs.sort();
    for input in inputs {
        // shown where it fails
        println!("{}", input.display());
        chat_fuzz::run(target, &fs::read(&input).unwrap());
        assert_eq!(PANICS.load(Ordering::Relaxed), 0, "in a task");
    }
}

#[test]
fn classic() {
    replay("classic");
}

#[test]
fn door() {
    replay("door");
}

#[test]
fn engine() {
    replay("engine");
}

#[test]
fn frames() {
    replay("frames");
}

#[test]
fn render() {
    replay("render");
}

#[test]
fn v2() {
    replay("v2");
}

#[test]
fn every_target_has_a_corpus_and_a_fuzzer() {
    let targets: BTreeSet<_> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    for (place, end) in [("corpus", ""), ("fuzz_targets", ".rs")] {
        let there = fs::read_dir(folder(place)).unwrap().map(|entry| entry.unwrap().file_name());
        let there = there.map(|name| name.to_str().unwrap().strip_suffix(end).unwrap().to_owned());
        assert_eq!(there.collect::<BTreeSet<_>>(), targets, "{place}");
    }
}
