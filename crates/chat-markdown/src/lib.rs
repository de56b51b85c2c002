#![doc = include_str!("../README.md")]

mod classes;
mod code;
mod destination;
mod emoji;
mod html;
mod images;
mod limits;
mod links;
mod literal;
mod marks;
mod mentions;
mod placeholder;
mod plain;
mod renderer;
mod run;
mod sanitiser;
mod script;
mod shape;
mod targets;
mod writer;

pub use images::RemoteImages;
pub use limits::{MAX_BLOCKS, MAX_HIGHLIGHTED, MAX_INLINES, MAX_MARKDOWN, MAX_MARKS, MAX_URL, max_html};
pub use mentions::{MAX_MENTIONS, MentionText, mentions};
pub use renderer::Renderer;
pub use targets::targets;
