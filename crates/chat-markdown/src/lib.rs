#![doc = include_str!("../README.md")]

mod bounds;
mod code;
mod destination;
mod emoji;
mod html;
mod links;
mod literal;
mod open;
mod plain;
mod renderer;
mod run;
mod script;
mod shape;
mod shield;
mod stacked;
mod wall;
mod writer;

pub use bounds::{
    MAX_MARKS, MOST_BLOCKS, MOST_HIGHLIGHTED, MOST_INLINES, MOST_MARKDOWN, MOST_URL, most_html,
};
pub use renderer::{RemoteImages, Renderer};
