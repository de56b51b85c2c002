#![doc = include_str!("../README.md")]

mod code;
mod destination;
mod emoji;
mod html;
mod limits;
mod links;
mod literal;
mod marks;
mod placeholder;
mod plain;
mod renderer;
mod run;
mod sanitiser;
mod script;
mod shape;
mod writer;

pub use limits::{
    MAX_MARKS, MOST_BLOCKS, MOST_HIGHLIGHTED, MOST_INLINES, MOST_MARKDOWN, MOST_URL, most_html,
};
pub use renderer::{RemoteImages, Renderer};
