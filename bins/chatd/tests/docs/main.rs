//! The text of the project: which words it uses, where its links lead, and whether its code blocks do what they say.
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
