//! Measures what a message costs, hostile ones at 64 KiB: `cargo bench -p chat-markdown`.
#![allow(missing_docs)]

use std::fmt;

use chat_markdown::{RemoteImages, Renderer};
use divan::Bencher;
use divan::counter::BytesCount;

#[path = "../tests/support/hostile.rs"]
mod hostile;

fn main() {
    divan::main();
}

/// A body with its name in the report.
struct Body(&'static str, String);

impl fmt::Display for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

#[divan::bench(args = hostile())]
fn hostile_message(bencher: Bencher<'_, '_>, body: &Body) {
    time(bencher, body);
}

#[divan::bench(args = typical())]
fn typical_message(bencher: Bencher<'_, '_>, body: &Body) {
    time(bencher, body);
}

#[divan::bench]
fn a_renderer() -> Renderer {
    Renderer::new(RemoteImages::Shown)
}

fn time(bencher: Bencher<'_, '_>, body: &Body) {
    let renderer = Renderer::new(RemoteImages::Shown);
    bencher.counter(BytesCount::of_str(&body.1)).bench(|| renderer.render(&body.1));
}

fn hostile() -> Vec<Body> {
    hostile::hostile().into_iter().map(|(name, body)| Body(name, body)).collect()
}

fn typical() -> Vec<Body> {
    vec![
        Body("a few words", "See you at eight, then.".to_owned()),
        Body(
            "a line with all sorts",
            "**Done**: see https://example.org/a?b=c, `cargo test` :tada:".to_owned(),
        ),
        Body(
            "a list",
            "Left to do:\n\n- [x] this\n- [ ] *that*\n- [ ] and [the rest](https://example.org)\n".to_owned(),
        ),
        Body(
            "twenty lines of Rust",
            format!("So:\n\n```rust\n{}```\n", "let x = found(1, \"a\")?; // why\n".repeat(20)),
        ),
        Body("a table", format!("| a | b |\n|---|--:|\n{}", "| some | 1 |\n".repeat(10))),
        Body("64 KiB of prose", "It was a dark and stormy night, and so on it went. ".repeat(1_285)),
        Body(
            "64 KiB of paragraphs",
            format!("{}\n\n", "It was a dark and stormy night. ".repeat(10)).repeat(203),
        ),
        Body(
            "64 KiB of Rust",
            format!("```rust\n{}```\n", "let x = found(1, \"a\")?; // why\n".repeat(2_113)),
        ),
    ]
}
