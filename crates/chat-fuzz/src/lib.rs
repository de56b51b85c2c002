#![doc = include_str!("../README.md")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::missing_panics_doc)]

mod classic;
mod engine;
mod frames;
mod json;
mod listener;
mod render;
mod served;
mod v2;

/// A fuzz target: panics if its property does not hold for these bytes.
pub type Target = fn(&[u8]);

/// All targets by name.
pub const TARGETS: [(&str, Target); 6] = [
    ("classic", classic::run),
    ("listener", listener::run),
    ("engine", engine::run),
    ("frames", frames::run),
    ("render", render::run),
    ("v2", v2::run),
];

/// Runs a target on these bytes.
pub fn run(name: &str, bytes: &[u8]) {
    let (_, target) = TARGETS.iter().find(|(known, _)| *known == name).expect("a target");
    target(bytes);
}

/// The longest UTF-8 prefix of these bytes: WebSocket text messages are always UTF-8.
fn text(bytes: &[u8]) -> &str {
    bytes.utf8_chunks().next().map_or("", |chunk| chunk.valid())
}
