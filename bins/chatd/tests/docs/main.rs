//! Tests of the documentation: its words, its links and its code blocks.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod layers;
mod links;
mod literals;
mod markdown;
mod program;
mod snippets;
mod tree;
mod width;
mod words;
