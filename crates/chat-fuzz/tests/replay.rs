//! Runs every input of the corpora in the repository, on any toolchain, to find regressions.
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

/// Counts all panics, because the server and the engine survive panics in their tasks.
static PANICS: AtomicUsize = AtomicUsize::new(0);

fn count_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let print = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            PANICS.fetch_add(1, Ordering::Relaxed);
            print(panic);
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
        // the output of a failing test shows the input
        println!("{}", input.display());
        chat_fuzz::run(target, &fs::read(&input).unwrap());
        assert_eq!(PANICS.load(Ordering::Relaxed), 0, "a task has panicked");
    }
}

#[test]
fn classic_corpus_passes() {
    replay("classic");
}

#[test]
fn listener_corpus_passes() {
    replay("listener");
}

#[test]
fn engine_corpus_passes() {
    replay("engine");
}

#[test]
fn frames_corpus_passes() {
    replay("frames");
}

#[test]
fn render_corpus_passes() {
    replay("render");
}

#[test]
fn v2_corpus_passes() {
    replay("v2");
}

#[test]
fn every_target_has_a_corpus_and_a_fuzzer() {
    let targets: BTreeSet<_> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    for (name, suffix) in [("corpus", ""), ("fuzz_targets", ".rs")] {
        let files = fs::read_dir(folder(name)).unwrap().map(|entry| entry.unwrap().file_name());
        let files = files.map(|name| name.to_str().unwrap().strip_suffix(suffix).unwrap().to_owned());
        assert_eq!(files.collect::<BTreeSet<_>>(), targets, "{name}");
    }
}
